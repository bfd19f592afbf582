"""The questions of an assignment, with titles from the headings of its notebooks, and text that is safe to show."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from nbformat import NotebookNode

from coursekit import notebooks

LONGEST_TEXT = 600
LONGEST_NAME = 80
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*\s*$", re.MULTILINE)
_NUMBERED = re.compile(r"(?:exercise|question|problem|task|part)\s+(\d+\w?)\W*\s(\S.*)", re.IGNORECASE)
_BUDGET = re.compile(r"\s*\([^()]*\b(?:points?|minutes?|min)\b[^()]*\)\s*$", re.IGNORECASE)

Key = tuple[str, str]  # notebook, grade_id


@dataclass(frozen=True)
class Question:
    """One exercise: an answer and the cells that give its points."""

    label: str
    title: str
    cells: tuple[Key, ...]
    max_score: float

    @property
    def name(self) -> str:
        """Number and title, as a plot shows it."""
        return f"{self.label}. {self.title}"


def plain(value: object, longest: int = LONGEST_TEXT) -> str:
    """Text without terminal colours and invisible characters, on one line, cut after `longest` characters."""
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", str(value))
    text = " ".join(text.split())
    # A name may hold lone surrogates (undecodable bytes) or marks that turn the direction of the text round.
    text = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
    text = unicodedata.normalize("NFC", text)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _title(text: str) -> str | None:
    found = _HEADING.findall(text)
    return re.sub(r"[`*]|<[^>]*>", "", found[-1]) if found else None


def _groups(nb: NotebookNode) -> Iterator[tuple[str, list[NotebookNode]]]:
    """Title and graded cells of each question of a notebook, in its order."""
    heading, title, tests = "", "", list[NotebookNode]()
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            heading = _title(cell.source) or heading
        name = notebooks.grade_id(cell)
        if name is None:
            continue
        by_hand = notebooks.is_graded(cell) and not notebooks.is_test(cell)
        if tests and (by_hand or notebooks.is_answer(cell)):
            yield title, tests
            title, tests = "", []
        if by_hand:
            yield heading or name, [cell]
        elif notebooks.is_answer(cell) or notebooks.is_test(cell):
            title = title or heading or name
            tests += [cell] if notebooks.is_test(cell) else []
    if tests:
        yield title, tests


def _number_and_title(heading: str) -> tuple[str, str]:
    """'Exercise 3: the KL divergence (4 points)' as '3' and 'the KL divergence'; an empty number where none is."""
    text = plain(_BUDGET.sub("", heading), LONGEST_NAME)
    found = _NUMBERED.match(text)
    return (found[1], found[2]) if found else ("", text)


def questions_of(released: Mapping[str, NotebookNode]) -> tuple[Question, ...]:
    """The questions of an assignment from its released notebooks, with the headings' numbers where these are unique."""
    found: list[Question] = []
    for notebook, nb in sorted(released.items()):
        for heading, cells in _groups(nb):
            if maximum := sum(map(notebooks.max_score, cells)):
                keys = tuple((notebook, str(notebooks.grade_id(cell))) for cell in cells)
                found.append(Question(*_number_and_title(heading), keys, maximum))
    if len({question.label for question in found} - {""}) == len(found):
        return tuple(found)
    return tuple(replace(question, label=str(number)) for number, question in enumerate(found, start=1))
