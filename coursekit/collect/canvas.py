"""The archive that Canvas makes of "Download Submissions", as its ContentZipper writes it.

A file is called NAME[_LATE]_USER_FILE_TITLE: the student's sortable name in small letters without anything but letters,
digits and underscores, the word LATE after the due date, the number of the user, the number of the file, and the name
that the student gave it; Canvas has put -1 and so on into that where she had handed in one of the same name before
(lib/content_zipper.rb: get_filename, add_upload_submission; app/models/attachment.rb: make_unique_filename).
A student chooses the title and, on many servers, her name, so that a name can be read in several ways. The archive
holds the latest submission of each, and its dates are those of the download.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from coursekit.collect.entries import Entry
from coursekit.collect.handed import File, Found, HandedIn
from coursekit.collect.people import People, Person, name_key
from coursekit.intake.names import shown

_NUMBERS = re.compile(r"(?=_(\d{1,19})_(\d{1,19})_(.+)$)", re.DOTALL)
_TEXT = re.compile(r".+_(\d{1,19})_(text|link)\.html$", re.DOTALL)
_ANONYMOUS = re.compile(r"(?:LATE_)?anon_[A-Za-z0-9]+_\d{1,19}_.+", re.DOTALL)


@dataclass(frozen=True)
class Reading:
    """One way to read the name of a file."""

    name: str
    user: str
    file: int
    title: str
    is_late: bool


def readings(text: str) -> list[Reading]:
    """Every way in which a name can be divided, the shortest name of a student first."""
    found = []
    for match in _NUMBERS.finditer(text[:400]):
        name = text[: match.start()]
        is_late = name == "LATE" or name.endswith("_LATE")
        found.append(Reading(name.removesuffix("LATE").rstrip("_"), match[1], int(match[2]), match[3], is_late))
    return [reading for reading in found if reading.name]


def claims(entries: Sequence[Entry]) -> bool:
    """Whether there are no folders, and more than half of the files can be Canvas's."""
    names = [entry.parts[-1] for entry in entries if len(entry.parts) == 1]
    return len(names) == len(entries) and 2 * sum(_is_ours(name) for name in names) > len(names)


def _is_ours(name: str) -> bool:
    return bool(readings(name) or _TEXT.fullmatch(name) or _ANONYMOUS.fullmatch(name))


def _fits(reading: Reading, person: Person) -> bool:
    return name_key(reading.name) in person.name_keys()


def _recognise(text: str, people: People) -> tuple[Reading, Person | None, str]:
    """The reading to go by, the student, and why there is none; a remark where a name is other than the roster's."""
    ways = readings(text)
    known = [(way, person) for way in ways if (person := people.with_lms_id(way.user))]
    fitting = [pair for pair in known if _fits(*pair)]
    if len(fitting) == 1 or (not fitting and len(known) == 1):
        way, found = (fitting or known)[0]
        return way, found, "" if fitting else f"Canvas calls the student '{shown(way.name, 40)}'."
    if known:
        return ways[0], None, "The name of the file can be read as that of several students."
    namesakes = {
        person.id: (way, person) for way in ways for person in people.called(way.name) if not person.lms_user_id
    }
    if len(namesakes) == 1:
        ((way, found),) = namesakes.values()
        return way, found, "Recognised by name: the roster has no Canvas number."
    return ways[0], None, f"Nobody on the roster has the Canvas number {ways[0].user}."


def find(entries: Sequence[Entry], people: People) -> Found:
    """Who handed in what."""
    by_who: dict[str, HandedIn] = {}
    notes: dict[str, int] = {}
    for entry in entries:
        name = entry.parts[-1]
        if len(entry.parts) > 1 or not _is_ours(name):
            _count(notes, "that Canvas does not pack")
        elif _TEXT.fullmatch(name):
            _count(notes, "with text or a link that was typed into Canvas")
        elif _ANONYMOUS.fullmatch(name) or not readings(name):
            _count(notes, "of an anonymous assignment; let Canvas show the names first")
        else:
            way, person, remark = _recognise(name, people)
            who = f"{way.name} ({way.user})"
            one = by_who.setdefault(who, HandedIn(who, person, is_late=way.is_late))
            if remark and person is None:
                one.trouble = remark
            elif remark and remark not in one.remarks:
                one.remarks.append(remark)
            one.files.append(File((way.title,), entry, way.file))
    return Found(list(by_who.values()), [f"Not collected: {count} files {what}." for what, count in notes.items()])


def _count(notes: dict[str, int], what: str) -> None:
    notes[what] = notes.get(what, 0) + 1
