"""What the class report says about one assignment: read from the gradebook, the records and the release."""

import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from nbgrader import api
from nbgrader.api import Gradebook, MissingEntry

from coursekit import notebooks
from coursekit import release as releases
from coursekit.course import Course
from coursekit.grade import was_graded
from coursekit.records import Record, Records
from coursekit.report_questions import LONGEST_NAME, Key, Question, plain, questions_of

NOT_GRADED = "not graded"


@dataclass(frozen=True)
class Mark:
    """Points of one student for one question; score None where there are none yet."""

    score: float | None
    max_score: float
    pending: bool = False
    note: str = ""

    @property
    def share(self) -> float | None:
        """Points as a share of the maximum, None where there are none."""
        return None if self.score is None or self.max_score <= 0 else self.score / self.max_score

    @property
    def level(self) -> str:
        """How well it went, in five steps, for the colour of the table cell."""
        if self.score is None:
            return "hand" if self.pending else "none"
        share = 1.0 if self.max_score <= 0 else self.score / self.max_score
        if share >= 1:
            return "full"
        steps = [(2 / 3, "high"), (1 / 3, "middle"), (0.0, "low")]
        return next((name for least, name in steps if share > least), "zero")


@dataclass(frozen=True)
class Row:
    """One submission; total and seconds are None where there are none yet."""

    student: str
    name: str
    state: str
    graded: bool
    reason: str
    next_step: str
    marks: tuple[Mark, ...]
    total: float | None
    late_seconds: float
    penalty: float
    seconds: float | None
    repairs: tuple[str, ...]
    about: str = ""
    feedback: tuple[tuple[str, str], ...] = ()  # label and address of each page

    @property
    def pending(self) -> int:
        """Number of answers that wait for a person."""
        return sum(mark.pending for mark in self.marks)

    @property
    def lateness(self) -> str:
        """How late it was, in words; empty when it was not."""
        return duration(self.late_seconds) if self.late_seconds > 0 else ""


@dataclass(frozen=True)
class ClassReport:
    """Everything the page says about one assignment."""

    assignment: str
    made: str
    max_score: float
    questions: tuple[Question, ...]
    rows: tuple[Row, ...]

    @property
    def totals(self) -> list[float]:
        """Points of every submission that has some."""
        return [row.total for row in self.rows if row.total is not None]

    @property
    def mean(self) -> float:
        """Mean points of the submissions that have some."""
        return statistics.fmean(self.totals)

    @property
    def median(self) -> float:
        """Median points of the submissions that have some."""
        return statistics.median(self.totals)

    @property
    def ungraded(self) -> list[Row]:
        """Submissions that could not be graded, or have not been."""
        return [row for row in self.rows if not row.graded]

    @property
    def interrupted(self) -> list[Row]:
        """Submissions that were graded, but in which something was stopped."""
        return [row for row in self.rows if row.graded and row.reason]

    @property
    def waiting(self) -> list[Question]:
        """Questions with answers that wait for a person."""
        return [
            question
            for index, question in enumerate(self.questions)
            if any(row.marks[index].pending for row in self.rows)
        ]

    def mean_share(self, index: int) -> float | None:
        """Mean share of the points of question `index`, from 0; None while most answers to it wait for a person."""
        shares = [share for row in self.rows if (share := row.marks[index].share) is not None]
        waiting = sum(row.marks[index].pending for row in self.rows)
        return statistics.fmean(shares) if len(shares) > waiting else None


def duration(seconds: float) -> str:
    """A length of time in the unit in which it is easily read."""
    for size, unit in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


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
    kept = Records(course.records_file(assignment)).by_student
    rows = []
    for student in sorted({*found, *kept, *course.students(assignment)}):
        row = _row(student, found.get(student), kept.get(student, {}), questions)
        pages = _feedback(course, assignment, student, beside)
        rows.append(replace(row, about=plain((about or {}).get(student, "")), feedback=pages))
    made = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
    return ClassReport(plain(assignment), made, sum(part.max_score for part in questions), questions, tuple(rows))
