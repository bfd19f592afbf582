"""How late each submission is, extensions included, what is taken off for it, and what of that is booked."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import sqlalchemy
from nbgrader.api import Assignment, Grade, Notebook, SubmittedAssignment, SubmittedNotebook
from nbgrader.preprocessors import AssignLatePenalties

from coursekit.course import Course
from coursekit.grading import extensions


class Lateness:
    """One assignment's due date, extensions and plugin for penalties; raises CourseError when they make no sense.

    `applies` is False when the instructor's own steps do without nbgrader's: then no penalty is touched.
    """

    def __init__(self, course: Course, assignment: str, due: datetime | None, *, applies: bool = True) -> None:
        self.due, self.applies = due, applies
        self.extensions = extensions.load(course, assignment)
        self._step = AssignLatePenalties(config=course.config, log=course.log)
        self._step.assignment_id = assignment  # as nbgrader does it: the plugin asks for it
        self._step.init_plugin()

    def extension(self, student: str, booked: timedelta | None) -> timedelta | None:
        """How much more time than the class a student has: as extensions.csv says, without it as is booked."""
        if self.extensions is None:
            return booked
        until = self.extensions.get(student)
        return None if self.due is None or until is None or until <= self.due else until - self.due

    def seconds(self, timestamp: datetime | None, extension: timedelta | None) -> float:
        """How late a submission of that time is, by nbgrader's rule."""
        if timestamp is None or self.due is None:
            return 0.0
        return max(0.0, (timestamp - self.due - (extension or timedelta())).total_seconds())

    def penalty(self, student: str, score: float, seconds: float) -> float | None:
        """What is taken off a notebook's score; raises what the plugin raises."""
        if seconds <= 0:
            return None
        found = self._step.plugin_inst.late_submission_penalty(student, score, seconds)
        return None if found is None else self._step._check_late_penalty(SimpleNamespace(score=score), found)


@dataclass
class Standing:
    """What the gradebook says of one submission: score and penalty by notebook, and what lateness depends on."""

    timestamp: datetime | None
    extension: timedelta | None
    scores: dict[str, float] = field(default_factory=dict)
    penalties: dict[str, float] = field(default_factory=dict)
    needs_manual_grade: bool = False


def standings(session: Any, assignment: str) -> dict[str, Standing]:
    """The standing of every submission by student, in one query."""
    waits = sqlalchemy.func.sum(sqlalchemy.case((Grade.needs_manual_grade, 1), else_=0))
    query = (
        session.query(
            SubmittedAssignment.student_id,
            SubmittedAssignment.timestamp,
            SubmittedAssignment.extension,
            Notebook.name,
            SubmittedNotebook.late_submission_penalty,
            sqlalchemy.func.sum(Grade.score),
            waits,
        )
        .select_from(SubmittedAssignment)
        .join(Assignment, Assignment.id == SubmittedAssignment.assignment_id)
        .join(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .join(Notebook, Notebook.id == SubmittedNotebook.notebook_id)
        .join(Grade, Grade.notebook_id == SubmittedNotebook.id)
        .filter(Assignment.name == assignment)
        .group_by(SubmittedAssignment.id, SubmittedNotebook.id, Notebook.name)
    )
    found: dict[str, Standing] = {}
    for student, timestamp, extension, notebook, penalty, score, waiting in query:
        standing = found.setdefault(student, Standing(timestamp, extension))
        standing.scores[notebook], standing.penalties[notebook] = float(score or 0.0), float(penalty or 0.0)
        standing.needs_manual_grade = standing.needs_manual_grade or waiting > 0
    session.rollback()
    return found


def _near(one: Any, other: Any) -> bool:
    return isinstance(one, int | float) and math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)


def agree(lateness: Lateness, student: str, standing: Standing, record: Mapping[str, Any]) -> bool:
    """Whether gradebook and record both have the penalty that is due now, and the points that a person has given."""
    if not lateness.applies:
        return True
    extension = lateness.extension(student, standing.extension)
    seconds = lateness.seconds(standing.timestamp, extension)
    due = {name: lateness.penalty(student, score, seconds) or 0.0 for name, score in standing.scores.items()}
    penalty = sum(due.values())
    score = max(0.0, sum(standing.scores.values()) - penalty)
    until = None if not extension or lateness.due is None else f"{lateness.due + extension:{extensions.SHORT}}"
    return (
        extension == standing.extension
        and record.get("extended_until") == until
        and all(_near(standing.penalties[name], due[name]) for name in due)
        and _near(record["score"], score)
        and _near(record["late_seconds"], seconds)
        and _near(record["late_penalty"], penalty)
        and record["needs_manual_grade"] == standing.needs_manual_grade
    )
