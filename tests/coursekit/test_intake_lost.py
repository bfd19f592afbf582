"""Answers whose names were lost are found by what they define, by what is left of the stub, by place, or not at all."""

import copy
import json

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from tiny_course import RIGHT, answer, answered, mark, source_notebook
from tiny_course import test as tested

from coursekit import notebooks
from coursekit.intake import Unreadable, likeness, rebuild

STUB = "# YOUR CODE HERE\nraise NotImplementedError()"


def released() -> nbformat.NotebookNode:
    """The tiny notebook as students get it, with a cell that asks for two functions."""
    nb = source_notebook()
    stubs = {
        "double": f'def double(x):\n    """Twice x."""\n    {STUB.replace(chr(10), chr(10) + "    ")}',
        "square": f"def square(x):\n    {STUB.replace(chr(10), chr(10) + '    ')}",
        "total": STUB,
        "essay": "YOUR ANSWER HERE",
    }
    nb = answered(nb, **stubs)
    for cell in nb.cells:
        cell.source = cell.source.split("\n### BEGIN HIDDEN TESTS")[0]
    two = "\n\n\n".join(
        f'def {name}(x):\n    """{text}"""\n    # YOUR CODE HERE' for name, text in (("up", "More."), ("down", "Less."))
    )
    nb.cells[2:2] = [answer("pair", two), tested("test_pair", 1, "assert up(1) > down(1)")]
    for index, cell in enumerate(nb.cells):
        cell["id"] = f"released-{index}"
    return nb


RELEASE = released()
UP, DOWN = 'def up(x):\n    """More."""\n    return x + 1', 'def down(x):\n    """Less."""\n    return x - 1'
ANSWERS = {**RIGHT, "pair": f"{UP}\n\n\n{DOWN}"}


def student() -> nbformat.NotebookNode:
    return answered(RELEASE, **ANSWERS)


def cell_of(nb, name):
    return next(cell for cell in nb.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == name)


def stripped(nb, *names):
    """The notebook without nbgrader's metadata, of these cells or of all."""
    nb = copy.deepcopy(nb)
    for cell in nb.cells:
        if not names or cell.metadata.get("nbgrader", {}).get("grade_id") in names:
            cell.metadata = nbformat.from_dict({"id": "colab"})
    return nb


def rebuilt(nb):
    return rebuild(nbformat.writes(nb).encode(), RELEASE)


def answers_of(nb) -> dict[str, str]:
    return {name: cell.source for name, cell in notebooks.by_id(nb).items() if notebooks.is_answer(cell)}


def empty(name: str) -> str:
    return cell_of(RELEASE, name).source


def only(repairs: list[str], name: str) -> str:
    (found,) = [text for text in repairs if f"'{name}'" in text]
    return found


def test_a_notebook_without_any_mark_is_read_as_the_one_with_all():
    nb, repairs = rebuilt(stripped(student()))
    assert nb == student()
    assert "what it defines (double)" in only(repairs, "double")
    assert "what it defines (down, up)" in only(repairs, "pair")
    assert "its place" in only(repairs, "total")
    assert "its place" in only(repairs, "essay")
    assert sum("locked cells had lost" in text for text in repairs) == 1
    assert not any("missing" in text or "you added" in text for text in repairs)


@settings(max_examples=60, deadline=None)
@given(st.sets(st.sampled_from([name for name in notebooks.by_id(RELEASE)])))
def test_whichever_marks_are_lost_every_answer_is_found_and_the_students_are_told(lost):
    nb, repairs = rebuilt(stripped(student(), *lost) if lost else student())
    assert nb == student()
    for name in lost & set(ANSWERS):
        assert "had lost its mark; it was recognised by" in only(repairs, name)
    assert (repairs == []) == (not lost)


@settings(max_examples=40, deadline=None)
@given(st.permutations(["pair", "double", "square"]), st.booleans())
def test_functions_pasted_into_an_empty_notebook_are_found_in_any_order(order, with_tests):
    names = [name for answer in order for name in ([answer, f"test_{answer}"] if with_tests else [answer])]
    nb, repairs = rebuilt(new_notebook(cells=[new_code_cell(cell_of(student(), name).source) for name in names]))
    assert {name: answers_of(nb)[name] for name in order} == {name: ANSWERS[name] for name in order}
    assert answers_of(nb)["total"] == STUB
    assert "missing" in only(repairs, "total")
    assert "missing" in only(repairs, "essay")


def test_an_answer_that_defines_something_else_is_found_by_what_is_left_of_the_stub():
    nb = new_notebook(cells=[new_code_cell("x = 1"), new_code_cell(ANSWERS["pair"].replace("def down", "def lower"))])
    nb.cells.append(new_code_cell(ANSWERS["double"]))
    nb, repairs = rebuilt(nb)
    assert "lower" in answers_of(nb)["pair"]
    assert "what is left of the released cell" in only(repairs, "pair")


def test_two_different_cells_that_could_be_the_answer_are_both_left_and_the_student_is_told():
    cells = [
        new_code_cell(ANSWERS["square"]),
        *(new_code_cell(f"def double(x):\n    return {x}") for x in ("x", "2 * x")),
    ]
    nb, repairs = rebuilt(new_notebook(cells=cells))
    assert answers_of(nb) == {**answers_of(RELEASE), "square": ANSWERS["square"]}
    assert "not clear which" in only(repairs, "double")
    assert "fresh copy" in only(repairs, "double")


def test_of_two_cells_that_could_be_the_answer_the_one_in_its_place_is_taken():
    nb = stripped(student(), "double")
    nb.cells.append(new_code_cell("def double(x):\n    return 17"))
    nb, repairs = rebuilt(nb)
    assert answers_of(nb) == ANSWERS
    assert "and by its place" in only(repairs, "double")


def test_the_same_answer_twice_is_no_doubt():
    cells = [new_code_cell(ANSWERS["double"]), new_code_cell(ANSWERS["double"] + "\n\n")]
    assert answers_of(rebuilt(new_notebook(cells=cells))[0])["double"].strip() == ANSWERS["double"]


def test_the_released_cell_beside_the_answer_is_no_doubt_either():
    cells = [new_code_cell(empty("double")), new_code_cell(ANSWERS["double"])]
    assert answers_of(rebuilt(new_notebook(cells=cells))[0])["double"] == ANSWERS["double"]


@pytest.mark.parametrize("extra", ["print(total)", "y = 3"])
def test_an_answer_without_names_is_not_guessed_among_several_cells(extra):
    nb = stripped(student(), "total")
    place = next(i for i, cell in enumerate(nb.cells) if cell.source == ANSWERS["total"])
    nb.cells.insert(place, new_code_cell(extra))
    nb, repairs = rebuilt(nb)
    assert answers_of(nb)["total"] == STUB
    assert "not clear which" in only(repairs, "total")


@pytest.mark.parametrize(
    "edit", [lambda text: text, lambda text: text.replace("45", "46"), lambda text: f"# mine\n{text}\n"]
)
@pytest.mark.parametrize("test", ["test_total", "test_double"])
def test_a_test_cell_edited_or_not_is_never_an_answer(test, edit):
    nb = stripped(student(), "total", test)
    place = next(i for i, cell in enumerate(nb.cells) if cell.source == ANSWERS["total"])
    nb.cells[place] = new_code_cell(edit(cell_of(RELEASE, test).source))
    nb, _ = rebuilt(nb)
    assert answers_of(nb) == {**ANSWERS, "total": STUB}


def test_a_cell_in_the_place_of_an_answer_that_defines_something_else_is_not_taken_for_it():
    nb = student()
    place = next(i for i, cell in enumerate(nb.cells) if cell.source == ANSWERS["double"])
    nb.cells[place] = new_code_cell("helper = 1")
    nb, repairs = rebuilt(nb)
    assert answers_of(nb) == {**ANSWERS, "double": empty("double")}
    assert "missing" in only(repairs, "double")


def test_a_copy_of_a_text_of_ours_is_no_written_answer():
    nb = stripped(student(), "essay")
    nb.cells[-1].source = cell_of(RELEASE, "title").source
    assert answers_of(rebuilt(nb)[0])["essay"] == empty("essay")


@pytest.mark.parametrize("others", [[DOWN, DOWN.replace("1", "2")], [f"{UP}\n\n\n{DOWN}"]])
def test_half_an_answer_is_not_completed_from_cells_that_may_be_other_attempts(others):
    nb = student()
    cell_of(nb, "pair").source = UP
    nb.cells += [new_code_cell(source) for source in others]
    assert answers_of(rebuilt(nb)[0])["pair"] == UP


def test_an_answer_split_in_two_is_joined_with_the_mark_on_one_half_or_on_both():
    for both in (True, False):
        nb = student()
        place = next(i for i, cell in enumerate(nb.cells) if cell.source == ANSWERS["pair"])
        metadata = mark("pair", solution=True) if both else {}
        nb.cells[place].source = UP
        nb.cells.insert(place + 1, new_code_cell(DOWN, metadata=metadata))
        out, repairs = rebuilt(nb)
        assert answers_of(out) == ANSWERS
        assert "split" in only(repairs, "pair")
        assert len(repairs) == 1


def test_two_answers_merged_into_one_cell_count_for_both():
    nb = student()
    cell_of(nb, "double").source += "\n\n\n" + ANSWERS["square"]
    nb.cells = [cell for cell in nb.cells if cell.metadata.get("nbgrader", {}).get("grade_id") != "square"]
    out, repairs = rebuilt(nb)
    assert ANSWERS["square"] in answers_of(out)["square"]
    assert "used for both" in " ".join(repairs)


def test_of_several_copies_of_an_answer_the_first_that_was_changed_counts():
    nb = student()
    place = next(i for i, cell in enumerate(nb.cells) if cell.source == ANSWERS["double"])
    nb.cells.insert(place, new_code_cell(empty("double"), metadata=mark("double", solution=True)))
    out, repairs = rebuilt(nb)
    assert out == student()
    assert "the first one that was changed was used" in only(repairs, "double")


def test_an_untouched_notebook_without_marks_is_simply_empty():
    nb, repairs = rebuilt(stripped(RELEASE))
    assert nb == RELEASE
    assert not any("missing" in text for text in repairs)


def test_the_notebook_of_another_assignment_is_refused():
    with pytest.raises(Unreadable, match="another assignment"):
        rebuilt(new_notebook(cells=[new_code_cell("import os"), new_markdown_cell("# Not mine")]))


def test_names_within_other_languages_and_other_types_of_cells_do_not_count():
    nb = new_notebook(
        cells=[new_code_cell("%%writefile genlib.py\n" + ANSWERS["double"]), new_code_cell("import math")]
    )
    nb.cells.append(new_markdown_cell(ANSWERS["double"]))
    nb.cells.append(new_code_cell(ANSWERS["square"]))
    assert answers_of(rebuilt(nb)[0])["double"] == empty("double")


def hostile_cells(kind: str) -> list[dict]:
    """Notebooks made to be slow: many cells, each as like the stubs as can be, long, or of one repeated line."""
    pair = empty("pair").split("\n")
    sources = {
        "many": [f"{empty('pair')}\nx = {i}" for i in range(20_000)],
        "long": [empty("pair") + "\n" + "x = 1\n" * 150_000 + f"# {i}" for i in range(10)],
        "lines": ["\n".join(pair[i % len(pair)] for i in range(3000)) + f"\n# {n}" for n in range(300)],
        "tall": [f"{empty('pair').replace('def down', 'def lower')}\n{n}\n" + "a\n" * 70_000 for n in range(20)],
        "wide": ["def up(x): " + "(" * 900_000 + str(n) for n in range(10)],
        "huge": ["x" * 40_000_000],
    }[kind]
    return [{"cell_type": "code", "metadata": {}, "source": source} for source in sources]


@pytest.mark.parametrize("kind", ["many", "long", "lines", "tall", "wide", "huge"])
def test_what_is_compared_is_bounded_whatever_the_cells_hold(kind, monkeypatch):
    """Counts the elements that difflib is given: this is what its time depends on."""
    work = []

    class Counting(likeness.SequenceMatcher):
        def __init__(self, junk, a, b, autojunk):
            work.append(len(a) * len(b))
            super().__init__(junk, a, b, autojunk)

    monkeypatch.setattr(likeness, "SequenceMatcher", Counting)
    cells = [*hostile_cells(kind), {"cell_type": "code", "source": ANSWERS["double"]}]
    nb, repairs = rebuild(json.dumps({"nbformat": 4, "metadata": {}, "cells": cells}).encode(), RELEASE)
    assert sum(work) < 6_000_000
    assert len(repairs) < 40
    assert max(len(text) for text in repairs) < 400
    assert answers_of(nb)["double"] == (empty("double") if kind in ("many", "lines") else ANSWERS["double"])
