"""The rubric stands above the written answer for whoever grades, in every graded notebook, and for nobody else."""

import random
import re
from pathlib import Path

import nbformat
import pytest
from executors import InOrder
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat.v4 import new_markdown_cell
from nbgrader.converters import Autograde, GenerateFeedback
from tiny_course import NB, PS, Class, mark, source_notebook

from coursekit import notebooks
from coursekit.errors import CourseError
from coursekit.feedback.feedback import feedback
from coursekit.grading import rubrics
from coursekit.grading.grade import grade
from coursekit.release.release import graded_notebooks, release
from coursekit.workers.crew import Crew, hire

TEXT = "Full marks for commutativity being named."
ROOT = Path(__file__).resolve().parents[2]


def graded(class_: Class, student: str = "ada"):
    return nbformat.read(class_.course.autograded(PS, student) / f"{NB}.ipynb", as_version=4)


def shown(nb) -> list[tuple[int, str]]:
    return [(index, cell.source) for index, cell in enumerate(nb.cells) if rubrics.is_rubric(cell)]


def again(class_: Class, **options):
    return list(grade(class_.course, PS, crew=Crew(InOrder()), progress=False, **options))


def test_a_part_goes_to_the_cells_that_its_heading_names_and_what_stands_before_to_all():
    """Two hundred rubrics, drawn with a seed, put together from parts whose cells are known."""
    chance, names = random.Random(1), ["a", "b-1", "c_2"]
    for _ in range(200):
        lines, expected = [], {name: [] for name in names}
        current = names
        for number in range(chance.randrange(1, 12)):
            kind = chance.choice(["text", "part", "heading", "code"])
            if kind == "part":
                current = chance.sample(names, chance.choice([1, 2]))
                told = " and ".join(f"`{name}`" for name in current)
                line, result = f"{'#' * chance.randrange(1, 7)} Part {number}: {told}", f"**Part {number}: {told}**"
            elif kind == "heading":
                line, result = f"## Heading {number} of `nobody` ##", f"**Heading {number} of `nobody`**"
            else:
                line = result = f"line {number}" if kind == "text" else f"```\n# `a` code {number}\n```"
            lines.append(line)
            for name in current:
                expected[name].append(result)
        assert rubrics.parts("\n".join(lines), names) == {name: "\n".join(expected[name]) for name in names}


def test_the_rubric_stands_right_above_the_answer_and_nowhere_else(class_):
    class_.hand_in("ada", b"")
    again(class_)
    nb = graded(class_)
    ((index, source),) = shown(nb)
    assert TEXT in source
    assert notebooks.grade_id(nb.cells[index + 1]) == "essay"
    assert (nb.cells[index].metadata["editable"], nb.cells[index].metadata["deletable"]) == (False, False)
    nbformat.validate(nb)
    assert TEXT not in class_.course.release(PS).joinpath(f"{NB}.ipynb").read_text()


def test_what_is_sent_to_workers_holds_no_rubric(class_):
    sent = []

    class Watching(InOrder):
        def submit(self, fn, /, *args, **kwargs):
            sent.append(repr((args, kwargs)))
            return super().submit(fn, *args, **kwargs)

    class_.hand_in("ada", b"")
    list(grade(class_.course, PS, crew=Crew(Watching()), progress=False))
    assert len(sent) == 1
    assert TEXT not in sent[0]
    assert "secret_input_of_double" in sent[0]  # so what is looked at is what is sent


def test_a_mended_a_removed_and_a_lost_rubric_are_put_right_without_grading_anew(class_):
    path = class_.course.source(PS) / "rubric.md"
    class_.hand_in("ada", b"")
    again(class_)
    before = graded(class_)
    plain = [cell for cell in before.cells if not rubrics.is_rubric(cell)]
    for text in ("Half of it for an example.", None, TEXT):
        path.write_text(text) if text else path.unlink()
        assert [is_new for _, is_new in again(class_)] == [False]
        after = graded(class_)
        assert [text in source for _, source in shown(after)] == ([True] if text else [])
        assert [cell for cell in after.cells if not rubrics.is_rubric(cell)] == plain
    assert after == before
    target = class_.course.autograded(PS, "ada") / f"{NB}.ipynb"
    stamp = target.stat().st_mtime_ns
    again(class_)
    assert target.stat().st_mtime_ns == stamp  # nothing is written when nothing has changed
    target.write_text("{")
    assert [is_new for _, is_new in again(class_)] == [True]
    assert graded(class_) == before


def test_students_see_it_only_where_the_course_says_so_and_stock_nbgrader_goes_on(class_, monkeypatch):
    """nbgrader's own feedback leaves it out by one line in nbgrader_config.py; its own grading takes it away."""
    course = class_.course
    class_.hand_in("ada", b"")
    again(class_)
    (page,) = feedback(course, PS, progress=False)
    assert TEXT not in page.read_text()
    course.options.show_rubrics = True
    (page,) = feedback(course, PS, progress=False)
    assert page.read_text().count(TEXT) == 1
    course.directory.assignment_id, course.directory.student_id = PS, "ada"
    for steps, found in ((["coursekit.feedback.stock.LeaveOutRubrics"], False), ([], True)):
        course.config.HTMLExporter.preprocessors = steps
        GenerateFeedback(coursedir=course.directory, config=course.config, force=True).start()
        assert (TEXT in page.read_text()) == found
    class_.hand_in("ada", class_.answers())
    Autograde(coursedir=course.directory, config=course.config, force=True).start()
    assert shown(graded(class_)) == []
    with hire(course, trust=True, workers=1) as crew:
        ((record, _),) = grade(course, PS, crew=crew, progress=False)
    assert record["score"] == 8
    assert len(shown(graded(class_))) == 1


def test_every_written_question_has_its_part_or_the_instructor_is_told(course):
    nb = source_notebook()
    task = new_markdown_cell("Draw it.", metadata=mark("drawing", task=True, points=2, locked=True))
    nb.cells.append(nbformat.from_dict({**task, "id": "drawing"}))
    nbformat.write(nb, course.source(PS) / f"{NB}.ipynb")
    path = course.source(PS) / "rubric.md"
    tests = graded_notebooks(course, PS)
    path.write_text("# For the `essay`\nWords.\n# And the `drawing`\nLines.\n")
    found = {name: cell.source for name, cell in rubrics.read(course, PS, tests).cells[NB].items()}
    assert ["Words." in found["essay"], "Lines." in found["essay"]] == [True, False]
    assert ["Words." in found["drawing"], "Lines." in found["drawing"]] == [False, True]
    path.write_text("# For the `essay`\nWords.\n# And the `drowing`\nLines.\n")
    with pytest.raises(CourseError, match="says nothing of drawing"):
        rubrics.read(course, PS, tests)
    path.write_bytes("für alle".encode("latin-1"))
    with pytest.raises(CourseError, match=r"could not be read.*UTF-8"):
        rubrics.read(course, PS, tests)


@pytest.mark.parametrize("text", ["essay\n===\n", "<h1 id='essay'>x</h1>", "# essay", "<script>1</script>", "é\n" * 3])
def test_no_part_of_a_rubric_can_be_taken_for_the_field_of_the_points(course, text):
    """Formgrader finds it by the cell's name, and Markdown gives headings such names."""
    release(course, PS)
    (course.source(PS) / "rubric.md").write_text(text)
    source = rubrics.read(course, PS, graded_notebooks(course, PS)).cells[NB]["essay"].source
    page = MarkdownWithMath(renderer=IPythonRenderer(escape=False)).render(source)
    assert not re.search(r"id=.essay|<script", page)
    assert "é" in page or "essay" in page or "script" in page


@pytest.mark.parametrize(
    "folder", sorted(path.parent for path in ROOT.glob("solutions/*/rubric.md")), ids=lambda f: f.name
)
def test_the_rubrics_of_this_course_are_shown_with_their_tables(folder):
    (path,) = folder.glob("*.ipynb")
    nb = nbformat.read(path, as_version=4)
    names = rubrics.by_hand(nb)
    assert len(names) == 1
    cell = rubrics._cell(names[0], rubrics.parts((folder / "rubric.md").read_text(), names)[names[0]], [])
    page = MarkdownWithMath(renderer=IPythonRenderer(escape=False)).render(cell.source)
    assert page.count("<table>") == 1
    assert page.count("<tr>") >= 4
    assert not re.search("<h[1-6]", page)


def test_a_rubric_is_written_into_the_text_of_a_notebook_as_if_the_notebook_were_written_anew():
    """A hundred notebooks, drawn with a seed, whose texts hold what looks like the beginning or end of a cell."""
    chance = random.Random(2)
    texts = ["  {", " ],", '"cells": [', "x = 1\n  {\n ],\n", "", "\u2028\u00e9\n", "def f():\n    return {}"]
    for _ in range(100):
        cells = []
        for number in range(chance.randrange(1, 9)):
            metadata = mark(f"cell-{number}", locked=True) if chance.random() < 0.7 else {}
            cells.append(new_markdown_cell(chance.choice(texts), metadata=metadata, id=f"id-{number}"))
        nb = nbformat.v4.new_notebook(cells=cells)
        names = [name for name in map(notebooks.grade_id, cells) if name and chance.random() < 0.5]
        wanted = {name: rubrics._cell(name, chance.choice(texts), []) for name in names}
        data = notebooks.dumps(nb)
        for cell in reversed(cells):
            if (above := wanted.get(str(notebooks.grade_id(cell)))) is not None:
                nb.cells.insert(nb.cells.index(cell), above)
        assert rubrics._splice(data, wanted) == notebooks.dumps(nb)
