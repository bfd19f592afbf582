"""A course run with coursekit goes on with stock nbgrader, and the other way round."""

import csv
from pathlib import Path

import pytest
from nbgrader.apps.api import NbGraderAPI
from nbgrader.converters import Autograde, GenerateAssignment, GenerateFeedback
from tiny_course import NB, PS

from coursekit.course import Course
from coursekit.export import export
from coursekit.feedback.feedback import feedback
from coursekit.grading.grade import grade


def stock(course: Course, converter, student: str, **options) -> None:
    """Run one of nbgrader's own converters, as its command line and its formgrader do."""
    course.directory.assignment_id, course.directory.student_id = PS, student
    converter(coursedir=course.directory, config=course.config, **options).start()


def scores(course: Course) -> dict[str, tuple[float, float]]:
    with course.gradebook() as gradebook:
        found = gradebook.assignment_submissions(PS)
        return {each.student.id: (each.score, each.late_submission_penalty or 0.0) for each in found}


@pytest.fixture
def mixed(class_):
    """Ada is graded by coursekit; Bert hands in as well and stays ungraded."""
    wrong = class_.answers(double="def double(x):\n    return 0", total="sum_of_all_numbers = 1")
    class_.hand_in("ada", wrong, "2026-03-01 12:00 UTC")
    list(grade(class_.course, PS, progress=False))
    class_.hand_in("bert", class_.answers(double="def double(x):\n    return 2 if x == 1 else 9"))
    return class_.course


def test_stock_autograde_formgrader_and_feedback_go_on_where_coursekit_stopped_and_back(mixed):
    course = mixed
    before = scores(course)
    assert before == {"ada": (3, 3)}
    stock(course, Autograde, "*")  # grades Bert and leaves Ada, whose time stamp has not changed
    assert scores(course) == {**before, "bert": (6, 0)}
    stock(course, Autograde, "ada", force=True)  # the same score by other means
    assert scores(course) == {**before, "bert": (6, 0)}
    stock(course, GenerateFeedback, "*")
    pages = {student: course.feedback(PS, student) / f"{NB}.html" for student in ("ada", "bert")}
    assert "secret_input_of_double" in pages["bert"].read_text()  # nbgrader's own pages show the hidden tests
    assert {path.parent.parent.name for path in feedback(course, PS, progress=False)} == {"ada", "bert"}
    assert not any("secret" in path.read_text() for path in pages.values())
    assert "A hidden test of this exercise did not pass." in pages["bert"].read_text()
    listed = NbGraderAPI(coursedir=course.directory, config=course.config).get_submissions(PS)
    assert {(each["student"], each["autograded"], each["score"]) for each in listed} == {
        ("ada", True, 3),  # before the penalty, which nbgrader shows beside it
        ("bert", True, 6),
    }
    assert {record["student"]: record["score"] for record, _ in grade(course, PS, progress=False)} == {
        "ada": 0,
        "bert": 6,
    }


def test_an_assignment_that_nbgrader_released_is_graded_by_coursekit(course):
    from tiny_course import Class

    course.directory.notebook_id = "*"
    stock(course, GenerateAssignment, "*")
    class_ = Class(course)
    assert not (course.release(PS) / "misconceptions.py").exists()  # CourseDirectory.ignore holds for nbgrader too
    class_.hand_in("ada", b"")
    ((record, _),) = grade(course, PS, progress=False)
    assert (record["state"], record["max_score"]) == ("unreadable", 12)


def test_export_writes_nbgraders_table(class_, tmp_path: Path):
    class_.hand_in("ada", b"")
    list(grade(class_.course, PS, progress=False))
    rows = list(csv.DictReader(export(class_.course, tmp_path / "new" / "grades.csv").open()))
    assert [(row["assignment"], row["student_id"], row["score"], row["max_score"]) for row in rows] == [
        (PS, "ada", "0.0", "12.0")
    ]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["grades.csv"]
    assert len(list(csv.DictReader(export(class_.course, tmp_path / "none.csv", ["other"]).open()))) == 0
