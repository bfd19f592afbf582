"""What a new release changes in the cells that the gradebook knows, compared with what students and gradebook have."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import NamedTuple

from nbformat import NotebookNode

from coursekit import notebooks
from coursekit.release.markers import Marks, region_lines

ADDED = "added"
REMOVED = "removed"
MOVED = "moved"
POINTS = "points changed"
ROLE = "another kind of cell"
TEXT = "text changed"
STUB = "given part of the answer cell changed"
HIDDEN = "hidden tests changed"
SEEN = (ADDED, REMOVED, MOVED, POINTS, ROLE, TEXT, STUB)  # what students have to bring into their notebooks


@dataclass(frozen=True)
class Change:
    """One thing that a new release changes about one cell."""

    kind: str
    notebook: str
    cell: str
    before: str = ""
    after: str = ""

    def __str__(self) -> str:
        values = f" ({self.before} -> {self.after})" if self.before or self.after else ""
        return f"{self.notebook}, '{self.cell}': {self.kind}{values}"


class Known(NamedTuple):
    """What the gradebook holds of a cell: its tables' names, its points, its source with hidden tests."""

    roles: frozenset[str]
    points: float
    source: str


Cells = Mapping[str, Known]  # by name


def roles(cell: NotebookNode) -> frozenset[str]:
    """The tables of nbgrader's gradebook that have a row for the cell, and its type."""
    data = notebooks.meta(cell)
    tables = {"GradeCell": "grade", "SolutionCell": "solution", "TaskCell": "task"}
    return frozenset(table for table, flag in tables.items() if data.get(flag)) | {cell.cell_type}


def cells_of(tests: NotebookNode) -> dict[str, Known]:
    """What the gradebook will hold of a notebook with hidden tests."""
    return {
        name: Known(roles(cell), notebooks.max_score(cell) if notebooks.is_graded(cell) else 0.0, cell.source)
        for name, cell in notebooks.by_id(tests).items()
    }


def _moved(before: Iterable[str], after: Iterable[str]) -> list[str]:
    """Names that both have and that stand in another order, as few as will do."""
    first, second = list(before), list(after)
    common = set(first) & set(second)
    first, second = [x for x in first if x in common], [x for x in second if x in common]
    blocks = SequenceMatcher(None, first, second, autojunk=False).get_matching_blocks()
    still = {name for block in blocks for name in first[block.a : block.a + block.size]}
    return [name for name in second if name not in still]


def _hidden(source: str, marks: Marks) -> list[str]:
    return list(region_lines(source, marks, "hidden"))


def _within(change: Change, before: Known, after: Known, texts: tuple[str, str], marks: Marks) -> Iterator[Change]:
    """Changes of a cell that stays; `texts` is what students see of it, before and after."""
    if before.roles != after.roles:
        yield replace(change, kind=ROLE, before=" ".join(sorted(before.roles)), after=" ".join(sorted(after.roles)))
    if before.points != after.points:
        yield replace(change, kind=POINTS, before=f"{before.points:g}", after=f"{after.points:g}")
    if texts[0] != texts[1]:
        yield replace(change, kind=STUB if "SolutionCell" in after.roles else TEXT)
    if _hidden(before.source, marks) != _hidden(after.source, marks):
        yield replace(change, kind=HIDDEN)


def _points(known: Known, after: Known, released: NotebookNode | None) -> Known:
    """With the points that students were told, where the gradebook has learnt of the new ones already."""
    if known.points != after.points or released is None or not notebooks.is_graded(released):
        return known
    return known._replace(points=notebooks.max_score(released))


def compare(
    name: str, before: Cells, after: NotebookNode, released: tuple[NotebookNode | None, NotebookNode], marks: Marks
) -> Iterator[Change]:
    """Changes of one notebook, in its order: the gradebook's cells, the new tests, the old release and the new one."""
    known, old, new = cells_of(after), *released
    theirs, ours = {} if old is None else notebooks.by_id(old), notebooks.by_id(new)
    yield from (Change(REMOVED, name, cell) for cell in before if cell not in known)
    yield from (Change(ADDED, name, cell) for cell in known if cell not in before)
    yield from (Change(MOVED, name, cell) for cell in _moved(theirs, ours))
    for cell, wanted in known.items():
        if cell in before:
            text, earlier = ours[cell].source, theirs.get(cell)
            texts = (text if earlier is None else earlier.source, text)
            yield from _within(Change("", name, cell), _points(before[cell], wanted, earlier), wanted, texts, marks)


def other_texts(old: NotebookNode | None, new: NotebookNode) -> bool:
    """Whether cells without a name, such as texts, or the notebook's own settings are others than before."""

    def rest(nb: NotebookNode) -> list[object]:
        return [dict(nb.metadata), *((c.cell_type, c.source) for c in nb.cells if notebooks.grade_id(c) is None)]

    return old is None or rest(old) != rest(new)
