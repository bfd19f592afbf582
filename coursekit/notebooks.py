"""Small questions about nbgrader notebooks, and their one way of being written."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import nbformat
from nbformat import NotebookNode


def loads(data: bytes) -> NotebookNode:
    """Read a notebook that we wrote ourselves (a submission goes through `intake`)."""
    return nbformat.reads(data.decode("utf-8"), as_version=4)


def dumps(nb: NotebookNode) -> bytes:
    """The same notebook always gives the same bytes: sorted keys, one space of indentation, a final newline."""
    return (nbformat.writes(nb, version=4).rstrip("\n") + "\n").encode("utf-8")


def loads_marked(data: bytes) -> NotebookNode:
    """The cells that nbgrader has marked, of a notebook that we wrote ourselves, and no others: in half of the time."""
    plain = json.loads(data)
    plain["cells"] = [cell for cell in plain["cells"] if "nbgrader" in cell["metadata"]]
    nb: NotebookNode = nbformat.v4.to_notebook_json(plain)
    return nb


def meta(cell: NotebookNode) -> dict[str, Any]:
    """nbgrader's metadata of a cell, empty where there are none."""
    return cell.metadata.get("nbgrader", {})


def grade_id(cell: NotebookNode) -> str | None:
    """The cell's name in the gradebook, or None for an ordinary cell."""
    data = meta(cell)
    marked = data.get("grade") or data.get("solution") or data.get("locked") or data.get("task")
    return data.get("grade_id") if marked else None


def is_answer(cell: NotebookNode) -> bool:
    """Whether the student writes into this cell."""
    return bool(meta(cell).get("solution"))


def is_test(cell: NotebookNode) -> bool:
    """Whether running this cell gives points."""
    return bool(meta(cell).get("grade")) and not is_answer(cell) and cell.cell_type == "code"


def is_graded(cell: NotebookNode) -> bool:
    """Whether this cell has points, by a test or by a person."""
    return bool(meta(cell).get("grade") or meta(cell).get("task"))


def max_score(cell: NotebookNode) -> float:
    """Points of a graded cell."""
    return float(meta(cell).get("points", 0.0))


def by_id(nb: NotebookNode) -> dict[str, NotebookNode]:
    """The cells that the gradebook knows, by name."""
    return {name: cell for cell in nb.cells if (name := grade_id(cell)) is not None}


@dataclass
class Question:
    """Answer cells with what follows them, up to the next answer cell after a test: names of cells."""

    answers: list[str] = field(default_factory=list)
    checks: list[str] = field(default_factory=list)  # locked code without points, such as a check that the student sees
    tests: list[str] = field(default_factory=list)


def questions(nb: NotebookNode) -> Iterator[Question]:
    """The questions of a notebook, in order."""
    question = Question()
    for cell in nb.cells:
        name = grade_id(cell)
        if name is None:
            continue
        if is_answer(cell):
            if question.tests:
                yield question
                question = Question()
            question.answers.append(name)
        elif is_test(cell) and question.answers:
            question.tests.append(name)
        elif cell.cell_type == "code" and question.answers:
            question.checks.append(name)
    if question.answers:
        yield question


def question_numbers(nb: NotebookNode) -> list[int | None]:
    """The question to which each cell belongs: from its first answer to the next answer that follows a test."""
    numbers: list[int | None] = []
    current: int | None = None
    tested = False
    for cell in nb.cells:
        if is_answer(cell) and (current is None or tested):
            current, tested = (0 if current is None else current + 1), False
        tested = tested or is_test(cell)
        numbers.append(current)
    return numbers


def options(node: NotebookNode) -> dict[str, Any]:
    """metadata['coursekit']: of a cell its seconds, of a notebook `forbidden` and what grading.allowances reads."""
    found = node.metadata.get("coursekit", {})
    return dict(found) if isinstance(found, dict) else {}
