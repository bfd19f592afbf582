"""`course grade`: grades every submission, prints a table, and says what could not be graded."""

import argparse
import sys

from coursekit.commands.common import course_of
from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.grading import summary
from coursekit.grading.grade import grade, was_graded
from coursekit.grading.logs import log_file
from coursekit.grading.records import Record
from coursekit.report.report import write_report
from coursekit.workers.crew import Crew, hire

# What the table needs of a record: a thousand whole ones are large.
_LONG = ("notebooks", "details")


def _one(course: Course, assignment: str, crew: Crew, arguments: argparse.Namespace) -> bool:
    records: list[Record] = []
    kept = 0
    for record, is_new in grade(course, assignment, students=arguments.student, force=arguments.force, crew=crew):
        records.append({name: value for name, value in record.items() if name not in _LONG})
        kept += not is_new
    records.sort(key=lambda record: record["student"])
    print(f"\n{assignment}\n\n{summary.table(records)}")
    if kept:
        print(f"{kept} of them had been graded before and have not changed (--force grades them as well)")
    problems = [record for record in records if not was_graded(record)]
    for line in summary.next_steps(problems):
        print(f"  {line}")
    path = course.records_file(assignment)
    page = write_report(course, assignment, course.root / f"report-{assignment}.html")
    print(f"report: {page}\nrecords: {path}\nlogs: {log_file(path, 'STUDENT')}")
    return not problems


def main(arguments: argparse.Namespace) -> int:
    """Grade every assignment that is named; 1 when a submission could not be graded."""
    course = course_of(arguments)
    named = course.find_assignments(arguments.assignments)
    wanted = [name for name in named if arguments.assignments or course.students(name)]
    if not any(course.students(name) for name in wanted):
        folder = course.submitted(wanted[0] if wanted else "ASSIGNMENT", "STUDENT")
        raise CourseError(f"Nobody has handed anything in. Put each student's files into {folder}.")
    with hire(course, trust=arguments.trust, workers=arguments.workers) as crew:
        if crew.sandbox == "none":
            print("There is no sandbox: submissions run with your own rights.", file=sys.stderr)
        fine = [_one(course, name, crew, arguments) for name in wanted]
    return 0 if all(fine) else 1
