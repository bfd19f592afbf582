"""`course release` after somebody was graded: said beforehand, whole or not at all, no person's points are touched."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from killing import Writes
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from quick import grade
from tiny_course import NB, PS, TEST_DOUBLE, Class, answer, cells_of, mark, test, write_course

from coursekit import cli
from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.grading.renewal import LOCK_NAME
from coursekit.lock import only_one
from coursekit.release import again, release, rows
from coursekit.release.again import release_again
from coursekit.release.publish import publish

Edit = Callable[[NotebookNode], None]


def edit_source(course: Course, *edits: Edit) -> None:
    path = course.source(PS) / f"{NB}.ipynb"
    nb = nbformat.read(path, as_version=4)
    for edit in edits:
        edit(nb)
    nbformat.write(nb, path)


def mend(nb: NotebookNode) -> None:
    nb.cells[3].source = TEST_DOUBLE.replace("== 42", "== 2 * secret_input_of_double")


def mend_in_view(nb: NotebookNode) -> None:
    nb.cells[3].source = TEST_DOUBLE.replace("double(1) == 2", "double(2) == 4")


def give_points(nb: NotebookNode) -> None:
    nb.cells[5].metadata["nbgrader"]["points"] = 5
    nb.cells[5].source = nb.cells[5].source.replace("3 * float", "5 * float")


def add(nb: NotebookNode) -> None:
    cells = [
        answer("triple", "def triple(x):\n    ### BEGIN SOLUTION\n    return 3 * x\n    ### END SOLUTION"),
        test("test_triple", 1, "assert triple(1) == 3"),
        new_markdown_cell("Think.", metadata=mark("task", task=True, points=2, locked=True)),
    ]
    for index, cell in enumerate(cells):
        cell["id"] = f"added-{index}"
    nb.cells[8:8] = cells


def remove(nb: NotebookNode) -> None:
    del nb.cells[6:8]


def move(nb: NotebookNode) -> None:
    nb.cells[2:6] = [*nb.cells[4:6], *nb.cells[2:4]]


def rename(nb: NotebookNode) -> None:
    nb.cells[2].metadata["nbgrader"]["grade_id"] = "twice"
    nb.cells[3].metadata["nbgrader"]["grade_id"] = "test_twice"


def stub(nb: NotebookNode) -> None:
    nb.cells[2].source = nb.cells[2].source.replace("Twice x.", "Two times x.")


def text(nb: NotebookNode) -> None:
    nb.cells[0].source = "# All numbers"


def ungrade(nb: NotebookNode) -> None:
    nb.cells[3].metadata["nbgrader"].update(grade=False)
    nb.cells[3].metadata["nbgrader"].pop("points")
    nb.cells[3].source = "assert double(1) == 2"


EDITS: dict[str, tuple[Edit, list[str]]] = {
    "hidden": (mend, ["'test_double': hidden tests changed"]),
    "visible": (mend_in_view, ["'test_double': text changed"]),
    "points": (give_points, ["'test_square': points changed (3 -> 5)"]),
    "added": (add, ["'triple': added", "'test_triple': added", "'task': added"]),
    "removed": (remove, ["'total': removed", "'test_total': removed"]),
    "moved": (move, ["moved"]),
    "renamed": (rename, ["'double': removed", "'twice': added"]),
    "stub": (stub, ["'double': given part of the answer cell changed"]),
    "text": (text, ["'title': text changed"]),
}


@pytest.fixture(scope="module")
def graded_class(tmp_path_factory, empty_gradebook) -> Path:
    """Ada has points and a comment by hand for her essay, Bert is wrong about `double`, Carl's file is broken."""
    root = write_course(tmp_path_factory.mktemp("again") / "course")
    shutil.copyfile(empty_gradebook, root / "gradebook.db")
    course = Course(root)
    release.release(course, PS)
    class_ = Class(course)
    class_.hand_in("ada", class_.answers())
    class_.hand_in("bert", class_.answers(double="def double(x):\n    return 2"))
    class_.hand_in("carl", b"{")
    grade(course, PS)
    with course.gradebook() as book:
        book.find_grade("essay", NB, PS, "ada").manual_score = 3.5
        book.find_grade("essay", NB, PS, "ada").extra_credit = 0.5
        book.find_comment("essay", NB, PS, "ada").manual_comment = "Well said."
        book.db.commit()
    return root


@pytest.fixture
def course(graded_class: Path, tmp_path: Path) -> Course:
    shutil.copytree(graded_class, tmp_path / "course")
    return Course(tmp_path / "course")


def stored(course: Course) -> dict[str, Any]:
    """Every row of the assignment in the gradebook, and what people gave."""
    found: dict[str, Any] = {}
    with course.gradebook() as book:
        for notebook in book.find_assignment(PS).notebooks:
            for cell in notebook._base_cells:
                found["cell", cell.type, cell.name] = getattr(cell, "max_score", None)
            for source in notebook.source_cells:
                found["source", source.name] = (source.source, source.checksum, source.locked, source.cell_type)
            for part in notebook.submissions:
                who = part.student.id
                for row in part.grades:
                    found["grade", who, row.cell.type, row.name] = (row.auto_score, row.manual_score, row.extra_credit)
                for row in part.comments:
                    found["comment", who, row.cell.type, row.name] = (row.auto_comment, row.manual_comment)
    return found


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def by_hand(found: dict[str, Any]) -> dict[Any, Any]:
    return {key: value[1:] for key, value in found.items() if key[0] in ("grade", "comment") and any(value[1:])}


# ---- what is refused, and what is said


@pytest.mark.parametrize("name", EDITS)
def test_cells_that_somebody_was_graded_on_change_only_when_that_is_said(course, name):
    edit, told = EDITS[name]
    edit_source(course, edit)
    before = stored(course), files(course.release(PS).parent)
    with pytest.raises(CourseError) as refused:
        release_again(course, PS, again=False)
    assert all(text in str(refused.value) for text in told), str(refused.value)
    assert f"course release --again {PS}" in str(refused.value)
    assert (stored(course), files(course.release(PS).parent)) == before
    said: list[str] = []
    release_again(course, PS, again=True, say=said.append)
    assert all(text in said[0] for text in told), said
    assert "ada 3.5 + 0.5" in said[0]
    assert ("nobody has to update" in said[0]) == (name == "hidden")
    assert release.release_differences(course, PS) == []
    release_again(course, PS, again=False)  # nothing is left to change


def test_what_changes_no_cell_needs_no_again(course):
    edit_source(course, lambda nb: nb.cells.insert(1, new_markdown_cell("Good luck.", id="luck")))
    (course.source(PS) / "checks.json").write_text('{"total": 45, "more": 1}')
    before = stored(course)
    release_again(course, PS, again=False)
    assert stored(course) == before
    assert release.release_differences(course, PS) == []


def test_the_command_says_it_before_anything_changes(course, capsys, monkeypatch):
    edit_source(course, mend, give_points)
    assert cli.main(["--course", str(course.root), "release", "ps1"]) == 1
    assert "--again" in capsys.readouterr().err

    def stop(*_):
        raise CourseError("stopped here")

    monkeypatch.setattr(again.rows, "bring_to", stop)
    before = stored(course), files(course.release(PS).parent)
    assert cli.main(["--course", str(course.root), "release", "--again", "ps1"]) == 1
    assert "points changed (3 -> 5)" in capsys.readouterr().out
    assert (stored(course), files(course.release(PS).parent)) == before
    monkeypatch.undo()
    assert cli.main(["--course", str(course.root), "release", "--again", "ps1"]) == 0


def test_nothing_is_released_while_somebody_grades(course):
    edit_source(course, mend)
    with only_one(course.records_file(PS).parent / LOCK_NAME), pytest.raises(CourseError, match="graded already"):
        release_again(course, PS, again=True)


# ---- the gradebook


@pytest.mark.filterwarnings("ignore:Object of type")  # nbgrader's add_submission, as it stands
@pytest.mark.parametrize("names", [("hidden", "points"), ("visible", "added", "removed"), ("moved",), ("renamed",)])
def test_the_gradebook_is_that_of_a_class_that_had_the_new_release_all_along(course, names, tmp_path, empty_gradebook):
    """The reference is nbgrader's own: a fresh gradebook, `add_submission` for everybody. What stays has its points."""
    edit_source(course, *(EDITS[name][0] for name in names))
    before = stored(course)
    release_again(course, PS, again=True, say=lambda _: None)
    after = stored(course)
    shutil.copytree(course.root, tmp_path / "fresh", ignore=shutil.ignore_patterns("gradebook.db", "autograded"))
    shutil.copyfile(empty_gradebook, tmp_path / "fresh" / "gradebook.db")
    fresh = Course(tmp_path / "fresh")
    release.release(fresh, PS)
    with fresh.gradebook() as book:
        for student in ("ada", "bert", "carl"):
            book.update_or_create_student(student)
            book.add_submission(PS, student)
    expected = stored(fresh)
    assert after.keys() == expected.keys()
    for key, value in after.items():
        stays = key[0] in ("grade", "comment") and key in before
        assert value == (before[key] if stays else expected[key]), key
    assert by_hand(after) == by_hand(before)


def test_what_a_person_gave_for_a_removed_cell_goes_only_when_that_is_said(course):
    edit_source(course, lambda nb: nb.cells.pop(8))
    before = stored(course), files(course.release(PS).parent)
    with pytest.raises(CourseError, match=r"'essay' \(ada 3\.5 \+ 0\.5\).*--drop essay"):
        release_again(course, PS, again=True, say=lambda _: None)
    with pytest.raises(CourseError, match="no such cell"):
        release_again(course, PS, again=True, drop=["essey"], say=lambda _: None)
    assert (stored(course), files(course.release(PS).parent)) == before
    said: list[str] = []
    release_again(course, PS, again=True, drop=["essay"], say=said.append)
    assert "Thrown away, as you said: 'essay' (ada 3.5 + 0.5)" in said[0]
    assert by_hand(stored(course)) == {}


def test_a_question_that_is_graded_no_longer_counts_as_removed_from_those_who_have_points_for_it(course):
    with course.gradebook() as book:
        book.find_grade("test_double", NB, PS, "bert").manual_score = 1
        book.db.commit()
    edit_source(course, ungrade)
    with pytest.raises(CourseError, match=r"bert 1\).*--drop test_double"):
        release_again(course, PS, again=True, say=lambda _: None)
    release_again(course, PS, again=True, drop=["test_double"], say=lambda _: None)
    after = stored(course)
    assert ("grade", "bert", "GradeCell", "test_double") not in after
    assert after["comment", "ada", "SolutionCell", "essay"] == (None, "Well said.")
    assert after["grade", "ada", "GradeCell", "essay"] == (None, 3.5, 0.5)


def test_a_notebook_can_be_added_and_removed(course):
    nb = nbformat.read(course.source(PS) / f"{NB}.ipynb", as_version=4)
    nb.cells = nb.cells[:4]
    nbformat.write(nb, course.source(PS) / "second.ipynb")
    release_again(course, PS, again=True, say=lambda _: None)
    with course.gradebook() as book:
        assert {part.name for part in book.find_submission(PS, "ada").notebooks} == {NB, "second"}
        assert book.find_grade("test_double", "second", PS, "ada").auto_score is None
    (course.source(PS) / "second.ipynb").unlink()
    release_again(course, PS, again=True, say=lambda _: None)
    with course.gradebook() as book:
        assert {part.name for part in book.find_submission(PS, "ada").notebooks} == {NB}
    assert set(files(course.release(PS))) == {f"{NB}.ipynb", "checks.json"}


# ---- submissions made on the earlier release


def test_submissions_of_the_earlier_release_are_graded_on_the_new_one(course):
    """A renamed question, an added one, other points, a moved one: every answer is found, points by hand stay."""
    edit_source(course, give_points, add, rename)
    release_again(course, PS, again=True, say=lambda _: None)
    records = grade(course, PS)
    scores = {name: {cell: found["score"] for cell, found in cells_of(records[name]).items()} for name in records}
    automatic = {"test_twice": 2, "test_square": 5, "test_total": 3, "test_triple": 0}
    assert scores["ada"] == {**automatic, "task": None, "essay": None}
    assert scores["bert"]["test_twice"] == 0
    assert records["ada"]["score"] == 2 + 5 + 3 + 4
    assert any("'twice'" in text and "recognised" in text for text in records["ada"]["repairs"])
    assert records["ada"]["max_score"] == 12 + 2 + 1 + 2


# ---- whole or not at all


def state_of(course: Course) -> tuple[str, dict[str, bytes]]:
    return rows.fingerprint(again._read_held(course, PS).cells), files(course.release(PS))


def killed(root: Path, fatal: int) -> tuple[int, int]:
    """Release again in a fork that is killed before its n-th write; how it ended, and how often it wrote."""
    pid = os.fork()
    if pid == 0:
        try:
            writes = Writes(root, fatal)
            release_again(Course(root), PS, again=True, say=lambda _: None)
            root.with_suffix(".count").write_text(str(writes.count))
        finally:
            os._exit(0)
    _, status = os.waitpid(pid, 0)
    count = root.with_suffix(".count")
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, int(count.read_text()) if count.exists() else 0


def test_killed_before_a_write_the_release_is_the_old_one_or_the_new_one_and_can_be_made_again(course, tmp_path):
    """Every write from the gradebook's transaction on, and some of those before it."""
    edit_source(course, give_points, add, remove)
    old = state_of(course)
    other = tmp_path / "undisturbed"
    shutil.copytree(course.root, other)
    ended, count = killed(other, 0)
    assert (ended, count > 15) == (0, True)
    assert release.release_differences(Course(other), PS) == []
    new, gradebook = state_of(Course(other)), stored(Course(other))
    seen = set()
    for fatal in sorted({1, count // 2, *range(count - 4, count + 1)}):
        root = tmp_path / f"point-{fatal}"
        shutil.copytree(course.root, root)
        assert killed(root, fatal)[0] == signal.SIGKILL, fatal
        again.finish_or_forget(Course(root), PS)
        found = state_of(Course(root))
        assert found in (old, new), fatal
        seen.add(found == new)
        assert [path.name for path in course.release(PS).parent.iterdir()] == [PS], fatal
        if found == new:
            assert stored(Course(root)) == gradebook, fatal
        shutil.rmtree(root)
    assert seen == {True, False}
    release_again(course, PS, again=True, say=lambda _: None)
    assert (state_of(course), stored(course)) == (new, gradebook)


def test_grading_finishes_a_release_that_was_killed(course, monkeypatch):
    edit_source(course, give_points, add)
    before = files(course.release(PS))
    monkeypatch.setattr(again, "finish_or_forget", lambda *_: False)
    release_again(course, PS, again=True, say=lambda _: None)  # all but the exchange of the folders
    monkeypatch.undo()
    assert files(course.release(PS)) == before
    records = grade(course, PS)
    assert release.release_differences(course, PS) == []
    assert records["ada"]["max_score"] == 12 + 2 + 1 + 2


def test_what_a_killed_release_left_behind_is_never_published(course, tmp_path):
    staging = course.release(PS).with_name(f".{PS}.again") / "new"
    shutil.copytree(course.release(PS), staging)
    course.options.publish = {"assignments": "assignments"}
    published = publish(course, tmp_path / "students")
    assert published
    assert not any(".again" in str(path) for path in published)
