"""`course grade`: grades every submission, prints a table, and says what could not be graded."""

import argparse

from coursekit import summary
from coursekit.commands.common import course_of
from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.grade import grade, was_graded


def _one(course: Course, assignment: str, arguments: argparse.Namespace) -> bool:
    results = list(grade(course, assignment, students=arguments.student, again=arguments.again))
    records = [record for record, _ in results]
    kept = sum(not is_new for _, is_new in results)
    print(f"\n{assignment}\n\n{summary.table(records)}")
    if kept:
        print(f"{kept} of them had been graded before and have not changed (--again grades them as well)")
    problems = [record for record in records if not was_graded(record)]
    for line in summary.next_steps(problems):
        print(f"  {line}")
    print(f"records: {course.records_file(assignment)}")
    return not problems


def main(arguments: argparse.Namespace) -> int:
    """Grade every assignment that is named; 1 when a submission could not be graded."""
    course = course_of(arguments)
    named = course.find_assignments(arguments.assignments)
    wanted = [name for name in named if arguments.assignments or course.students(name)]
    if not any(course.students(name) for name in wanted):
        folder = course.submitted(wanted[0] if wanted else "ASSIGNMENT", "STUDENT")
        raise CourseError(f"Nobody has handed anything in. Put each student's files into {folder}.")
    fine = [_one(course, name, arguments) for name in wanted]
    return 0 if all(fine) else 1
