"""The archive that Moodle makes of "Download all submissions".

A student's files lie in a folder PERSON_NUMBER_assignsubmission_file, in older versions with an underscore behind it,
or, without folders, have that in front of their names. PERSON is the full name, "Participant" where marking is
anonymous, or the name of a group; underscores in it have become spaces. NUMBER counts the participants of this one
assignment and is the one in the column Identifier of its grading worksheet (mod/assign/classes/downloader.php:
get_student_prefix, load_submissionplugin_filelist). Recent versions date all files by the download.
"""

import re
from collections.abc import Sequence

from coursekit.collect.entries import Entry
from coursekit.collect.handed import File, Found, HandedIn
from coursekit.collect.people import People, Person
from coursekit.collect.times import Times

_PREFIX = re.compile(r"([^_]*)(?:_(\d{1,19}))?_assignsubmission_([a-z0-9]+)(?:_(.*))?", re.DOTALL)
_KINDS = {"onlinetext": "with text that was typed into Moodle", "comments": "with comments"}


def claims(entries: Sequence[Entry]) -> bool:
    """Whether some of the files are Moodle's."""
    return any(_PREFIX.fullmatch(entry.parts[0]) for entry in entries if entry.parts)


def _recognise(name: str, number: str, people: People, times: Times) -> tuple[Person | None, str]:
    """The student, or why there is none; the grading worksheet knows the number."""
    if person := times.participant(number):
        return person, ""
    # where a class works in groups, older versions put the group's name and a hyphen in front
    words = name.split("-")
    for start in range(len(words)):
        found = people.called("-".join(words[start:]))
        if len(found) == 1:
            return found[0], ""
        if found:
            return None, f"{len(found)} students are called so: give Moodle's grading worksheet with --times."
    return None, "Nobody on the roster is called so. Groups are not collected; --times with a worksheet tells numbers."


def find(entries: Sequence[Entry], people: People, times: Times) -> Found:
    """Who handed in what."""
    by_who: dict[str, HandedIn] = {}
    notes: dict[str, int] = {}
    for entry in entries:
        match = _PREFIX.fullmatch(entry.parts[0]) if entry.parts else None
        path = () if match is None else (*([match[4]] if match[4] else []), *entry.parts[1:])
        if match is None or not path or match[3] != "file":
            what = "that Moodle does not pack" if match is None else _KINDS.get(match[3], f"of the kind {match[3]}")
            notes[what] = notes.get(what, 0) + 1
            continue
        who = f"{match[1]} ({match[2]})" if match[2] else match[1]
        if who not in by_who:
            person, trouble = _recognise(match[1], match[2] or "", people, times)
            by_who[who] = HandedIn(who, person, trouble=trouble)
        by_who[who].files.append(File(path, entry))
    return Found(list(by_who.values()), [f"Not collected: {count} files {what}." for what, count in notes.items()])
