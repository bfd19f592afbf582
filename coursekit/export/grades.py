"""What the gradebook knows of each student's assignments, and which of it is finished."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from nbgrader.api import Assignment, Grade, Gradebook, SubmittedAssignment, SubmittedNotebook
from sqlalchemy import or_

from coursekit.collect.people import Person
from coursekit.course import Course
from coursekit.export.cells import one_line

NOT_HANDED_IN, NOT_GRADED, BY_HAND, GRADED = "nothing handed in", "not graded yet", "waits to be graded by hand", ""


@dataclass(frozen=True)
class Result:
    """One submission in the gradebook: points before and after the penalty for lateness."""

    raw: float
    penalty: float
    timestamp: datetime | None
    state: str  # GRADED, or what is missing

    @property
    def score(self) -> float:
        """Points that count."""
        return max(0.0, self.raw - self.penalty)


@dataclass
class Column:
    """One assignment: what it is worth, what each student has, and who has handed in."""

    name: str
    max_score: float
    due: datetime | None
    results: dict[str, Result]
    handed_in: set[str]

    def state(self, student: str) -> str:
        """GRADED, or why there is no grade that is final."""
        if student in self.results:
            return self.results[student].state
        return NOT_GRADED if student in self.handed_in else NOT_HANDED_IN

    def score(self, student: str) -> float | None:
        """Points of a student whose work is graded as a whole; None otherwise."""
        return self.results[student].score if self.state(student) == GRADED else None


@dataclass
class Grades:
    """Students in nbgrader's order, and assignments."""

    students: list[Person]
    columns: list[Column] = field(default_factory=list)


def _with_points(book: Gradebook, assignment: str) -> set[str]:
    """Students of whom at least one cell has points, given by a test or by a person."""
    rows = (
        book.db.query(SubmittedAssignment.student_id)
        .join(Assignment, Assignment.id == SubmittedAssignment.assignment_id)
        .join(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .join(Grade, Grade.notebook_id == SubmittedNotebook.id)
        .filter(Assignment.name == assignment)
        .filter(or_(Grade.auto_score.isnot(None), Grade.manual_score.isnot(None)))
        .distinct()
    )
    return {student for (student,) in rows}


def _column(course: Course, book: Gradebook, assignment: Assignment) -> Column:
    begun = _with_points(book, assignment.name)
    results = {}
    for each in book.assignment_submissions(assignment.name):
        student = each.student.id
        state = NOT_GRADED if student not in begun else BY_HAND if each.needs_manual_grade else GRADED
        results[student] = Result(
            float(each.score or 0.0), float(each.late_submission_penalty or 0.0), each.timestamp, state
        )
    handed_in = set(course.students(assignment.name))
    return Column(assignment.name, float(assignment.max_score or 0.0), assignment.duedate, results, handed_in)


def read(course: Course, assignments: Sequence[str] = ()) -> Grades:
    """The grades of the assignments that are named, of all in the gradebook when none is."""
    with course.gradebook() as book:
        names = ("first_name", "last_name", "email", "lms_user_id")
        students = [Person(each.id, *(one_line(getattr(each, name) or "") for name in names)) for each in book.students]
        chosen = [each for each in book.assignments if not assignments or each.name in assignments]
        return Grades(students, [_column(course, book, each) for each in chosen])
