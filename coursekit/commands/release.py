"""`course release`: what students get, made from the instructor's notebooks."""

import argparse

from coursekit.commands.common import course_of
from coursekit.release.release import release


def main(arguments: argparse.Namespace) -> int:
    """Release every assignment that is named."""
    course = course_of(arguments)
    for assignment in course.find_assignments(arguments.assignments):
        print(release(course, assignment))
    return 0
