"""`course demo`: an example class through the whole loop."""

import argparse

from coursekit.commands.common import course_of


def main(arguments: argparse.Namespace) -> int:
    """Run the demo for the assignments that are named."""
    from coursekit.demo.demo import run

    course = course_of(arguments)
    out = arguments.out if arguments.out is not None else course.root / "build" / "demo"
    return run(course.find_assignments(arguments.assignments), out, course, open_report=not arguments.no_open)
