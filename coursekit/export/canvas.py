"""What Canvas's gradebook imports (Grades > Import), as its GradebookImporter reads it.

The first row begins with Student, ID, then SIS User ID, SIS Login ID and perhaps Integration ID and Root Account, then
Section; each column behind is an assignment, "TITLE (NUMBER)", or is asked about when Canvas knows no such. A row with
"Points Possible" in the first cell is about the assignments. A student is found by ID, else by the SIS columns, else
by name. An empty cell would take a grade away, so that what we have no points for keeps what the exported file has
(lib/gradebook_importer.rb: row_has_student_headers?, update_column_count, parse_assignments, process_student). Columns
of other assignments are left out: importing them would undo whatever has changed in Canvas since the export.
"""

import re
from collections.abc import Callable, Sequence

from coursekit.collect.people import Person
from coursekit.collect.tables import Row, Table
from coursekit.errors import CourseError
from coursekit.export.cells import line, number, original
from coursekit.export.filled import Page, column_of, fill, matched, missing, people, text_of
from coursekit.export.grades import Column, Grades

COLUMNS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
POINTS = "    Points Possible"
_NOT_ASSIGNMENTS = re.compile(r"(Current|Final|Override) (Score|Points|Grade|Status)")


def fresh(grades: Grades, heading: str | None) -> Page:
    """A file made from nothing: Canvas asks what its columns are when it does not know their titles."""
    titles = [heading if heading is not None else column.name for column in grades.columns]
    rows = [[*COLUMNS, *titles]]
    rows.append([POINTS, "", "", "", "", *(number(column.max_score) for column in grades.columns)])
    for person in grades.students:
        name = ", ".join(part for part in (person.last_name, person.first_name) if part) or person.id
        scores = [number(column.score(person.id)) for column in grades.columns]
        rows.append([name, person.lms_user_id, "", person.id, "", *scores])
    page = Page("".join(line(cells) for cells in rows))
    page.remarks.append("Canvas asks which assignment a column is unless it has its title; with --template it has.")
    return page


def _first_assignment(table: Table) -> int:
    section = table.find("Section")
    if section is None or table.find("ID") is None or not table.headings[0].startswith(("Student", "LastName")):
        raise CourseError(
            f"{table.path} is no gradebook of Canvas: it lacks the columns Student, ID and Section. "
            "Export it in Canvas: Grades, Export, Export Entire Gradebook."
        )
    return section + 1


def _is_about_assignments(table: Table, row: Row, number_at: int) -> bool:
    return "Points Possible" in row.cells[0] or not row.cells[number_at].strip()


def _check_points(table: Table, rows: Sequence[Row], places: Sequence[tuple[Column, int]], page: Page) -> None:
    for row in rows:
        for column, index in places if "Points Possible" in row.cells[0] else ():
            if row.cells[index].replace(",", ".") not in {number(column.max_score), f"{column.max_score:.2f}"}:
                page.remarks.append(
                    f"'{table.headings[index]}' is worth {row.cells[index] or 'nothing'} in Canvas and "
                    f"{number(column.max_score)} here; Canvas takes the points as they are."
                )


def _finder(table: Table, grades: Grades) -> Callable[[Row], Person | None]:
    everybody, number_at, login_at = people(grades), table.need("ID"), table.find("SIS Login ID")

    def find(row: Row) -> Person | None:
        found = everybody.with_lms_id(row.cells[number_at])
        if found is None and login_at is not None and row.cells[login_at].strip():
            login = original(row.cells[login_at].strip())
            found = everybody.by_id.get(login) or everybody.with_email(login)
            if found is not None and found.lms_user_id:  # the roster gives her another number
                return None
        return found

    return find


def filled(grades: Grades, table: Table, heading: str | None, chosen: Sequence[str]) -> Page:
    """Canvas's own export with our points in it; raises CourseError when an assignment that was named has no column."""
    first = _first_assignment(table)
    ours = [i for i in range(first, len(table.headings)) if not _NOT_ASSIGNMENTS.search(table.headings[i])]
    page, places = Page(""), []
    for column in grades.columns:
        index = column_of(table, ours, column, heading)
        if index is None and (column.name in chosen or heading is not None):
            raise missing(table, ours, heading or column.name)
        if index is None:
            page.remarks.append(f"'{column.name}' has no column in {table.path.name}, and is left out.")
        else:
            places.append((column, index))
    if not places:
        raise missing(table, ours, " or ".join(column.name for column in grades.columns) or "ASSIGNMENT")
    number_at = table.need("ID")
    about = [row for row in table.rows if _is_about_assignments(table, row, number_at)]
    students = [row for row in table.rows if not _is_about_assignments(table, row, number_at)]
    _check_points(table, about, places, page)
    cells = fill(table, matched(table, students, _finder(table, grades)), places, page)
    keep = [*range(first), *sorted(index for _, index in places)]
    rows = [table.headings, *(cells.get(row.line, row.cells) for row in table.rows)]
    page.text = text_of(table, [[row[i] for i in keep] for row in rows])
    return page


def page(grades: Grades, template: Table | None, heading: str | None, chosen: Sequence[str]) -> Page:
    """The file for Canvas."""
    return fresh(grades, heading) if template is None else filled(grades, template, heading, chosen)
