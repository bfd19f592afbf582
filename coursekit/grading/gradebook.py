"""nbgrader's gradebook, opened so that what belongs together is stored at once, and what it knows of an assignment."""

import contextlib
import copy
import warnings
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from nbformat import NotebookNode
from nbgrader.api import Comment, Grade, Gradebook, SubmittedAssignment, SubmittedNotebook
from nbgrader.api import Course as CourseRow
from nbgrader.preprocessors import SaveCells
from nbgrader.utils import parse_utc
from sqlalchemy.exc import SAWarning

from coursekit import database
from coursekit.course import Course
from coursekit.errors import CourseError

# How long the writer waits while another program, such as a backup or formgrader, holds a lock of the database.
PATIENCE_SECONDS = 60

Scores = dict[str, Any]


class HeldGradebook(Gradebook):
    """nbgrader's gradebook in which its own functions store nothing until `at_once` ends."""

    def __init__(self, course: Course) -> None:
        self.url = course.directory.db_url
        with database.opening(self.url):
            super().__init__(database.patient(self.url, PATIENCE_SECONDS), course.directory.course_id)
        self.session = self.db()
        self.fresh: dict[str, dict[Any, dict[str, Any]]] = {}
        self._cells: dict[str, dict[Any, list[tuple[str, str]]]] = {}
        self._write_down_course()
        database.explain(self.engine, self.url, PATIENCE_SECONDS)
        self.db.commit = self.session.flush

    def add_submission(self, assignment: str, student: str, **kwargs: Any) -> SubmittedAssignment:
        """As nbgrader's own does: the submission with a row for each grade and comment, but all rows of a kind at once.

        nbgrader makes them one by one, from cells that it looks up for every submission anew. Until `at_once` ends the
        rows stand in `fresh`, by notebook, kind and cell, so that nobody has to look for them.
        """
        if "timestamp" in kwargs:
            kwargs["timestamp"] = parse_utc(kwargs["timestamp"])
        found = self.find_assignment(assignment)
        submission = SubmittedAssignment(assignment=found, student=self.find_student(student), **kwargs)
        parts = {
            notebook.id: SubmittedNotebook(notebook=notebook, assignment=submission) for notebook in found.notebooks
        }
        self.session.add(submission)
        self.session.flush()
        self.fresh = {part.id: {Grade: {}, Comment: {}} for part in parts.values()}
        for kind, cells in self._cells_of(assignment).items():
            extra = {"needs_manual_grade": True} if kind is Grade else {}
            for notebook, cell in cells:
                row = kind(cell_id=cell, notebook_id=parts[notebook].id, **extra)
                self.fresh[parts[notebook].id][kind][cell] = row
                self.session.add(row)
        return submission

    def _cells_of(self, assignment: str) -> dict[Any, list[tuple[str, str]]]:
        """Notebook and id of every cell that has a grade, and of every one that has comments; looked up once."""
        if assignment not in self._cells:
            notebooks = self.find_assignment(assignment).notebooks
            self._cells[assignment] = {
                kind: [(each.id, cell.id) for each in notebooks for name in names for cell in getattr(each, name)]
                for kind, names in ((Grade, ("grade_cells", "task_cells")), (Comment, ("solution_cells", "task_cells")))
            }
        return self._cells[assignment]

    def _write_down_course(self) -> None:
        # nbgrader leaves out a course without a name (no c.CourseDirectory.course_id), to which its assignments point
        # all the same: SQLite does not mind, PostgreSQL does
        with database.opening(self.url):
            if self.session.get(CourseRow, self.course_id) is None:
                self.session.add(CourseRow(id=self.course_id))
                self.session.commit()
            self.session.rollback()

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """One transaction: all of it is stored at the end, or nothing when anything was raised."""
        try:
            with warnings.catch_warnings():
                # nbgrader builds the rows of a submission in an order that SQLAlchemy 2 remarks on
                warnings.simplefilter("ignore", SAWarning)
                yield
                self.session.commit()
        except BaseException:
            self.session.rollback()
            raise
        finally:
            self.fresh = {}


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


def due_date(course: Course, assignment: str) -> datetime | None:
    """What c.Coursekit.due_dates says of an assignment, as UTC, None when nothing; raises CourseError for no date."""
    text = course.options.due_dates.get(assignment)
    if text is None:
        return None
    try:
        found: datetime = parse_utc(str(text))
        return found
    except (ValueError, OverflowError) as error:
        raise CourseError(f"c.Coursekit.due_dates[{assignment!r}] = {text!r} is no date: {error}") from error


def register(course: Course, assignment: str, graded: dict[str, NotebookNode]) -> None:
    """Tell the gradebook about the assignment's cells, as `nbgrader generate_assignment` would.

    `graded` holds the notebooks with hidden tests and without solutions, by name; raises CourseError when cells were
    added or removed after somebody's work had been graded.
    """
    with HeldGradebook(course) as book, book.at_once():
        due = due_date(course, assignment)
        book.update_or_create_assignment(assignment, **({} if due is None else {"duedate": due}))
        known = {notebook.name for notebook in book.find_assignment(assignment).notebooks}
        if known != set(graded) and book.assignment_submissions(assignment):
            raise CourseError(
                f"{assignment}: notebooks were added or removed after submissions had been graded "
                f"(gradebook: {sorted(known)}; sources: {sorted(graded)}). Put them back, or say "
                f"`course release --again {assignment}`."
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
                    f"({error}). Put the cells back, or say `course release --again {assignment}`."
                ) from error
            except (database.Refused, UnicodeError) as error:
                raise CourseError(f"{assignment}/{name}: {error}. Mend the source notebook.") from error


def extended_until(submission: SubmittedAssignment) -> str | None:
    """When the student's own due date is, where it is another one than the class's."""
    has_one = submission.extension is not None and submission.assignment.duedate is not None
    return f"{submission.duedate:%Y-%m-%d %H:%M UTC}" if has_one else None


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
        "extended_until": extended_until(submission),
    }
