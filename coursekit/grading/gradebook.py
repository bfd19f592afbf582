"""nbgrader's gradebook, opened so that what belongs together is stored at once, and what it knows of an assignment."""

import contextlib
import copy
import sqlite3
import warnings
from collections.abc import Iterator
from typing import Any

import sqlalchemy
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.preprocessors import SaveCells
from nbgrader.utils import parse_utc
from sqlalchemy.exc import OperationalError, SAWarning

from coursekit.course import Course
from coursekit.errors import CourseError

# How long the writer waits while another program, such as a backup or formgrader, holds SQLite's lock.
PATIENCE_SECONDS = 60

Scores = dict[str, Any]


def _patient(url: str) -> str:
    """The same database, but SQLite waits longer than its five seconds for a lock."""
    found = sqlalchemy.make_url(url)
    if found.get_backend_name() != "sqlite" or "timeout" in found.query:
        return url
    return found.update_query_dict({"timeout": str(PATIENCE_SECONDS)}).render_as_string(hide_password=False)


def _is_locked(error: OperationalError) -> bool:
    name = getattr(error.orig, "sqlite_errorname", "")
    return isinstance(error.orig, sqlite3.OperationalError) and str(name).startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


class HeldGradebook(Gradebook):
    """nbgrader's gradebook in which its own functions store nothing until `at_once` ends."""

    def __init__(self, course: Course) -> None:
        super().__init__(_patient(course.directory.db_url), course.directory.course_id)
        self.session = self.db()
        self.db.commit = self.session.flush

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """One transaction: all of it is stored at the end, or nothing when anything was raised."""
        try:
            with warnings.catch_warnings():
                # nbgrader builds the rows of a submission in an order that SQLAlchemy 2 remarks on
                warnings.simplefilter("ignore", SAWarning)
                yield
                self.session.commit()
        except OperationalError as error:
            self.session.rollback()
            if _is_locked(error):
                raise CourseError(
                    f"Another program has locked the gradebook for more than {PATIENCE_SECONDS} s. "
                    "Close it (a backup, a database browser), then run this again; what was done is kept."
                ) from error
            raise
        except BaseException:
            self.session.rollback()
            raise


class _SaveCells(SaveCells):
    """nbgrader's SaveCells, with a gradebook that is open already."""

    def preprocess_with(self, gradebook: Gradebook, nb: NotebookNode, notebook: str, assignment: str) -> None:
        """What SaveCells.preprocess does after it has opened a gradebook of its own."""
        self.gradebook, self.notebook_id, self.assignment_id = gradebook, notebook, assignment
        self.new_grade_cells: dict[str, Any] = {}
        self.new_solution_cells: dict[str, Any] = {}
        self.new_task_cells: dict[str, Any] = {}
        self.new_source_cells: dict[str, Any] = {}
        super(SaveCells, self).preprocess(nb, {})
        self._create_notebook(nb)


def _due_date(course: Course, assignment: str) -> dict[str, Any]:
    text = course.options.due_dates.get(assignment)
    if text is None:
        return {}
    try:
        return {"duedate": parse_utc(str(text))}
    except (ValueError, OverflowError) as error:
        raise CourseError(f"c.Coursekit.due_dates[{assignment!r}] = {text!r} is no date: {error}") from error


def register(course: Course, assignment: str, graded: dict[str, NotebookNode]) -> None:
    """Tell the gradebook about the assignment's cells, as `nbgrader generate_assignment` would.

    `graded` holds the notebooks with hidden tests and without solutions, by name; raises CourseError when cells were
    added or removed after somebody's work had been graded.
    """
    with HeldGradebook(course) as book, book.at_once():
        book.update_or_create_assignment(assignment, **_due_date(course, assignment))
        known = {notebook.name for notebook in book.find_assignment(assignment).notebooks}
        if known != set(graded) and book.assignment_submissions(assignment):
            raise CourseError(
                f"{assignment}: notebooks were added or removed after submissions had been graded "
                f"(gradebook: {sorted(known)}; sources: {sorted(graded)}). Put them back, or start a new assignment."
            )
        for name in known - set(graded):
            book.remove_notebook(name, assignment)
        for name, nb in graded.items():
            step = _SaveCells(config=course.config, log=course.log)
            try:
                step.preprocess_with(book, copy.deepcopy(nb), name, assignment)
            except RuntimeError as error:
                raise CourseError(
                    f"{assignment}/{name}: graded cells were added or removed after submissions had been graded "
                    f"({error}). Put the cells back, or start a new assignment."
                ) from error


def scores(gradebook: Gradebook, assignment: str, student: str) -> Scores:
    """What the gradebook says about one submission, in plain numbers."""
    submission = gradebook.find_submission(assignment, student)
    penalty = float(submission.late_submission_penalty or 0.0)
    return {
        "score": max(0.0, float(submission.score) - penalty),
        "max_score": float(submission.max_score),
        "late_seconds": float(submission.total_seconds_late),
        "late_penalty": penalty,
        "needs_manual_grade": bool(submission.needs_manual_grade),
    }
