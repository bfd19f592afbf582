"""`course lab`: the start page says what the notebooks say, links what is there, and never stands in the way."""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from tiny_course import CONFIG, PS, mark, source_notebook, write_course

from coursekit import cli, outline, schedule, start_page
from coursekit.commands import lab
from coursekit.errors import CourseError
from coursekit.settings import Settings, find_settings


def lecture(*sections: tuple[str, int], title: str = "Lecture 1: Sums") -> nbformat.NotebookNode:
    """A lecture whose speaker notes give these minutes; the first pair is what comes before the sections."""
    cells = [new_markdown_cell(f"# {title}\n\nWelcome.")]
    for heading, minutes in sections:
        if heading:
            cells.append(new_markdown_cell(f"## {heading}\n\n```\n# a comment, no heading\n```"))
        cells.append(new_markdown_cell(f"*Speaker notes, {minutes} minute{'s' * (minutes != 1)}.* Ask."))
        cells.append(new_code_cell("# Speaker notes, 90 minutes: a comment of the code"))
    return new_notebook(cells=cells)


def assignment() -> nbformat.NotebookNode:
    """The tiny assignment with headings of exercises and minutes."""
    nb = source_notebook()
    at = {cell.metadata.get("nbgrader", {}).get("grade_id"): i for i, cell in enumerate(nb.cells)}
    nb.metadata["coursekit"]["minutes"] = {"double": 5, "square": 10, "total": 15}
    for name, number in (("total", 3), ("square", 2), ("double", 1)):
        nb.cells.insert(at[name], new_markdown_cell(f"### Exercise {number}: {name} (about $p(x|y)$) (9 points)"))
    return nb


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A course with two lectures and an assignment, in a folder whose name needs care."""
    root = write_course(tmp_path / "My course, Übung 1")
    (root / "lectures").mkdir()
    (root / "lectures" / ".ipynb_checkpoints").mkdir()
    nbformat.write(lecture(("", 2), ("1. From $a|b$", 10), ("Summary", 1)), root / "lectures" / "01-sums.ipynb")
    nbformat.write(lecture(("1. More", 7), title="[Two] sums"), root / "lectures" / "02 größer?.ipynb")
    for name in ("01-sums-Copy1.ipynb", ".ipynb_checkpoints/01-sums-checkpoint.ipynb", ".hidden.ipynb"):
        (root / "lectures" / name).write_text("{}", encoding="utf-8")
    (root / "assignments" / PS).mkdir(parents=True)
    nbformat.write(assignment(), root / "assignments" / PS / "numbers.ipynb")
    (root / "docs").mkdir()
    (root / "docs" / "a b.md").touch()
    text = (
        CONFIG + 'c.Coursekit.title = "Sums"\nc.Coursekit.reading = {"how to": "docs/a b.md", "gone": "docs/no.md"}\n'
    )
    (root / "nbgrader_config.py").write_text(text, encoding="utf-8")
    return find_settings(root)


def links(page: str) -> list[str]:
    return re.findall(r"(?<!\\)\]\(([^)]+)\)", page)


# ---- what notebooks say about themselves


def test_sections_have_the_minutes_of_their_speaker_notes(settings):
    first = outline.read_lecture(settings.root / "lectures" / "01-sums.ipynb", settings.root)
    assert first.title == "Lecture 1: Sums"
    assert [(part.title, part.minutes) for part in first.parts] == [
        ("Opening", 2),
        ("1. From $a|b$", 10),
        ("Summary", 1),
    ]
    assert first.minutes == 13


def test_exercises_have_the_points_of_their_tests_and_the_minutes_of_the_metadata(settings):
    found = outline.read_assignment(settings.root / "assignments" / PS / "numbers.ipynb", settings.root)
    assert [(part.points, part.minutes) for part in found.parts] == [(2, 5), (3, 10), (3 + 4, 15)]
    assert found.parts[0].title == "Exercise 1: double (about $p(x|y)$)"
    assert (found.points, found.minutes) == (12, 30)


def test_an_assignment_without_headings_or_minutes_still_has_its_points(tmp_path):
    nbformat.write(source_notebook(), tmp_path / "n.ipynb")
    found = outline.read_assignment(tmp_path / "n.ipynb", tmp_path)
    assert (found.title, found.points, found.minutes) == ("Numbers", 12, None)
    assert [part.title for part in found.parts] == ["The whole notebook"]


@given(st.lists(st.tuples(st.integers(0, 50), st.sampled_from([0.5, 1, 2, 3]), st.booleans()), max_size=6))
def test_no_point_and_no_minute_is_lost_or_counted_twice(tmp_path_factory, cells):
    """Headings may stand anywhere between the cells."""
    nb, minutes = new_notebook(), {}
    for index, (time, points, heading) in enumerate(cells):
        if heading:
            nb.cells.append(new_markdown_cell(f"### Exercise {index}: x ({points} points)"))
        minutes[f"a{index}"] = time
        nb.cells.append(new_code_cell("", metadata=mark(f"a{index}", solution=True)))
        nb.cells.append(new_code_cell("", metadata=mark(f"t{index}", grade=True, points=points)))
    nb.metadata["coursekit"] = {"minutes": minutes}
    path = tmp_path_factory.mktemp("n") / "n.ipynb"
    nbformat.write(nb, path)
    found = outline.read_assignment(path, path.parent)
    assert found.points == sum(points for _, points, _ in cells)
    assert (found.minutes or 0) == sum(minutes.values())


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"17", b'{"cells": [3]}', b'{"cells": [{}]}', b"\xff\xfe", b"null"])
def test_a_broken_notebook_is_named_and_stops_the_schedule_but_not_the_page(settings, data):
    path = settings.root / "lectures" / "03-broken.ipynb"
    path.write_bytes(data)
    with pytest.raises(CourseError, match=r"03-broken\.ipynb"):
        schedule.text(settings)
    assert "[03-broken.ipynb, which cannot be read](lectures/03-broken.ipynb)" in start_page.text(settings)


def test_line_ends_and_a_byte_order_mark_change_nothing(settings):
    page, table = start_page.text(settings), schedule.text(settings)
    for path in settings.root.rglob("*.ipynb"):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert start_page.text(settings) == page
    assert schedule.text(settings) == table


# ---- the start page


def test_every_link_leads_to_a_file_and_every_notebook_has_one(settings):
    page = start_page.text(settings)
    targets = [unquote(link) for link in links(page)]
    assert all((settings.root / target).is_file() for target in targets)
    assert targets == [
        "docs/a b.md",
        "lectures/01-sums.ipynb",
        "lectures/02 größer?.ipynb",
        f"assignments/{PS}/numbers.ipynb",
    ]
    assert not re.search(r"\]\([^)]*[ ?ü]", page), "JupyterLab wants addresses to be encoded"
    assert r"[\[Two\] sums]" in page


def test_the_page_says_titles_points_and_minutes(settings):
    page = start_page.text(settings)
    assert "# Sums\n" in page
    assert "13 minutes" in page
    assert "12 points, 30 minutes" in page
    assert "| Exercise 3: total (about $p(x\\vert y)$) | 7 | 15 |" in page
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {3, 4}, "a bar in a title would begin another cell"


def test_an_empty_course_has_a_page_too(tmp_path):
    assert start_page.text(Settings(root=tmp_path, teaches=False)).count("There are none yet.") == 2


def test_writing_the_page_twice_changes_nothing_and_own_files_are_left_alone(settings):
    path = start_page.write(settings)
    before = path.stat().st_mtime_ns
    assert start_page.write(settings) == path
    assert path.stat().st_mtime_ns == before
    assert b"\r" not in path.read_bytes()
    (settings.root / "lectures" / "02 größer?.ipynb").unlink()
    assert "Two" not in start_page.write(settings).read_text(encoding="utf-8")
    path.write_text("my own notes", encoding="utf-8")
    with pytest.raises(CourseError, match="rename it"):
        start_page.write(settings)
    assert path.read_text(encoding="utf-8") == "my own notes"


# ---- starting JupyterLab


@pytest.fixture
def started(monkeypatch):
    """Commands that would have been run, with JupyterLab's defaults as it would read them."""
    calls = []

    def run(command, environment):
        folder = Path(environment["JUPYTER_CONFIG_PATH"].split(os.pathsep)[-1])
        calls.append((command, json.loads((folder / "labconfig/default_setting_overrides.json").read_text("utf-8"))))
        return 0

    monkeypatch.setattr(lab, "run", run)
    return calls


def test_jupyterlab_opens_the_start_page_in_the_course_folder(settings, started, monkeypatch):
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "mine")
    assert cli.main(["--course", str(settings.root), "lab", "--port=1", "--no-browser"]) == 0
    ((command, defaults),) = started
    assert command[:3] == [sys.executable, "-m", "jupyterlab"]
    assert f"--ServerApp.root_dir={settings.root}" in command
    assert "--LabApp.default_url=/lab/tree/start.md" in command
    assert command[-2:] == ["--no-browser", "--port=1"] or command[-2:] == ["--port=1", "--no-browser"]
    assert defaults["@jupyterlab/docmanager-extension:plugin"]["defaultViewers"]["markdown"] == "Markdown Preview"
    assert (settings.root / "start.md").is_file()


@pytest.mark.parametrize("option", ["lectures/01-sums.ipynb", "--LabApp.default_url=/lab"])
def test_who_asks_for_another_page_gets_it(settings, started, option):
    cli.main(["--course", str(settings.root), "lab", option])
    ((command, _),) = started
    assert option in command
    assert "--LabApp.default_url=/lab/tree/start.md" not in command


def test_a_folder_that_cannot_be_written_opens_without_a_start_page(settings, started, monkeypatch, capsys):
    def refuse(path, data):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(start_page, "write_atomic", refuse)
    assert cli.main(["--course", str(settings.root), "lab"]) == 0
    ((command, _),) = started
    assert not any("default_url" in word for word in command)
    assert "no start page" in capsys.readouterr().err


def test_without_jupyterlab_the_doctor_is_recommended(settings, started, monkeypatch, capsys):
    monkeypatch.setattr(lab, "find_spec", lambda name: None)
    assert cli.main(["--course", str(settings.root), "lab"]) == 1
    assert "course doctor" in capsys.readouterr().err
    assert started == []


def test_the_setting_that_opens_pages_is_one_that_jupyterlab_knows():
    schemas = Path(sys.prefix) / "share" / "jupyter" / "lab" / "schemas" / "@jupyterlab"
    for name, values in lab.DEFAULTS.items():
        package, _, plugin = name.removeprefix("@jupyterlab/").partition(":")
        known = json.loads((schemas / package / f"{plugin}.json").read_text(encoding="utf-8"))["properties"]
        assert set(values) <= set(known)


@pytest.mark.skipif(os.name == "nt", reason="sends a signal as a POSIX terminal does")
def test_an_interrupt_is_left_to_jupyterlab_which_asks_before_it_stops(tmp_path):
    """The child counts interrupts and ends at the second; a parent that killed it would leave no count behind."""
    child = tmp_path / "child.py"
    child.write_text(
        "import pathlib, signal, sys, threading\n"
        "end, seen = threading.Event(), []\n"
        "def count(*_):\n"
        "    seen.append(1); print('seen', flush=True)\n"
        "    if len(seen) == 2: pathlib.Path(sys.argv[1]).write_text('2'); end.set()\n"
        "signal.signal(signal.SIGINT, count)\n"
        "print('ready', flush=True)\n"
        "while not end.wait(0.01): pass\n"
        "sys.exit(5)\n",
        encoding="utf-8",
    )
    parent = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from coursekit.commands.lab import run\n"
        "sys.exit(run([sys.executable, sys.argv[1], sys.argv[2]], dict(os.environ)))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent, str(child), str(tmp_path / "count")],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout.readline() == "ready\n"
        for _ in range(2):
            os.killpg(process.pid, signal.SIGINT)
            assert process.stdout.readline() == "seen\n"
        assert process.wait(30) == 5
    assert (tmp_path / "count").read_text() == "2"


# ---- settings


def test_settings_are_those_of_the_nearest_course_around_a_folder(settings, tmp_path):
    assert find_settings(settings.root / "lectures").root == settings.root
    assert (settings.title, settings.assignments, settings.teaches) == ("Sums", "assignments", True)
    with pytest.raises(CourseError, match="no course"):
        find_settings(tmp_path / "nowhere")


def test_settings_survive_the_way_through_a_students_pyproject(settings, tmp_path):
    from coursekit.release.publish import student_pyproject

    own = replace(settings, imports=("a", "b"), title='Summen "und" mehr', reading={"wie 'es' geht": "README.md"})
    text = student_pyproject('[project]\nname = "x"\n[build-system]\nrequires = []\n', ["lib*"], own)
    (tmp_path / "pyproject.toml").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert find_settings(tmp_path) == replace(own, root=tmp_path, teaches=False)
    assert 'course = "coursekit.cli:main"' in text


@pytest.mark.parametrize("text", ["c = get_config(\n", "c = get_config()\nc.Coursekit.memory_gb = 'much'\n"])
def test_a_broken_configuration_is_a_sentence(tmp_path, capsys, text):
    (tmp_path / "nbgrader_config.py").write_text(text, encoding="utf-8")
    assert cli.main(["--course", str(tmp_path), "lab"]) == 1
    assert "nbgrader_config.py" in capsys.readouterr().err
    assert cli.main(["--course", str(tmp_path), "doctor"]) == 1


def test_a_pyproject_that_is_no_toml_is_a_sentence(tmp_path):
    (tmp_path / "pyproject.toml").write_text("<<<<<<< HEAD\n", encoding="utf-8")
    with pytest.raises(CourseError, match=r"pyproject\.toml"):
        find_settings(tmp_path)


# ---- commands that are not there


def test_a_command_whose_module_students_do_not_get_is_not_offered(monkeypatch, capsys):
    monkeypatch.setattr(cli, "_is_here", lambda name: name in ("lab", "doctor"))
    assert cli.main(["--help"]) == 0
    text = capsys.readouterr().out
    assert "doctor" in text
    assert "grade" not in text
    assert cli.main(["grade"]) == 2


def test_without_nbgrader_its_commands_say_how_to_get_it(settings, monkeypatch, capsys):
    def missing(arguments: argparse.Namespace) -> int:
        raise ModuleNotFoundError("No module named 'nbgrader'", name="nbgrader.api")

    monkeypatch.setattr("coursekit.commands.release.main", missing)
    assert cli.main(["--course", str(settings.root), "release"]) == 1
    assert '".[teach]"' in capsys.readouterr().err


# ---- the schedule


def test_the_schedule_goes_between_its_marks_and_nowhere_else(settings, tmp_path, capsys):
    path = tmp_path / "page.md"
    path.write_text(f"before\n{schedule.BEGIN}\nold\n{schedule.END}\nafter\n", encoding="utf-8")
    run = ["--course", str(settings.root), "schedule", "--into", str(path)]
    assert cli.main(run) == 0
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{schedule.BEGIN}\n")
    assert text.endswith(f"{schedule.END}\nafter\n")
    assert "old" not in text
    assert "| **Lecture 1: Sums** | **13** |" in text
    assert "| **12** | **30** (0 h 30) |" in text
    assert "brought up to date" in capsys.readouterr().out
    assert cli.main(run) == 0
    assert "nothing to change" in capsys.readouterr().out
    assert path.read_text(encoding="utf-8") == text
    assert cli.main(run[:3]) == 0
    assert capsys.readouterr().out in text


@pytest.mark.parametrize(
    "page", ["", schedule.BEGIN, schedule.END + schedule.BEGIN, (schedule.BEGIN + schedule.END) * 2]
)
def test_a_page_without_both_marks_once_is_left_alone(settings, tmp_path, page):
    path = tmp_path / "page.md"
    path.write_text(page, encoding="utf-8")
    with pytest.raises(CourseError, match="two lines"):
        schedule.refresh(settings, path)
    assert path.read_text(encoding="utf-8") == page
