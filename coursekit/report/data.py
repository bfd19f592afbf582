"""What the class report says about one assignment: read from the gradebook, the records and the release."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from nbgrader import api
from nbgrader.api import Gradebook, MissingEntry

from coursekit import notebooks
from coursekit.course import Course
from coursekit.grading import remarks
from coursekit.grading.grade import was_graded
from coursekit.grading.gradebook import extended_until
from coursekit.grading.records import Record, Records
from coursekit.release import release as releases
from coursekit.report.class_data import ClassReport, Mark, Row
from coursekit.report.frequent import frequent_hints, frequent_repairs
from coursekit.report.questions import LONGEST_NAME, Key, Question, plain, questions_of
from coursekit.report.timing import timing_of

NOT_GRADED = "not graded"


@dataclass(frozen=True)
class BookedGrade:
    score: float
    graded: bool
    pending: bool


@dataclass(frozen=True)
class _Booked:
    """What the gradebook knows about one submission."""

    name: str
    grades: dict[Key, BookedGrade]
    late_seconds: float
    penalty: float
    extended_until: str | None


def booked_grades(gradebook: Gradebook, assignment: str) -> dict[str, dict[Key, BookedGrade]]:
    """Every grade of a class in one query, by student."""
    query = (
        gradebook.db.query(
            api.SubmittedAssignment.student_id,
            api.Notebook.name,
            api.BaseCell.name,
            api.Grade.score,
            api.Grade.auto_score,
            api.Grade.manual_score,
            api.Grade.needs_manual_grade,
        )
        .select_from(api.Grade)
        .join(api.BaseCell, api.BaseCell.id == api.Grade.cell_id)
        .join(api.SubmittedNotebook, api.SubmittedNotebook.id == api.Grade.notebook_id)
        .join(api.Notebook, api.Notebook.id == api.SubmittedNotebook.notebook_id)
        .join(api.SubmittedAssignment, api.SubmittedAssignment.id == api.SubmittedNotebook.assignment_id)
        .join(api.Assignment, api.Assignment.id == api.SubmittedAssignment.assignment_id)
        .filter(api.Assignment.name == assignment)
    )
    found: dict[str, dict[Key, BookedGrade]] = {}
    for student, notebook, cell, score, auto, manual, needs in query:
        graded = auto is not None or manual is not None
        found.setdefault(student, {})[notebook, cell] = BookedGrade(float(score), graded, bool(needs))
    return found


def _booked(course: Course, assignment: str) -> dict[str, _Booked]:
    with course.gradebook() as gradebook:
        try:
            gradebook.find_assignment(assignment)
        except MissingEntry:
            return {}
        grades = booked_grades(gradebook, assignment)
        found = {}
        for submission in gradebook.assignment_submissions(assignment):
            student = submission.student
            found[student.id] = _Booked(
                name=" ".join(filter(None, (student.first_name, student.last_name))),
                grades=grades.get(student.id, {}),
                late_seconds=float(submission.total_seconds_late),
                penalty=sum(float(nb.late_submission_penalty or 0) for nb in submission.notebooks),
                extended_until=extended_until(submission),
            )
        return found


def _mark(question: Question, grades: Mapping[Key, BookedGrade], notes: Mapping[Key, str]) -> Mark:
    found = [grades[key] for key in question.cells if key in grades]
    note = " ".join(dict.fromkeys(notes[key] for key in question.cells if notes.get(key)))
    pending = any(grade.pending for grade in found)
    graded = [grade.score for grade in found if grade.graded]
    score = sum(graded) if graded and not pending else None
    return Mark(score, question.max_score, pending, plain(note))


def _notes(record: Record) -> dict[Key, str]:
    """Why a test cell gave no points, from the record of the grading."""
    return {
        (notebook, str(cell["grade_id"])): str(cell.get("reason") or "")
        for notebook, part in record.get("notebooks", {}).items()
        for cell in part.get("cells", [])
    }


def _feedback(course: Course, assignment: str, student: str, beside: Path) -> tuple[tuple[str, str], ...]:
    folder = course.feedback(assignment, student)
    pages = sorted(folder.glob("*.html")) if folder.is_dir() else []
    return tuple((plain(page.stem, LONGEST_NAME), _link(page, beside)) for page in pages)


def _link(target: Path, beside: Path) -> str:
    try:
        relative = os.path.relpath(target, beside)
    except ValueError:  # another drive of a Windows machine
        return target.as_uri()
    return quote(os.fsencode(relative.replace(os.sep, "/")))


def _waiting(total: float | None) -> tuple[str, str]:
    """Reason and next step of a submission of which there is no record."""
    if total is not None:
        return "", ""
    return "It was handed in and has not been graded yet.", "Run `course grade`."


def _remarks(course: Course, assignment: str, booked: _Booked | None, record: Record) -> tuple[str, ...]:
    """What is said of a submission besides its points, with the lateness that the gradebook has now."""
    if booked is None:
        return ()
    now = {
        "late_seconds": booked.late_seconds,
        "late_penalty": booked.penalty,
        "extended_until": booked.extended_until,
    }
    return tuple(plain(text) for text in remarks.notes(course, assignment, record | now))


def _total(booked: _Booked | None) -> float | None:
    if booked is None or not booked.grades:
        return None
    return max(0.0, sum(grade.score for grade in booked.grades.values()) - booked.penalty)


def _row(student: str, booked: _Booked | None, record: Record, questions: Sequence[Question]) -> Row:
    total = _total(booked)
    reason, next_step = (record["reason"], record["next_step"]) if record else _waiting(total)
    notes = _notes(record)
    return Row(
        student=plain(student, LONGEST_NAME),
        name=plain(booked.name if booked else "", LONGEST_NAME),
        state=plain(record["state"] if record else ("graded" if total is not None else NOT_GRADED)),
        graded=was_graded(record) if record else total is not None,
        reason=plain(reason),
        next_step=plain(next_step),
        marks=tuple(_mark(question, booked.grades if booked else {}, notes) for question in questions),
        total=total,
        late_seconds=booked.late_seconds if booked else 0.0,
        penalty=booked.penalty if booked else 0.0,
        seconds=float(record["seconds"]) if record else None,
        repairs=tuple(plain(text) for text in record.get("repairs", [])),
    )


def collect(course: Course, assignment: str, beside: Path, about: Mapping[str, str] | None = None) -> ClassReport:
    """Read the gradebook, the records and the release of one assignment; raises CourseError when it is not released.

    Links to feedback pages are relative to the folder `beside`; `about` says something about a student, by name.
    """
    released = {name: notebooks.loads(data) for name, data in releases.release_bytes(course, assignment).items()}
    questions = questions_of(released)
    found = _booked(course, assignment)
    kept = dict(Records(course.records_file(assignment)).by_student)
    rows = []
    for student in sorted({*found, *kept, *course.students(assignment)}):
        row = _row(student, found.get(student), kept.get(student, {}), questions)
        pages = _feedback(course, assignment, student, beside)
        notes = _remarks(course, assignment, found.get(student), kept.get(student, {}))
        rows.append(replace(row, about=plain((about or {}).get(student, "")), feedback=pages, notes=notes))
    made = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
    records = [kept[student] for student in sorted(kept)]
    return ClassReport(
        assignment=plain(assignment),
        made=made,
        max_score=sum(part.max_score for part in questions),
        questions=questions,
        rows=tuple(rows),
        timing=timing_of(records),
        hints=frequent_hints(records, questions),
        repairs=frequent_repairs(records),
    )
