"""`course grade`: grades every submission, prints a table, and says what could not be graded."""

import argparse
import sys

from coursekit.commands.common import course_of
from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.grading import summary
from coursekit.grading.changes import history
from coursekit.grading.grade import grade, was_graded
from coursekit.grading.logs import log_file
from coursekit.grading.records import Record
from coursekit.report import changes
from coursekit.report.report import write_report
from coursekit.sandbox import promises
from coursekit.workers.cluster import hire_cluster
from coursekit.workers.crew import Crew, hire

# What the table needs of a record: a thousand whole ones are large.
_LONG = ("notebooks", "details")


def _one(course: Course, assignment: str, crew: Crew, arguments: argparse.Namespace) -> bool:
    records: list[Record] = []
    kept, known = 0, history(course.records_file(assignment))
    for record, is_new in grade(course, assignment, students=arguments.student, force=arguments.force, crew=crew):
        records.append({name: value for name, value in record.items() if name not in _LONG})
        kept += not is_new
    records.sort(key=lambda record: record["student"])
    print(f"\n{assignment}\n\n{summary.table(records)}")
    if kept:
        print(f"{kept} of them had been graded before and did not run again (--force grades them as well)")
    problems = [record for record in records if not was_graded(record)]
    for line in summary.next_steps(problems):
        print(f"  {line}")
    path = course.records_file(assignment)
    if history(path) != known:
        _say_changes(course, assignment)
    page = write_report(course, assignment, course.root / f"report-{assignment}.html")
    print(f"report: {page}\nrecords: {path}\nlogs: {log_file(path, 'STUDENT')}")
    return not problems


def _say_changes(course: Course, assignment: str) -> None:
    """Say whose score changed, when somebody who had a score was graded again."""
    found = changes.write_changes(course, assignment)
    if found is not None:
        print(f"graded again: {changes.summary(found[0])}")
        for line in changes.lines(found[0]):
            print(f"  {line}")
        print(f"changes: {found[1]}")


def _crew(course: Course, arguments: argparse.Namespace) -> Crew:
    """Who grades: workers of a cluster, if there is to be one, or of this computer."""
    if arguments.dask is None:
        return hire(course, trust=arguments.trust, workers=arguments.workers)
    if arguments.workers is not None:
        raise CourseError(
            "--workers counts those of this computer, --dask takes those that a cluster has. Leave one of both out."
        )
    return hire_cluster(course, arguments.dask, trust=arguments.trust)


def main(arguments: argparse.Namespace) -> int:
    """Grade every assignment that is named; 1 when a submission could not be graded."""
    course = course_of(arguments)
    if arguments.sandbox is not None:
        course.options.sandbox = arguments.sandbox
    named = course.find_assignments(arguments.assignments)
    wanted = [name for name in named if arguments.assignments or course.students(name)]
    if not any(course.students(name) for name in wanted):
        folder = course.submitted(wanted[0] if wanted else "ASSIGNMENT", "STUDENT")
        raise CourseError(f"Nobody has handed anything in. Put each student's files into {folder}.")
    with _crew(course, arguments) as crew:
        if missing := promises.warning(crew.sandbox):
            print(missing, file=sys.stderr)
        fine = [_one(course, name, crew, arguments) for name in wanted]
    return 0 if all(fine) else 1
