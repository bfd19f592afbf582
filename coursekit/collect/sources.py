"""Which system a source comes from, by what is in it."""

from collections.abc import Sequence
from dataclasses import replace

from coursekit.collect import canvas, moodle, plain
from coursekit.collect.entries import Entry
from coursekit.collect.handed import Found
from coursekit.collect.people import People
from coursekit.collect.times import Times
from coursekit.errors import CourseError

KINDS = ("canvas", "moodle", "folder")


def _unwrapped(entries: Sequence[Entry]) -> list[Entry]:
    """The entries without the one folder round all of them, which some programs add when they pack or unpack."""
    tops = {entry.parts[0] for entry in entries if len(entry.parts) > 1}
    if len(tops) != 1 or any(len(entry.parts) < 2 for entry in entries):
        return list(entries)
    return [replace(entry, parts=entry.parts[1:]) for entry in entries]


def recognise(entries: Sequence[Entry]) -> tuple[str, list[Entry]]:
    """The kind of a source and its entries, without a folder round them where that is not a student's."""
    for found in (list(entries), _unwrapped(entries)):
        if moodle.claims(found):
            return "moodle", found
        if canvas.claims(found):
            return "canvas", found
    return "folder", list(entries)


def find(
    entries: Sequence[Entry], people: People, times: Times, assignment: str, kind: str | None
) -> tuple[str, Found]:
    """The kind and who handed in what; raises CourseError when there is no file that could be somebody's."""
    if not entries:
        raise CourseError("There is no file in it. Name what the course server packed, or a folder of submissions.")
    seen, found = recognise(entries)
    if kind is not None and kind != seen:
        found = _unwrapped(entries) if kind != "folder" else list(entries)
    kind = kind or seen
    if kind == "canvas":
        return kind, canvas.find(found, people)
    if kind == "moodle":
        return kind, moodle.find(found, people, times)
    return kind, plain.find(found, people, assignment)
