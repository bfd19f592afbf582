"""The marks BEGIN SOLUTION and BEGIN HIDDEN TESTS: are they well formed, and what stands between them?"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from nbformat import NotebookNode
from nbgrader.preprocessors import ClearHiddenTests, ClearMarkScheme, ClearSolutions
from traitlets.config import Config

from coursekit import notebooks

# Looks like a mark, also when it is misspelt: a comment that begins or ends something about solutions, tests or marks.
_NEARLY_A_MARK = re.compile(r"^\s*#+\s*(BEGIN|END)\b.*\b(SOL|HIDDEN|TEST|MARK)", re.IGNORECASE)


@dataclass(frozen=True)
class Marks:
    """The three pairs of marks that nbgrader is configured for."""

    solution: tuple[str, str]
    hidden: tuple[str, str]
    scheme: tuple[str, str]

    @classmethod
    def of(cls, config: Config) -> "Marks":
        """Read them where nbgrader reads them."""
        solution = ClearSolutions(config=config)
        hidden = ClearHiddenTests(config=config)
        scheme = ClearMarkScheme(config=config)
        return cls(
            (solution.begin_solution_delimeter, solution.end_solution_delimeter),
            (hidden.begin_test_delimeter, hidden.end_test_delimeter),
            (scheme.begin_mark_scheme_delimeter, scheme.end_mark_scheme_delimeter),
        )

    def find(self, line: str) -> tuple[str, str] | None:
        """('solution' | 'hidden' | 'scheme', 'begin' | 'end') for a line that holds a mark, otherwise None."""
        for kind in ("solution", "hidden", "scheme"):
            begin, end = getattr(self, kind)
            if begin in line:
                return kind, "begin"
            if end in line:
                return kind, "end"
        return None


def region_lines(source: str, marks: Marks, kind: str) -> Iterator[str]:
    """Lines between the marks of one kind, without the marks."""
    inside = False
    for line in source.split("\n"):
        mark = marks.find(line)
        if mark is not None and mark[0] == kind:
            inside = mark[1] == "begin"
        elif inside and mark is None:
            yield line


def _complaints_about_cell(cell: NotebookNode, marks: Marks) -> Iterator[str]:
    allowed = {
        "solution": notebooks.is_answer(cell),
        "hidden": bool(notebooks.meta(cell).get("grade")),
        "scheme": bool(notebooks.meta(cell).get("task")),
    }
    open_kind: str | None = None
    for number, line in enumerate(cell.source.split("\n"), start=1):
        mark = marks.find(line)
        if mark is None:
            if _NEARLY_A_MARK.match(line):
                yield f"line {number} looks like a mark but is none: {line.strip()!r}"
            continue
        kind, edge = mark
        if edge == "begin":
            if open_kind is not None:
                yield f"line {number} begins a region inside another one: {line.strip()!r}"
            elif not allowed[kind]:
                yield f"line {number} has a mark that this kind of cell may not have: {line.strip()!r}"
            open_kind = kind
        else:
            if open_kind != kind:
                yield f"line {number} ends a region that was not begun: {line.strip()!r}"
            open_kind = None
    if open_kind is not None:
        yield "a region is begun and never ended"


def complaints(nb: NotebookNode, marks: Marks) -> list[str]:
    """Every malformed mark of a source notebook as a sentence; an empty list means that it can be released."""
    found = []
    for index, cell in enumerate(nb.cells):
        name = notebooks.grade_id(cell)
        where = f"cell {name!r}" if name else f"cell number {index + 1}"
        found += [f"{where}: {text}" for text in _complaints_about_cell(cell, marks)]
    return found
