"""A class is graded once, with everything students do by accident; then each is looked at."""

import json
import os
from concurrent.futures import Future, ProcessPoolExecutor
from html.parser import HTMLParser
from multiprocessing import get_context

import nbformat
import pytest
from executors import InOrder, alone
from nbgrader.utils import parse_utc
from tiny_course import NB, PS, Class, cells_of, write_course

from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.feedback.feedback import feedback
from coursekit.grading.grade import grade
from coursekit.grading.summary import next_steps, table
from coursekit.grading.worker import WorkerSettings
from coursekit.kernels.opening import KernelSettings
from coursekit.release.release import release
from coursekit.sandbox.none import Nothing
from coursekit.workers.crew import Crew
from coursekit.workers.opening import open_here

ZOE = "Zoë O'Neil (2)"  # names of folders can be anything

# What the hidden tests of the tiny course contain and nobody may read.
HIDDEN_STRINGS = (
    "secret_input_of_double",
    "the secret of double",
    "for n in (5, 6)",
    "a secret about whole numbers",
    "HIDDEN",
)


def drop(nb, name):
    nb.cells = [cell for cell in nb.cells if cell.metadata.get("nbgrader", {}).get("grade_id") != name]
    return nb


def twice(nb, name):
    place = next(i for i, cell in enumerate(nb.cells) if cell.metadata.get("nbgrader", {}).get("grade_id") == name)
    copied = nbformat.from_dict({**nb.cells[place], "id": "copied"})
    nb.cells.insert(place + 1, copied)
    return nb


ESSAY = """Addition *commutes*: $a < b$ <script>alert(1)</script>
<img src="x" onerror="alert(2)"> [x](javascript:alert(3))

| a | b |
|---|---|
| 1 | 2 |
"""


def hand_in_everything(class_: Class) -> None:
    answers = class_.answers
    class_.hand_in("good", answers(double="import sys, warnings\nwarnings.warn('slow')\n\ndef double(x):\n"
                                          "    print('careful', file=sys.stderr)\n    return x + x"))  # fmt: skip
    class_.hand_in("wrong", answers(double="def double(x):\n    return x * x"), "2026-01-31 12:00 UTC")
    class_.hand_in("half", answers(double="def double(x):\n    return 2 if x == 1 else 9",
                                   square="def square(x):\n    return 36 if x == 6 else 9",
                                   total="sum_of_all_numbers = 45.0\nprint(In[-2], _ih)"))  # fmt: skip
    class_.hand_in("raises", answers(double="raise RuntimeError('oh')", total="def broken(:"))
    class_.hand_in("loops", answers(square="def square(x):\n    while True:\n        print('again' * 1000)"))
    class_.hand_in("dies", answers(square="import os\n\ndef square(x):\n    os._exit(0)"))
    class_.hand_in("forbids", answers(essay=ESSAY, square="def square(x):\n    return pow(x, 2)"))
    class_.hand_in("deleted", drop(answers(), "test_square"))
    class_.hand_in(ZOE, twice(answers(), "test_double"))
    class_.hand_in(
        "late", b"\0\0" + nbformat.writes(answers(essay="YOUR ANSWER HERE")).encode(), "2026-02-01 12:00 UTC"
    )
    class_.hand_in("corrupt", b'{"cells": [')
    class_.hand_in("empty", b"")
    (class_.folder("link") / f"{NB}.ipynb").symlink_to(class_.course.source(PS) / f"{NB}.ipynb")
    class_.course.submitted(PS, "linkdir").parent.mkdir(parents=True)
    class_.course.submitted(PS, "linkdir").symlink_to(class_.course.source(PS))
    (class_.folder("nothing") / "notes.txt").write_text("I forgot")


@pytest.fixture(scope="module")
def graded(tmp_path_factory, empty_gradebook):
    """The class after grading: course, records by student, feedback pages by student."""
    root = write_course(tmp_path_factory.mktemp("graded") / "course")
    (root / "gradebook.db").write_bytes(empty_gradebook.read_bytes())
    course = Course(root)
    release(course, PS)
    hand_in_everything(Class(course))
    results = list(grade(course, PS, trust=True, progress=False))
    assert all(is_new for _, is_new in results)
    pages = {path.parent.parent.name: path.read_text() for path in feedback(course, PS, progress=False)}
    return course, {record["student"]: record for record, _ in results}, pages


def scores(record):
    return {name: cell["score"] for name, cell in cells_of(record).items() if name != "essay"}


FULL = {"test_double": 2, "test_square": 3, "test_total": 3}


@pytest.mark.parametrize(
    ("student", "state", "lost"),
    [
        ("good", "graded", {}),
        ("wrong", "graded", {"test_double": 0}),
        ("half", "graded", {"test_double": 0, "test_square": 1.5, "test_total": 0}),
        ("raises", "graded", {"test_double": 0, "test_total": 0}),
        ("loops", "timed out", {"test_square": 0}),
        ("dies", "kernel died", {"test_square": 0}),
        ("forbids", "graded", {"test_square": 0}),
        ("deleted", "graded", {}),
        (ZOE, "graded", {}),
        ("late", "graded", {}),
        ("corrupt", "unreadable", dict.fromkeys(FULL, 0)),
        ("empty", "unreadable", dict.fromkeys(FULL, 0)),
        ("link", "unreadable", dict.fromkeys(FULL, 0)),
        ("linkdir", "unreadable", dict.fromkeys(FULL, 0)),
        ("nothing", "unreadable", dict.fromkeys(FULL, 0)),
    ],
)
def test_each_submission_loses_what_it_should_and_nothing_else(graded, student, state, lost):
    course, records, _ = graded
    record = records[student]
    assert (record["state"], scores(record)) == (state, {**FULL, **lost})
    with course.gradebook() as gradebook:
        found = gradebook.find_submission_notebook(NB, PS, student)
        stored = {grade.name: grade.auto_score for grade in found.grades if grade.name != "essay"}
        assert stored == scores(record)
        assert record["max_score"] == found.max_score == 12


def test_whatever_costs_points_has_a_reason_and_what_cannot_be_graded_a_next_step(graded):
    _, records, _ = graded
    for record in records.values():
        for cell in cells_of(record).values():
            assert (cell["score"] == cell["max_score"]) == (cell["reason"] == ""), (record["student"], cell)
        assert (record["state"] == "graded") == (record["reason"] == "") == (record["next_step"] == "")


def test_hints_of_visible_checks_and_reasons_are_the_right_ones(graded):
    _, records, _ = graded
    cells = {student: cells_of(record) for student, record in records.items()}
    assert cells["wrong"]["test_double"]["hint"] == "double(1) should be 2; did you square it?"
    assert cells["half"]["test_double"]["state"] == "hidden test failed"
    assert cells["half"]["test_total"]["state"] == "hidden test failed"
    assert cells["half"]["test_square"]["state"] == "partly passed"
    assert cells["raises"]["test_double"]["hint"].startswith("NameError")
    assert cells["loops"]["test_square"]["state"] == "timed out"
    assert (cells["dies"]["test_square"]["state"], cells["dies"]["test_total"]["state"]) == ("kernel died", "passed")
    assert "pow" in cells["forbids"]["test_square"]["hint"]
    assert "link" in records["link"]["reason"]
    assert "link" in records["linkdir"]["reason"]
    assert "no notebook" in records["nothing"]["reason"]


def test_repairs_are_sentences_that_name_the_cell(graded):
    _, records, _ = graded
    assert any("'test_square' was missing" in text for text in records["deleted"]["repairs"])
    assert any("'test_double' was there 2 times" in text for text in records[ZOE]["repairs"])
    assert any("null bytes" in text for text in records["late"]["repairs"])
    assert any("'notes.txt'" in text for text in records["nothing"]["repairs"])
    assert records["good"]["repairs"] == []


def test_only_the_late_submission_is_late_and_the_configured_penalty_holds(graded):
    course, records, _ = graded
    late = {student: record["late_seconds"] for student, record in records.items() if record["late_seconds"]}
    assert late == {"late": 86400.0}
    assert (records["late"]["score"], records["late"]["late_penalty"]) == (0, 8)
    with course.gradebook() as gradebook:
        assert gradebook.find_submission(PS, "wrong").timestamp == parse_utc("2026-01-31 12:00 UTC")


def test_written_answers_wait_for_a_person_and_empty_ones_do_not(graded):
    _, records, _ = graded
    assert records["good"]["needs_manual_grade"]
    assert not records["late"]["needs_manual_grade"]
    assert not records["corrupt"]["needs_manual_grade"]


def test_endless_output_is_cut_where_it_arrives(graded):
    course, _, _ = graded
    assert (course.autograded(PS, "loops") / f"{NB}.ipynb").stat().st_size < 2 * course.options.output_bytes


def test_feedback_shows_hints_and_repairs_but_nothing_of_the_hidden_tests(graded):
    _, records, pages = graded
    assert set(pages) == set(records)
    for student, page in pages.items():
        for text in HIDDEN_STRINGS:
            assert text not in page, (student, text)
    assert "did you square it?" in pages["wrong"]
    assert "A hidden test of this exercise did not pass." in pages["half"]
    assert "was removed" in pages["half"]
    assert "was missing; it was put back" in pages["deleted"]
    assert "24.0 hours" in pages["late"]
    assert "The file is empty." in pages["empty"]
    assert "sum_of_all_numbers" in pages["wrong"]


class Active(HTMLParser):
    """Collects what a browser would run: scripts, event handlers, links."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.handlers: list[str] = []
        self.links: list[str] = []
        self._in_script = False

    def handle_starttag(self, tag, attrs):
        self._in_script = tag == "script"
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data):
        if self._in_script:
            self.scripts.append(data)

    def handle_endtag(self, tag):
        self._in_script = False


def test_feedback_runs_nothing_that_a_student_wrote(graded):
    _, _, pages = graded
    page = pages["forbids"]  # its essay could have run something, so it is shown letter by letter
    found = Active()
    found.feed(page)
    assert not found.scripts
    assert not found.handlers
    assert not [link for link in found.links if link.startswith(("javascript:", "data:text"))]
    assert "commutes" in page
    assert "<em>commutes" not in page


def test_the_autograded_notebooks_did_contain_what_feedback_removed(graded):
    course, _, _ = graded
    text = (course.autograded(PS, "half") / f"{NB}.ipynb").read_text()
    assert all(string in text for string in HIDDEN_STRINGS)


def test_records_are_stored_and_the_table_has_a_line_for_everybody(graded):
    course, records, _ = graded
    stored = json.loads(course.records_file(PS).read_text())["records"]
    assert {record["student"]: record for record in stored} == records
    text = table(list(records.values()))
    assert all(any(line.startswith(student + " ") for line in text.split("\n")) for student in records)
    assert len(next_steps(list(records.values()))) == len(records)
    assert not list(course.records_file(PS).parent.glob("*.jsonl"))


def test_nothing_is_graded_twice_and_manual_scores_survive_what_is(graded):
    course, records, _ = graded
    again = list(grade(course, PS, trust=True, progress=False))
    assert [record for record, _ in again] == [records[record["student"]] for record, _ in again]
    assert not any(is_new for _, is_new in again)
    with course.gradebook() as gradebook:
        essay = gradebook.find_grade("essay", NB, PS, "good")
        essay.manual_score = 3.5
        gradebook.db.commit()
    ((record, is_new),) = grade(course, PS, students=["good"], force=True, trust=True, progress=False)
    assert is_new
    assert record["score"] == 8 + 3.5
    page = next(path for path in feedback(course, PS, progress=False) if "good" in path.parts).read_text()
    assert "11.5 / 12" in page


def test_a_submission_that_was_mended_is_graded_again_and_the_old_failure_is_gone(class_):
    class_.hand_in("eva", b"")
    assert [record["score"] for record, _ in grade(class_.course, PS, crew=alone(), progress=False)] == [0]
    class_.hand_in("eva", class_.answers())
    ((record, is_new),) = grade(class_.course, PS, trust=True, progress=False)
    assert (is_new, record["state"], record["score"]) == (True, "graded", 8)


class Killed(InOrder):
    """Dies in the middle of a run, as Ctrl-C or a power cut would."""

    def __init__(self, after: int) -> None:
        self.left = after

    def submit(self, fn, /, *args, **kwargs) -> Future:
        if self.left == 0:
            raise KeyboardInterrupt
        self.left -= 1
        return super().submit(fn, *args, **kwargs)


def test_a_killed_run_goes_on_where_it_stopped_and_nothing_is_counted_twice(class_):
    course = class_.course
    for student in ("anna", "bert", "cleo", "dirk"):
        class_.hand_in(student, student.encode())
    with pytest.raises(KeyboardInterrupt):
        list(grade(course, PS, crew=Crew(Killed(after=2)), progress=False))
    # a kill -9 leaves the journal instead, perhaps with half a line at its end
    stored = json.loads(course.records_file(PS).read_text())["records"]
    course.records_file(PS).unlink()
    lines = [json.dumps(record) for record in stored]
    course.records_file(PS).with_suffix(".journal.jsonl").write_text("\n".join([*lines, lines[0][:50]]))
    results = [(record["student"], is_new) for record, is_new in grade(course, PS, crew=alone(), progress=False)]
    assert results == [("anna", False), ("bert", False), ("cleo", True), ("dirk", True)]
    with course.gradebook() as gradebook:
        assert len(gradebook.assignment_submissions(PS)) == 4
    assert not list(course.root.rglob("*.partial"))


def test_lost_results_are_made_again(class_):
    course = class_.course
    for student in ("anna", "bert"):
        class_.hand_in(student, b"")
    list(grade(course, PS, crew=alone(), progress=False))
    (course.autograded(PS, "anna") / f"{NB}.ipynb").unlink()
    with course.gradebook() as gradebook:
        gradebook.remove_submission(PS, "bert")
    assert [is_new for _, is_new in grade(course, PS, crew=alone(), progress=False)] == [True, True]


class Faulty(InOrder):
    """An executor whose machine breaks for one student."""

    def submit(self, fn, /, *args, **kwargs) -> Future:
        if args[0] == b"bert":
            future: Future = Future()
            future.set_exception(OSError("no space left"))
            return future
        return super().submit(fn, *args, **kwargs)


def test_a_fault_of_the_machine_is_no_grade_stops_nobody_and_is_tried_again(class_):
    for student in ("anna", "bert", "cleo"):
        class_.hand_in(student, student.encode())
    first = {record["student"]: record for record, _ in grade(class_.course, PS, crew=Crew(Faulty()), progress=False)}
    assert [record["state"] for record in first.values()] == ["unreadable", "failed", "unreadable"]
    assert "no space left" in first["bert"]["reason"]
    assert first["bert"]["score"] is None
    assert "again" in first["bert"]["next_step"]
    second = [(record["state"], is_new) for record, is_new in grade(class_.course, PS, crew=alone(), progress=False)]
    assert second == [("unreadable", False), ("unreadable", True), ("unreadable", False)]


def test_workers_need_nothing_but_bytes(class_, tmp_path, monkeypatch):
    """The same grades come out of a spawned process in an empty folder, through Python's own executor."""
    class_.hand_in("anna", class_.answers(double="def double(x):\n    return 1"))
    class_.hand_in("bert", b"")
    monkeypatch.chdir(tmp_path)
    settings = WorkerSettings(KernelSettings(), Nothing())
    spawn = get_context("spawn")
    with Crew(ProcessPoolExecutor(1, spawn, initializer=open_here, initargs=(settings,)), ahead=2) as crew:
        records = [record for record, _ in grade(class_.course, PS, crew=crew, progress=False)]
    assert {record["student"]: record["score"] for record in records} == {"anna": 6, "bert": 0}
    assert os.listdir(tmp_path) == ["course"]


def test_grading_before_releasing_and_unknown_students_are_explained(course):
    with pytest.raises(CourseError, match="course release"):
        list(grade(course, PS, crew=alone(), progress=False))
    release(course, PS)
    with pytest.raises(CourseError, match="nobody"):
        list(grade(course, PS, students=["nobody"], crew=alone(), progress=False))


def edit_source(course: Course, edit) -> None:
    path = course.source(PS) / f"{NB}.ipynb"
    nb = nbformat.read(path, as_version=4)
    edit(nb)
    nbformat.write(nb, path)


def test_a_mended_test_grades_everybody_again_and_a_removed_one_is_refused(class_):
    course = class_.course
    class_.hand_in("eva", b"")
    list(grade(course, PS, crew=alone(), progress=False))

    def mend(nb):
        nb.cells[3].source = nb.cells[3].source.replace("== 42", "== 2 * secret_input_of_double")

    edit_source(course, mend)
    assert [is_new for _, is_new in grade(course, PS, crew=alone(), progress=False)] == [True]
    edit_source(course, lambda nb: nb.cells.pop(3))
    with pytest.raises(CourseError, match="added or removed after"):
        release(course, PS)
