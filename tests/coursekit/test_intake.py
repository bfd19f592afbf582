"""Rebuilding a submission: only answers come from it, every repair is said, nothing can break it."""

import copy
import json

import nbformat
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tiny_course import RIGHT, answered, mark, source_notebook

from coursekit import notebooks
from coursekit.intake import Unreadable, rebuild

RELEASE = source_notebook()  # any notebook with nbgrader's metadata will do as a release


def as_bytes(nb) -> bytes:
    return nbformat.writes(nb).encode()


def student() -> nbformat.NotebookNode:
    return answered(RELEASE, **RIGHT)


def cell_of(nb, name):
    return next(cell for cell in nb.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == name)


def same_but_for_answers(nb) -> bool:
    """Whether everything but the answers is the release's."""
    ours, theirs = copy.deepcopy(nb), copy.deepcopy(RELEASE)
    for cell in (*ours.cells, *theirs.cells):
        if notebooks.is_answer(cell):
            cell.source = ""
            cell.pop("attachments", None)
    return ours == theirs


def test_an_untouched_structure_is_rebuilt_without_a_word():
    nb, repairs = rebuild(as_bytes(student()), RELEASE)
    assert repairs == []
    assert nb == student()


def test_deleted_changed_and_converted_cells_come_back_and_are_reported():
    nb = student()
    cell_of(nb, "test_square").source = "3.0"
    cell_of(nb, "title").source = "# Mine"
    cell_of(nb, "test_double")["cell_type"] = "raw"
    nb.cells = [cell for cell in nb.cells if cell is not cell_of(nb, "test_total") and cell is not cell_of(nb, "essay")]
    rebuilt, repairs = rebuild(as_bytes(nb), RELEASE)
    assert same_but_for_answers(rebuilt)
    assert cell_of(rebuilt, "double").source == RIGHT["double"]
    for name in ("test_square", "title", "test_double", "test_total", "essay"):
        assert sum(f"'{name}'" in repair for repair in repairs) == 1, name


@pytest.mark.parametrize("name", ["double", "test_double"])
def test_the_first_of_several_copies_counts_and_the_others_are_reported(name):
    nb = student()
    extra = copy.deepcopy(cell_of(nb, name))
    extra.source = "raise ValueError('the copy')"
    nb.cells += [nbformat.from_dict({**extra, "id": name}) for name in ("copy-1", "copy-2")]
    rebuilt, repairs = rebuild(as_bytes(nb), RELEASE)
    assert same_but_for_answers(rebuilt)
    assert cell_of(rebuilt, name).source == cell_of(student(), name).source
    assert [repair for repair in repairs if f"'{name}' was there 3 times" in repair]


def test_cells_of_the_students_own_and_another_kernel_are_reported_and_dropped():
    nb = student()
    nb.cells.insert(1, nbformat.v4.new_code_cell("helper = 1"))
    nb.cells[2].source = "import math, os"
    nb.metadata["kernelspec"]["name"] = "julia"
    rebuilt, repairs = rebuild(as_bytes(nb), RELEASE)
    assert same_but_for_answers(rebuilt)
    assert any("2 cells" in repair for repair in repairs)
    assert any("'julia'" in repair for repair in repairs)


def test_old_formats_null_bytes_and_byte_order_marks_are_repaired_with_a_note():
    old = nbformat.convert(student(), 3)
    rebuilt, repairs = rebuild(b"\xef\xbb\xbf" + nbformat.v3.writes_json(old).encode(), RELEASE)
    assert same_but_for_answers(rebuilt)
    assert cell_of(rebuilt, "square").source == RIGHT["square"]
    assert any("format 3" in repair for repair in repairs)
    data = json.loads(as_bytes(student()))
    data["cells"][2]["source"] = "x = 1\x00\ud800"
    rebuilt, repairs = rebuild(b"\0" + json.dumps(data).encode(), RELEASE)
    assert cell_of(rebuilt, "double").source == "x = 1?"
    assert any("null bytes" in repair for repair in repairs)
    notebooks.dumps(rebuilt)


def test_a_newer_metadata_schema_does_not_matter():
    nb = student()
    for cell in nb.cells:
        if "nbgrader" in cell.metadata:
            cell.metadata["nbgrader"] = {"grade_id": cell.metadata["nbgrader"]["grade_id"], "schema_version": 99}
    rebuilt, repairs = rebuild(as_bytes(nb), RELEASE)
    assert same_but_for_answers(rebuilt)
    assert repairs == []


def test_pictures_in_a_written_answer_are_kept_when_they_are_well_formed():
    data = json.loads(as_bytes(student()))
    data["cells"][-1]["attachments"] = {"a.png": {"image/png": "aGVsbG8="}, "b.png": ["no picture"]}
    rebuilt, _ = rebuild(json.dumps(data).encode(), RELEASE)
    assert cell_of(rebuilt, "essay")["attachments"] == {"a.png": {"image/png": "aGVsbG8="}}


@pytest.mark.parametrize(
    "data", [b"", b" \n", b"\0\0", b"{", b"[]", b"17", b'{"cells": 3}', b'{"nbformat": 4}', b"[" * 200_000, b"\xff\xfe"]
)
def test_what_is_no_notebook_is_unreadable_with_a_reason_and_a_next_step(data):
    with pytest.raises(Unreadable) as caught:
        rebuild(data, RELEASE)
    assert caught.value.reason.endswith(".")
    assert "hand it in again" in caught.value.next_step


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
CELL = st.fixed_dictionaries(
    {},
    optional={
        "cell_type": st.sampled_from(["code", "markdown", "raw"]) | JSON,
        "source": st.text(max_size=20) | st.lists(st.text(max_size=5), max_size=3) | JSON,
        "metadata": st.fixed_dictionaries({"nbgrader": st.just(mark("double", solution=True)["nbgrader"]) | JSON})
        | JSON,
        "attachments": JSON,
    },
)
NOTEBOOK = st.fixed_dictionaries(
    {"cells": st.lists(CELL | JSON, max_size=5) | JSON},
    optional={"nbformat": st.integers(0, 6) | JSON, "metadata": JSON, "worksheets": JSON, "nbformat_minor": JSON},
)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60) | (NOTEBOOK | JSON).map(lambda data: json.dumps(data).encode()))
@example(b'{"worksheets": [{"cells": [{"cell_type": "code"}]}], "nbformat": 3}')
def test_no_bytes_whatever_change_the_release_or_raise_anything_but_unreadable(data):
    try:
        nb, repairs = rebuild(data, RELEASE)
    except Unreadable:
        return
    assert same_but_for_answers(nb)
    assert all(isinstance(repair, str) and repair.endswith(".") for repair in repairs)
    assert notebooks.loads(notebooks.dumps(nb)).cells == nb.cells
