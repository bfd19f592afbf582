"""Markdown as HTML for the feedback pages: as nbconvert writes it, with formulas drawn, and safe to show."""

from functools import lru_cache
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from coursekit.feedback.formulas import mathml
from coursekit.feedback.sanitize import as_shown, encodable, safe_html

LONGEST_MARKDOWN = 20_000  # some texts cost the parser the square of their length


class _Renderer(IPythonRenderer):
    """nbconvert's renderer, but for formulas and for diagrams, which it leaves to scripts."""

    def block_math(self, body: str) -> str:
        return mathml(body, display=True)

    def inline_math(self, body: str) -> str:
        return mathml(body, display=False)

    def latex_environment(self, name: str, body: str) -> str:
        return mathml(f"\\begin{{{name}}}{body}\\end{{{name}}}", display=True)

    def block_mermaidjs(self, code: str) -> str:
        return as_shown(code)


def markdown(source: object, attachments: Any = None) -> str:
    """Safe HTML of a text; never raises for what a student wrote, and shows the text itself where nothing else goes."""
    return _render(encodable(source), attachments) if attachments else _plain(encodable(source))


@lru_cache(maxsize=1024)
def _plain(text: str) -> str:
    """The same without attachments: most texts are the same for the whole class."""
    return _render(text, None)


def _render(text: str, attachments: Any) -> str:
    if len(text) > LONGEST_MARKDOWN:
        return as_shown(text)
    renderer = _Renderer(escape=False, attachments=attachments, exclude_anchor_links=True)
    try:
        found = MarkdownWithMath(renderer=renderer).render(text)
    except Exception:  # the parser trusts its text: a missing attachment or deep nesting ends it
        return as_shown(text)
    return safe_html(found)


@pass_context
def markdown_filter(context: Context, source: object) -> str:
    """The same as a filter of nbconvert's templates, where the pictures of a text are those of its cell."""
    cell = context.get("cell")
    return markdown(source, cell.get("attachments") if cell is not None else None)
