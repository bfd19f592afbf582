"""What is put into the gradebook is what nbgrader's own steps put there, at once or not at all."""

import contextlib
import copy
import importlib
import random
import shutil
import sqlite3
from datetime import datetime
from typing import Any

import nbformat
import pytest
from executors import InOrder
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader.api import Gradebook
from nbgrader.converters import Autograde
from nbgrader.preprocessors import Execute
from tiny_course import NB, PS, Class

from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.grading import booking, gradebook
from coursekit.grading.booking import Booking
from coursekit.grading.grade import grade
from coursekit.grading.records import Records
from coursekit.release import release
from coursekit.workers.crew import Crew

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # of nbgrader's own steps

LATE, IN_TIME = datetime(2026, 2, 3, 12), datetime(2026, 1, 3, 12)


def rows(book: Gradebook) -> dict[str, Any]:
    """Everything that the gradebook says about submissions, without names that are drawn by chance."""
    found: dict[str, Any] = {"students": sorted(student.id for student in book.students)}
    for submission in book.assignment_submissions(PS):
        about = [submission.timestamp, submission.score, submission.needs_manual_grade, submission.total_seconds_late]
        for part in submission.notebooks:
            about += [part.name, part.late_submission_penalty]
            about += sorted(
                (row.name, row.auto_score, row.manual_score, row.extra_credit, row.needs_manual_grade)
                for row in part.grades
            )
            about += sorted((row.name, row.auto_comment, row.manual_comment) for row in part.comments)
        found[submission.student.id] = about
    return found


def stored(course: Course) -> dict[str, Any]:
    with course.gradebook() as book:
        return rows(book)


def stock_save(course: Course, student: str, nb: NotebookNode, timestamp: datetime | None) -> None:
    """What `nbgrader autograde` does after a notebook has run: its own steps, one after the other."""
    with course.gradebook() as book:
        book.update_or_create_student(student)
        book.update_or_create_submission(PS, student, **({} if timestamp is None else {"timestamp": timestamp}))
    resources = course.resources(PS, NB, student)
    for step in Autograde(coursedir=course.directory, config=course.config).autograde_preprocessors:
        if not issubclass(step, Execute):
            nb, resources = step(config=course.config, log=course.log)(nb, resources)


def graded(tests: NotebookNode, chance: random.Random) -> NotebookNode:
    """A notebook as a worker returns it: tests that passed, failed or gave partial credit, answers given or not."""
    nb = copy.deepcopy(tests)
    for cell in nb.cells:
        data = cell.metadata.get("nbgrader", {})
        if data.get("solution") and chance.random() < 0.7:
            cell.source += "\n# mine"
        elif data.get("grade"):
            fate = chance.choice(["passed", "failed", "partial"])
            cell.outputs = []
            if fate == "failed":
                cell.outputs = [new_output("error", ename="AssertionError", evalue="no", traceback=["no"])]
            elif fate == "partial":
                text = repr(round(chance.uniform(0, data["points"]), 3))
                cell.outputs = [new_output("execute_result", {"text/plain": text}, execution_count=1)]
    return nb


@pytest.fixture
def pair(course, tmp_path):
    """The same released course twice: ours and one for nbgrader's own steps, and the notebook with all tests."""
    release.release(course, PS)
    shutil.copytree(course.root, tmp_path / "stock")
    return course, Course(tmp_path / "stock"), release.graded_notebooks(course, PS)[NB]


def by_hand(course: Course, student: str, points: float | None, extra: float | None) -> None:
    """What a person does in formgrader."""
    with course.gradebook() as book:
        essay = book.find_grade("essay", NB, PS, student)
        essay.manual_score, essay.extra_credit = points, extra
        book.find_comment("essay", NB, PS, student).manual_comment = "Well."
        book.db.commit()


@pytest.mark.parametrize("penalty", ["none", "zero"])
def test_the_gradebook_equals_the_one_of_nbgraders_own_steps(pair, penalty):
    """Twelve submissions of four students, drawn with a seed: new, again, late, with manual points in between."""
    ours, stock, tests = pair
    chance = random.Random(3)
    for course in (ours, stock):
        course.config.LateSubmissionPlugin.penalty_method = penalty
    with Booking(ours, PS) as book:
        for turn in range(12):
            student, nb = f"student {turn % 4}", graded(tests, chance)
            timestamp = chance.choice([None, IN_TIME, LATE])
            numbers = book.save(student, {NB: copy.deepcopy(nb)}, timestamp)
            stock_save(stock, student, nb, timestamp)
            assert stored(ours) == stored(stock), turn
            with ours.gradebook() as other:
                found = gradebook.scores(other, PS, student)
            assert {**found, "booked": numbers["booked"]} == pytest.approx(numbers), turn
            assert book.booked()[student] == numbers["booked"]
            if turn % 3 == 0:
                by_hand(ours, student, 2.5, 1.0)
                by_hand(stock, student, 2.5, 1.0)


PLUGIN = """
from nbgrader.plugins import LateSubmissionPlugin
from nbgrader.preprocessors import NbGraderPreprocessor


class Harsh(LateSubmissionPlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return {"student 0": -5, "student 1": 1000, "student 2": score / 2}.get(student_id)


class Note(NbGraderPreprocessor):
    def preprocess(self, nb, resources):
        for cell in nb.cells:
            if cell.metadata.get("nbgrader", {}).get("grade_id") == "test_total":
                cell.outputs = []
        return nb, resources
"""


@pytest.mark.parametrize("own_step", [False, True])
def test_plugins_and_steps_of_the_instructors_own_do_what_they_do_with_nbgrader(pair, tmp_path, monkeypatch, own_step):
    ours, stock, tests = pair
    (tmp_path / "own_plugin.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(str(tmp_path))
    for course in (ours, stock):
        course.config.AssignLatePenalties.plugin_class = "own_plugin.Harsh"
        if own_step:
            standard = list(Autograde(coursedir=course.directory, config=course.config).autograde_preprocessors)
            # nbgrader takes both the name of a class and the class
            note = "own_plugin.Note" if course is ours else importlib.import_module("own_plugin").Note
            course.config.Autograde.autograde_preprocessors = [note, *standard]
    chance = random.Random(5)
    with Booking(ours, PS) as book:
        for turn in range(8):
            student, nb = f"student {turn % 4}", graded(tests, chance)
            numbers = book.save(student, {NB: copy.deepcopy(nb)}, LATE)
            stock_save(stock, student, nb, LATE)
            assert stored(ours) == stored(stock)
            assert book.booked()[student] == numbers["booked"]


def test_a_submission_is_stored_whole_or_not_at_all(pair, monkeypatch):
    """Whatever step fails, new and known submissions are left as they were."""
    ours, _, tests = pair
    chance = random.Random(7)
    with Booking(ours, PS) as book:
        book.save("known", {NB: graded(tests, chance)}, IN_TIME)
        before = stored(ours)
        for name in ("_score", "_penalise", "_numbers"):
            with monkeypatch.context() as patch:
                patch.setattr(book, name, lambda *_: 1 / 0)
                for student in ("known", "new"):
                    with pytest.raises(ZeroDivisionError):
                        book.save(student, {NB: graded(tests, chance)}, LATE)
                    assert stored(ours) == before
        book.save("new", {NB: graded(tests, chance)}, LATE)
        assert stored(ours).keys() - before.keys() == {"new"}


def test_what_could_not_be_graded_has_no_points_of_an_earlier_submission_but_keeps_a_persons(pair):
    ours, _, tests = pair
    with Booking(ours, PS) as book:
        book.save("ada", {NB: copy.deepcopy(tests)}, LATE)
        by_hand(ours, "ada", 2.5, None)
        book.forget("ada")
        book.forget("nobody")
    with ours.gradebook() as other:
        submission = other.find_submission(PS, "ada")
        assert (submission.score, submission.needs_manual_grade, submission.late_submission_penalty) == (2.5, True, 0)
        assert all(row.auto_score is None and row.needs_manual_grade for row in submission.notebooks[0].grades)
        assert [student.id for student in other.students] == ["ada"]


class Broken(InOrder):
    """An executor on a machine that fails."""

    def submit(self, fn, /, *args, **kwargs):
        def fail(*_: Any, **__: Any) -> None:
            raise OSError("no space left")

        return super().submit(fail)


def test_graded_again_after_a_failure_and_failed_after_a_grade_each_state_is_explicit(class_: Class):
    """Row 43: no score of an earlier submission stays behind a failure, and no failure behind a grade."""
    course = class_.course
    with Booking(course, PS) as book:
        book.save("ada", {NB: nbformat.v4.reads(nbformat.writes(class_.answers()))}, None)
    class_.hand_in("ada", class_.answers())
    ((record, _),) = grade(course, PS, crew=Crew(Broken()), progress=False)
    assert (record["state"], record["score"]) == ("failed", None)
    assert record["next_step"]
    assert not (course.autograded(PS, "ada") / f"{NB}.ipynb").exists()
    with course.gradebook() as book:
        assert all(row.auto_score is None for row in book.find_submission_notebook(NB, PS, "ada").grades)
    class_.hand_in("ada", b"now it is broken")
    ((record, is_new),) = grade(course, PS, crew=Crew(InOrder()), progress=False)
    assert (record["state"], record["score"], is_new) == ("unreadable", 0, True)
    with course.gradebook() as book:
        assert {row.auto_score for row in book.find_submission_notebook(NB, PS, "ada").grades} == {0}


@contextlib.contextmanager
def locked(course: Course):
    """Another program holds SQLite's lock."""
    with contextlib.closing(sqlite3.connect(course.root / "gradebook.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


def test_the_writer_waits_for_a_lock_for_a_minute_and_then_says_whose_fault_it_is(class_: Class, monkeypatch):
    """Row 5, as far as it can still happen: no submission reaches the gradebook, but other programs do."""
    course = class_.course
    with gradebook.HeldGradebook(course) as book:
        assert book.session.connection().exec_driver_sql("PRAGMA busy_timeout").scalar() == 60_000
    for student in ("ada", "bert", "cleo"):
        class_.hand_in(student, b"")
    monkeypatch.setattr(gradebook, "PATIENCE_SECONDS", 0)
    running = grade(course, PS, crew=Crew(InOrder()), progress=False)
    assert next(running)[0]["student"] == "ada"
    with locked(course), pytest.raises(CourseError, match=r"locked the gradebook.*what was done is kept"):
        next(running)
    results = {record["student"]: is_new for record, is_new in grade(course, PS, crew=Crew(InOrder()), progress=False)}
    assert results == {"ada": False, "bert": True, "cleo": True}


def test_a_gradebook_that_says_otherwise_than_the_record_is_put_right(class_: Class):
    """Such as one from yesterday's backup, or one in which another program has changed points."""
    course = class_.course
    for student in ("ada", "bert"):
        class_.hand_in(student, b"")
    list(grade(course, PS, crew=Crew(InOrder()), progress=False))
    with course.gradebook() as book:
        book.find_grade("test_double", NB, PS, "bert").auto_score = 2
        book.db.commit()
    results = {record["student"]: is_new for record, is_new in grade(course, PS, crew=Crew(InOrder()), progress=False)}
    assert results == {"ada": False, "bert": True}
    with course.gradebook() as book:
        assert book.find_grade("test_double", NB, PS, "bert").auto_score == 0
    assert Records(course.records_file(PS)).by_student["bert"]["booked"] == booking.Booking(course, PS).booked()["bert"]
