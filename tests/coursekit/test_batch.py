"""A batch: what is tried again, what is reused, what is written down, and what a terminal shows."""

import json
import os
from concurrent.futures import Future
from pathlib import Path
from typing import Any, ClassVar

import pytest
from executors import InOrder, alone
from hypothesis import given
from hypothesis import strategies as st
from tiny_course import NB, PS, Class

from coursekit import cli, sandbox
from coursekit.commands import grade as command
from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.execution import KernelDidNotStart
from coursekit.grading import environment, submissions
from coursekit.grading.grade import grade
from coursekit.grading.logs import log_file, write_log
from coursekit.grading.progress import Progress, printable
from coursekit.grading.records import Records, Shelf
from coursekit.workers import crew
from coursekit.workers.crew import Crew, hire
from coursekit.workers.pool import LocalWorkers, Recipe, WorkerLost, WorkerStuck


class Troubled(InOrder):
    """A machine that fails so often for each submission, by the bytes that were handed in, then works."""

    def __init__(self, failures: dict[bytes, int], error: Exception) -> None:
        self.failures, self.error = dict(failures), error
        self.asked: list[bytes] = []

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.asked.append(args[0])
        left = self.failures.get(args[0], 0)
        self.failures[args[0]] = left - 1
        if left <= 0:
            return super().submit(fn, *args, **kwargs)
        future: Future[Any] = Future()
        future.set_exception(self.error)
        return future


def results(course: Course, crew: Crew, **options: Any) -> dict[str, tuple[str, bool]]:
    found = grade(course, PS, crew=crew, progress=False, **options)
    return {record["student"]: (record["state"], is_new) for record, is_new in found}


MACHINE = [KernelDidNotStart("no memory"), OSError("disk full"), WorkerLost("signal 9"), BrokenPipeError("gone")]


@pytest.mark.parametrize("error", MACHINE, ids=lambda error: type(error).__name__)
def test_faults_of_the_machine_are_tried_again_as_often_as_the_course_says(class_: Class, error):
    """With three attempts two failures do no harm; after three the submission waits for the next run."""
    for student in ("ada", "bert", "cleo"):
        class_.hand_in(student, student.encode())
    executor = Troubled({b"ada": 2, b"bert": 3}, error)
    found = results(class_.course, Crew(executor))
    assert found == {"ada": ("unreadable", True), "bert": ("failed", True), "cleo": ("unreadable", True)}
    assert [executor.asked.count(name) for name in (b"ada", b"bert", b"cleo")] == [3, 3, 1]
    log = log_file(class_.course.records_file(PS), "ada").read_text()
    assert log.count(f"{type(error).__name__}: {error}") == 2
    assert results(class_.course, alone()) == {
        "ada": ("unreadable", False),
        "bert": ("unreadable", True),
        "cleo": ("unreadable", False),
    }


@pytest.mark.parametrize("error", [WorkerStuck("hangs"), KeyError("a fault of ours"), ValueError("another")])
def test_what_would_happen_again_is_not_tried_again(class_: Class, error):
    class_.hand_in("ada", b"ada")
    executor = Troubled({b"ada": 1}, error)
    assert results(class_.course, Crew(executor)) == {"ada": ("failed", True)}
    assert executor.asked == [b"ada"]


def test_a_machine_that_grades_nothing_stops_the_batch_and_a_class_that_breaks_it_does_not(class_: Class):
    """After five failures in a row the untouched assignment decides whose fault it is."""
    course = class_.course
    names = [f"student {number:02}" for number in range(12)]
    for name in names:
        class_.hand_in(name, name.encode())
    released = course.release(PS).joinpath(f"{NB}.ipynb").read_bytes()
    broken = dict.fromkeys([*(name.encode() for name in names), released], 100)
    with pytest.raises(CourseError, match=r"5 submissions in a row.*OSError: no space left"):
        results(course, Crew(Troubled(broken, OSError("no space left"))))
    del broken[released]
    executor = Troubled(broken, OSError("no space left"))
    executor.failures[released] = 1  # the machine has its weak moments, too
    executor.asked.clear()

    class Working(Troubled):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            return super().submit(fn if args[0] != released else lambda *_: (b"", {}), *args, **kwargs)

    working = Working(executor.failures, executor.error)
    assert set(results(course, Crew(working)).values()) == {("failed", True)}
    assert working.asked.count(released) == 2 + 1  # a weak moment, then once more after ten


def test_a_submission_that_cannot_even_be_read_stops_nobody(class_: Class, monkeypatch):
    for student in ("ada", "bert", "cleo"):
        class_.hand_in(student, b"")
    real = submissions.read

    def read(course: Course, assignment: str, student: str, *rest: Any) -> Any:
        if student == "bert":
            raise PermissionError(13, "Permission denied")
        return real(course, assignment, student, *rest)

    monkeypatch.setattr(submissions, "read", read)
    states = {student: state for student, (state, _) in results(class_.course, alone()).items()}
    assert states == {"ada": "unreadable", "bert": "failed", "cleo": "unreadable"}
    monkeypatch.undo()
    assert {student for student, (_, is_new) in results(class_.course, alone()).items() if is_new} == {"bert"}


def test_a_name_that_is_no_text_stops_nobody_and_has_a_reason(class_: Class):
    class_.hand_in("ada", b"1")
    class_.hand_in(os.fsdecode(b"caf\xe9"), b"1")
    states = {student: state for student, (state, _) in results(class_.course, alone()).items()}
    assert states == {"ada": "unreadable", "caf\udce9": "failed"}
    record = Records(class_.course.records_file(PS)).by_student["caf\udce9"]
    assert "could not grade" in record["reason"]
    assert record["next_step"]


def test_no_more_submissions_are_held_than_the_crew_asks_for(class_: Class):
    for number in range(9):
        class_.hand_in(f"student {number}", b"x")

    class Counting(InOrder):
        given = stored = most = 0

        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            self.given += 1
            self.most = max(self.most, self.given - self.stored)
            return super().submit(fn, *args, **kwargs)

    counting = Counting()
    for _ in grade(class_.course, PS, crew=Crew(counting, ahead=3), progress=False):
        counting.stored += 1
    assert (counting.given, counting.stored, counting.most) == (9, 9, 3)


def change_options(course: Course, text: str) -> Course:
    with (course.root / "nbgrader_config.py").open("a") as file:
        file.write(text + "\n")
    return Course(course.root)


def test_a_result_is_reused_until_something_that_it_depends_on_changes(class_: Class):
    """Submission, tests, time limits, environment of the kernel, own modules, rule, sandbox: each of them counts."""
    course = class_.course
    class_.hand_in("ada", b"1")

    def is_new(course: Course, kind: str = "") -> bool:
        ((_, found),) = results(course, Crew(InOrder(), sandbox=kind)).values()
        assert not results(course, Crew(InOrder(), sandbox=kind))["ada"][1]
        return found

    assert is_new(course)
    class_.hand_in("ada", b"2")
    assert is_new(course)
    (course.source(PS) / "checks.json").write_text('{"total": 45, "more": 1}')
    assert is_new(course)
    for line in ("cell_seconds = 4", "memory_bytes = 10**9", 'kernel_environment = {"A": "1"}', 'preload = ["math"]'):
        course = change_options(course, f"c.Coursekit.{line}")
        assert is_new(course), line
    (course.root / "own_module").mkdir()
    (course.root / "own_module" / "a.py").write_text("x = 1")
    course = change_options(course, 'c.Coursekit.sandbox_paths = ["own_module"]')
    assert is_new(course)
    (course.root / "own_module" / "a.py").write_text("x = 2")
    assert is_new(course)
    (course.root / "course_rule.py").write_text("def forbidden_uses(source, forbidden):\n    return []\n")
    assert is_new(course)
    assert is_new(course, "bubblewrap")
    assert results(course, Crew(InOrder(), sandbox="bubblewrap"), force=True) == {"ada": ("unreadable", True)}
    (course.root / "notes.txt").write_text("not of any grade's concern")
    (course.root / "own_module" / "__pycache__").mkdir()
    (course.root / "own_module" / "__pycache__" / "a.pyc").write_text("x")
    assert not results(change_options(course, "c.Coursekit.workers = 1"), Crew(InOrder(), sandbox="bubblewrap"))["ada"][
        1
    ]


def test_an_installed_package_that_changes_its_version_is_another_environment(course, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "thing-1.0.dist-info").mkdir()
    before = environment.describe(course, sandbox="none")
    assert environment.describe(course, sandbox="none") == before
    (tmp_path / "thing-1.0.dist-info").rename(tmp_path / "thing-1.1.dist-info")
    after = environment.describe(course, sandbox="none")
    assert {name for name in before if before[name] != after[name]} == {"packages"}


@pytest.mark.parametrize("path", [".", "..", "solutions", "submitted", "autograded/ada", "/", "nothing-here"])
def test_what_would_show_solutions_or_grades_to_a_submission_is_refused(class_: Class, path):
    for folder in ("submitted", "autograded/ada"):
        (class_.course.root / folder).mkdir(parents=True)
    course = change_options(class_.course, f"c.Coursekit.sandbox_paths = [{path!r}]")
    with pytest.raises(CourseError, match="sandbox_paths names"):
        hire(course, trust=True)


def test_options_that_cannot_be_are_refused_with_a_sentence(class_: Class):
    with pytest.raises(CourseError, match="workers"):
        hire(class_.course, trust=True, workers=-1)
    course = change_options(class_.course, 'c.Coursekit.sandbox_data = ["no-such-folder"]')
    with pytest.raises(CourseError, match="no folder on this computer"):
        hire(course, trust=True)


class Here(InOrder):
    """Stands in for local workers, where nothing needs a kernel."""

    about: ClassVar[list[list[str]]] = []
    task_seconds = 0.0

    def __init__(self, count: int, recipe: Recipe) -> None:
        assert (count > 0, recipe.arguments[0].sandbox.kind) == (True, "none")


def test_without_a_sandbox_nothing_is_graded_unless_submissions_are_trusted(class_: Class, monkeypatch, capsys):
    class_.hand_in("ada", b"1")
    monkeypatch.setattr(sandbox, "offered", lambda paths, kind: [])  # as on macOS
    arguments = ["--course", str(class_.course.root), "grade"]
    assert cli.main(arguments) == 1
    assert "--i-trust-the-submissions" in capsys.readouterr().err
    assert not class_.course.records_file(PS).exists()
    monkeypatch.setattr(crew, "LocalWorkers", Here)
    assert cli.main([*arguments, "--i-trust-the-submissions"]) == 1  # Ada's file cannot be read
    told = capsys.readouterr()
    assert "your own rights" in told.err
    assert "unreadable" in told.out


def test_the_command_keeps_forces_and_counts(class_: Class, monkeypatch, capsys):
    for student in ("zoe", "ada"):
        class_.hand_in(student, b"1")
    monkeypatch.setattr(command, "hire", lambda *_, **__: alone())
    arguments = ["--course", str(class_.course.root), "grade"]
    for options, kept in (([], 0), ([], 2), (["--student", "ada", "--force"], 0)):
        cli.main([*arguments, *options])
        told = capsys.readouterr()
        assert ("2 of them had been graded before" in told.out) == (kept == 2)
        assert ("2 kept" in told.err) == (kept == 2)
        assert told.out.index("ada") < told.out.find("zoe") or "--student" in options
        assert "unreadable" in told.err or kept
    assert Records(class_.course.records_file(PS)).by_student.keys() == {"ada", "zoe"}


# What is written down


@given(st.text())
def test_what_a_terminal_shows_is_one_printable_line(text):
    assert printable(text).isprintable()
    assert printable(printable(text)) == printable(text)


RECORD = {
    "assignment": PS,
    "state": "graded",
    "next_step": "",
    "score": 1.0,
    "max_score": 2.0,
    "late_seconds": 0.0,
    "seconds": 0.1,
    "hashes": {"submission": "0"},
}
CELL = {"score": 1.0, "max_score": 2.0, "grade_id": "a", "state": "passed"}


@given(st.text(max_size=400), st.text(max_size=400), st.text(min_size=1, max_size=400))
def test_a_log_holds_no_control_characters_whatever_a_submission_says(tmp_path_factory, student, reason, other):
    path = tmp_path_factory.mktemp("log") / "x.log"
    notebook = {"state": "graded", "seconds": 0.1, "cells": [{**CELL, "reason": reason}], "events": []}
    record = {**RECORD, "student": student, "reason": other, "repairs": [reason], "notebooks": {"nb": notebook}}
    write_log(path, record, [reason])
    text = path.read_bytes().decode("utf-8")
    assert all(line.isprintable() for line in text.split("\n"))
    assert text.count("\n") == 4 + 1 + 1 + 1 + 1 + 4


@given(st.lists(st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=255), unique=True, max_size=8))
def test_logs_of_different_students_are_different_files_with_short_names(names):
    files = [log_file(Path("autograded") / f"{PS}.records.json", name) for name in names]
    assert len(set(files)) == len(names)
    assert {file.parent for file in files} <= {Path("autograded") / f"{PS}.logs"}
    assert all(len(file.name.encode("utf-8", "surrogatepass")) < 256 for file in files)


@given(
    st.dictionaries(st.text(max_size=20), st.dictionaries(st.text(max_size=5), st.floats(allow_nan=False) | st.text()))
)
def test_a_shelf_gives_back_what_was_put_there(records):
    shelf = Shelf()
    for student, record in records.items():
        shelf[student] = {"an earlier": "one"}
        shelf[student] = record
    assert dict(shelf) == records
    assert all(json.loads(shelf.line(student)) == record for student, record in records.items())


def test_a_journal_that_is_cut_off_anywhere_gives_every_whole_line_and_takes_new_ones(tmp_path):
    path = tmp_path / "ps.records.json"
    records = Records(path)
    for number in range(3):
        records.add({"student": f"s{number}", "text": "ä\n" * number})
    whole = records.journal.read_bytes()
    ends = [i for i in range(len(whole)) if whole[i : i + 1] == b"}"]
    for cut in range(len(whole) + 1):
        records.journal.write_bytes(whole[:cut])
        found = Records(path)
        assert list(found.by_student) == [f"s{i}" for i, end in enumerate(ends) if end < cut]
        found.add({"student": "new"})
        assert "new" in Records(path).by_student
    found.finish("ps")
    assert dict(Records(path).by_student) == dict(found.by_student)
    assert not records.journal.exists()


def test_progress_counts_every_state_and_only_new_ones_for_the_speed(capsys):
    with Progress("ps\x1b[2J", 5) as bar:
        for state, is_new in (("graded", True), ("timed out", True), ("graded", True), ("graded", False)):
            bar.add({"state": state}, is_new)
        bar.say("a \x1b]0;word\x07")
    told = capsys.readouterr().err
    assert "2 graded, 1 timed out, 1 kept" in told
    assert "\x1b[2J" not in told
    assert "\\x1b]0;word\\x07" in told
    with Progress("ps", 1, shown=False) as bar:
        bar.add({"state": "graded"}, False)
        bar.say("nothing")
    assert capsys.readouterr().err == ""


def test_what_several_workers_say_is_told_once():
    with LocalWorkers(2, Recipe(dict)) as workers:
        crew = Crew(workers)
        assert crew.news() == []
        workers.about += [["slow"], ["slow", "cold"]]
        assert crew.news() == ["slow", "cold"]
        assert crew.news() == []
        workers.about.append(["cold", "late"])
        assert crew.news() == ["late"]
    assert Crew(InOrder()).news() == []
