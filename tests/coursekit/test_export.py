"""Grades arrive as the numbers they are, in the columns that are imported; what is not graded is empty and named."""

import csv
import io
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nbgrader.plugins import CsvExportPlugin
from term import CANVAS_GRADEBOOK, ROSTER, WORKSHEET, save
from tiny_course import PS

from coursekit import cli
from coursekit.collect.roster import import_students
from coursekit.errors import CourseError
from coursekit.export import write
from coursekit.export.cells import harmless, line, number, one_line, original
from coursekit.grading import gradebook
from coursekit.grading.booking import Booking
from coursekit.release.release import graded_notebooks

SCORES = {"ada": 5 + 1 / 3, "bert": 3.0}


def booked(course, scores: dict[str, float | None], essays: tuple[str, ...] = ()) -> None:
    """Put points for one exercise into the gradebook, as grading does; those of `essays` are also graded by hand."""
    tests = graded_notebooks(course, PS)
    gradebook.register(course, PS, tests)
    with Booking(course, PS) as booking:
        for student in scores:
            booking.save(student, {}, None)
    with course.gradebook() as book:
        for student, score in scores.items():
            for part in book.find_submission(PS, student).notebooks:
                for grade in part.grades:
                    is_essay = grade.cell.name == "essay"
                    if score is not None and not is_essay:
                        grade.auto_score = score if grade.cell.name == "test_square" else 0.0
                        grade.needs_manual_grade = False
                    if is_essay and student in essays:
                        grade.manual_score, grade.needs_manual_grade = 0.0, False
        book.db.commit()


@pytest.fixture
def graded(course, class_, tmp_path):
    """Ada and Bert are graded; Zoë waits for a person, Li handed in and is not graded, and one could not be graded."""
    import_students(course, save(tmp_path / "roster.csv", ROSTER + "eva,Eva,=1+1,eva@example.edu,105\n"))
    booked(course, {**SCORES, "zoe": 2.0, "eva": None}, essays=("ada", "bert"))
    class_.hand_in("li", b"{}")
    class_.hand_in("eva", b"{}")
    return course


def rows_of(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def exported(course, tmp_path, form: str, template: str | None = None, **options):
    path = None if template is None else save(tmp_path / "template.csv", template)
    written = write(course, tmp_path / "out.csv", [PS], form=form, template=path, **options)
    return written, rows_of(written.path.read_bytes().decode())


def test_a_canvas_gradebook_is_filled_with_the_same_numbers_and_nothing_else_changes(graded, tmp_path):
    written, rows = exported(graded, tmp_path, "canvas", CANVAS_GRADEBOOK, heading="Numbers (9001)")
    before = rows_of(CANVAS_GRADEBOOK)
    assert [row[:5] for row in rows] == [row[:5] for row in before]
    assert rows[0][5:] == ["Numbers (9001)"], "columns that are not ours would undo what changed in Canvas since"
    scores = {row[3]: row[5] for row in rows[3:]}
    assert {student: float(scores[student]) for student in SCORES} == SCORES
    assert (scores["zoe"], scores["li"], scores["sam"]) == ("", "N/A", "")  # as they were: never 0
    assert rows[1] == ["", "", "", "", "", "Manual Posting"]
    assert rows[2][0].strip() == "Points Possible"
    assert written.left_out == []
    assert written.waiting[PS] == {
        "not graded yet": ["eva", "li"],
        "waits to be graded by hand": ["zoe"],
    }


def test_the_columns_are_those_by_which_canvas_knows_a_gradebook(graded, tmp_path):
    """The conditions of GradebookImporter: row_has_student_headers?, update_column_count, last_student_info_column."""
    for template in (None, CANVAS_GRADEBOOK):
        _, rows = exported(graded, tmp_path, "canvas", template, heading="Numbers (9001)")
        head = rows[0]
        assert len(head) > 3
        assert "Student" in head[0]
        assert "ID" in head[1]
        assert re.match(r"SIS\s+User\s+ID", head[2])
        assert re.match(r"SIS\s+Login\s+ID", head[3])
        assert "Section" in head[4]
        assert re.fullmatch(r".+ \(\d+\)", head[5])
        assert any("Points Possible" in row[0] for row in rows)


def test_without_a_template_canvas_gets_everybody_by_number_and_login(graded, tmp_path):
    _, rows = exported(graded, tmp_path, "canvas")
    assert rows[0] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", PS]
    assert rows[1][5] == "12"
    by_login = {row[3]: row for row in rows[2:]}
    assert by_login["bert"][:2] == ["O'Neil-Smith, Bert", "102"]
    assert by_login["eva"][0] == "'=1+1, Eva"
    assert {student: row[5] for student, row in by_login.items() if student not in SCORES} == dict.fromkeys(
        ("zoe", "li", "eva"), ""
    )


def test_the_assignment_is_found_by_its_title_by_its_number_or_not_at_all(graded, tmp_path):
    same = CANVAS_GRADEBOOK.replace("Numbers (9001)", "PS1: Numbers (9001)")
    assert exported(graded, tmp_path, "canvas", same)[1][0][5] == "PS1: Numbers (9001)"
    assert exported(graded, tmp_path, "canvas", CANVAS_GRADEBOOK, heading="other things")[1][0][5].endswith("(9002)")
    with pytest.raises(CourseError, match=r"no column 'ps1-numbers'.*'Numbers \(9001\)', 'Other things \(9002\)'"):
        exported(graded, tmp_path, "canvas", CANVAS_GRADEBOOK)
    twice = CANVAS_GRADEBOOK.replace("Other things (9002)", "Numbers (9002)")
    with pytest.raises(CourseError, match="2 columns are called 'numbers'"):
        exported(graded, tmp_path, "canvas", twice, heading="numbers")


def test_a_graded_student_whom_the_template_lacks_is_named_and_the_command_fails(graded, tmp_path, capsys):
    without = "".join(row for row in CANVAS_GRADEBOOK.splitlines(keepends=True) if "Lovelace" not in row)
    path = save(tmp_path / "t.csv", without)
    arguments = [
        "--format",
        "canvas",
        "--template",
        str(path),
        "--column",
        "Numbers",
        "--into",
        str(tmp_path / "o.csv"),
    ]
    assert cli.main(["--course", str(graded.root), "export", "--assignment", "ps1", *arguments]) == 1
    said = capsys.readouterr().err
    assert "not taken over there: ada" in said
    assert "not graded yet: eva, li" in said
    assert "by hand: zoe" in said


def test_a_login_that_is_known_under_another_number_is_nobody(graded, tmp_path):
    swapped = CANVAS_GRADEBOOK.replace('"Lovelace, Ada",101', '"Lovelace, Ada",777')
    written, rows = exported(graded, tmp_path, "canvas", swapped, heading="Numbers")
    assert written.left_out == ["ada"]
    assert next(row for row in rows if row[1] == "777")[5] == ""


def test_a_worksheet_of_moodle_is_filled_and_nothing_but_the_grade_changes(graded, tmp_path):
    written, rows = exported(graded, tmp_path, "moodle", WORKSHEET)
    before = rows_of(WORKSHEET)
    grade = before[0].index("Grade")
    assert [row[:grade] + row[grade + 1 :] for row in rows] == [row[:grade] + row[grade + 1 :] for row in before]
    assert {row[2].partition("@")[0]: float(row[grade]) for row in rows[1:] if row[grade]} == SCORES
    assert [row[grade] for row in rows[3:]] == ["", ""]
    assert written.left_out == []


def test_what_moodle_would_silently_skip_is_named(graded, tmp_path):
    small = WORKSHEET.replace(',12.00,Yes,"Friday', ',5.00,Yes,"Friday').replace("3.00,12.00,Yes", "3.00,12.00,No")
    written, _ = exported(graded, tmp_path, "moodle", small)
    assert written.left_out == ["ada", "bert"]
    assert any("above Moodle's 5" in text for text in written.remarks)
    assert any("cannot be changed" in text for text in written.remarks)


@pytest.mark.parametrize("column", ["Identifier", "Grade", "Last modified (grade)"])
def test_a_worksheet_that_moodle_would_refuse_is_refused(graded, tmp_path, column):
    with pytest.raises(CourseError, match=re.escape(f"lacks {column}")):
        exported(
            graded,
            tmp_path,
            "moodle",
            WORKSHEET.replace(f",{column},", ",x,").replace(
                "Identifier,", f"{'x' if column == 'Identifier' else 'Identifier'},", 1
            ),
        )


def test_a_template_of_the_other_system_is_refused(graded, tmp_path):
    with pytest.raises(CourseError, match="no gradebook of Canvas"):
        exported(graded, tmp_path, "canvas", WORKSHEET)
    with pytest.raises(CourseError, match="no grading worksheet of Moodle"):
        exported(graded, tmp_path, "moodle", CANVAS_GRADEBOOK)
    with pytest.raises(CourseError, match="go with --format"):
        exported(graded, tmp_path, "nbgrader", WORKSHEET)


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("separator", [",", ";"])
def test_a_template_comes_back_with_its_own_separator_and_mark(graded, tmp_path, mark, separator):
    template = io.StringIO(newline="")
    csv.writer(template, delimiter=separator).writerows(rows_of(WORKSHEET))
    written, _ = exported(graded, tmp_path, "moodle", mark + template.getvalue())
    text = written.path.read_bytes().decode()
    assert text.startswith(f"{mark}Identifier{separator}")
    assert not text.startswith("\ufeff\ufeff")


def test_nbgraders_table_is_the_one_of_its_own_plugin_where_everything_is_graded(course, class_, tmp_path):
    import_students(course, save(tmp_path / "roster.csv", ROSTER))
    booked(course, {"ada": 5 + 1 / 3, "bert": 3.0, "zoe": 0.0})  # Li handed in nothing
    plugin = CsvExportPlugin(config=course.config)
    plugin.to = str(tmp_path / "stock.csv")
    with course.gradebook() as book:
        plugin.export(book)
    write(course, tmp_path / "ours.csv")
    ours = (tmp_path / "ours.csv").read_text()
    assert rows_of(ours) == rows_of((tmp_path / "stock.csv").read_text())


def test_nbgraders_table_is_empty_where_nothing_is_graded_and_whole_where_a_name_has_a_comma(graded, tmp_path):
    with graded.gradebook() as book:
        book.update_or_create_student("li", last_name='王, "Jr"; x')
    _, rows = exported(graded, tmp_path, "nbgrader")
    assert {len(row) for row in rows} == {11}
    by_student = {row[3]: row for row in rows[1:]}
    assert by_student["li"][4] == '王, "Jr"; x'
    assert by_student["li"][7:10] == by_student["eva"][7:10] == ["", "", ""]
    assert by_student["eva"][4] == "'=1+1"
    assert float(by_student["ada"][9]) == SCORES["ada"]


FORMULAS = (
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "\0=1",
    "＝1+1",
    "－1",
    "-2+3+cmd|' /C calc'!A0",
)


@settings(max_examples=300, deadline=None)
@given(
    st.text(max_size=20)
    | st.sampled_from(FORMULAS)
    | st.sampled_from(FORMULAS).flatmap(lambda s: st.text().map(s.__add__))
)
@example("'=1")
@example("''=1")
def test_no_cell_begins_a_formula_and_every_cell_can_be_read_back(text):
    safe = harmless(text)
    first = safe.lstrip()[:1]
    is_number = re.fullmatch(r"[+-]?\d+([.,]\d+)*%?", safe, re.ASCII)
    assert first not in tuple("=+-@＝＋－＠") or is_number or safe == "-"
    assert safe[:1] not in ("\t", "\r", "\n", "\0")
    assert original(safe) in (text, text[1:])
    assert original(safe) == text or harmless(text[1:]) == text, "only what looks harmless already is ambiguous"


@pytest.mark.parametrize(
    "name", ["O'Neil-Smith", "'t Hooft", "Øst Müller", "王", "de la Cruz", "-", "3", "-3.5", "+7", "1e5", "12%"]
)
def test_names_and_numbers_are_left_alone(name):
    assert harmless(name) == name


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_read_as_itself_and_is_written_without_an_exponent(value):
    text = number(value)
    assert float(text) == value
    assert re.fullmatch(r"-?\d+(\.\d+)?", text)
    assert harmless(text) == text


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@given(st.lists(CELLS, min_size=2, max_size=4), st.sampled_from(",;\t"))
def test_a_line_has_as_many_cells_whatever_is_in_them_and_whatever_divides_them(cells, separator):
    rows = (
        rows_of(line(cells))
        if separator == ","
        else list(csv.reader(io.StringIO(line(cells, separator), newline=""), delimiter=separator))
    )
    assert rows == [[harmless(cell) for cell in cells]]


ONE_LINE = CELLS.map(one_line).filter(lambda cell: not re.match("[+-]", cell))


@given(st.lists(ONE_LINE, min_size=1, max_size=3), st.sampled_from(";\t|"))
def test_a_spreadsheet_that_divides_elsewhere_finds_no_cell_that_is_a_formula(cells, separator):
    """In many countries a semicolon divides; a comma in the file is then part of a cell."""
    for row in csv.reader(io.StringIO(line(cells), newline=""), delimiter=separator):
        for cell in row:
            assert cell == harmless(cell) or cell[:1] in '",', cell
