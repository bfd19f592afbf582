"""What a class was told most often: hints and reasons by question, and what was repaired."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from coursekit.grading.records import Record
from coursekit.report.questions import Key, Question, plain

MOST = 15
_VARYING = re.compile(r"[-+]?\d[\d.,]*(?:e[-+]?\d+)?|0x[0-9a-f]+", re.IGNORECASE)


@dataclass(frozen=True)
class Frequent:
    """A sentence that several students got, in the words of one of them, and the question it is about."""

    text: str
    label: str
    title: str
    students: int


def _ranked(found: Mapping[tuple[str, str, str], Mapping[str, str]]) -> tuple[Frequent, ...]:
    """The most frequent ones first; `found` holds what each student read, by label, title and common form."""
    ranked = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    return tuple(
        Frequent(plain(next(iter(texts.values()))), label, title, len(texts))
        for (label, title, _), texts in ranked[:MOST]
    )


def _common(text: str) -> str:
    """What two hints have in common that differ only in the numbers that a student computed."""
    return _VARYING.sub("#", text)


def _told(record: Record) -> Iterable[tuple[Key, str]]:
    for notebook, part in record.get("notebooks", {}).items():
        for cell in part.get("cells", []):
            if text := plain(cell.get("hint") or cell.get("reason") or ""):
                yield (notebook, str(cell["grade_id"])), text


def frequent_hints(records: Sequence[Record], questions: Sequence[Question]) -> tuple[Frequent, ...]:
    """What students read about the cells that cost them points; answers that wait for a person are left out."""
    by_cell = {key: question for question in questions for key in question.cells}
    waiting = {
        (record["student"], notebook, str(cell["grade_id"]))
        for record in records
        for notebook, part in record.get("notebooks", {}).items()
        for cell in part.get("cells", [])
        if cell.get("score") is None
    }
    found: dict[tuple[str, str, str], dict[str, str]] = defaultdict(dict)
    for record in records:
        for key, text in _told(record):
            question = by_cell.get(key)
            if question is not None and (record["student"], *key) not in waiting:
                found[question.label, question.title, _common(text)][record["student"]] = text
    return _ranked(found)


def frequent_repairs(records: Sequence[Record]) -> tuple[Frequent, ...]:
    """What was put right before grading."""
    found: dict[tuple[str, str, str], dict[str, str]] = defaultdict(dict)
    for record in records:
        for text in map(plain, record.get("repairs", [])):
            found["", "", _common(text)][record["student"]] = text
    return _ranked(found)
