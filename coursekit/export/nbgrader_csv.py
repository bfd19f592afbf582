"""The table of `nbgrader export` (nbgrader.plugins.CsvExportPlugin): the same columns, order and numbers.

Three things differ: cells that hold separators are quoted, cells that spreadsheets take for formulas are not, and of a
submission that waits to be graded the points are left empty, where nbgrader writes 0. Who handed in nothing has 0.
"""

from collections.abc import Iterator

from coursekit.export.cells import line
from coursekit.export.grades import NOT_GRADED, NOT_HANDED_IN, Column, Grades

COLUMNS = (
    "assignment",
    "duedate",
    "timestamp",
    "student_id",
    "last_name",
    "first_name",
    "email",
    "raw_score",
    "late_submission_penalty",
    "score",
    "max_score",
)


def _numbers(column: Column, student: str) -> tuple[str, str, str, str]:
    """Time stamp, points, penalty, and points that count."""
    state = column.state(student)
    if state == NOT_HANDED_IN:
        return "", "0.0", "0.0", "0.0"
    result = column.results.get(student)
    stamp = "" if result is None or result.timestamp is None else str(result.timestamp)
    if result is None or state == NOT_GRADED:
        return stamp, "", "", ""
    return stamp, str(result.raw), str(result.penalty), str(result.score)


def lines(grades: Grades) -> Iterator[str]:
    """The lines of the file."""
    yield line(COLUMNS)
    for column in grades.columns:
        for person in grades.students:
            stamp, raw, penalty, score = _numbers(column, person.id)
            due = "" if column.due is None else str(column.due)
            about = (column.name, due, stamp, person.id, person.last_name, person.first_name, person.email)
            yield line((*about, raw, penalty, score, str(column.max_score)))
