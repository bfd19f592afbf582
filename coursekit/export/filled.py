"""A file that a course server wrote, with our points in it."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from coursekit.collect.people import People, Person, name_key
from coursekit.collect.tables import Row, Table
from coursekit.errors import CourseError
from coursekit.export.cells import line, number
from coursekit.export.grades import GRADED, Column, Grades
from coursekit.intake.names import shown

_ID = re.compile(r"\s*\((\d+)\)$")


@dataclass
class Page:
    """Text of a file for a course server; students whose points are not in it; remarks."""

    text: str
    left_out: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def title_of(heading: str) -> str:
    """The heading of an assignment without the number that Canvas puts behind it."""
    return _ID.sub("", heading)


def column_of(table: Table, candidates: list[int], column: Column, wanted: str | None) -> int | None:
    """Index of the assignment's column: the one that the caller names, else the one of just this title; or None."""
    text = column.name if wanted is None else wanted
    found = [i for i in candidates if table.headings[i] == text]
    found = found or [i for i in candidates if name_key(title_of(table.headings[i])) == name_key(text)]
    if len(found) > 1:
        raise CourseError(f"{table.path}: {len(found)} columns are called '{text}'. Give one its number: --column.")
    return found[0] if found else None


def missing(table: Table, candidates: list[int], name: str) -> CourseError:
    """The error that an assignment has no column."""
    listed = ", ".join(f"'{shown(table.headings[i], 80)}'" for i in candidates[:20]) or "none"
    return CourseError(
        f"{table.path} has no column '{name}'. Name one with --column HEADING, for one assignment: {listed}."
    )


def fill(
    table: Table, rows: list[tuple[Row, Person | None]], places: list[tuple[Column, int]], page: Page
) -> dict[int, list[str]]:
    """Cells of each row, by its line, with our points; where we have none, a cell keeps what it has."""
    filled = {}
    for row, person in rows:
        cells = list(row.cells)
        for column, index in places:
            if person is not None and (score := column.score(person.id)) is not None:
                cells[index] = number(score)
        filled[row.line] = cells
    there = {person.id for _, person in rows if person is not None}
    graded = {student for column, _ in places for student in column.results if column.state(student) == GRADED}
    page.left_out += sorted(graded - there)
    strangers = sum(person is None for _, person in rows)
    if strangers:
        page.remarks.append(
            f"{table.path.name}: {strangers} rows are of nobody in the gradebook, and stay as they are."
        )
    return filled


def matched(table: Table, rows: list[Row], find: Callable[[Row], Person | None]) -> list[tuple[Row, Person | None]]:
    """Every row with its student; raises CourseError when two rows are of the same."""
    pairs = [(row, find(row)) for row in rows]
    lines: dict[str, int] = {}
    for row, person in pairs:
        if person is not None:
            if person.id in lines:
                raise CourseError(f"{table.path}: lines {lines[person.id]} and {row.line} are both of '{person.id}'.")
            lines[person.id] = row.line
    return pairs


def text_of(table: Table, rows: list[list[str]]) -> str:
    """The file as it was written: the same separator, and the mark by which Excel knows UTF-8 where it had one."""
    mark = "\ufeff" if table.begins_with_mark else ""
    return mark + "".join(line(cells, table.separator) for cells in rows)


def people(grades: Grades) -> People:
    """Everybody in the gradebook, to be looked up."""
    return People(grades.students)
