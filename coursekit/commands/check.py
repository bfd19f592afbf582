"""`course check`: the release is up to date, and every wrong and every alternative answer gets what it should."""

import argparse

from coursekit.commands.common import course_of
from coursekit.release.release import release_differences


def main(arguments: argparse.Namespace) -> int:
    """Check every assignment that is named; 1 when something is not as it should be."""
    from coursekit.variants import check_assignment

    course = course_of(arguments)
    fine = True
    for assignment in course.find_assignments(arguments.assignments):
        differences = release_differences(course, assignment)
        print(f"{assignment}: {'the release is up to date' if not differences else 'the release is out of date'}")
        for line in differences:
            print(f"  {line}")
        report = check_assignment(course.source(assignment))
        print(report)
        fine = fine and not differences and report.ok
    return 0 if fine else 1
