"""`course export`: the grades as CSV."""

import argparse

from coursekit.commands.common import course_of
from coursekit.export import export


def main(arguments: argparse.Namespace) -> int:
    """Write the CSV and say where it is."""
    course = course_of(arguments)
    chosen = course.find_assignments(arguments.assignments) if arguments.assignments else []
    print(export(course, arguments.to.resolve(), chosen))
    return 0
