"""After a regrade: whose score changed, where and why, whatever happened in between."""

import csv
import os
import random
import re
import shutil
import signal
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

import nbformat
import pytest
from quick import Quick, grade
from test_again import edit_source, give_points, mend, remove
from tiny_course import NB, PS, TEST_DOUBLE, Class, write_course

from coursekit import cli
from coursekit.course import Course
from coursekit.grading import changes
from coursekit.grading.baseline import Baseline
from coursekit.grading.records import Record, Records
from coursekit.release.again import release_again
from coursekit.report.changes import lines, page, summary, table, write_changes
from coursekit.workers.crew import Crew

HALF = "def double(x):\n    return 2 * x if x < 10 else 0"


def stored(course: Course) -> dict[tuple[str, str], float | None]:
    """What counts in the gradebook for each student and cell, and the penalties, as nbgrader itself has it."""
    found: dict[tuple[str, str], float | None] = {}
    with course.gradebook() as book:
        for submission in book.assignment_submissions(PS):
            for part in submission.notebooks:
                found[submission.student.id, changes.LATE] = -float(part.late_submission_penalty or 0.0)
                for row in part.grades:
                    nothing = row.auto_score is None and row.manual_score is None
                    found[submission.student.id, row.name] = None if nothing else float(row.score)
    return found


def brute_force(before: dict[Any, Any], after: dict[Any, Any]) -> dict[Any, Any]:
    """Every difference between two gradebooks of students who are in the first."""
    students = {student for student, _ in before}
    keys = {key for key in before.keys() | after.keys() if key[0] in students}
    return {key: (before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)}


def told(run: dict[str, Any]) -> dict[Any, Any]:
    return {
        (student["student"], row["cell"]): (row["before"], row["after"])
        for student in run["students"]
        for row in student["rows"]
    }


def causes(course: Course) -> dict[tuple[str, str], str]:
    run = changes.history(course.records_file(PS))[-1]
    return {(s["student"], row["cell"]): row["why"] for s in run["students"] for row in s["rows"]}


def by_hand(course: Course, student: str, points: float) -> None:
    with course.gradebook() as book:
        book.find_grade("essay", NB, PS, student).manual_score = points
        book.db.commit()


@pytest.fixture
def graded(class_: Class) -> Class:
    """Ada is right, Bert only below ten, Carl is late; Ada's essay has points of a person."""
    class_.hand_in("ada", class_.answers())
    class_.hand_in("bert", class_.answers(double=HALF))
    class_.hand_in("carl", class_.answers(), "2026-02-01 12:00 UTC")
    grade(class_.course, PS)
    by_hand(class_.course, "ada", 3)
    return class_


def spoil(nb: nbformat.NotebookNode) -> None:
    """A hidden test that nobody passes."""
    nb.cells[3].source = TEST_DOUBLE.replace("== 42", "== 43")


def worth(nb: nbformat.NotebookNode, points: float) -> None:
    nb.cells[5].metadata["nbgrader"]["points"] = points


# ---- the table


@pytest.mark.parametrize("seed", range(2))
def test_the_table_is_the_difference_of_the_gradebooks_before_and_after(graded, seed):
    """Tests, points and submissions are changed at random, some scores by hand, in three rounds."""
    course, chance = graded.course, random.Random(seed)
    for turn in range(3):
        if chance.random() < 0.3:
            by_hand(course, "carl", chance.choice([1, 2]))
        before = stored(course)
        if chance.random() < 0.7:
            points = chance.choice([2, 3, 5])
            edit_source(course, chance.choice([mend, spoil, partial(worth, points=points)]))
            release_again(course, PS, again=True, say=lambda _: None)
            if Baseline(course.records_file(PS)).path.exists():  # else nothing has changed, and nothing is compared
                by_hand(course, "ada", chance.choice([3, 4]))
        if chance.random() < 0.5:
            graded.hand_in("bert", graded.answers(total=f"sum_of_all_numbers = {chance.choice([45, 44])}"))
        if chance.random() < 0.3:
            graded.hand_in("carl", graded.answers(square="def square(x):\n    return 25"), "2026-02-01 12:00 UTC")
        graded.hand_in(f"new-{turn}", graded.answers())
        known = len(changes.history(course.records_file(PS)))
        grade(course, PS)
        runs = changes.history(course.records_file(PS))
        expected = brute_force(before, stored(course))
        assert len(runs) > known or not expected
        assert (told(runs[-1]) if len(runs) > known else {}) == expected
        assert not Baseline(course.records_file(PS)).path.exists()


def test_a_class_that_is_graded_for_the_first_time_has_no_changes(class_):
    class_.hand_in("ada", class_.answers())
    grade(class_.course, PS)
    assert changes.history(class_.course.records_file(PS)) == []
    assert write_changes(class_.course, PS) is None
    grade(class_.course, PS)
    assert changes.history(class_.course.records_file(PS)) == []


def test_removed_and_added_cells_are_compared_with_what_was_before_the_release(graded):
    course, before = graded.course, stored(graded.course)
    edit_source(course, remove, give_points)
    release_again(course, PS, again=True, say=lambda _: None)
    grade(course, PS)
    (run,) = changes.history(course.records_file(PS))
    assert told(run) == brute_force(before, stored(course))
    assert told(run)["ada", "test_total"] == (3, None)
    assert causes(course)["ada", "test_total"] == changes.GONE
    assert causes(course)["bert", "test_square"] == changes.TEST
    assert ["numbers", "essay", 3] in run["students"][0]["by_hand"]
    assert "1 given by hand untouched" in summary(run)


# ---- why


def test_each_cause_is_named_for_itself(graded, monkeypatch):
    course = graded.course
    edit_source(course, spoil)
    grade(course, PS)
    assert causes(course)["ada", "test_double"] == changes.TEST
    graded.hand_in("ada", graded.answers(total="sum_of_all_numbers = 1"))
    grade(course, PS)
    assert causes(course) == {("ada", "test_total"): changes.SUBMISSION}
    (course.source(PS) / "checks.json").write_text('{"total": 46}')
    grade(course, PS)
    assert causes(course)["bert", "test_total"] == changes.OTHER
    (course.source(PS) / "checks.json").write_text('{"total": 45}')
    monkeypatch.setattr("coursekit.grading.environment.describe", lambda *_, **__: {"Python": "another"})
    grade(course, PS)
    assert causes(course)["bert", "test_total"] == f"{changes.OTHER}; {changes.ENVIRONMENT}"
    edit_source(course, mend)
    release_again(course, PS, again=True, say=lambda _: None)
    by_hand(course, "bert", 2)
    grade(course, PS)
    assert causes(course)["bert", "essay"] == changes.BY_HAND


def test_an_answer_that_depends_on_chance_is_told_from_a_changed_test(class_):
    course = class_.course
    class_.hand_in("dora", class_.answers(total="import os\nsum_of_all_numbers = int(os.environ['DORA'])"))
    os.environ["DORA"] = "45"
    try:
        grade(course, PS)
        os.environ["DORA"] = "7"
        grade(course, PS, force=True)
    finally:
        del os.environ["DORA"]
    assert causes(course) == {("dora", "test_total"): changes.CHANCE}


def test_a_penalty_that_changes_without_a_regrade_is_told(graded):
    course, before = graded.course, stored(graded.course)
    assert before["carl", changes.LATE] < 0
    course.options.due_dates = {PS: "2026-03-01 12:00 UTC"}
    grade(course, PS)
    (run,) = changes.history(course.records_file(PS))
    expected = {("carl", changes.LATE): (before["carl", changes.LATE], 0)}
    assert told(run) == brute_force(before, stored(course)) == expected
    assert causes(course)["carl", changes.LATE] == "late penalty changed"
    assert run["students"][-1]["rows"][0]["verdict_before"] == "24.0 h late"


def test_who_cannot_be_graded_again_is_in_the_table(graded):
    course = graded.course

    class Faulty(Quick):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            if b"x < 10" not in args[0]:
                return super().submit(fn, *args, **kwargs)
            future: Future[Any] = Future()
            future.set_exception(ValueError("broken"))
            return future

    grade(course, PS, force=True, crew=Crew(Faulty()))
    found = {key: value for key, value in causes(course).items() if key[0] == "bert"}
    assert set(found.values()) == {changes.FAILED_NOW}
    grade(course, PS)
    assert set(causes(course).values()) == {changes.FAILED_BEFORE}


# ---- killed in between


def regrade(root: Path, fatal: int) -> int:
    """Regrade in a fork that is killed before its n-th record, when the gradebook is written; returns the signal."""
    waiting = [fatal]
    remember = Records.add

    def kill(records: Records, record: Record) -> None:
        waiting[0] -= 1
        if waiting[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        remember(records, record)

    pid = os.fork()
    if pid == 0:
        try:
            Records.add = kill  # type: ignore[method-assign]
            grade(Course(root), PS)
        finally:
            os._exit(0)
    _, status = os.waitpid(pid, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def test_no_score_of_before_is_lost_when_the_regrade_is_killed_and_resumed(graded, tmp_path):
    """Killed before the first or the last record, resumed and killed again a record later, until it is through."""
    course, before = graded.course, stored(graded.course)
    edit_source(course, spoil)  # hidden tests: `course grade` takes them without a release
    for first in (1, 3):
        root = tmp_path / f"killed-{first}"
        shutil.copytree(course.root, root)
        ended = regrade(root, first)
        assert ended == signal.SIGKILL
        assert changes.history(Course(root).records_file(PS)) == []
        while regrade(root, 2) == signal.SIGKILL:
            pass
        (run,) = changes.history(Course(root).records_file(PS))
        assert told(run) == brute_force(before, stored(Course(root)))
        assert run["graded"] == 3
        assert not Baseline(Course(root).records_file(PS)).path.exists()


def test_a_line_that_was_cut_off_by_a_kill_swallows_no_other(tmp_path):
    records = tmp_path / f"{PS}.records.json"
    first = Baseline(records)
    for student in ("ada", "bert"):
        first.keep(student, lambda: {"cells": [], "penalty": 0.0, "late_seconds": 0.0}, None)
    data = first.path.read_bytes()
    points = {"cells": [["nb", "t", 1.0, None, None, 2.0]], "penalty": 0.0, "late_seconds": 0.0}
    for cut in range(0, len(data), 3):
        first.path.write_bytes(data[:cut])
        Baseline(records).keep("carl", lambda: points, None)
        found = Baseline(records).by_student
        assert found["carl"]["booked"]["cells"]
        assert set(found) - {"carl"} <= {"ada", "bert"}
        assert ("ada" in found) or cut < data.index(b"bert")


def test_what_was_before_is_kept_until_it_has_been_written_down_and_a_second_time_changes_nothing(graded, monkeypatch):
    course = graded.course
    edit_source(course, spoil)
    monkeypatch.setattr(Baseline, "drop", lambda *_: None)  # killed between the two
    grade(course, PS)
    monkeypatch.undo()
    (first,) = changes.history(course.records_file(PS))
    grade(course, PS)
    (second,) = changes.history(course.records_file(PS))
    assert told(second) == told(first)
    assert not Baseline(course.records_file(PS)).path.exists()


def test_grading_one_student_leaves_the_others_for_later(graded):
    course, before = graded.course, stored(graded.course)
    edit_source(course, spoil)
    release_again(course, PS, again=True, say=lambda _: None)
    grade(course, PS, students=["ada"])
    (first,) = changes.history(course.records_file(PS))
    assert {student for student, _ in told(first)} == {"ada"}
    assert first["waiting"] == ["bert", "carl"]
    assert "Not graded again yet: bert, carl" in summary(first)
    grade(course, PS)
    _, second = changes.history(course.records_file(PS))
    assert {**told(first), **told(second)} == brute_force(before, stored(course))


# ---- what people see

HOSTILE = "<script>alert(1)</script>"


def run_of(student: str, reason: str) -> dict[str, Any]:
    row = {"notebook": "nb", "cell": "t", "before": 1.0, "max_before": 2.0, "after": 2.0, "max_after": 2.0}
    verdicts = {"verdict_before": "raised", "reason_before": reason, "verdict_after": "passed", "reason_after": ""}
    found = {"student": student, "before": 1.0, "after": 2.0, "rows": [{**row, **verdicts, "why": changes.TEST}]}
    students = [{**found, "by_hand": [["nb", "essay", 3.0]]}]
    return {"run": "1", "when": "2026-02-01 12:00", "graded": 1, "waiting": [student], "students": students}


def test_the_page_escapes_what_students_wrote_and_allows_no_script():
    html = page(PS, [run_of(HOSTILE, HOSTILE)])
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 3
    assert "default-src 'none'" in html
    assert not re.search(r"\bsrc=|\bhref=|\bon\w+=", html)


def test_the_table_has_no_formulas_and_one_line_for_each_row():
    text = table([run_of("=HYPERLINK(1)", "@evil\nsecond line"), run_of("+1", "\x1b[31mred")])
    rows = list(csv.reader(text.splitlines()))
    assert len(rows) == 3
    assert not any(value[:1] in ("=", "+", "@") for row in rows for value in row)
    assert rows[1][1] == "'+1"
    assert [rows[1][column] for column in (4, 5, 6, 7, 8)] == ["1.0", "2.0", "2.0", "2.0", changes.TEST]


def test_the_whole_way_from_a_mended_test_to_the_page_with_real_kernels(tmp_path, empty_gradebook, capsys):
    root = write_course(tmp_path / "course")
    shutil.copyfile(empty_gradebook, root / "gradebook.db")
    course = Course(root)
    edit_source(course, spoil)

    def run(*arguments: str) -> str:
        assert cli.main(["--course", str(root), *arguments]) == 0
        return capsys.readouterr().out

    run("release", "ps1")
    class_ = Class(course)
    class_.hand_in("ada", class_.answers())
    class_.hand_in("bert", class_.answers(double=HALF))
    trust = ("--i-trust-the-submissions", "--workers", "1")
    assert "graded again" not in run("grade", "ps1", *trust)
    by_hand(course, "ada", 3)
    edit_source(course, mend)
    assert "'test_double': hidden tests changed" in run("release", "--again", "ps1")
    said = run("grade", "ps1", *trust)
    assert "2 students who had a score before: 1 now higher, 0 lower, 0 otherwise changed; 1 given by hand" in said
    assert f"ada: 9 -> 11: test_double 0 -> 2 ({changes.TEST})" in said
    assert "bert:" not in said.split("graded again")[1]
    assert "ada" in (root / f"changes-{PS}.html").read_text()
    assert (root / f"changes-{PS}.csv").read_text().count("test_double") == 1
    assert "graded again" not in run("grade", "ps1", *trust)
    assert lines(changes.history(course.records_file(PS))[-1]) == [f"ada: 9 -> 11: test_double 0 -> 2 ({changes.TEST})"]
