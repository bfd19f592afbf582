"""What students get: the same bytes every time, and nothing of the instructor's."""

import json
from pathlib import Path

import nbformat
import pytest
from tiny_course import NB, PS, source_notebook

from coursekit import notebooks
from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.release.release import release, release_differences

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"


def change_source(course: Course, change) -> None:
    path = course.source(PS) / f"{NB}.ipynb"
    nb = nbformat.read(path, as_version=4)
    change(nb)
    nbformat.write(nb, path)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_releasing_twice_gives_the_same_bytes_also_without_cell_ids(course):
    def forget_ids(nb):
        nb.nbformat_minor = 4
        for cell in nb.cells:
            cell.pop("id", None)

    change_source(course, forget_ids)
    first = files(release(course, PS))
    assert files(release(course, PS)) == first
    assert release_differences(course, PS) == []


def test_release_has_neither_solutions_nor_hidden_tests_nor_files_of_the_instructor(course):
    found = files(release(course, PS))
    assert set(found) == {f"{NB}.ipynb", "checks.json"}
    text = found[f"{NB}.ipynb"].decode()
    for secret in ("BEGIN", "twice_the_value", "the_square_of", "range(10)", "secret_input", "a secret", "commutative"):
        assert secret not in text, secret
    assert 'assert double(1) == 2, \\"double(1) should be 2; did you square it?\\"' in text


def test_outputs_counts_and_editor_metadata_do_not_reach_students(course):
    before = files(release(course, PS))

    def run_and_open(nb):
        nb.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {}}
        nb.metadata["language_info"] = {"name": "python", "version": "3.12.1"}
        for cell in nb.cells:
            cell.metadata["execution"] = {"iopub.status.busy": "2026"}
            if cell.cell_type == "code":
                cell.execution_count = 7
                cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text="solution: 42\n")]

    change_source(course, run_and_open)
    after = files(release(course, PS))
    data = json.loads(after[f"{NB}.ipynb"])
    assert data["metadata"].pop("language_info") == {"name": "python"}
    expected = json.loads(before[f"{NB}.ipynb"])
    expected["metadata"].pop("language_info", None)
    assert data == expected


@pytest.mark.parametrize(
    ("cell", "old", "new", "complaint"),
    [
        (2, END, "", "never ended"),
        (2, END, "### END SOLUTON", "looks like a mark"),
        (2, BEGIN, "", "not begun"),
        (2, BEGIN, f"{BEGIN}\n    {BEGIN}", "inside another"),
        (3, "### BEGIN HIDDEN TESTS", "### BEGIN HIDDEN TEST", "looks like a mark"),
        (3, "### END HIDDEN TESTS", "", "never ended"),
        (1, "import math", f"{BEGIN}\nimport math\n{END}", "may not have"),
    ],
)
def test_a_malformed_mark_stops_the_release_before_anything_is_written(course, cell, old, new, complaint):
    release(course, PS)
    before = files(course.release(PS))

    def break_mark(nb):
        assert old in nb.cells[cell].source
        nb.cells[cell].source = nb.cells[cell].source.replace(old, new)

    change_source(course, break_mark)
    with pytest.raises(CourseError, match=complaint):
        release(course, PS)
    assert files(course.release(PS)) == before


def test_every_difference_between_release_and_sources_is_named(course):
    assert "course release" in release_differences(course, PS)[0]
    folder = release(course, PS)
    (folder / "checks.json").write_text("{}")
    (folder / "notes.txt").write_text("edited by hand")
    (folder / f"{NB}.ipynb").unlink()
    text = " ".join(release_differences(course, PS))
    assert all(name in text for name in ("checks.json is not what", "notes.txt is not gen", f"{NB}.ipynb is missing"))


def test_points_of_release_and_sources_agree(course):
    release(course, PS)
    nb = nbformat.read(course.release(PS) / f"{NB}.ipynb", as_version=4)

    def points(notebook):
        return sum(notebooks.max_score(cell) for cell in notebook.cells if notebooks.is_graded(cell))

    assert points(nb) == points(source_notebook()) == 12
