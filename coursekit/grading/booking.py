"""Puts graded submissions into nbgrader's gradebook, by nbgrader's own rules and each of them whole or not at all.

nbgrader's steps look up and store every cell by itself: a second for a notebook of forty cells, which one writer has
not got. Here the same steps decide, but what they look up was fetched at once and what they change is stored last.
"""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any

from nbformat import NotebookNode
from nbgrader.api import (
    Assignment,
    BaseCell,
    Comment,
    Grade,
    MissingEntry,
    Notebook,
    SubmittedAssignment,
    SubmittedNotebook,
)
from nbgrader.converters import Autograde
from nbgrader.preprocessors import AssignLatePenalties, Execute, SaveAutoGrades
from traitlets.utils.importstring import import_item

from coursekit.course import Course
from coursekit.grading.by_hand import Given, Key
from coursekit.grading.gradebook import HeldGradebook, Scores, extended_until, scores
from coursekit.grading.lateness import Lateness, Standing, standings

Row = tuple[str, str, float | None]  # notebook, cell, points


class _Found:
    """What nbgrader's SaveAutoGrades asks a gradebook for, looked up for a whole notebook before it asks."""

    def __init__(self, grades: Mapping[str, Grade], comments: Mapping[str, Comment]) -> None:
        self.grades, self.comments = grades, comments
        self.db = self

    def find_grade(self, name: str, *_: str) -> Grade:
        """The row of a graded cell; raises MissingEntry."""
        return _named(self.grades, name)

    def find_comment(self, name: str, *_: str) -> Comment:
        """The row of a cell with comments; raises MissingEntry."""
        return _named(self.comments, name)

    def commit(self) -> None:
        """Nothing is stored before the whole submission is."""


def _named(rows: Mapping[str, Any], name: str) -> Any:
    if name not in rows:
        raise MissingEntry(f"The gradebook has no cell '{name}'. Run `course release` again.")
    return rows[name]


def fingerprint(rows: Iterable[Row]) -> str:
    """A short text that differs when the automatic points of any cell do."""
    # nbgrader gives whole numbers where the database gives fractions
    plain = [(notebook, cell, None if points is None else float(points)) for notebook, cell, points in rows]
    text = repr(sorted(plain, key=lambda row: row[:2]))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


class Booking:
    """One assignment's part of the gradebook, open for writing until `close`."""

    def __init__(self, course: Course, assignment: str) -> None:
        self.course, self.assignment = course, assignment
        self._book = HeldGradebook(course)
        self._session = self._book.session
        self._cells: dict[str, dict[str, str]] = {}
        cells = self._session.query(Notebook.name, BaseCell.id, BaseCell.name).join(BaseCell.notebook)
        for notebook, key, name in cells.join(Notebook.assignment).filter(Assignment.name == assignment):
            self._cells.setdefault(notebook, {})[key] = name
        self._max_score = float(self._book.find_assignment(assignment).max_score)
        self._own_steps = self._find_own_steps()
        self._save = SaveAutoGrades(config=course.config, log=course.log)
        due = self._book.find_assignment(assignment).duedate
        self.lateness = Lateness(course, assignment, due, applies=self._gives_penalties())

    def __enter__(self) -> "Booking":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database."""
        self._book.close()

    @property
    def has_own_steps(self) -> bool:
        """Whether `save` gives notebooks to steps of the course's own, which may look at every cell."""
        return bool(self._own_steps)

    def _find_own_steps(self) -> list[Any]:
        """The steps of c.Autograde.autograde_preprocessors when they are not nbgrader's own, in their order."""
        named = Autograde(coursedir=self.course.directory, config=self.course.config).autograde_preprocessors
        if named == Autograde.autograde_preprocessors.default():
            return []
        steps = [import_item(step) if isinstance(step, str) else step for step in named]
        return [step for step in steps if not (isinstance(step, type) and issubclass(step, Execute))]

    def _gives_penalties(self) -> bool:
        """Whether nbgrader's step for late submissions is among the steps."""
        return not self._own_steps or AssignLatePenalties in self._own_steps

    def _run_own_steps(self, student: str, name: str, nb: NotebookNode) -> None:
        """One after the other, each with a gradebook of its own, as nbgrader does it."""
        resources = self.course.resources(self.assignment, name, student)
        for step in self._own_steps:
            made = step(config=self.course.config, log=self.course.log) if isinstance(step, type) else step
            nb, resources = made(nb, resources)

    def _rows(self, kind: Any, notebook: SubmittedNotebook) -> dict[str, Any]:
        # by both columns of the table's only index: by the notebook alone, a thousand submissions would be read for one
        names = self._cells[notebook.name]
        if notebook.id in self._book.fresh:
            return {names[cell]: row for cell, row in self._book.fresh[notebook.id][kind].items()}
        rows = self._session.query(kind).filter(kind.cell_id.in_(names), kind.notebook_id == notebook.id)
        return {names[row.cell_id]: row for row in rows}

    def _score(self, nb: NotebookNode, grades: Mapping[str, Grade], comments: Mapping[str, Comment]) -> None:
        """nbgrader's SaveAutoGrades."""
        self._save.gradebook = _Found(grades, comments)
        self._save.notebook_id = self._save.assignment_id = self._save.student_id = ""
        for index, cell in enumerate(nb.cells):
            self._save.preprocess_cell(cell, {}, index)

    def _penalise(self, student: str, submission: SubmittedAssignment, notebook: SubmittedNotebook) -> None:
        """nbgrader's AssignLatePenalties."""
        notebook.late_submission_penalty = None
        seconds = submission.total_seconds_late
        if seconds > 0:
            self._session.flush()
            self._session.refresh(notebook, ["score"])
            notebook.late_submission_penalty = self.lateness.penalty(student, notebook.score, seconds)

    def save(self, student: str, graded: Mapping[str, NotebookNode], timestamp: datetime | None) -> Scores:
        """Store the scores of one submission as `nbgrader autograde` would, manual scores stay; returns its numbers.

        `graded` holds the executed notebooks by name. Raises CourseError when another program has locked the gradebook.
        """
        when = {} if timestamp is None else {"timestamp": timestamp}
        with self._book.at_once():
            self._book.update_or_create_student(student)
            submission = self._book.update_or_create_submission(self.assignment, student, **when)
            submission.extension = self.lateness.extension(student, submission.extension)
            parts = {part.name: part for part in submission.notebooks}
            grades = {name: self._rows(Grade, part) for name, part in parts.items()}
            if not self._own_steps:
                for name, nb in graded.items():
                    self._score(nb, grades[name], self._rows(Comment, parts[name]))
                    self._penalise(student, submission, parts[name])
                return self._numbers(submission, parts, grades)
        for name, nb in graded.items():
            self._run_own_steps(student, name, nb)
        self._session.expire_all()
        found = fingerprint((name, cell, row.auto_score) for name, rows in grades.items() for cell, row in rows.items())
        return {**scores(self._book, self.assignment, student), "booked": found}

    def _numbers(
        self,
        submission: SubmittedAssignment,
        parts: Mapping[str, SubmittedNotebook],
        grades: Mapping[str, Mapping[str, Grade]],
    ) -> Scores:
        """The same as `gradebook.scores`, from the rows at hand: its queries read the rows of the whole class."""
        rows = [(name, cell, row) for name, part in grades.items() for cell, row in part.items()]
        penalty = sum(float(part.late_submission_penalty or 0.0) for part in parts.values())
        total = 0.0
        for _, _, row in rows:
            points = row.auto_score if row.manual_score is None else row.manual_score
            total += 0.0 if points is None else float(points) + float(row.extra_credit or 0.0)
        return {
            "score": max(0.0, total - penalty),
            "max_score": self._max_score,
            "late_seconds": float(submission.total_seconds_late),
            "late_penalty": penalty,
            "needs_manual_grade": any(row.needs_manual_grade for _, _, row in rows),
            "extended_until": extended_until(submission),
            "booked": fingerprint((name, cell, row.auto_score) for name, cell, row in rows),
        }

    def penalise_again(self, student: str) -> Scores:
        """Make extension and penalty of a booked submission anew, and touch no points; returns its numbers."""
        with self._book.at_once():
            submission = self._book.find_submission(self.assignment, student)
            submission.extension = self.lateness.extension(student, submission.extension)
            parts = {part.name: part for part in submission.notebooks}
            for part in parts.values():
                self._penalise(student, submission, part)
            return self._numbers(submission, parts, {name: self._rows(Grade, part) for name, part in parts.items()})

    def standings(self) -> dict[str, Standing]:
        """What the gradebook says of every submission, by student."""
        return standings(self._session, self.assignment)

    def by_hand(self, student: str) -> dict[Key, Given]:
        """What a person has given for cells of one submission, by notebook and cell."""
        try:
            submission = self._book.find_submission(self.assignment, student)
        except MissingEntry:
            return {}
        found = {
            (part.name, cell): Given(row.manual_score, float(row.extra_credit or 0.0), bool(row.needs_manual_grade))
            for part in submission.notebooks
            for cell, row in self._rows(Grade, part).items()
            if row.manual_score is not None or row.extra_credit
        }
        self._session.rollback()
        return found

    def snapshot(self, student: str) -> dict[str, Any] | None:
        """Points of every cell of one submission, penalty and lateness, for a comparison later; None without one.

        A cell is a list of notebook, cell, automatic points, points of a person, extra credit and maximum.
        """
        try:
            submission = self._book.find_submission(self.assignment, student)
        except MissingEntry:
            return None
        cells = [
            [part.name, cell, row.auto_score, row.manual_score, row.extra_credit, float(row.max_score)]
            for part in submission.notebooks
            for cell, row in self._rows(Grade, part).items()
        ]
        found = {
            "cells": sorted(cells, key=lambda cell: cell[:2]),
            "penalty": sum(float(part.late_submission_penalty or 0.0) for part in submission.notebooks),
            "late_seconds": float(submission.total_seconds_late),
        }
        self._session.rollback()
        return found

    def forget(self, student: str) -> None:
        """Take back the automatic points of a submission that could not be graded; a person's points stay.

        The gradebook then says of each cell that it waits to be graded, rather than what an earlier submission got.
        """
        try:
            submission = self._book.find_submission(self.assignment, student)
        except MissingEntry:
            return
        with self._book.at_once():
            for part in submission.notebooks:
                part.late_submission_penalty = None
                for row in self._rows(Grade, part).values():
                    row.auto_score, row.needs_manual_grade = None, True
                for row in self._rows(Comment, part).values():
                    row.auto_comment = None

    def booked(self) -> dict[str, str]:
        """The fingerprint of every submission that the gradebook has, by student."""
        found: dict[str, str] = {}
        rows: list[Row] = []
        query = (
            self._session.query(SubmittedAssignment.student_id, Notebook.name, BaseCell.name, Grade.auto_score)
            .select_from(SubmittedAssignment)
            .join(Assignment, Assignment.id == SubmittedAssignment.assignment_id)
            .join(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
            .join(Notebook, Notebook.id == SubmittedNotebook.notebook_id)
            .join(Grade, Grade.notebook_id == SubmittedNotebook.id)
            .join(BaseCell, BaseCell.id == Grade.cell_id)
            .filter(Assignment.name == self.assignment)
            .order_by(SubmittedAssignment.student_id)
        )
        last = None
        for student, notebook, cell, points in query.yield_per(1000):
            if student != last and rows:
                found[str(last)] = fingerprint(rows)
                rows = []
            last = student
            rows.append((notebook, cell, points))
        if rows:
            found[str(last)] = fingerprint(rows)
        self._session.rollback()
        return found
