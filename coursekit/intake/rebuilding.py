"""The released notebook with a student's answers in it."""

import copy
from collections import Counter
from collections.abc import Sequence

from nbformat import NotebookNode

from coursekit import notebooks
from coursekit.intake import lost, reading, recognising
from coursekit.intake.cells import Submitted, cells, clean_attachments, kernel
from coursekit.intake.likeness import key
from coursekit.intake.names import shown
from coursekit.intake.reading import Unreadable
from coursekit.intake.recognising import Matching

MANY = 8  # sentences of one kind; more than these are told in one


def _fill_in(cell: NotebookNode, name: str, submitted: Submitted, repairs: list[str]) -> None:
    if submitted.too_long:
        repairs.append(
            f"The answer cell '{name}' holds {submitted.too_long} characters, more than are read; it counts as empty."
        )
        return
    if submitted.untouched:
        return  # the empty cell of an earlier release: that of this one is empty as well
    cell.source = submitted.source
    if submitted.cell_type != cell.cell_type:
        repairs.append(
            f"The answer cell '{name}' had become a {submitted.cell_type} cell; it was read as {cell.cell_type} again."
        )
    if cell.cell_type == "markdown" and (attached := clean_attachments(submitted.attachments)):
        cell["attachments"] = attached


def _what(cell: NotebookNode) -> str:
    if notebooks.is_answer(cell):
        return "answer cell"
    return "test cell" if notebooks.is_test(cell) else "locked cell"


def _tell(found: list[tuple[str, str]], several: str, repairs: list[str]) -> None:
    """A sentence for each name, or one for all when there are many."""
    if len(found) <= MANY:
        repairs += [sentence for _, sentence in found]
    else:
        listed = ", ".join(f"'{name}'" for name, _ in found[:3])
        repairs.append(f"{len(found)} cells of the assignment, such as {listed}, {several}.")


def _compare_locked(matching: Matching) -> None:
    """Sentences about our cells that are not as they were released."""
    changed, converted, gone = [], [], []
    for name, cell in matching.known.items():
        submitted = matching.chosen.get(name)
        what = f"The {_what(cell)} '{name}'"
        if submitted is None:
            if name not in matching.explained:
                end = "the empty one of the assignment was put in its place" if notebooks.is_answer(cell) else ""
                gone.append((name, f"{what} was missing; {end or 'it was put back'}."))
        elif notebooks.is_answer(cell):
            continue
        elif submitted.cell_type != cell.cell_type:
            converted.append((name, f"{what} had become a {submitted.cell_type} cell; the original was used."))
        elif submitted.too_long or submitted.source.rstrip() != cell.source.rstrip():
            changed.append((name, f"{what} had been changed; the original was used."))
    _tell(converted, "had become cells of another type; the originals were used", matching.repairs)
    _tell(changed, "had been changed; the originals were used", matching.repairs)
    _tell(gone, "were missing; they were put back as they were released", matching.repairs)


def _own_cells(matching: Matching) -> None:
    """A sentence about cells that are neither graded nor part of the assignment, if there are any."""
    original = Counter(
        key(cell.source) for cell in matching.release.cells if notebooks.grade_id(cell) not in matching.copies
    )
    own = 0
    for index, item in enumerate(matching.submitted):
        if item.grade_id in matching.known or index in matching.used or not (item.source.strip() or item.too_long):
            continue
        text = key(item.source)
        own += original[text] <= 0
        original[text] -= 1
    if own:
        cells_are = "1 cell that you added or changed is" if own == 1 else f"{own} cells that you added or changed are"
        matching.repairs.append(
            f"{cells_are} not among the answer cells and did not count; what an answer needs belongs into its answer "
            f"cell."
        )


def recognise(submitted: Sequence[Submitted], nb: NotebookNode) -> Matching:
    """Which cell counts as which of the assignment's; raises `Unreadable` when none does."""
    matching = Matching(submitted, nb, notebooks.by_id(nb))
    recognising.by_name(matching)
    recognising.by_text(matching)
    found = lost.candidates(matching)
    lost.find_lost(matching, found)
    recognising.join_halves(matching, [index for index in found if index not in matching.used])
    recognising.tell_copies(matching)
    if matching.known and not matching.chosen and not matching.explained:
        raise Unreadable("No cell of this assignment is in the notebook. Is it the notebook of another assignment?")
    return matching


def rebuild(data: bytes, release: NotebookNode) -> tuple[NotebookNode, list[str]]:
    """The released notebook with the student's answers in it, and what had to be repaired, as sentences.

    An answer is the first cell with its grade_id that was changed, else a cell that is recognised by what it defines,
    by what is left of the released text, or by its place. Raises `Unreadable` when there is nothing to grade.
    """
    repairs: list[str] = []
    found = reading.load(data, repairs)
    submitted = cells(found, repairs)
    nb = copy.deepcopy(release)
    wanted, named = kernel(dict(nb)), kernel(found)
    if named and wanted and named != wanted:
        repairs.append(f"The notebook named the kernel '{shown(named)}'; it was run with '{wanted}'.")
    matching = recognise(submitted, nb)
    matching.repairs[:0] = repairs
    for name, item in matching.chosen.items():
        if notebooks.is_answer(matching.known[name]):
            _fill_in(matching.known[name], name, item, matching.repairs)
    _compare_locked(matching)
    _own_cells(matching)
    return nb, matching.repairs
