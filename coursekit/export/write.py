"""Write grades in one of the formats, whole or not at all, and say whose are not in the file."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from coursekit.collect import tables
from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.export import canvas, moodle, nbgrader_csv
from coursekit.export.filled import Page
from coursekit.export.grades import BY_HAND, NOT_GRADED, NOT_HANDED_IN, Grades, read
from coursekit.files import write_atomic

FORMATS = ("nbgrader", "canvas", "moodle")


@dataclass
class Written:
    """Where the file is, and what the person at the terminal has to know."""

    path: Path
    left_out: list[str] = field(default_factory=list)  # students whose points the course server will not take
    remarks: list[str] = field(default_factory=list)
    waiting: dict[str, dict[str, list[str]]] = field(default_factory=dict)  # assignment -> why -> students


def _waiting(grades: Grades) -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = {}
    for column in grades.columns:
        states = [(person.id, column.state(person.id)) for person in grades.students]
        unknown = sorted(column.handed_in - {person.id for person in grades.students})
        states += [(student, NOT_GRADED) for student in unknown]
        for why in (NOT_GRADED, BY_HAND, NOT_HANDED_IN):
            if names := [student for student, state in states if state == why]:
                found.setdefault(column.name, {})[why] = names
    return found


def _page(form: str, grades: Grades, template: Path | None, heading: str | None, chosen: Sequence[str]) -> Page:
    if form not in FORMATS:
        raise CourseError(f"There is no format '{form}'. Choose one of: {', '.join(FORMATS)}.")
    if heading is not None and len(grades.columns) != 1:
        raise CourseError(f"--column is for one assignment, and {len(grades.columns)} are to be exported. Name one.")
    table = None if template is None else tables.read(template)
    if form == "canvas":
        page = canvas.page(grades, table, heading, chosen)
    elif form == "moodle":
        page = moodle.page(grades, table, heading)
    elif table is not None or heading is not None:
        raise CourseError("nbgrader's own table is filled into nothing: --template and --column go with --format.")
    else:
        page = Page("".join(nbgrader_csv.lines(grades)).replace("\r\n", "\n"))
    page.remarks += [] if table is None else table.remarks
    return page


def write(
    course: Course,
    target: Path,
    assignments: Sequence[str] = (),
    *,
    form: str = "nbgrader",
    template: Path | None = None,
    heading: str | None = None,
) -> Written:
    """Write the grades of the assignments (all of them when none is named) in a format.

    `template` is a file that the course server exported, to be filled; `heading` the one assignment's column in it.
    Raises CourseError when the template is of another kind or lacks the column.
    """
    grades = read(course, assignments)
    page = _page(form, grades, template, heading, assignments)
    write_atomic(target, page.text.encode())
    return Written(target, sorted(set(page.left_out)), page.remarks, _waiting(grades))


def export(course: Course, target: Path, assignments: Sequence[str] = ()) -> Path:
    """Write nbgrader's own table; returns where it is."""
    return write(course, target, assignments).path
