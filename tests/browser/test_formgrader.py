"""Formgrader in a real browser, on a gradebook that `course grade` wrote: rubric, points, comment, and a regrade."""

import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

sys.path.insert(0, str(Path(__file__).parent.parent / "coursekit"))

from tiny_course import NB, PS, Class, write_course

from coursekit.course import Course
from coursekit.feedback.feedback import feedback
from coursekit.grading.grade import grade
from coursekit.release.release import release
from coursekit.workers.crew import hire

pytestmark = pytest.mark.browser

RUBRIC = """# Rubric: the written question (4 points)

| part | points | full points |
|---|---|---|
| the law | 3 | Commutativity is named: $a + b = b + a$. |
| the words | 1 | A whole sentence. |
"""
COMMENT = 'Good; say "commutative"  & why: ½ a point less.'


@pytest.fixture(scope="module")
def crew(tmp_path_factory):
    """One worker for all tests here; what it grades is ours."""
    with hire(Course(write_course(tmp_path_factory.mktemp("crew") / "course")), trust=True, workers=1) as crew:
        yield crew


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def class_(request, tmp_path, crew):
    """Two students who were graded, one of them without an answer to the written question."""
    root = write_course(tmp_path / "course")
    (root / "solutions" / PS / "rubric.md").write_text(RUBRIC)
    if request.param == "PostgreSQL":
        url = request.getfixturevalue("postgres").url(request.getfixturevalue("database"))
        with (root / "nbgrader_config.py").open("a") as file:
            file.write(f"c.CourseDirectory.db_url = {url!r}\n")
    course = Course(root)
    release(course, PS)
    class_ = Class(course)
    class_.hand_in("ada", class_.answers(essay="The order **does not matter**."))
    class_.hand_in("bert", class_.answers(essay=class_.release.cells[-1].source))
    list(grade(course, PS, crew=crew, progress=False))
    return class_


def stored(course):
    """What a person has given Ada."""
    with course.gradebook() as book:
        row = book.find_grade("essay", NB, PS, "ada")
        return row.manual_score, row.score, book.find_comment("essay", NB, PS, "ada").manual_comment


def is_saved(kind):
    return lambda response: response.request.method == "PUT" and f"/formgrader/api/{kind}/" in response.url


def test_a_written_answer_is_graded_by_its_rubric_and_the_points_survive_a_regrade(
    class_, crew, serving, page, token, tmp_path
):
    course = class_.course
    (tmp_path / "home").mkdir()
    with serving([sys.executable, "-m", "jupyter_server"], course.root, tmp_path / "home") as url:
        page.goto(f"{url}/formgrader/gradebook?token={token}")
        page.get_by_role("link", name=PS).click()
        page.get_by_role("link", name=NB).click()
        expect(page.get_by_role("link", name="Submission #")).to_have_count(2)
        with course.gradebook() as book:
            ours = book.find_submission_notebook(NB, PS, "ada").id
        page.goto(f"{url}/formgrader/submissions/{ours}/")

        score, comment = page.locator("#essay"), page.locator("#essay-comment")
        rubric, answer = page.get_by_text("Commutativity is named"), page.get_by_text("does not matter")
        page.wait_for_function("() => formgrader.grades.loaded && formgrader.comments.loaded")
        assert rubric.count() == 1
        assert rubric.bounding_box()["y"] < score.bounding_box()["y"] < answer.bounding_box()["y"]
        expect(page.locator("table", has=rubric)).to_be_visible()
        expect(page.locator("#test_total")).to_have_attribute("placeholder", "3")

        with page.expect_response(is_saved("grade")) as saved:
            score.fill("3.5")
            score.press("Tab")
        assert saved.value.ok
        with page.expect_response(is_saved("comment")) as saved:
            comment.fill(COMMENT)
            comment.blur()
        assert saved.value.ok
        page.screenshot(path=str(tmp_path / "formgrader.png"), full_page=True)
        assert stored(course) == (3.5, 3.5, COMMENT)

        ((_, is_new),) = grade(course, PS, students=["ada"], crew=crew, force=True, progress=False)
        assert is_new
        assert stored(course) == (3.5, 3.5, COMMENT)
        page.reload()
        expect(score).to_have_value("3.5")
        expect(comment).to_have_value(COMMENT)
        expect(rubric).to_have_count(1)

    pages = {path.parent.parent.name: path for path in feedback(course, PS, progress=False)}
    page.goto(pages["ada"].as_uri())
    expect(page.get_by_text(COMMENT)).to_be_visible()
    expect(page.get_by_text("3.5 / 4").or_(page.get_by_text("3.5 of 4")).first).to_be_visible()
    expect(rubric).to_have_count(0)
    expect(answer).to_be_visible()
