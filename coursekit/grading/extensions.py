"""Extensions of single students: lines of extensions.csv in the course folder, with a heading student,assignment,until.

While this file is there it alone says who has an extension, and `course grade` puts that into nbgrader's gradebook; a
gradebook that is made anew loses none. Without the file those of the gradebook stay. Of several lines about the same
submission the last counts. Times are written as in submitted/receipts.csv, such as "2027-02-03 23:59 UTC".
"""

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.files import write_atomic
from coursekit.grading import gradebook
from coursekit.intake import receipts
from coursekit.intake.names import shown

NAME = "extensions.csv"
COLUMNS = ("student", "assignment", "until")
FORMAT = "%Y-%m-%d %H:%M:%S UTC"
SHORT = "%Y-%m-%d %H:%M UTC"


def path_of(course: Course) -> Path:
    """Where the file of a course lies, or would."""
    return course.root / NAME


def _rows(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """The heading and the lines of a file."""
    try:
        reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig")), restval="", restkey="")
        rows = [{key: str(value or "").strip() for key, value in row.items() if key} for row in reader]
    except (OSError, ValueError, csv.Error) as error:
        raise CourseError(f"{path} could not be read ({error}). Write it as CSV in UTF-8.") from error
    heading = [name for name in reader.fieldnames or [] if name]
    if missing := set(COLUMNS) - set(heading):
        raise CourseError(f"{path} has no column {', '.join(sorted(missing))}. Its first line is {','.join(COLUMNS)}.")
    return heading, [row for row in rows if any(row.values())]


def load(course: Course, assignment: str) -> dict[str, datetime] | None:
    """Until when students may hand in, as UTC, by student; None without a file.

    Raises CourseError when the file is broken, wherever in it: no grade should depend on half of it.
    """
    path = path_of(course)
    if not path.is_file():
        return None
    known, found = course.assignments(), {}
    for number, row in enumerate(_rows(path)[1], start=2):
        student, named, until = (row[column] for column in COLUMNS)
        try:
            if not student:
                raise ValueError("there is no student")
            if named not in known and named != assignment:
                raise ValueError(f"'{shown(named)}' is no assignment; write one of {', '.join(known)}")
            time = receipts.when(until)
        except ValueError as error:
            raise CourseError(f"{path}, row {number}: {error}. The columns are {', '.join(COLUMNS)}.") from error
        if named == assignment:
            found[student] = time
    return found


def booked(course: Course) -> list[dict[str, str]]:
    """The extensions that the gradebook has, in the form of lines of the file."""
    rows = []
    with course.gradebook() as book:
        for assignment in book.assignments:
            for submission in assignment.submissions:
                if submission.extension is not None and assignment.duedate is not None:
                    until = f"{submission.duedate:{FORMAT}}"
                    rows.append({"student": submission.student.id, "assignment": assignment.name, "until": until})
    return sorted(rows, key=lambda row: (row["assignment"], row["student"]))


def write(course: Course, assignment: str, until: Mapping[str, datetime | None]) -> Path:
    """Give extensions, or take back those that are None; whatever else the file holds stays.

    A new file begins with the extensions that the gradebook has. Raises CourseError for a file that cannot be read.
    """
    path = path_of(course)
    load(course, assignment)
    heading, rows = _rows(path) if path.is_file() else (list(COLUMNS), booked(course))
    rows = [row for row in rows if row["assignment"] != assignment or row["student"] not in until]
    for student, time in until.items():
        if time is not None:
            rows.append({"student": student, "assignment": assignment, "until": f"{time:{FORMAT}}"})
    text = io.StringIO()
    writer = csv.DictWriter(text, heading, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomic(path, text.getvalue().encode("utf-8"))
    return path


def due_date(course: Course, assignment: str) -> datetime:
    """When an assignment is due, as UTC; raises CourseError when nobody has said so."""
    if (configured := gradebook.due_date(course, assignment)) is not None:
        return configured
    with course.gradebook() as book:
        for known in book.assignments:
            if known.name == assignment and known.duedate is not None:
                time: datetime = known.duedate
                return time
    raise CourseError(
        f"{assignment} has no due date, so nobody can have an extension. "
        f"Write c.Coursekit.due_dates = {{{assignment!r}: '2027-01-31 23:59 UTC'}} into nbgrader_config.py."
    )


def unknown(course: Course, assignment: str, students: Iterable[str]) -> list[str]:
    """Those of whom neither the gradebook nor a submission knows anything, as after a slip of the pen."""
    known = set(course.students(assignment))
    with course.gradebook() as book:
        known |= {student.id for student in book.students}
    return sorted(set(students) - known)
