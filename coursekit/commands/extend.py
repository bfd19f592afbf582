"""`course extend`: gives students more time for an assignment, and shows who has it."""

import argparse
from datetime import datetime, timedelta

from coursekit.commands.common import course_of
from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.grading import extensions
from coursekit.intake import receipts
from coursekit.report.questions import plain


def _until(course: Course, assignment: str, arguments: argparse.Namespace) -> datetime | None:
    """The time that was asked for; None when extensions are taken back. Raises CourseError for one that is no gain."""
    if arguments.withdraw:
        return None
    due = extensions.due_date(course, assignment)
    try:
        until = due + timedelta(days=arguments.days) if arguments.until is None else receipts.when(arguments.until)
    except (ValueError, OverflowError) as error:
        asked = f"--days {arguments.days:g}" if arguments.until is None else "--until"
        raise CourseError(f"{asked}: {error}.") from error
    if until <= due:
        raise CourseError(f"{assignment} is due at {due:{extensions.FORMAT}}; an extension has to end after that.")
    return until


def _show(course: Course, assignment: str) -> None:
    found = extensions.load(course, assignment) or {}
    for student, until in sorted(found.items()):
        print(f"{plain(student)}: until {until:{extensions.FORMAT}}")
    if not found:
        print(f"{extensions.path_of(course)} gives nobody an extension for {assignment}.")


def main(arguments: argparse.Namespace) -> int:
    """Write extensions.csv, or print what it says of the assignment when no student is named."""
    course = course_of(arguments)
    assignment = course.find_assignment(arguments.assignment)
    asked = [arguments.until is not None, arguments.days is not None, arguments.withdraw]
    if not arguments.students and not any(asked):
        _show(course, assignment)
        return 0
    if not arguments.students or sum(asked) != 1:
        raise CourseError(
            "Name students and one of --until '2027-02-03 23:59 UTC', --days 3 and --withdraw; "
            "without any of these the extensions are shown."
        )
    until = _until(course, assignment, arguments)
    path = extensions.write(course, assignment, dict.fromkeys(arguments.students, until))
    for student in arguments.students:
        said = "no extension" if until is None else f"until {until:{extensions.FORMAT}}"
        print(f"{plain(student)}: {said}")
    for student in extensions.unknown(course, assignment, arguments.students):
        print(f"  Nothing is known of {plain(student)} yet: is this how the name is written in submitted/?")
    print(f"{path}\nRun `course grade {assignment}`: penalties are made anew, and no notebook runs again for that.")
    return 0
