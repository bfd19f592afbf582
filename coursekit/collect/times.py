"""When submissions were received, as a CSV file of the course server says: `course collect --times FILE`.

Moodle's grading worksheet is one ("Last modified (submission)"); it also tells whose the numbers in the names of its
folders are. Canvas's API says `user_id` and `submitted_at`. A file of one's own has `student` and `received`.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from coursekit.collect import tables
from coursekit.collect.people import People, Person
from coursekit.collect.tables import Row, Table
from coursekit.errors import CourseError
from coursekit.intake import receipts
from coursekit.intake.names import shown

TIME_COLUMNS = ("received", "submitted_at", "submitted at", "Last modified (submission)", "Submission date", "time")
_PERSON_COLUMNS = ("student", "student_id", "id", "SIS Login ID", "Email address", "email", "Full name", "name")
_LMS_COLUMNS = ("user_id", "lms_user_id", "ID")
_NOTHING = ("", "-", "never", "null", "none")
# Moodle in English: "Wednesday, 10 June 2026, 2:14 PM", in American English "Wednesday, June 10, 2026, 2:14 PM"
_MOODLE = ("%d %B %Y, %I:%M %p", "%B %d, %Y, %I:%M %p", "%d %B %Y, %H:%M", "%B %d, %Y, %H:%M")
_NUMBER = re.compile(r"\D*(\d{1,19})\s*", re.ASCII)


def zone_of(name: str) -> tzinfo:
    """The time zone of this name; raises CourseError when it is not known."""
    try:
        return UTC if name.upper() == "UTC" else ZoneInfo(name)
    except (OSError, ValueError, KeyError) as error:
        raise CourseError(f"The time zone '{shown(name)}' is not known. Use a name such as Europe/Berlin.") from error


def when(text: str, zone: tzinfo) -> datetime:
    """A time, as UTC and without a zone; `zone` is that of a text that names none. Raises ValueError."""
    text = " ".join(text.split())
    for pattern in _MOODLE:
        try:
            # the day of the week says nothing that the date does not
            found = datetime.strptime(re.sub(r"^[^\W\d]+day, ", "", text), pattern)
        except ValueError:
            continue
        return found.replace(tzinfo=zone).astimezone(UTC).replace(tzinfo=None)
    found = receipts.when(text)
    if re.search(r"\d\d:\d\d(:\d\d(\.\d+)?)?$", text):
        return found.replace(tzinfo=zone).astimezone(UTC).replace(tzinfo=None)
    return found


class Times:
    """The times of a file, and whose the participants' numbers are; empty without a file."""

    def __init__(self, received: dict[str, datetime], participants: dict[str, Person], remarks: Iterable[str]) -> None:
        self._received, self._participants = received, participants
        self.remarks = list(remarks)

    def participant(self, number: str) -> Person | None:
        """The student whom Moodle calls "Participant NUMBER" in this assignment."""
        return self._participants.get(number)

    def of(self, student: str) -> datetime | None:
        """When the submission of a student was received (UTC)."""
        return self._received.get(student)


def _person(table: Table, row: Row, people: People) -> Person | None:
    for name in _LMS_COLUMNS:
        column = table.find(name)
        if column is not None and (person := people.with_lms_id(row.cells[column])):
            return person
    for name in _PERSON_COLUMNS:
        column = table.find(name)
        if column is not None and row.cells[column].strip() and (person := people.find(row.cells[column])):
            return person
    return None


def read(path: Path | None, people: People, assignment: str, zone: tzinfo) -> Times:
    """Read the times of one assignment; raises CourseError when the file has no such columns or a time is none."""
    if path is None:
        return Times({}, {}, [])
    table = tables.read(path)
    column = table.find(*TIME_COLUMNS)
    if column is None:
        raise CourseError(f"{path}, line 1: no column says when a submission came. Call one '{TIME_COLUMNS[0]}'.")
    identifier, about = table.find("Identifier"), table.find("assignment")
    received: dict[str, datetime] = {}
    participants: dict[str, Person] = {}
    strangers = 0
    for row in table.rows:
        if about is not None and row.cells[about].strip() not in ("", assignment):
            continue
        person = _person(table, row, people)
        if person is None:
            strangers += 1
            continue
        if identifier is not None and (number := _NUMBER.fullmatch(row.cells[identifier])):
            participants[number[1]] = person
        text = row.cells[column].strip()
        if text.lower() in _NOTHING:
            continue
        try:
            time = when(text, zone).replace(microsecond=0)
        except (ValueError, OverflowError) as error:
            raise table.wrong(row, column, f"{error}.") from error
        received[person.id] = max(time, received.get(person.id, time))
    remarks = [*table.remarks]
    if strangers:
        remarks.append(f"{path.name}: {strangers} rows are of nobody on the roster.")
    return Times(received, participants, remarks)
