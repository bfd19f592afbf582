"""Which cell of a student's notebook is which of the new release's, and what is done with all the others."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any

from nbformat import NotebookNode

from coursekit import notebooks
from coursekit.intake import rebuilding
from coursekit.intake.cells import Submitted
from coursekit.intake.likeness import key, lines
from coursekit.intake.recognising import Matching

# A line of a text that is less like every line of the new text than this was not mended but written by the student.
LIKE = 0.6


@dataclass
class Sorted:
    """Indices of the student's cells: at which place of the release each stands, and what becomes of the others."""

    matching: Matching
    place_of: dict[int, int] = field(default_factory=dict)  # cell -> place in the release
    texts: dict[int, int] = field(default_factory=dict)  # place in the release -> cell without a name that stands there
    own: list[int] = field(default_factory=list)
    vanished: list[int] = field(default_factory=list)  # answers to questions that are there no longer
    dropped: list[int] = field(default_factory=list)  # locked cells that are there no longer


def mark_of(raw: dict[str, Any]) -> dict[str, Any]:
    """nbgrader's metadata of a cell as it stands in the file, empty where there are none."""
    metadata = raw.get("metadata")
    found = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    return found if isinstance(found, dict) else {}


def _recognised(matching: Matching, release: NotebookNode) -> dict[int, int]:
    """Cells that count as a named cell of the release, parts of a split answer included -> its place."""
    order = {notebooks.grade_id(cell): place for place, cell in enumerate(release.cells)}
    found: dict[int, int] = {}
    for name, index in matching.places.items():
        found.setdefault(index, order[name])
    for index, item in enumerate(matching.submitted):
        part = item.grade_id in matching.known and index not in matching.copies.get(str(item.grade_id), [])
        if index not in found and (part or index in matching.used):
            before = [place for other, place in found.items() if other < index]
            found[index] = order[item.grade_id] if part else max(before, default=0)
    return found


Trait = tuple[str, ...]


def _match(done: Sorted, ours: dict[int, Trait], theirs: dict[int, Trait]) -> None:
    """Let each cell that is not recognised yet stand at the first free place that has the same trait."""
    taken = set(done.place_of.values())
    free: dict[Trait, list[int]] = {}
    for place, trait in ours.items():
        if place not in taken:
            free.setdefault(trait, []).append(place)
    for index, trait in theirs.items():
        if index not in done.place_of and free.get(trait):
            done.place_of[index] = free[trait].pop(0)
            done.texts[done.place_of[index]] = index


def _same_texts(done: Sorted, release: NotebookNode, raws: Sequence[dict[str, Any]]) -> None:
    """Cells by the text and the id of one of the release's, by the text alone, and without a name by the id alone."""
    submitted, keys = done.matching.submitted, done.matching.keys
    ours = {place: cell for place, cell in enumerate(release.cells) if not notebooks.is_answer(cell)}
    theirs = {index: item for index, item in enumerate(submitted) if item.grade_id not in done.matching.known}
    text = {place: (cell.cell_type, key(cell.source)) for place, cell in ours.items()}
    name = {place: (cell.cell_type, str(cell["id"])) for place, cell in ours.items()}
    their_text = {index: (item.cell_type, keys[index]) for index, item in theirs.items()}
    their_name = {index: (item.cell_type, str(raws[index].get("id"))) for index, item in theirs.items()}
    _match(
        done,
        {place: (*text[place], *name[place]) for place in ours},
        {index: (*their_text[index], *their_name[index]) for index in theirs},
    )
    _match(
        done,
        {place: trait for place, trait in text.items() if trait[1]},
        {index: trait for index, trait in their_text.items() if trait[1]},
    )
    _match(
        done,
        {place: trait for place, trait in name.items() if notebooks.grade_id(ours[place]) is None},
        {index: trait for index, trait in their_name.items() if theirs[index].grade_id is None},
    )


def is_work(item: Submitted) -> bool:
    """Whether somebody wrote something into an answer cell."""
    empty = all("YOUR CODE HERE" in line or "YOUR ANSWER HERE" in line for line in lines(item.source))
    return not item.untouched and not empty


def _others(done: Sorted, raws: Sequence[dict[str, Any]]) -> None:
    """Own cells, answers to questions that are there no longer, and what is left of the old release."""
    matching = done.matching
    texts = {name: {matching.stub_keys[name], key(item.source)} for name, item in matching.chosen.items()}
    for index, item in enumerate(matching.submitted):
        if index in done.place_of:
            continue
        mark = mark_of(raws[index])
        if item.grade_id in matching.known:  # a copy
            known = texts.setdefault(str(item.grade_id), set())
            new = matching.keys[index] not in known and not item.untouched
            known.add(matching.keys[index])
            (done.own if new else done.dropped).append(index)
        elif mark.get("solution"):
            (done.vanished if is_work(item) else done.dropped).append(index)
        elif mark.get("locked") or mark.get("grade"):
            done.dropped.append(index)
        else:
            done.own.append(index)


def sort_cells(submitted: Sequence[Submitted], raws: Sequence[dict[str, Any]], release: NotebookNode) -> Sorted:
    """Recognise the cells of a student's notebook as intake does, then what intake has no use for.

    Raises `Unreadable` when the notebook has no cell of this assignment.
    """
    done = Sorted(rebuilding.recognise(submitted, release))
    done.place_of.update(_recognised(done.matching, release))
    _same_texts(done, release, raws)
    _others(done, raws)
    return done


def added_lines(theirs: str, ours: str) -> bool:
    """Whether a text without a name holds lines that are none of the new text's, not even before these were mended."""
    known = lines(ours)
    return any(
        max((SequenceMatcher(None, line, other, autojunk=False).ratio() for other in known), default=0.0) < LIKE
        for line in lines(theirs)
        if line not in known
    )


def extends(theirs: str, ours: str) -> bool:
    """Whether the student's text is all of the new one, in its order, with something added."""
    rest = iter(lines(theirs))
    return all(line in rest for line in lines(ours))
