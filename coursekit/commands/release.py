"""`course release`: what students get, made from the instructor's notebooks."""

import argparse

from coursekit.commands.common import course_of
from coursekit.errors import CourseError
from coursekit.release.again import release_again


def main(arguments: argparse.Namespace) -> int:
    """Release every assignment that is named."""
    course = course_of(arguments)
    if arguments.drop and (len(arguments.assignments) != 1 or not arguments.again):
        raise CourseError("--drop CELL goes with --again and with one assignment.")
    for assignment in course.find_assignments(arguments.assignments):
        print(release_again(course, assignment, again=arguments.again, drop=arguments.drop))
    return 0
