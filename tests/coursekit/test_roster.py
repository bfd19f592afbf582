"""Students come out of every file as they went in, a file that is wrong changes nothing, and nobody is lost."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from term import CANVAS_GRADEBOOK, ROSTER, WORKSHEET, save

from coursekit import cli
from coursekit.collect import roster, tables
from coursekit.collect.people import Person, people_of, wrong_id
from coursekit.errors import CourseError
from coursekit.export.cells import line

MOODLE = (
    '"First name",Surname,"ID number",Institution,Department,"Email address","Course total","Last downloaded"\n'
    "Ada,Lovelace,,,,ada@example.edu,7,1\n"
    "Zoë,Øst Müller,,,,zoe@example.edu,8,1\n"
)


def everybody(course) -> dict[str, Person]:
    return people_of(course).by_id


def imported(course, tmp_path, text: str | bytes, name: str = "roster.csv", **options) -> roster.Changes:
    return roster.import_students(course, save(tmp_path / name, text), **options)


def test_a_plain_file_becomes_students_and_a_second_time_changes_nothing(course, tmp_path):
    changes = imported(course, tmp_path, ROSTER)
    assert changes.added == ["ada", "bert", "zoe", "li"]
    assert everybody(course)["zoe"] == Person("zoe", "Zoë", "Øst Müller", "zoe@example.edu", "103")
    changes = imported(course, tmp_path, ROSTER)
    assert (changes.added, changes.changed, changes.unchanged) == ([], [], ["ada", "bert", "zoe", "li"])


def test_what_differs_is_updated_and_told_what_is_empty_stays_and_nobody_is_deleted(course, tmp_path):
    imported(course, tmp_path, ROSTER)
    changes = imported(course, tmp_path, "id,last_name,email\nada,King,\nnew,Newman,n@example.edu\n")
    assert changes.changed == ["ada: last_name 'Lovelace' -> 'King'"]
    assert (changes.added, changes.only_here) == (["new"], ["bert", "li", "zoe"])
    assert everybody(course)["ada"] == Person("ada", "Ada", "King", "ada@example.edu", "101")


def test_canvas_and_moodle_files_name_the_same_students(course, tmp_path):
    changes = imported(course, tmp_path, CANVAS_GRADEBOOK)
    assert changes.added == ["ada", "bert", "zoe", "li", "sam"]  # neither rows about assignments nor the test student
    assert everybody(course)["bert"] == Person("bert", "Bert", "O'Neil-Smith", "", "102")
    changes = imported(course, tmp_path, MOODLE)  # the addresses are new to the gradebook, so these are new students
    assert changes.added == ["ada@example.edu", "zoe@example.edu"]


def test_a_student_under_another_id_is_recognised_by_number_or_address_and_stays_one(course, tmp_path):
    imported(course, tmp_path, ROSTER)
    changes = imported(course, tmp_path, CANVAS_GRADEBOOK, id_column="SIS User ID")
    assert changes.added == ["S999"]
    assert any("'S101' is 'ada' in the gradebook" in text for text in changes.remarks)
    assert imported(course, tmp_path, MOODLE).unchanged == ["ada", "zoe"]
    assert len(everybody(course)) == 5


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_separators_encodings_and_line_ends_make_no_difference(tmp_path, separator, encoding, end):
    rows = [["id", "first_name", "last_name"], ["zoe", "Zoë", 'Øst, "M"; von'], ["bert", "Bert", "x"]]
    quoted = (separator.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows)
    people, remarks = roster.read(save(tmp_path / "a.csv", end.join(quoted).encode(encoding)))
    assert people == [Person("zoe", "Zoë", 'Øst, "M"; von'), Person("bert", "Bert", "x")]
    assert bool(remarks) == (encoding == "cp1252")


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=30).map(str.strip)
IDS = TEXT.filter(lambda text: not wrong_id(text) and text.isprintable())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(IDS, TEXT, TEXT), min_size=1, max_size=5, unique_by=lambda row: row[0].casefold()))
def test_what_is_written_harmless_is_read_as_it_was(tmp_path_factory, rows):
    text = line(("id", "first_name", "last_name")) + "".join(line(row) for row in rows)
    people, _ = roster.read(save(tmp_path_factory.mktemp("csv") / "a.csv", text))
    assert [(each.id, each.first_name, each.last_name) for each in people] == rows


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("id,email\n", "no students"),
        ("name,address\nx,y\n", "Expected Canvas's gradebook"),
        ("id,email\nada,a@b\n\n,c@d\n", "line 4, column 'id': this id of a student is empty"),
        ("id,email\nada,a@b\nada,c@d\n", "line 3, column 'id': 'ada' stands in line 2"),
        ("id,email\nada,a@b\nADA,c@d\n", "line 3, column 'id'"),
        ("id,email\nada,a@b\nbert,A@b\n", "line 3, column 'email'"),
        ("id,lms_user_id\nada,7\nbert,7\n", "line 3, column 'lms_user_id': '7' stands in line 2"),
        ("id,email\nada,a@b,and,more\n", "line 2: 4 cells under 2 headings"),
        ("id,id\nada,x\n", "2 columns 'id'"),
        ("id,email\n../x,a@b\n", "line 2, column 'id'"),
        ("id,email\n.x,a@b\n", "begins with a dot"),
        (f"id,email\n{'x' * 200},a@b\n", "longer than 128"),
        ('id,email\n"ada,a@b\n', "line 2: this is not CSV"),
        ("id,email\nada,\0\n", "null characters"),
        (b"PK\x03\x04rest", "a workbook"),
        (CANVAS_GRADEBOOK.replace(",ada,", ",,"), "line 4, column 'SIS Login ID'"),
    ],
)
def test_a_file_that_is_wrong_changes_nothing_and_the_error_names_the_place(course, tmp_path, text, words):
    imported(course, tmp_path, ROSTER)
    before = everybody(course)
    with pytest.raises(CourseError) as error:
        imported(course, tmp_path, text, "wrong.csv")
    assert words in str(error.value)
    assert "wrong.csv" in str(error.value)
    assert everybody(course) == before


def test_an_error_in_the_middle_of_storing_stores_nobody(course, tmp_path):
    imported(course, tmp_path, "id,email,lms_user_id\nada,a@b,1\n")
    with pytest.raises(CourseError, match="two rows are of 'ada'"):
        imported(course, tmp_path, "id,email,lms_user_id\nnew,,\nada,,\nother,a@b,\n")
    assert set(everybody(course)) == {"ada"}


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "a\0b", "a\nb", " a", "a ", ".hidden", "é" * 120])
def test_no_id_leads_anywhere_else(name):
    assert wrong_id(name)


@pytest.mark.parametrize("text", [WORKSHEET, CANVAS_GRADEBOOK], ids=["worksheet", "gradebook"])
def test_what_a_course_server_exports_is_written_again_cell_by_cell(tmp_path, text):
    table = tables.read(save(tmp_path / "in.csv", text))
    again = "".join(line(cells) for cells in (table.headings, *(row.cells for row in table.rows)))
    assert list(csv.reader(io.StringIO(again))) == list(csv.reader(io.StringIO(text)))


def test_the_command_says_what_changed(course, tmp_path, capsys):
    path = save(tmp_path / "roster.csv", ROSTER)
    assert cli.main(["--course", str(course.root), "roster", str(path)]) == 0
    assert "4 added, 0 changed, 0 unchanged" in capsys.readouterr().out
    assert cli.main(["--course", str(course.root), "roster", str(tmp_path / "none.csv")]) == 1
    assert "none.csv cannot be read" in capsys.readouterr().err
