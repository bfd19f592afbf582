"""The new release with a student's answers, outputs and own cells in it: bytes in, a notebook and sentences out."""

import copy
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_raw_cell
from nbformat.v4.rwbase import rejoin_lines

from coursekit import notebooks
from coursekit.errors import CourseError
from coursekit.intake import Unreadable, reading
from coursekit.intake.cells import Submitted, cells, raw
from coursekit.intake.names import shown
from coursekit.update.sorting import Sorted, added_lines, extends, mark_of, sort_cells

KEPT = "kept-answers"
HEADING = (
    "## Answers that were kept\n\nThe questions of these cells are no longer part of the assignment. Nothing below is "
    "graded; delete what you do not need."
)
_ROUNDS = 5
_NEW: Mapping[str, Any] = {"code": new_code_cell, "markdown": new_markdown_cell, "raw": new_raw_cell}


@dataclass
class _Merging:
    """One notebook while it is put together."""

    raws: Sequence[dict[str, Any]]
    done: Sorted
    told: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)

    def item(self, index: int) -> Submitted:
        return self.done.matching.submitted[index]

    def _carry_over(self, cell: NotebookNode, index: int) -> None:
        """Outputs where the source is the same, pictures in texts, and metadata that the release does not set."""
        item, old = self.item(index), self.raws[index]
        metadata = old.get("metadata")
        if isinstance(metadata, dict):
            own = {name: value for name, value in metadata.items() if name not in ("nbgrader", "coursekit")}
            cell.metadata = nbformat.from_dict({**own, **cell.metadata})
        if cell.cell_type == "code" and item.is_code and cell.source == item.source:
            if _is_valid_with(cell, "outputs", old.get("outputs")):
                cell.outputs = nbformat.from_dict(old["outputs"])
            if _is_valid_with(cell, "execution_count", old.get("execution_count")):
                cell.execution_count = old.get("execution_count")
        if cell.cell_type == "markdown" and item.attachments and cell.source == item.source:
            if _is_valid_with(cell, "attachments", item.attachments):
                cell["attachments"] = nbformat.from_dict(item.attachments)
            else:
                self.told.append("Pictures of a cell could not be kept; they are in the old file.")

    def own_cell(self, index: int) -> NotebookNode:
        """A cell of the student's, without nbgrader's mark, under its own id where that is free."""
        item = self.item(index)
        wanted = self.raws[index].get("id")
        text = hashlib.sha256(item.source.encode()).hexdigest()[:12]
        free = self.free_id(str(wanted) if _is_id(wanted) else f"own-{text}", f"own-{text}")
        cell: NotebookNode = _NEW[item.cell_type](item.source, id=free)
        self._carry_over(cell, index)
        for name in ("deletable", "editable"):  # a released cell's: what is the student's own can be deleted
            cell.metadata.pop(name, None)
        if not _is_valid(cell):
            cell.metadata = nbformat.from_dict({})
        return cell

    def free_id(self, wanted: str, otherwise: str) -> str:
        """The wanted id of a cell where no other has it, else another one, the same every time."""
        names = (wanted, *(f"{otherwise}-{number}" for number in range(len(self.ids) + 1)))
        free = next(name for name in names if name not in self.ids)
        self.ids.add(free)
        return free

    def named(self, cell: NotebookNode) -> None:
        """Fill in a cell that the gradebook knows."""
        name = str(notebooks.grade_id(cell))
        index = self.done.matching.places.get(name)
        if index is None:
            return
        item = self.done.matching.chosen[name]
        if notebooks.is_answer(cell) and not item.untouched:
            cell.source = item.source
        self._carry_over(cell, index)

    def text(self, cell: NotebookNode, index: int) -> list[NotebookNode]:
        """Fill in a cell without a name; returns the student's version where that has to stand below it."""
        theirs = self.item(index).source
        if notebooks.grade_id(cell) is None and extends(theirs, cell.source):
            cell.source = theirs
        self._carry_over(cell, index)
        if cell.source != theirs and cell.source.strip() != theirs.strip() and added_lines(theirs, cell.source):
            self.told.append(
                f"The text '{shown(cell.id)}' is that of the new version; yours stands below it, because it has lines "
                "of its own."
            )
            return [self.own_cell(index)]
        return []


def _is_valid(cell: NotebookNode) -> bool:
    try:
        nbformat.validate(cell, ref=f"{cell.cell_type}_cell", version=4, version_minor=5)
    except nbformat.ValidationError:
        return False
    return True


def _is_valid_with(cell: NotebookNode, name: str, value: Any) -> bool:
    return value is not None and _is_valid(nbformat.from_dict({**cell, name: value}))


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and _is_valid(new_markdown_cell("", id=value))


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"'{shown(name)}'" for name in names[:6]) + (" and others" if len(names) > 6 else "")


def _tell(merging: _Merging, release: NotebookNode) -> list[str]:
    """Sentences about what is new, and what became of the student's cells."""
    matching, known = merging.done.matching, merging.done.matching.known
    marks = {name: mark_of(merging.raws[index]) for name, index in matching.places.items()}
    sums = {name: notebooks.meta(cell).get("checksum") for name, cell in known.items()}
    changed = [name for name, mark in marks.items() if "checksum" in mark and mark["checksum"] != sums[name]]
    answers = [name for name in changed if matching.is_answer(name)]
    differs = [name for name in answers if not matching.chosen[name].untouched]
    edited = [
        name
        for name, item in matching.chosen.items()
        if not matching.is_answer(name) and not item.untouched and item.source.strip() != known[name].source.strip()
    ]
    new = [name for name in known if name not in matching.chosen and name not in matching.explained]
    groups = (
        ("new", new),
        ("renewed", [name for name in changed if name not in differs]),
        ("answers whose question was changed, to be looked at again", differs),
        ("locked cells that you had changed; your changes are in the old file only", edited),
        ("answers whose question is gone; they stand at the end", _of(merging, merging.done.vanished)),
        ("no longer part of the assignment", _gone(merging)),
    )
    told = [f"{title}: {_names(names)}." for title, names in groups if names]
    return [*told, *(text for text in matching.repairs if "the original" not in text), *merging.told]


def _of(merging: _Merging, indices: Sequence[int]) -> list[str]:
    return [merging.item(index).grade_id or "without a name" for index in indices]


def _gone(merging: _Merging) -> list[str]:
    return [name for name in _of(merging, merging.done.dropped) if name not in merging.done.matching.known]


def _body(merging: _Merging, release: NotebookNode) -> list[NotebookNode]:
    """The cells of the release with the student's own where they stood: each below the cell that was above it."""
    done = merging.done
    below: dict[int, list[int]] = {}
    anchor = -1
    for index in range(len(merging.raws)):
        anchor = done.place_of.get(index, anchor)
        if index in done.own:
            below.setdefault(anchor, []).append(index)
    body = [merging.own_cell(index) for index in below.get(-1, [])]
    for place, cell in enumerate(release.cells):
        body.append(cell)
        if notebooks.grade_id(cell) is not None and place not in done.texts:
            merging.named(cell)
        elif place in done.texts:
            body += merging.text(cell, done.texts[place])
        body += [merging.own_cell(index) for index in below.get(place, [])]
    return body


def _metadata(found: dict[str, Any], release: NotebookNode) -> NotebookNode:
    """The release's metadata; the kernel that the student chose and what editors note stay."""
    old = found.get("metadata")
    own = {name: value for name, value in old.items() if name != "coursekit"} if isinstance(old, dict) else {}
    merged = {**own, **release.metadata}
    for name in ("kernelspec", "language_info"):
        if isinstance(own.get(name), dict) and isinstance(own[name].get("name"), str):
            merged[name] = {**release.metadata.get(name, {}), **own[name]}
    nb = nbformat.v4.new_notebook(metadata=nbformat.from_dict(merged))
    try:
        nbformat.validate(nb)
    except nbformat.ValidationError:
        return release.metadata
    return nb.metadata


def merge(data: bytes, release: NotebookNode) -> tuple[NotebookNode, list[str]]:
    """The new release with everything in it that the student wrote, and what was done, as sentences.

    Raises `Unreadable` when the file is no notebook of this assignment, CourseError when a cell is too long.
    """
    nb, told = _merge(data, release)
    for _ in range(_ROUNDS):
        # cells that carry two marks, or another's id, are told apart only once the others stand in their places
        again, _ = _merge(notebooks.dumps(nb), release)
        if again == nb:
            break
        nb = again
    return nb, told


def _merge(data: bytes, release: NotebookNode) -> tuple[NotebookNode, list[str]]:
    repairs: list[str] = []
    found = reading.load(data, repairs)
    submitted, raws = cells(found, repairs), list(raw(found))
    if len(raws) != len(submitted) or any(item.too_long for item in submitted):
        raise CourseError("has more or longer cells than can be read. Take out what holds data rather than answers.")
    nb = copy.deepcopy(release)
    merging = _Merging(raws, sort_cells(submitted, raws, nb), repairs, {str(cell["id"]) for cell in nb.cells})
    body = _body(merging, nb)
    if merging.done.vanished:
        if not any(item.source == HEADING for item in submitted):
            body.append(new_markdown_cell(HEADING, id=merging.free_id(KEPT, KEPT)))
        body += [merging.own_cell(index) for index in merging.done.vanished]
    nb.cells = body
    nb.metadata = _metadata(found, nb)
    rejoined: NotebookNode = rejoin_lines(nb)  # files hold texts as lists of lines
    return rejoined, _tell(merging, nb)


__all__ = ["HEADING", "Unreadable", "merge"]
