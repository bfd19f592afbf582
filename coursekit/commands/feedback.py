"""`course feedback`: a page for each student."""

import argparse

from coursekit.commands.common import course_of
from coursekit.errors import CourseError
from coursekit.feedback.feedback import feedback
from coursekit.grading.renewal import bring_up_to_date


def main(arguments: argparse.Namespace) -> int:
    """Write the pages of every assignment that is named, or that has been graded."""
    course = course_of(arguments)
    named = course.find_assignments(arguments.assignments)
    wanted = [name for name in named if arguments.assignments or course.records_file(name).exists()]
    if not wanted:
        raise CourseError("Nothing has been graded yet: run `course grade` first.")
    for assignment in wanted:
        bring_up_to_date(course, assignment)  # points that a person has given since may be late, too
        pages = list(feedback(course, assignment))
        print(f"{assignment}: {len(pages)} pages in {course.feedback(assignment, 'STUDENT')}")
    return 0
