"""What lies in a student's folder is found whatever it is called, and nothing outside of the folder is ever read."""

import gzip
import io
import os
import socket
import unicodedata
import zipfile
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_course import NB, PS, write_course

from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.grading import submissions
from coursekit.intake import names, receipts
from coursekit.intake.folder import MAX_ENTRIES

SECRET = b'{"cells": ["the solution"]}'
OWN = b'{"cells": ["mine"]}'


@pytest.fixture
def course(tmp_path: Path) -> Course:
    """A course with a secret beside the submissions; no gradebook is needed to read them."""
    root = write_course(tmp_path / "course")
    (root / "solutions" / PS / f"{NB}.ipynb").write_bytes(SECRET)
    return Course(root)


def folder(course: Course, student: str = "eva") -> Path:
    path = course.submitted(PS, student)
    path.mkdir(parents=True, exist_ok=True)
    return path


def read(course: Course, student: str = "eva", expected=(NB,), files=frozenset({"checks.json"})):
    return submissions.read(course, PS, student, list(expected), set(files))


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "/").replace("_ipynb", ".ipynb"), data)
    return buffer.getvalue()


def refused(found, *words: str) -> bool:
    """Whether nothing was read, with a reason in a sentence that has all these words."""
    (reason,) = found.problems.values()
    assert found.notebooks == {NB: None}
    assert reason.endswith(".")
    return all(word in reason for word in words)


# ---- links and what is no file


def test_links_are_refused_wherever_they_stand(course):
    source, top = course.source(PS), Path(course.root) / "submitted"
    folder(course, "file").joinpath(f"{NB}.ipynb").symlink_to(source / f"{NB}.ipynb")
    (top / "assignment").mkdir()
    (top / "assignment" / PS).symlink_to(source)
    (top / "student").symlink_to(top / "elsewhere")
    (top / "elsewhere" / PS).mkdir(parents=True)
    (top / "elsewhere" / PS / f"{NB}.ipynb").write_bytes(OWN)
    (folder(course, "below") / "work").symlink_to(source)
    folder(course, "archive").joinpath("work.zip").symlink_to(source / f"{NB}.ipynb")
    for student in ("file", "assignment", "student"):
        assert refused(read(course, student), "link"), student
    for student in ("below", "archive"):
        assert refused(read(course, student), "There is no notebook"), student


def test_a_hard_link_is_refused_when_the_file_has_a_name_outside_of_the_folder(course):
    os.link(course.source(PS) / f"{NB}.ipynb", folder(course, "outside") / f"{NB}.ipynb")
    assert refused(read(course, "outside"), "hard link")
    place = folder(course, "inside")
    (place / f"{NB}.ipynb").write_bytes(OWN)
    os.link(place / f"{NB}.ipynb", place / "backup.ipynb")
    assert read(course, "inside").notebooks == {NB: OWN}


def test_pipes_sockets_folders_and_devices_are_refused_without_waiting_for_them(course):
    os.mkfifo(folder(course, "pipe") / f"{NB}.ipynb")
    assert refused(read(course, "pipe"), "not a plain file")
    (folder(course, "folder") / f"{NB}.ipynb").mkdir()
    assert refused(read(course, "folder"), "There is no notebook")
    here = os.getcwd()
    os.chdir(folder(course, "socket"))  # the names of sockets must be short
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"{NB}.ipynb")
            assert refused(read(course, "socket"), "not a plain file")
    finally:
        os.chdir(here)


def test_a_time_stamp_that_is_a_link_or_a_pipe_is_not_read(course):
    (course.root / "early").write_text("2020-01-01 00:00 UTC")
    for student, make in (("link", lambda path: path.symlink_to(course.root / "early")), ("pipe", os.mkfifo)):
        place = folder(course, student)
        (place / f"{NB}.ipynb").write_bytes(OWN)
        make(place / "timestamp.txt")
        found = read(course, student)
        assert found.timestamp is None
        assert found.notebooks == {NB: OWN}
        assert any("time stamp could not be read" in text for text in found.remarks)


def test_a_file_that_is_too_large_is_refused_by_its_size(course):
    with open(folder(course) / f"{NB}.ipynb", "wb") as file:
        file.truncate(1 << 40)  # holes take no disk
    assert refused(read(course), "larger than 50 MB")


def test_something_that_is_no_folder_is_refused(course):
    (course.root / "submitted" / "eva").mkdir(parents=True)
    (course.root / "submitted" / "eva" / PS).write_bytes(OWN)
    assert refused(read(course), "not a folder")
    assert refused(read(course, "nobody"), "not a folder")


@pytest.mark.parametrize("name", ["", ".", "..", "../eva", "a/b", "a\0b"])
def test_a_name_that_would_lead_elsewhere_never_becomes_a_path(course, name):
    with pytest.raises(CourseError, match="cannot be the name"):
        read(course, name)
    with pytest.raises(CourseError, match="cannot be the name"):
        submissions.read(course, name, "eva", [NB], set())


# ---- names of files


@pytest.mark.parametrize(
    "name",
    [
        "Numbers.ipynb",
        "numbers (1).ipynb",
        "numbers-Copy1.ipynb",
        "Copy of numbers.ipynb",
        "NUMBERS.IPYNB",
        " numbers .ipynb",
        "numbers.ipynb.txt",
        "anna_numbers.ipynb",
        "my work.ipynb",
        "größe 数 \u202e.ipynb",
        "n" * 240 + ".ipynb",
        "work/numbers.ipynb",
        os.fsdecode(b"numb\xff\xfe.ipynb"),
    ],
)
def test_the_only_notebook_is_read_whatever_its_name_and_the_student_is_told(course, name):
    path = folder(course) / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(OWN)
    found = read(course)
    assert found.notebooks == {NB: OWN}
    (remark,) = found.remarks
    assert f"read as '{NB}.ipynb'" in remark
    assert remark.isprintable()
    assert len(remark) < 150
    remark.encode("utf-8")


def test_accents_of_a_mac_and_of_other_systems_are_the_same(course):
    for form in ("NFC", "NFD"):
        student = f"student-{form}"
        (folder(course, student) / unicodedata.normalize(form, "größe.ipynb")).write_bytes(OWN)
        (folder(course, student) / "other.ipynb").write_bytes(b"")
        found = read(course, student, ["größe", "kleiner"])
        assert found.notebooks == {"größe": OWN, "kleiner": b""}


def test_the_right_name_wins_and_the_others_are_mentioned(course):
    for name, data in ((f"{NB}.ipynb", OWN), (f"{NB} (1).ipynb", b"1"), (f"old/{NB}.ipynb", b"2"), ("z.zip", zipped())):
        path = folder(course) / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    found = read(course)
    assert found.notebooks == {NB: OWN}
    assert found.remarks == [
        "These files were not used: 'numbers (1).ipynb', 'old', 'z.zip'. Only the answer cells of the notebook count."
    ]


def test_different_notebooks_that_could_be_the_one_are_not_guessed_and_equal_ones_are_no_doubt(course):
    for number in (1, 2):
        (folder(course) / f"numbers ({number}).ipynb").write_bytes(OWN + b" " * number)
        (folder(course, "same") / f"numbers ({number}).ipynb").write_bytes(OWN)
        (folder(course, "other") / f"work {number}.ipynb").write_bytes(OWN + b" " * number)
    assert refused(read(course), "2 notebooks that could be", "'numbers (1).ipynb' and 'numbers (2).ipynb'")
    assert refused(read(course, "other"), "2 notebooks that could be")
    assert read(course, "same").notebooks == {NB: OWN}


def test_of_two_names_that_contain_each_other_the_longer_is_matched_first(course):
    for name in ("anna-numbers-two", "anna-numbers"):
        (folder(course) / f"{name}.ipynb").write_bytes(name.encode())
    found = read(course, expected=["numbers", "numbers-two"])
    assert found.notebooks == {"numbers": b"anna-numbers", "numbers-two": b"anna-numbers-two"}


def test_what_systems_add_is_no_notebook(course):
    (folder(course) / "._my work.ipynb").write_bytes(b"")
    (folder(course) / "my work.ipynb").write_bytes(OWN)
    assert read(course).notebooks == {NB: OWN}


def test_among_more_files_than_are_looked_at_the_right_name_is_still_found(course, monkeypatch):
    assert MAX_ENTRIES > 1000
    monkeypatch.setattr("coursekit.intake.folder.MAX_ENTRIES", 0)
    place = folder(course)
    for number in range(20):
        (place / f"{number}.txt").touch()
    assert refused(read(course), "There is no notebook", "Not all of its many files")
    (place / f"{NB}.ipynb").write_bytes(OWN)
    (place / "timestamp.txt").write_text("2026-01-01 10:00 UTC")
    found = read(course)
    assert (found.notebooks, found.timestamp) == ({NB: OWN}, datetime(2026, 1, 1, 10))
    assert all(len(text) < 300 for text in found.remarks)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300))
def test_what_is_shown_of_a_name_is_one_short_printable_line(text):
    for limit in (20, 60):
        line = names.shown(text, limit)
        assert line.isprintable()
        assert len(line) <= limit
        assert len(line.encode("utf-8")) >= (len(text) > 0)


@settings(max_examples=100, deadline=None)
@given(
    st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20),
    st.sampled_from(["{}", "{} (2)", "{}-Copy1", " {}"]),
)
def test_plain_names_do_not_depend_on_case_form_and_copies(name, pattern):
    for form in ("NFC", "NFD", "NFKC"):
        other = unicodedata.normalize(form, pattern.format(name)) + ".ipynb"
        assert names.plain(other) == names.plain(f"{name}.ipynb")


# ---- archives and other files


def test_archives_are_opened_when_the_notebook_does_not_lie_beside_them(course):
    (folder(course) / "work.zip").write_bytes(zipped(ps1__numbers_ipynb=OWN, ps1__scratch_ipynb=b"1"))
    (folder(course) / "scratch.ipynb").write_bytes(b"2")
    found = read(course)
    assert found.notebooks == {NB: OWN}
    assert found.remarks[0] == "The notebook was named 'work.zip/ps1/numbers.ipynb'; it was read as 'numbers.ipynb'."
    assert "'scratch.ipynb'" in found.remarks[1]


def test_an_archive_with_the_name_of_a_notebook_is_opened(course):
    for student, data in (
        ("zip", zipped(numbers_ipynb=OWN)),
        ("other", zipped(a_ipynb=OWN)),
        ("gzip", gzip.compress(OWN)),
    ):
        (folder(course, student) / f"{NB}.ipynb").write_bytes(data)
        found = read(course, student)
        assert found.notebooks == {NB: OWN}, student
        assert "is an archive; the notebook in it was read" in " ".join(found.remarks)
    (folder(course, "empty") / f"{NB}.ipynb").write_bytes(zipped(a_txt=OWN))
    assert refused(read(course, "empty"), "archive without a notebook")


def test_a_bomb_leaves_no_notebook_and_a_reason(course):
    course.options.submission_bytes = 1000_000
    (folder(course) / "work.tar.gz").write_bytes(gzip.compress(bytes(30_000_000)))
    found = read(course)
    assert refused(found, "There is no notebook")
    assert "'work.tar.gz' was not read: it unpacks to more than is read." in found.remarks


def test_a_time_stamp_within_an_archive_does_not_count(course):
    (folder(course) / "work.zip").write_bytes(zipped(numbers_ipynb=OWN, timestamp_txt=b"2020-01-01 00:00 UTC"))
    assert read(course).timestamp is None


def test_code_and_pickles_of_the_students_own_are_mentioned_and_never_used(course):
    place = folder(course)
    (place / f"{NB}.ipynb").write_bytes(OWN)
    (place / "genlib.py").write_text("raise SystemExit")
    (place / "model.pkl").write_bytes(b"\x80\x04cos\nsystem\n(S'true'\ntR.")
    (place / "checks.json").write_text("{}")
    (place / ".DS_Store").write_text("")
    (place / ".ipynb_checkpoints").mkdir()
    (place / ".ipynb_checkpoints" / f"{NB}-checkpoint.ipynb").write_bytes(b"old")
    found = read(course)
    assert found.notebooks == {NB: OWN}
    assert len(found.remarks) == 2
    assert "'genlib.py'. What the notebook imports is the course's" in found.remarks[0]
    assert "'model.pkl'" in found.remarks[1]


def test_the_digest_depends_on_what_the_grade_depends_on_and_on_nothing_else(course):
    place = folder(course)
    (place / f"{NB}.ipynb").write_bytes(OWN)
    first = read(course).digest()
    (place / "notes.txt").write_text("mine")
    assert read(course).digest() == first
    (place / "timestamp.txt").write_text("2026-01-01 10:00 UTC")
    second = read(course).digest()
    (place / f"{NB}.ipynb").write_bytes(OWN + b" ")
    third = read(course).digest()
    (place / f"{NB}.ipynb").unlink()
    assert len({first, second, third, read(course).digest()}) == 4


# ---- receipts


def hand_in(course: Course, stamp: str | None, lines: str | None) -> submissions.Submission:
    place = folder(course)
    (place / f"{NB}.ipynb").write_bytes(OWN)
    if stamp is not None:
        (place / "timestamp.txt").write_text(stamp)
    if lines is not None:
        (course.root / "submitted" / receipts.NAME).write_text(f"student,assignment,received\n{lines}")
    return read(course)


def test_the_receipt_counts_and_not_what_the_student_wrote(course):
    found = hand_in(course, "2020-01-01 00:00 UTC", f"eva,{PS},2026-02-03 10:00 UTC\nbert,{PS},2026-01-01 10:00 UTC\n")
    assert found.timestamp == datetime(2026, 2, 3, 10)
    assert [text for text in found.remarks if "2020-01-01 00:00" in text and "the receipt counts" in text]
    assert course.students(PS) == ["eva"], "the file of receipts is no student"


def test_the_latest_of_several_receipts_counts_and_an_equal_stamp_is_not_mentioned(course):
    lines = f"eva,{PS},2026-02-03 10:00 UTC\neva,{PS},2026-02-01 10:00 UTC\neva,other,2027-01-01 10:00 UTC\n"
    found = hand_in(course, "2026-02-03 10:00:30 UTC", lines)
    assert (found.timestamp, found.remarks) == (datetime(2026, 2, 3, 10), [])


def test_a_receipt_counts_also_for_what_cannot_be_read_or_has_a_broken_stamp(course):
    found = hand_in(course, "yesterday", f"eva,{PS},2026-02-03 10:00 UTC\n")
    assert (found.timestamp, found.remarks) == (datetime(2026, 2, 3, 10), [])
    (folder(course) / f"{NB}.ipynb").unlink()
    assert read(course).timestamp == datetime(2026, 2, 3, 10)
    (folder(course) / "timestamp.txt").unlink()
    course.submitted(PS, "eva").rmdir()
    course.submitted(PS, "eva").symlink_to(course.source(PS))
    assert (read(course).timestamp, read(course).notebooks) == (datetime(2026, 2, 3, 10), {NB: None})


def test_without_a_receipt_the_stamp_counts(course):
    found = hand_in(course, "2026-01-01 10:00 UTC", f"bert,{PS},2026-02-03 10:00 UTC\n")
    assert (found.timestamp, found.remarks) == (datetime(2026, 1, 1, 10), [])


@pytest.mark.parametrize("line", ["eva", f"eva,{PS},soon", f"eva,{PS},2026-02-30 10:00"])
def test_broken_receipts_are_the_instructors_business_and_name_the_row(course, line):
    with pytest.raises(CourseError, match=r"receipts\.csv, row 2"):
        hand_in(course, None, line + "\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-02-01 12:00", "2026-02-01 12:00"),
        ("2026-02-01 12:00:30.25 UTC", "2026-02-01 12:00:30.250000"),
        ("2026-02-01T12:00:00Z", "2026-02-01 12:00"),
        ("2026-02-01T12:00:00+05:30", "2026-02-01 06:30"),
        ("2026-02-01 12:00 -0800", "2026-02-01 20:00"),
        ("2026-07-01 12:00 Europe/Berlin", "2026-07-01 10:00"),
        ("2026-07-01 12:00 EDT", "2026-07-01 16:00"),
        (" 2026-02-01 12:00 UTC\r\n", "2026-02-01 12:00"),
    ],
)
def test_times_are_brought_to_utc(text, expected):
    assert receipts.when(text) == datetime.fromisoformat(expected)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=40) | st.from_regex(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d ?.{0,40}", fullmatch=True))
def test_any_text_is_a_time_or_refused(text):
    try:
        found = receipts.when(text)
    except ValueError:
        return
    assert found.tzinfo is None
    assert text.strip()[:2].isdigit()


@pytest.mark.parametrize("zone", ["/etc/passwd", "../../etc/passwd", "XYZ", "Europe", "+99:99", "12", "+23:00"])
def test_a_time_zone_is_never_taken_for_a_file(zone):
    with pytest.raises(ValueError, match=r"zone|range|offset|time"):
        receipts.when(f"0001-01-01 12:00 {zone}")
