"""What Moodle imports: an assignment's grading worksheet, or, without one, a table for the grader report.

The worksheet (Assignment > Submissions > Download grading worksheet) is read back by Upload grading worksheet. It must
have the columns Identifier, Grade and Last modified (grade) of the file that was downloaded; a row is found by the
number in Identifier ("Participant 123"), which only Moodle knows; a grade that is empty, negative or above the maximum
is passed over, and so is one that was changed in Moodle since (mod/assign/feedback/offline: importgradeslib.php, init
and next; locallib.php, process_import_grades). Without a worksheet the table has what Grades > Import > CSV file maps
by hand.
"""

from collections.abc import Callable

from coursekit.collect.people import Person
from coursekit.collect.tables import Row, Table
from coursekit.errors import CourseError
from coursekit.export.cells import line, number, original
from coursekit.export.filled import Page, fill, matched, people, text_of
from coursekit.export.grades import Column, Grades

NEEDED = ("Identifier", "Grade", "Last modified (grade)")
COLUMNS = ("First name", "Last name", "ID number", "Email address")


def fresh(grades: Grades, heading: str | None) -> Page:
    """A table for Grades > Import, where a student is found by e-mail address or ID number."""
    titles = [heading if heading is not None else column.name for column in grades.columns]
    rows = [[*COLUMNS, *titles]]
    for person in grades.students:
        scores = [number(column.score(person.id)) for column in grades.columns]
        rows.append([person.first_name, person.last_name, person.lms_user_id, person.email, *scores])
    page = Page("".join(line(cells) for cells in rows))
    page.remarks.append("Without --template this is for Grades > Import > CSV file, not for an assignment's worksheet.")
    return page


def _check(table: Table) -> None:
    lacking = [name for name in NEEDED if table.find(name) is None]
    if lacking:
        raise CourseError(
            f"{table.path} is no grading worksheet of Moodle: it lacks {', '.join(lacking)}. Set Moodle to English, "
            "then download it from the assignment: Submissions, Download grading worksheet."
        )


def _finder(table: Table, grades: Grades) -> Callable[[Row], Person | None]:
    everybody = people(grades)
    columns = [(table.find("Email address"), everybody.with_email), (table.find("ID number"), everybody.with_lms_id)]
    name_at = table.find("Full name")

    def find(row: Row) -> Person | None:
        for column, lookup in columns:
            if column is not None and (found := lookup(original(row.cells[column].strip()))):
                return found
        if name_at is None:
            return None
        called = everybody.called(original(row.cells[name_at].strip()))
        return called[0] if len(called) == 1 and columns[0][0] is None else None

    return find


def _warn(table: Table, column: Column, rows: list[tuple[Row, Person | None]], page: Page) -> None:
    most, changeable = table.find("Maximum Grade"), table.find("Grade can be changed")
    for row, person in rows:
        score = None if person is None else column.score(person.id)
        if score is None or person is None:
            continue
        try:
            limit = float(row.cells[most].replace(",", ".")) if most is not None else score
        except ValueError:
            limit = score
        if score > limit:
            page.remarks.append(
                f"{person.id}: {number(score)} points are above Moodle's {number(limit)}; it skips them."
            )
            page.left_out.append(person.id)
        if changeable is not None and row.cells[changeable].strip().casefold() == "no":
            page.remarks.append(f"{person.id}: Moodle says that this grade cannot be changed, and will skip it.")
            page.left_out.append(person.id)


def filled(grades: Grades, table: Table) -> Page:
    """The worksheet with our points in it; raises CourseError unless there is just one assignment."""
    _check(table)
    if len(grades.columns) != 1:
        named = ", ".join(column.name for column in grades.columns) or "none"
        raise CourseError(f"A grading worksheet is of one assignment, and these are to be exported: {named}. Name one.")
    (column,) = grades.columns
    page = Page("")
    rows = matched(table, table.rows, _finder(table, grades))
    cells = fill(table, rows, [(column, table.need("Grade"))], page)
    _warn(table, column, rows, page)
    page.text = text_of(table, [table.headings, *(cells[row.line] for row in table.rows)])
    return page


def page(grades: Grades, template: Table | None, heading: str | None) -> Page:
    """The file for Moodle."""
    return fresh(grades, heading) if template is None else filled(grades, template)
