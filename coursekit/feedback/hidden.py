"""What hidden tests say, so that no output of a student's notebook repeats it in a feedback page."""

import ast
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

from nbformat import NotebookNode

from coursekit.grading.verdicts import plain
from coursekit.release.markers import Marks, region_lines

SHORTEST_LINE = 8
SHORTEST_TEXT = 12  # a shorter string, such as " should be ", stands in many outputs
SHORTEST_NAME = 8
SHORTEST_NUMBER = 6  # digits: 0.7310586 tells something, 0.5 stands everywhere


def _squeezed(text: str) -> str:
    """Text in which spaces, quotes and backslashes make no difference."""
    return re.sub(r"[\s\\'\"]+", " ", text).strip()


@dataclass(frozen=True)
class Secrets:
    """Lines and words of the hidden tests of a notebook that stand nowhere in what students have."""

    lines: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()

    def shown_in(self, text: str) -> bool:
        """Whether a text repeats one of them, also as a quoted string, in colours, or as HTML."""
        text = html.unescape(plain(text)).replace("\\n", "\n").replace("\\t", "\t")
        found = (_squeezed(text), _squeezed(re.sub(r"<[^<>]*>", "", text)))
        return any(secret in part for secret in self.lines | self.words for part in found)


def _own_names(tree: ast.AST) -> Iterator[str]:
    """Names that a program makes itself; the names of a library stand in many outputs."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name


def _words(source: str) -> Iterator[str]:
    """Strings, long numbers and names of its own of a program."""
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a magic of IPython: its lines are kept back all the same
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if len(node.value.strip()) >= SHORTEST_TEXT:
                yield _squeezed(node.value)
        elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            digits = re.sub(r"\D", "", repr(node.value)).strip("0")
            yield from [repr(node.value)] * (len(digits) >= SHORTEST_NUMBER)
    yield from (name for name in _own_names(tree) if len(name) >= SHORTEST_NAME and "_" in name.strip("_"))


def secrets_of(tests: NotebookNode, marks: Marks, released: NotebookNode) -> Secrets:
    """What the hidden tests of a notebook say and its release does not."""
    known = {_squeezed(line) for cell in released.cells for line in cell.source.split("\n")}
    everything = _squeezed("\n".join(cell.source for cell in released.cells))
    lines: set[str] = set()
    words: set[str] = set()
    for cell in tests.cells:
        if hidden := [_squeezed(line) for line in region_lines(cell.source, marks, "hidden")]:
            lines |= {line for line in hidden if len(line) >= SHORTEST_LINE and line not in known}
            words |= {word for word in _words(cell.source) if word not in everything}
    return Secrets(frozenset(lines), frozenset(words))
