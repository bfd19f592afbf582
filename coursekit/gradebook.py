"""The only module that writes nbgrader's gradebook, with nbgrader's own steps."""

import copy
import warnings
from typing import Any

from nbformat import NotebookNode
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.converters import Autograde
from nbgrader.preprocessors import Execute, SaveCells
from nbgrader.utils import parse_utc
from sqlalchemy.exc import SAWarning

from coursekit.course import Course
from coursekit.errors import CourseError


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
    with course.gradebook() as gradebook:
        gradebook.update_or_create_assignment(assignment, **_due_date(course, assignment))
        known = {notebook.name for notebook in gradebook.find_assignment(assignment).notebooks}
        submissions = gradebook.assignment_submissions(assignment)
        if submissions and known != set(graded):
            raise CourseError(
                f"{assignment}: notebooks were added or removed after submissions had been graded "
                f"(gradebook: {sorted(known)}; sources: {sorted(graded)}). Put them back, or start a new assignment."
            )
        for name in known - set(graded):
            gradebook.remove_notebook(name, assignment)
    for name, nb in graded.items():
        step = SaveCells(config=course.config, log=course.log)
        try:
            step(copy.deepcopy(nb), course.resources(assignment, name))
        except RuntimeError as error:
            raise CourseError(
                f"{assignment}/{name}: graded cells were added or removed after submissions had been graded ({error}). "
                "Put the cells back, or start a new assignment."
            ) from error


def save(course: Course, assignment: str, student: str, graded: dict[str, NotebookNode], timestamp: Any) -> None:
    """Store the scores of one submission the way `nbgrader autograde` stores them; manual scores stay."""
    with course.gradebook() as gradebook, warnings.catch_warnings():
        # nbgrader builds the rows of a submission in an order that SQLAlchemy 2 remarks on
        warnings.simplefilter("ignore", SAWarning)
        gradebook.update_or_create_student(student)
        when = {} if timestamp is None else {"timestamp": timestamp}
        gradebook.update_or_create_submission(assignment, student, **when)
    converter = Autograde(coursedir=course.directory, config=course.config)
    steps = [step for step in converter.autograde_preprocessors if not issubclass(step, Execute)]
    for name, nb in graded.items():
        resources = course.resources(assignment, name, student)
        for step in steps:
            nb, resources = step(config=course.config, log=course.log)(nb, resources)


def is_known(gradebook: Gradebook, assignment: str, student: str) -> bool:
    """Whether the gradebook has a submission of this student."""
    try:
        gradebook.find_submission(assignment, student)
    except MissingEntry:
        return False
    return True


def scores(gradebook: Gradebook, assignment: str, student: str) -> dict[str, Any]:
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
