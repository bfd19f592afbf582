"""Penalties made anew without running anything: after an extension, another due date or policy, or points by hand."""

import contextlib
from collections.abc import Callable, Mapping

from coursekit import database
from coursekit.course import Course
from coursekit.grading import by_hand
from coursekit.grading.booking import Booking
from coursekit.grading.lateness import Standing, agree
from coursekit.grading.records import FAILED, Record, Records
from coursekit.lock import only_one

LOCK_NAME = ".course-grade.lock"


def renew(
    booking: Booking,
    records: Records,
    standings: Mapping[str, Standing],
    student: str,
    before: Callable[[str], object] = lambda _: None,
) -> Record:
    """The record of a submission that is booked; penalty and record are made anew where they are not as they should be.

    First the gradebook, then the record: killed in between, the two differ, and the next run does it again. `before`
    is called with the student before anything is written.
    """
    record = records.by_student[student]
    standing = standings.get(student)
    if standing is not None and not agree(booking.lateness, student, standing, record):
        before(student)
        seen = by_hand.seen(record, booking.by_hand(student))
        record = record | booking.penalise_again(student) | by_hand.fields(record.get("answers", {}), seen)
        records.add(record)
    return record


def bring_up_to_date(course: Course, assignment: str) -> list[str]:
    """Renew what is booked of an assignment; returns the students whose penalty or points have changed since.

    Points that a person gives after the grading are late as well. Raises CourseError while somebody grades.
    """
    path = course.records_file(assignment)
    if not path.is_file():
        return []
    with contextlib.ExitStack() as stack:
        booking = stack.enter_context(Booking(course, assignment))
        records, standings, booked = Records(path), booking.standings(), booking.booked()
        changed = [
            student
            for student, record in records.by_student.items()
            if record["state"] != FAILED
            and record.get("booked") == booked.get(student, "not in the gradebook")  # else it is to be graded again
            and not agree(booking.lateness, student, standings[student], record)
        ]
        if changed:
            stack.enter_context(only_one(path.parent / LOCK_NAME))
            stack.enter_context(database.only_one(course.directory.db_url, course.directory.course_id))
            for student in changed:
                renew(booking, records, standings, student)
            records.finish(assignment)
        return changed
