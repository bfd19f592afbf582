"""What is stored of a graded notebook can be opened in nbgrader's formgrader, which shows it as it is.

The formgrader's page may do whatever the instructor may, and it takes Markdown and HTML from the notebook unseen. So
outputs keep only what cannot run, and a written answer that could run, load or pose as something is kept as text.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from bs4 import BeautifulSoup
from bs4.element import NavigableString, Tag
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from nbformat.v4 import new_output

from coursekit import notebooks
from coursekit.feedback.markdown import LONGEST_MARKDOWN
from coursekit.feedback.sanitize import encodable, safe_html

LEFT_OUT = "[An output of the kind {kinds} was left out: it could have run something in the reader's browser.]"
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]+")
_CHECKBOX = re.compile(r'<input class="task-list-item-checkbox" type="checkbox" disabled(?: checked)?/>')
_SIGN = r"!-/:-@\[-`{-~"  # everything in ASCII that can mean something to Markdown or HTML
_AS_TEXT = re.compile(rf"<pre>(?:[^{_SIGN}]|&#\d+;)*</pre>")
_PICTURES = ("image/png", "image/jpeg", "image/svg+xml")


def _text(value: object) -> str:
    """Text as nbformat has it, in one piece or in lines."""
    return encodable("".join(map(str, value)) if isinstance(value, list) else value)


def _harmless_data(data: Mapping[str, Any]) -> dict[str, str]:
    """The representations of one output that cannot run; pictures are shown as <img>, in which nothing runs either."""
    found = {}
    for kind in ("text/plain", "text/latex"):
        if kind in data:
            found[kind] = _text(data[kind])
    for kind in _PICTURES:
        text = _text(data.get(kind, ""))
        if text and (kind == "image/svg+xml" or _BASE64.fullmatch(text)):
            found[kind] = text
    if "text/html" in data and (page := safe_html(_text(data["text/html"]))).strip():
        found["text/html"] = page
    return found or {"text/plain": LEFT_OUT.format(kinds=", ".join(map(encodable, data)) or "none")}


def _sizes(metadata: Mapping[str, Any], data: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """Width and height of pictures; anything else in an output's metadata is for programs."""
    found = {}
    for kind in _PICTURES:
        options = metadata.get(kind)
        if kind in data and isinstance(options, dict):
            found[kind] = {k: options[k] for k in ("width", "height") if isinstance(options.get(k), int)}
    return {kind: sizes for kind, sizes in found.items() if sizes}


def harmless_output(output: Mapping[str, Any]) -> NotebookNode:
    """An output made anew from those of its parts that cannot run."""
    kind = output.get("output_type")
    if kind == "stream":
        name = "stderr" if output.get("name") == "stderr" else "stdout"
        return new_output("stream", name=name, text=_text(output.get("text", "")))
    if kind == "error":
        lines = [_text(line) for line in output.get("traceback", [])]
        name, value = _text(output.get("ename", "")), _text(output.get("evalue", ""))
        return new_output("error", ename=name, evalue=value, traceback=lines)
    data = _harmless_data(output.get("data") or {})
    options = {"data": data, "metadata": _sizes(output.get("metadata") or {}, data)}
    if kind != "execute_result":
        return new_output("display_data", **options)
    count = output.get("execution_count")
    return new_output("execute_result", execution_count=count if isinstance(count, int) else None, **options)


def _tree(page: str) -> list[Any] | None:
    """What a page consists of, in order; None when there is more in it than elements and text."""
    found: list[Any] = []
    for node in BeautifulSoup(page, "html.parser").descendants:
        if isinstance(node, Tag):
            ignored = {"rel", "id"} if re.fullmatch("a|h[1-6]", node.name) else set()
            attributes = {k: re.sub(r"[\s;]", "", str(v)) for k, v in node.attrs.items() if k not in ignored}
            found.append((node.name, attributes))
        elif type(node) is not NavigableString:
            return None  # a comment or the like: parsers do not agree on where it ends
        elif text := "".join(node.split()):
            found.append(text)
    return found


def is_harmless(source: str, attachments: Any = None, taken: Iterable[str] = ()) -> bool:
    """Whether Markdown, as nbconvert renders it, is only formatted text, pictures in the page, and links to the web.

    Headings may not have the id of a graded cell (`taken`): the formgrader would take them for the cell's points.
    """
    if _AS_TEXT.fullmatch(source):
        return True
    if len(source) > LONGEST_MARKDOWN:
        return False
    renderer = IPythonRenderer(escape=False, attachments=attachments)
    try:
        page = MarkdownWithMath(renderer=renderer).render(source)
    except Exception:  # what nbconvert cannot render would end the formgrader's page as well
        return False
    page = _CHECKBOX.sub("", page)
    ids = {str(node["id"]) for node in BeautifulSoup(page, "html.parser").find_all(id=True)}
    if not ids.isdisjoint(f"{name}{ending}" for name in taken for ending in ("", "-comment", "_extra_credit")):
        return False
    tree = _tree(page)
    return tree is not None and tree == _tree(safe_html(page))


def as_text(source: str) -> str:
    """Markdown that shows a text letter by letter: there is no sign left in it that means anything to Markdown."""
    coded = re.sub(f"[{_SIGN}]", lambda sign: f"&#{ord(sign[0])};", encodable(source))
    return f"<pre>{coded}</pre>"


def disarm(nb: NotebookNode) -> list[str]:
    """Make a graded notebook harmless in place; returns sentences for the student about answers that became text."""
    taken = set(notebooks.by_id(nb))
    sentences = []
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs = [harmless_output(output) for output in cell.outputs]
        elif notebooks.is_answer(cell) and not is_harmless(cell.source, cell.get("attachments"), taken):
            cell.source = as_text(cell.source)
            cell.pop("attachments", None)
            sentences.append(
                f"The written answer '{notebooks.grade_id(cell)}' contains HTML, links or pictures that are not safe "
                "to show; it is shown as plain text, and no letter of it was lost."
            )
    return sentences
