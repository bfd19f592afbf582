"""A folder of files: one folder for each student, or files called STUDENT__NAME."""

from collections.abc import Sequence

from coursekit.collect.entries import Entry
from coursekit.collect.handed import File, Found, HandedIn
from coursekit.collect.people import People

DIVIDER = "__"


def find(entries: Sequence[Entry], people: People, assignment: str) -> Found:
    """Who handed in what; a folder of nbgrader's, STUDENT/ASSIGNMENT, is one of the student's too."""
    by_who: dict[str, HandedIn] = {}
    loose = 0
    for entry in entries:
        who, path = (entry.parts[:1] or ("",))[0], entry.parts[1:]
        if not path:
            who, divider, name = who.partition(DIVIDER)
            path = (name,)
            if not divider or not who or not name:
                loose += 1
                continue
        if path[0] == assignment and len(path) > 1:
            path = path[1:]
        one = by_who.setdefault(who, HandedIn(who, people.find(who)))
        if one.person is None:
            one.trouble = "Nobody on the roster has this id, address, number or name."
        one.files.append(File(path, entry))
    notes = [f"Not collected: {loose} files that lie in no student's folder and are not called STUDENT__NAME."]
    return Found(list(by_who.values()), notes if loose else [])
