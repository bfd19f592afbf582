"""`course update`: a new release merged into a notebook that a student has begun; no answer is ever lost."""

import copy
import os
import stat
from pathlib import Path

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output
from nbgrader.utils import compute_checksum
from tiny_course import NB, PS, RIGHT, answer, answered, source_notebook, test

from coursekit import cli, notebooks
from coursekit.errors import CourseError
from coursekit.intake import Unreadable
from coursekit.update import updating
from coursekit.update.merging import HEADING, merge
from coursekit.update.updating import update

STUB = "# YOUR CODE HERE\nraise NotImplementedError()"


def released(nb: NotebookNode) -> NotebookNode:
    """What students get of a source notebook, made here: answers emptied, checksums as nbgrader computes them."""
    for cell in nb.cells:
        if notebooks.is_answer(cell):
            head = cell.source.split("### BEGIN")[0].rstrip(" ")
            cell.source = "YOUR ANSWER HERE" if cell.cell_type == "markdown" else head + "    " * bool(head) + STUB
        cell.source = cell.source.split("### BEGIN HIDDEN")[0]
        if "nbgrader" in cell.metadata:
            cell.metadata["nbgrader"]["checksum"] = compute_checksum(cell)
            cell.metadata["deletable"] = False
    return nb


def old_release() -> NotebookNode:
    nb = source_notebook()
    nb.cells.insert(4, new_markdown_cell("A text.\n\nWith a typpo in it.", id="text-between"))
    nb.cells.append(new_code_cell("", id="scratch"))
    return released(nb)


def new_release() -> NotebookNode:
    """`double` has a mended test, `square` other points, `total` is gone, `triple` is new, a text is mended."""
    nb = source_notebook()
    nb.cells[3].source = 'assert double(2) == 4, "double(2) should be 4"'
    nb.cells[5].metadata["nbgrader"]["points"] = 5
    triple = [answer("triple", "def triple(x):\n    ### BEGIN"), test("test_triple", 1, "assert triple(1) == 3")]
    nb.cells[6:8] = triple
    for index, cell in enumerate(triple):
        cell["id"] = f"triple-{index}"
    nb.cells.insert(4, new_markdown_cell("A text.\n\nWith a typo in it.", id="text-between"))
    nb.cells.append(new_code_cell("", id="scratch"))
    return released(nb)


OLD, NEW = old_release(), new_release()


def data_of(nb: NotebookNode) -> bytes:
    return nbformat.writes(nb).encode()


def begun(**answers: str) -> NotebookNode:
    """The old release with a student's answers, and outputs of a run."""
    nb = answered(OLD, **{**RIGHT, **answers})
    for count, cell in enumerate(nb.cells):
        if cell.cell_type == "code":
            cell.execution_count = count
            cell.outputs = [new_output("stream", name="stdout", text=f"output {count}\n")]
    return nb


def cell_of(nb: NotebookNode, name: str) -> NotebookNode:
    return notebooks.by_id(nb)[name]


def texts(nb: NotebookNode) -> list[str]:
    return [cell.source for cell in nb.cells]


# ---- what is merged


def test_answers_stay_locked_cells_are_the_new_ones_and_what_vanished_stands_at_the_end():
    nb = begun()
    merged, told = merge(data_of(nb), NEW)
    nbformat.validate(merged)
    assert {name: cell_of(merged, name).source for name in ("double", "square", "essay")} == {
        name: RIGHT[name] for name in ("double", "square", "essay")
    }
    for name, cell in notebooks.by_id(NEW).items():
        ours = cell_of(merged, name)
        assert ours.metadata["nbgrader"] == cell.metadata["nbgrader"]
        assert notebooks.is_answer(cell) or ours.source == cell.source
    assert texts(merged)[-2:] == [HEADING, RIGHT["total"]]
    assert notebooks.meta(merged.cells[-1]) == {}
    assert "deletable" not in merged.cells[-1].metadata
    text = "\n".join(told)
    for said in (
        "new: 'triple', 'test_triple'",
        "renewed: 'test_double', 'test_square'",
        "at the end: 'total'",
        "'test_total'",
    ):
        assert said in text, said
    assert "that you had changed" not in text


def test_outputs_stay_where_the_source_is_the_same_and_nowhere_else():
    nb = begun()
    merged, _ = merge(data_of(nb), NEW)
    before = {cell.source: cell.outputs for cell in nb.cells if cell.cell_type == "code"}
    for cell in merged.cells:
        if cell.cell_type == "code":
            assert cell.outputs == before.get(cell.source, [])
    assert cell_of(merged, "double").outputs
    assert cell_of(merged, "test_double").outputs == []


def test_own_cells_stay_below_the_cell_that_was_above_them():
    nb = begun()
    for name in ("title", "double", "test_double", "essay"):
        place = next(i for i, cell in enumerate(nb.cells) if notebooks.grade_id(cell) == name)
        nb.cells.insert(place + 1, new_code_cell(f"print('mine below {name}')"))
    nb.cells.insert(0, new_markdown_cell("my notes"))
    merged, _ = merge(data_of(nb), NEW)
    assert texts(merged)[0] == "my notes"
    for name in ("title", "double", "test_double", "essay"):
        place = next(i for i, cell in enumerate(merged.cells) if notebooks.grade_id(cell) == name)
        assert merged.cells[place + 1].source == f"print('mine below {name}')"


def test_an_empty_answer_becomes_the_new_empty_one_and_an_answer_to_a_changed_stub_is_kept_and_named():
    new = copy.deepcopy(NEW)
    for name in ("double", "square"):
        cell = cell_of(new, name)
        cell.source = cell.source.replace("(x)", "(x, scale=1)")
        cell.metadata["nbgrader"]["checksum"] = compute_checksum(cell)
    nb = begun(double=cell_of(OLD, "double").source)
    merged, told = merge(data_of(nb), new)
    assert cell_of(merged, "double").source == cell_of(new, "double").source
    assert cell_of(merged, "square").source == RIGHT["square"]
    assert "looked at again: 'square'." in "\n".join(told)


def test_a_mended_text_is_replaced_and_what_a_student_wrote_into_a_text_is_kept():
    place = OLD.cells.index(next(cell for cell in OLD.cells if cell.id == "text-between"))

    def with_text(text):
        nb = begun()
        nb.cells[place].source = text
        return texts(merge(data_of(nb), NEW)[0])

    old, new = OLD.cells[place].source, NEW.cells[place].source
    assert old not in with_text(old)
    assert new in with_text(old)
    mine = f"{old}\n\nRemember: ask Zoë about 17 in the tutorial!"
    assert [text for text in with_text(mine) if text.startswith("A text")] == [new, mine]
    longer = f"{new}\n\nRemember: ask Zoë about 17 in the tutorial!"
    assert [text for text in with_text(longer) if text.startswith("A text")] == [longer]


def test_a_question_that_was_only_renamed_keeps_its_answer():
    new = copy.deepcopy(NEW)
    cell = cell_of(new, "double")
    cell.metadata["nbgrader"]["grade_id"] = "twice"
    cell.metadata["nbgrader"]["checksum"] = compute_checksum(cell)
    merged, told = merge(data_of(begun()), new)
    assert cell_of(merged, "twice").source == RIGHT["double"]
    assert texts(merged).count(RIGHT["double"]) == 1
    assert any("'twice'" in text and "recognised by what it defines" in text for text in told)


def test_pictures_in_a_written_answer_and_the_kernel_that_was_chosen_stay():
    nb = begun()
    picture = {"plot.png": {"image/png": "iVBORw0KGgo="}}
    cell_of(nb, "essay")["attachments"] = nbformat.from_dict(picture)
    nb.metadata["kernelspec"] = {"name": "course-warm", "display_name": "Python 3 (warm)"}
    nb.metadata["coursekit"] = {"forbidden": {}}
    merged, _ = merge(data_of(nb), NEW)
    assert cell_of(merged, "essay")["attachments"] == picture
    assert merged.metadata["kernelspec"]["name"] == "course-warm"
    assert merged.metadata["coursekit"] == NEW.metadata["coursekit"]


# ---- nothing is lost, and the second time nothing changes

WORDS = st.sampled_from(
    ["x = 1", "def double(x):\n    return 3", "def helper():\n    return 2", "", "raise", "# größer 🎲\n"]
)
SOURCES = st.one_of(WORDS, st.lists(WORDS, max_size=3).map("\n".join), st.text(max_size=30))
EDITS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, 40), SOURCES),
        st.tuples(st.just("insert"), st.integers(0, 40), SOURCES),
        st.tuples(st.just("note"), st.integers(0, 40), SOURCES),
        st.tuples(st.just("delete"), st.integers(0, 40), st.none()),
        st.tuples(st.just("copy"), st.integers(0, 40), st.integers(0, 40)),
        st.tuples(st.just("move"), st.integers(0, 40), st.integers(0, 40)),
        st.tuples(st.just("forget"), st.integers(0, 40), st.none()),
        st.tuples(st.just("turn"), st.integers(0, 40), st.none()),
    ),
    max_size=8,
)


def edited(nb: NotebookNode, edits) -> NotebookNode:
    """A notebook after what people and editors do to notebooks."""
    for what, where, value in edits:
        place = where % max(len(nb.cells), 1)
        if what == "insert":
            nb.cells.insert(place, new_code_cell(value))
        elif what == "note":
            nb.cells.insert(place, new_markdown_cell(value))
        elif not nb.cells:
            continue
        elif what == "write":
            if not notebooks.meta(nb.cells[place]).get("locked"):
                nb.cells[place].source = value
        elif what == "delete":
            nb.cells.pop(place)
        elif what == "copy":
            nb.cells.insert(value % len(nb.cells), copy.deepcopy(nb.cells[place]))
        elif what == "move":
            nb.cells.insert(value % len(nb.cells), nb.cells.pop(place))
        elif what == "forget":
            nb.cells[place].metadata = nbformat.from_dict({})
        elif what == "turn" and nb.cells[place].cell_type == "code":
            nb.cells[place] = new_markdown_cell(nb.cells[place].source, metadata=nb.cells[place].metadata)
    return nb


def written(nb: NotebookNode) -> list[str]:
    """Every text of a notebook that is not the course's: neither of the old release nor of the new one."""
    ours = {cell.source.strip() for cell in (*OLD.cells, *NEW.cells)}
    found = (cell.source for cell in nb.cells if not notebooks.meta(cell).get("locked"))
    return [text for text in found if text.strip() and text.strip() not in ours]


def normal(text: str) -> str:
    return text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")


@settings(max_examples=100, deadline=None)
@given(begin=st.booleans(), edits=EDITS)
def test_no_answer_is_lost_the_result_is_valid_and_merging_again_changes_nothing(begin, edits):
    nb = edited(begun() if begin else copy.deepcopy(OLD), edits)
    data = (
        nbformat.writes(nb) if not edits or len({cell.id for cell in nb.cells}) == len(nb.cells) else raw(nb)
    ).encode()
    try:
        merged, _ = merge(data, NEW)
    except Unreadable:
        return
    nbformat.validate(merged)
    assert len({cell.id for cell in merged.cells}) == len(merged.cells)
    assert [name for cell in merged.cells if (name := notebooks.grade_id(cell))] == list(notebooks.by_id(NEW))
    everything = texts(merged)
    for text in written(nb):
        assert any(normal(text).strip("\n") in other for other in everything), text
    again, told = merge(notebooks.dumps(merged), NEW)
    assert again == merged
    assert told == []


def raw(nb: NotebookNode) -> str:
    """As JSON with ids that occur twice, which nbformat would refuse to write."""
    import json

    return json.dumps(nb)


# ---- files


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """A student's notebook in the old course folder, and the folder of the new download."""
    for where, nb in (("mine", begun()), ("new course", NEW)):
        folder = tmp_path / where / "assignments" / PS
        folder.mkdir(parents=True)
        (folder / f"{NB}.ipynb").write_bytes(data_of(nb))
        (folder / "checks.json").write_text(where)
        (tmp_path / where / "pyproject.toml").write_text('[tool.coursekit]\nassignments = "assignments"\n')
    return tmp_path / "mine" / "assignments" / PS / f"{NB}.ipynb", tmp_path / "new course"


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("start", ["", "assignments", f"assignments/{PS}", f"assignments/{PS}/{NB}.ipynb"])
def test_the_old_files_are_kept_beside_the_new_ones_and_the_second_time_nothing_is_written(folders, start, capsys):
    path, new = folders
    before = path.read_bytes()
    assert cli.main(["update", str(path), "--from", str(new / start)]) == 0
    assert "brought to the version" in capsys.readouterr().out
    assert path.with_name(f"{NB}.ipynb.backup-1").read_bytes() == before
    assert path.with_name("checks.json").read_text() == "new course"
    assert path.with_name("checks.json.backup-1").read_text() == "mine"
    after = files(path.parent)
    assert len(after) == 4
    assert cli.main(["update", str(path.parent), "--from", str(new / start)]) == 0
    assert "nothing to change" in capsys.readouterr().out
    assert files(path.parent) == after


def test_what_jupyterlab_changes_when_it_saves_makes_no_new_version(folders):
    path, new = folders
    update(path, new)
    nb = nbformat.read(path, as_version=4)
    nb.metadata["language_info"] = {"name": "python", "version": "3.12.1"}
    cell_of(nb, "test_double").outputs = [new_output("stream", name="stdout", text="passed\n")]
    cell_of(nb, "double").metadata["scrolled"] = True
    path.write_bytes(b"\xef\xbb\xbf" + data_of(nb).replace(b"\n", b"\r\n"))
    assert not update(path, new).changed


def test_a_backup_is_never_written_over(folders):
    path, new = folders
    kept = path.with_name(f"{NB}.ipynb.backup-1")
    kept.write_text("an older one")
    assert update(path, new).backup == path.with_name(f"{NB}.ipynb.backup-2")
    assert kept.read_text() == "an older one"


def test_the_course_around_the_current_folder_is_the_new_version_unless_one_is_named(folders, monkeypatch, capsys):
    path, new = folders
    monkeypatch.chdir(new / "assignments")
    assert cli.main(["update", str(path)]) == 0
    monkeypatch.chdir(path.parent)
    capsys.readouterr()
    assert cli.main(["update", str(path)]) == 1
    assert "--from FOLDER" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "The file is empty"),
        (b"{", "JSON is broken"),
        (b"%PDF-1.4", "a PDF file"),
        (data_of(nbformat.v4.new_notebook(cells=[new_code_cell("1 + 1")])), "No cell of this assignment"),
    ],
)
def test_what_is_no_notebook_of_the_assignment_is_refused_and_left_as_it_is(folders, content, said):
    path, new = folders
    path.write_bytes(content)
    before = files(path.parent)
    with pytest.raises(CourseError, match=said):
        update(path, new)
    assert files(path.parent) == before


def test_a_notebook_of_another_name_is_recognised_by_its_cells_and_a_foreign_one_refused(folders):
    path, new = folders
    mine = path.rename(path.with_name("abgabe-jörg.ipynb"))
    foreign = path.with_name("diary.ipynb")
    foreign.write_bytes(data_of(nbformat.v4.new_notebook(cells=[new_markdown_cell("Dear diary")])))
    assert cli.main(["update", str(path.parent), "--from", str(new)]) == 1
    assert mine.with_name("abgabe-jörg.ipynb.backup-1").is_file()
    with pytest.raises(CourseError, match="no assignment of this course"):
        update(foreign, new)


def test_a_cell_that_is_too_long_to_be_read_is_never_lost(folders):
    path, new = folders
    path.write_bytes(data_of(begun(double="x = 1\n" * 200_000)))
    before = files(path.parent)
    with pytest.raises(CourseError, match="longer cells"):
        update(path, new)
    assert files(path.parent) == before


def test_when_the_disk_is_full_the_old_file_is_whole(folders, monkeypatch):
    path, new = folders
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(updating, "write_atomic", full)
    with pytest.raises(CourseError, match="old file is whole"):
        update(path, new)
    assert path.read_bytes() == before
    assert stat.S_ISREG(os.lstat(path).st_mode)
