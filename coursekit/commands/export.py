"""`course export`: the grades as CSV, for nbgrader, Canvas or Moodle."""

import argparse
import sys

from coursekit.commands.common import course_of
from coursekit.export import write
from coursekit.grading.renewal import bring_up_to_date
from coursekit.intake.names import shown

MOST_NAMES = 20


def _some(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(shown(name) for name in names[:MOST_NAMES]) + more


def main(arguments: argparse.Namespace) -> int:
    """Write the file, say where it is and whose points are not in it; 1 when the course server will not take some."""
    course = course_of(arguments)
    names = [*arguments.assignments, *arguments.assignment]
    chosen = course.find_assignments(names) if names else []
    template = None if arguments.template is None else arguments.template.resolve()
    for assignment in chosen or course.assignments():
        bring_up_to_date(course, assignment)  # points that a person has given since may be late, too
    written = write(
        course, arguments.to.resolve(), chosen, form=arguments.format, template=template, heading=arguments.column
    )
    print(written.path)
    for assignment, reasons in written.waiting.items():
        for why, students in reasons.items():
            print(f"{assignment}: {why}: {_some(students)}", file=sys.stderr)
    for remark in written.remarks:
        print(remark, file=sys.stderr)
    if written.left_out:
        print(f"Graded here, and not taken over there: {_some(written.left_out)}", file=sys.stderr)
    return 1 if written.left_out else 0
