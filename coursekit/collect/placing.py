"""From the attempts that are kept to what nbgrader grades: `submitted/<student>/<assignment>/` and its receipt."""

import csv
import io
import os
import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from coursekit.collect.attempts import PARTIAL, Files, History, content, fingerprint, root, write_folder
from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.files import drop_left_over, replace_folder, write_atomic
from coursekit.grading.submissions import STAMP
from coursekit.intake import folder, receipts
from coursekit.intake.archives import Budget, Refused
from coursekit.intake.names import is_notebook, plain


def submitted_top(course: Course, assignment: str) -> Path:
    """The folder that holds everybody's submissions and the file of receipts."""
    return Path(os.path.commonpath([course.submitted(assignment, "A"), course.submitted(f"{assignment}-", "B")]))


def arranged(files: Files, expected: list[str], time: datetime) -> dict[tuple[str, ...], bytes]:
    """The files of an attempt as nbgrader wants them: notebooks under their own names, and the time stamp.

    A notebook gets the name of an expected one when its own differs only by what browsers and course servers append,
    such as "-1", and when it is the only such.
    """
    found = {path: data for path, data in files.items() if path != (STAMP,)}
    for name in expected:
        target = (f"{name}.ipynb",)
        alike = [path for path in found if is_notebook(path[-1]) and plain(path[-1]) == plain(name)]
        if target not in found and len(alike) == 1:
            found[target] = found.pop(alike[0])
    found[(STAMP,)] = f"{time:%Y-%m-%d %H:%M:%S} UTC\n".encode()
    return found


def _now_there(course: Course, assignment: str, student: str, budget: Budget) -> dict[tuple[str, ...], bytes] | None:
    """What lies in `submitted` of a student, read without following links; None when there is nothing.

    Raises Refused when something of it cannot be read, and so could not be kept.
    """
    path = course.submitted(assignment, student)
    top = submitted_top(course, assignment)
    if not os.path.lexists(path):
        return None
    with folder.opened(top, path.relative_to(top).parts) as place:
        listing = folder.look(place)
        if listing.others or not listing.is_whole:
            raise Refused("holds links or other things that are no files")
        found = {}
        for parts in listing.files:
            found[parts] = folder.read(place, parts, budget.file_bytes, listing.inodes)
            budget.unpacked(len(found[parts]))
        return found


def _time_of(course: Course, assignment: str, student: str, files: Files) -> datetime:
    """When something that lies in `submitted` came, as far as anybody knows."""
    found = receipts.receipt(submitted_top(course, assignment), student, assignment)
    if found is None:
        try:
            found = receipts.when(files.get((STAMP,), b"").decode("utf-8-sig"))
        except ValueError:
            folder_of = course.submitted(assignment, student)
            changed = max((folder_of.joinpath(*parts).stat().st_mtime for parts in files), default=0.0)
            found = datetime.fromtimestamp(changed)
    return found


def keep_foreign(course: Course, history: History, expected: list[str], budget: Budget) -> bool:
    """Keep what lies in `submitted` and is none of the attempts, as one more attempt; returns whether there was any.

    Raises Refused when it cannot be kept, and so must not be replaced.
    """
    there = _now_there(course, history.assignment, history.student, budget)
    if not there:
        return False
    bare = fingerprint({path: data for path, data in there.items() if path != (STAMP,)})
    for time, path in history.all():
        files = content(path)
        ours = arranged(files, expected, time)
        ours.pop((STAMP,))
        if bare in (fingerprint(ours), fingerprint({path: data for path, data in files.items() if path != (STAMP,)})):
            return False
    time = _time_of(course, history.assignment, history.student, there)
    return history.add(there, time, is_known=False) == "new"


def place(course: Course, history: History, expected: list[str]) -> datetime | None:
    """Put the newest attempt into `submitted`, whole or not at all; returns its time, or None without any attempt."""
    newest = history.newest()
    if newest is None:
        return None
    time, path = newest
    target = course.submitted(history.assignment, history.student)
    for old in target.parent.glob(f".{target.name[:40]}.*.old"):  # of a run that was killed; what it held is kept
        shutil.rmtree(old, ignore_errors=True)
    built = write_folder(arranged(content(path), expected, time), submitted_top(course, history.assignment))
    try:
        replace_folder(built, target)
    except OSError:
        shutil.rmtree(built, ignore_errors=True)
        raise
    return time


def write_receipts(course: Course, assignment: str, received: Mapping[str, datetime]) -> None:
    """Put times (UTC) of students into the file of receipts; the lines of others stay. Raises CourseError."""
    path = submitted_top(course, assignment) / receipts.NAME
    columns, rows = list(receipts.COLUMNS), []
    if path.exists():
        receipts.receipt(path.parent, "", assignment)  # a file that is broken is not written over
        reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""))
        rows = [row for row in reader if None not in row]
        columns = list(reader.fieldnames or columns)
    kept = []
    for row in rows:
        student, about = (str(row.get(name) or "").strip() for name in receipts.COLUMNS[:2])
        if about != assignment or student not in received:
            kept.append({name: row.get(name) or "" for name in columns})
    new = [(student, assignment, f"{time:%Y-%m-%d %H:%M:%S} UTC") for student, time in sorted(received.items())]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows([*kept, *(dict(zip(receipts.COLUMNS, each, strict=True)) for each in new)])
    write_atomic(path, text.getvalue().encode())


def clear_left_over(course: Course, assignment: str) -> None:
    """Remove what a run that was killed had begun to write; nobody else may be collecting."""
    for top in (root(course, assignment), submitted_top(course, assignment)):
        drop_left_over(top)
        for path in top.glob(f"{PARTIAL}*"):
            shutil.rmtree(path, ignore_errors=True)


def check_expected(course: Course, assignment: str) -> list[str]:
    """Names of the assignment's notebooks; raises CourseError when it is not released yet."""
    found = sorted(path.stem for path in course.release(assignment).glob("*.ipynb"))
    if not found:
        raise CourseError(f"{assignment} is not released yet. Run `course release {assignment}` first.")
    return found
