"""`course roster FILE.csv`: students of a file into nbgrader's gradebook; updated, never deleted, all or none."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from coursekit.collect import tables
from coursekit.collect.people import MAX_ID, People, Person, people_of, wrong_id
from coursekit.collect.tables import Row, Table
from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.export.cells import one_line, original
from coursekit.grading.gradebook import HeldGradebook

# Canvas: lib/gradebook_exporter.rb. Moodle: Participants ("Download table data as"), and Grades > Export > Plain text.
_MOODLE_IDS = ("Username", "ID number", "Email address")
_TEST_STUDENT = "Student, Test"  # the one that Canvas adds for "Student view"
_WANTED = (
    "Canvas's gradebook export (Student, ID, SIS Login ID), Moodle's list of participants or grades export "
    "(First name, Last name, Email address), or a file with the columns id, first_name, last_name, email, lms_user_id"
)


@dataclass(frozen=True)
class Layout:
    """Which column of a file is which field of a student."""

    kind: str
    columns: dict[str, int]
    whole_name: int | None = None  # "Last, First" in one column


@dataclass
class Changes:
    """What an import did, in sentences for the person at the terminal."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    only_here: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def _is_filled(table: Table, column: int) -> bool:
    return any(row.cells[column].strip() for row in table.rows)


def _layout(table: Table, id_column: str | None) -> Layout:
    find = table.find
    chosen = None if id_column is None else table.need(id_column)
    whole, login = find("Student"), find("SIS Login ID")
    columns: dict[str, int | None]
    if (whole is not None or find("LastName") is not None) and find("ID") is not None:
        columns = {"first_name": find("FirstName"), "last_name": find("LastName"), "lms_user_id": table.need("ID")}
        columns["id"] = chosen if chosen is not None else login if login is not None else table.need("SIS User ID")
        columns["email"] = login
        kind = "Canvas"
    elif (email := find("Email address")) is not None and find("First name") is not None:
        columns = {"first_name": find("First name"), "last_name": find("Last name", "Surname")}
        columns |= {"email": email, "lms_user_id": find("ID number")}
        known = [column for name in _MOODLE_IDS if (column := find(name)) is not None and _is_filled(table, column)]
        columns["id"] = chosen if chosen is not None else (known or [email])[0]
        kind, whole = "Moodle", None
    elif chosen is not None or find("id") is not None:
        columns = {name: find(name) for name in ("first_name", "last_name", "email", "lms_user_id")}
        columns["id"] = chosen if chosen is not None else find("id")
        kind, whole = "plain", None
    else:
        headings = ", ".join(f"'{heading}'" for heading in table.headings[:12])
        raise CourseError(f"{table.path}, line 1: the columns are {headings}. Expected {_WANTED}.")
    return Layout(kind, {name: column for name, column in columns.items() if column is not None}, whole)


def _is_no_student(table: Table, layout: Layout, row: Row) -> bool:
    """Rows of Canvas that are about assignments, and its test student."""
    if layout.kind != "Canvas":
        return False
    name = row.cells[layout.whole_name if layout.whole_name is not None else layout.columns["last_name"]].strip()
    has_number = row.cells[layout.columns["lms_user_id"]].strip().isdigit()
    login = row.cells[layout.columns["id"]].strip()
    return not has_number or (name == _TEST_STUDENT and (not login or len(login) >= 40))


def _text(cell: str) -> str:
    """A cell as its writer meant it: Canvas writes a name that begins with "=" as ="NAME"."""
    text = original(cell.strip())
    return one_line(text[2:-1] if text.startswith('="') and text.endswith('"') else text)


def _person(table: Table, layout: Layout, row: Row) -> Person:
    values = {name: _text(row.cells[column]) for name, column in layout.columns.items()}
    if layout.whole_name is not None:
        last, _, first = _text(row.cells[layout.whole_name]).partition(", ")
        values |= {"last_name": last, "first_name": first}
    if layout.kind == "Canvas" and "@" not in values.get("email", ""):
        values["email"] = ""  # a login is not always an address
    if wrong := wrong_id(values["id"]):
        hint = " Choose another column with --id COLUMN." if layout.kind != "plain" else ""
        raise table.wrong(row, layout.columns["id"], f"this id of a student {wrong}.{hint}")
    for name, value in values.items():
        if len(value) > MAX_ID:
            column = layout.columns.get(name, layout.whole_name or 0)
            raise table.wrong(row, column, f"the text is longer than {MAX_ID} characters.")
    return Person(**values)


def _unique(table: Table, layout: Layout, rows: Sequence[tuple[Row, Person]]) -> None:
    """Raises CourseError when two rows have the same id, address or number; ids that differ by case are the same."""
    for name in ("id", "lms_user_id", "email"):
        seen: dict[str, int] = {}
        for row, person in rows:
            value = getattr(person, name).casefold()
            if value and value in seen:
                column = layout.columns[name]
                raise table.wrong(row, column, f"'{getattr(person, name)}' stands in line {seen[value]} already.")
            seen[value] = row.line


def read(path: Path, id_column: str | None = None) -> tuple[list[Person], list[str]]:
    """The students of a file, and remarks; raises CourseError that names the line and the column of what is wrong."""
    table = tables.read(path)
    layout = _layout(table, id_column)
    rows = [(row, _person(table, layout, row)) for row in table.rows if not _is_no_student(table, layout, row)]
    if not rows:
        raise CourseError(f"{path} has headings but no students under them.")
    _unique(table, layout, rows)
    return [person for _, person in rows], list(table.remarks)


def _known(person: Person, people: People) -> Person | None:
    """The same student in the gradebook: by id, by number, or by address."""
    found = people.by_id.get(person.id)
    found = found or (people.with_lms_id(person.lms_user_id) if person.lms_user_id else None)
    return found or (people.with_email(person.email) if person.email else None)


def _differences(old: Person, new: Person) -> Iterator[tuple[str, str, str]]:
    """Fields that the file fills in otherwise; what it leaves empty stays as it is."""
    for each in fields(Person):
        before, after = getattr(old, each.name), getattr(new, each.name)
        if each.name != "id" and after and after != before:
            yield each.name, before, after


def import_students(course: Course, path: Path, id_column: str | None = None) -> Changes:
    """Put the students of a file into the gradebook; raises CourseError and changes nothing when it is wrong."""
    wanted, remarks = read(path, id_column)
    people = people_of(course)
    changes, seen = Changes(remarks=remarks), set()
    with HeldGradebook(course) as book, book.at_once():
        for person in wanted:
            old = _known(person, people)
            if old is not None and old.id in seen:
                raise CourseError(f"{path}: two rows are of '{old.id}' in the gradebook, one of them '{person.id}'.")
            if old is None:
                given = {each.name: getattr(person, each.name) for each in fields(Person) if each.name != "id"}
                book.update_or_create_student(person.id, **{name: value or None for name, value in given.items()})
                changes.added.append(person.id)
                seen.add(person.id)
                continue
            seen.add(old.id)
            different = list(_differences(old, person))
            if old.id != person.id:
                changes.remarks.append(f"'{person.id}' is '{old.id}' in the gradebook, and stays that.")
            if different:
                book.update_or_create_student(old.id, **{name: after for name, _, after in different})
                said = ", ".join(f"{name} '{before}' -> '{after}'" for name, before, after in different)
                changes.changed.append(f"{old.id}: {said}")
            else:
                changes.unchanged.append(old.id)
    changes.only_here = sorted(set(people.by_id) - seen)
    return changes
