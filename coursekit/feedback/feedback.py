"""`course feedback`: nbgrader's pages for each student, without hidden tests and with reasons and hints on top."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.api import MissingEntry
from tqdm import tqdm

from coursekit import notebooks
from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.feedback.hidden import secrets_of
from coursekit.feedback.page import Pages
from coursekit.files import write_atomic
from coursekit.grading import gradebook, verdicts, worker
from coursekit.grading.records import GRADED, Records
from coursekit.release import release
from coursekit.release.markers import Marks
from coursekit.report.questions import questions_of


def _with_manual_scores(course: Course, assignment: str, record: dict[str, Any]) -> dict[str, Any]:
    """The record with what a person has graded since; those cells need no remark any more."""
    record = copy.deepcopy(record)
    with course.gradebook() as book:
        for name, notebook in record["notebooks"].items():
            for cell in notebook["cells"]:
                try:
                    grade = book.find_grade(cell["grade_id"], name, assignment, record["student"])
                except MissingEntry:
                    continue  # a cell that was taken out of the assignment since
                if grade.manual_score is not None:
                    cell |= {"score": float(grade.score), "state": verdicts.BY_HAND, "reason": "", "hint": ""}
        return record | gradebook.scores(book, assignment, record["student"])


def _record(
    course: Course, assignment: str, student: str, known: dict[str, Any] | None, released: dict[str, NotebookNode]
) -> dict[str, Any]:
    """What is known about a submission; where stock nbgrader graded it, what its notebooks and the gradebook say."""
    if known is not None:
        return _with_manual_scores(course, assignment, known)
    marks, found = Marks.of(course.config).hidden, {}
    for name, release_nb in released.items():
        path = course.autograded(assignment, student) / f"{name}.ipynb"
        if path.is_file():
            nb = nbformat.read(path, as_version=4)
            cells = [verdict.to_dict() for verdict in worker.judge_all(nb, release_nb, {}, marks)]
            found[name] = {"state": GRADED, "reason": "", "next_step": "", "repairs": [], "cells": cells}
    record = {"student": student, "state": GRADED, "reason": "", "next_step": "", "repairs": [], "notebooks": found}
    with course.gradebook() as book:
        return record | gradebook.scores(book, assignment, student)


def _graded_students(course: Course, assignment: str) -> list[str]:
    with course.gradebook() as book:
        known = [submission.student.id for submission in book.assignment_submissions(assignment)]
    found = sorted(student for student in known if any(course.autograded(assignment, student).glob("*.ipynb")))
    if not found:
        raise CourseError(f"{assignment} has not been graded yet: run `course grade {assignment}` first.")
    return found


def feedback(course: Course, assignment: str, *, progress: bool = True) -> Iterator[Path]:
    """Write the pages of every graded student; yields each file.

    Raises CourseError when nothing has been graded, and at the end for students whose page could not be made: one of
    them never keeps the others waiting.
    """
    students = _graded_students(course, assignment)
    records = Records(course.records_file(assignment)).by_student
    released = {name: notebooks.loads(data) for name, data in release.release_bytes(course, assignment).items()}
    marks = Marks.of(course.config)
    secrets = {
        path.stem: secrets_of(release.make_tests(course, assignment, path), marks, released[path.stem])
        for path in release.source_notebooks(course, assignment)
        if path.stem in released
    }
    pages = Pages(course, assignment, questions_of(released))
    failed = []
    for student in tqdm(students, unit="student", desc=f"{assignment} feedback", disable=not progress):
        try:
            record = _record(course, assignment, student, records.get(student), released)
            for name in sorted(set(record["notebooks"]) & set(secrets)):
                text = pages.page(name, record, released[name], secrets[name])
                target = course.feedback(assignment, student) / f"{name}.html"
                write_atomic(target, text.encode("utf-8"))
                yield target
            _copy_timestamp(course, assignment, student)
        except Exception as error:  # one submission must never stop the others, whatever is in it
            failed.append(f"{student} ({type(error).__name__}: {error})")
    if failed:
        raise CourseError(
            f"{assignment}: no feedback could be written for {'; '.join(failed)}. Run `course grade` again for them."
        )


def _copy_timestamp(course: Course, assignment: str, student: str) -> None:
    """nbgrader releases feedback by the time of the submission."""
    stamp = course.autograded(assignment, student) / "timestamp.txt"
    if stamp.is_file():
        write_atomic(course.feedback(assignment, student) / "timestamp.txt", stamp.read_bytes())
