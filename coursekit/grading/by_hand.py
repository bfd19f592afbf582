"""For which answer a person gave points: they stay through every regrade, and a changed answer is looked at again.

nbgrader's rule is kept: whenever a submission is booked anew, each cell with points of a person waits for a person. It
waits no longer once somebody has looked, which tells that the answer seen is the one that lay in `autograded` then.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from nbformat import NotebookNode

from coursekit import notebooks
from coursekit.files import digest
from coursekit.grading.records import Record

Answers = dict[str, dict[str, str]]  # notebook -> cell -> short hash of the answer
Key = tuple[str, str]  # notebook, cell


class Given(NamedTuple):
    """What a person has given for one cell, and whether the cell waits for a person again."""

    manual_score: float | None
    extra_credit: float
    waits: bool


def _hash(nb_cells: Mapping[str, NotebookNode], names: list[str]) -> str:
    return digest(*(nb_cells[name].source.encode("utf-8", "surrogatepass") for name in names))[:12]


def answers(executed: Mapping[str, NotebookNode]) -> Answers:
    """What was answered for each graded cell: the cell itself, or for a test the answers of its question."""
    found: Answers = {}
    for name, nb in executed.items():
        cells = notebooks.by_id(nb)
        own = {cell: _hash(cells, [cell]) for cell in cells if notebooks.is_answer(cells[cell])}
        part = {cell: own[cell] for cell in own if notebooks.is_graded(cells[cell])}
        for question in notebooks.questions(nb):
            part |= dict.fromkeys(question.tests, _hash(cells, question.answers))
        found[name] = part
    return found


def seen(record: Mapping[str, Any], given: Mapping[Key, Given]) -> Answers:
    """The answers for which a person gave the points that the gradebook has, as far as anybody knows."""
    booked, before = record.get("answers", {}), record.get("by_hand", {})
    found: Answers = {}
    for (name, cell), points in given.items():
        if points.manual_score is None:
            continue
        now, earlier = booked.get(name, {}).get(cell), before.get(name, {}).get(cell)
        answer = now if not points.waits or earlier is None else earlier
        if answer or earlier:
            found.setdefault(name, {})[cell] = str(answer or earlier)
    return found


def outdated(booked: Answers, by_hand: Answers) -> list[list[str]]:
    """Notebook and cell of every answer that is another one than the one that a person gave points for."""
    return [
        [name, cell]
        for name, cells in sorted(by_hand.items())
        for cell, answer in sorted(cells.items())
        if booked.get(name, {}).get(cell, answer) != answer
    ]


def fields(booked: Answers, by_hand: Answers) -> Record:
    """What a record says about it."""
    return {"answers": booked, "by_hand": by_hand, "changed_since_by_hand": outdated(booked, by_hand)}


def sentences(record: Mapping[str, Any]) -> list[str]:
    """What a person has to look at again."""
    return [
        f"The answer to '{cell}' has changed since a person graded it; the points stay until somebody looks again."
        for _, cell in record.get("changed_since_by_hand", [])
    ]
