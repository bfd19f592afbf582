"""`course collect ASSIGNMENT SOURCE`: what Canvas or Moodle packed, or a folder, into `submitted`."""

import argparse

from coursekit.collect import summary
from coursekit.collect.collect import collect
from coursekit.collect.times import zone_of
from coursekit.commands.common import course_of


def main(arguments: argparse.Namespace) -> int:
    """Collect, print a table, and say what could not be collected; 1 when there is such."""
    course = course_of(arguments)
    report = collect(
        course,
        course.find_assignment(arguments.assignment),
        arguments.source,
        kind=arguments.source_kind,
        times=arguments.times,
        zone=zone_of(arguments.zone),
    )
    print(summary.table(report))
    for note in report.notes:
        print(note)
    return 0 if report.is_fine() else 1
