"""The command `course`: exit codes, sentences, and that it works without activating anything."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_course import CONFIG, NB, PS

from coursekit import cli
from coursekit.course import Course, find_root
from coursekit.errors import CourseError


def course_command(course: Course, *arguments: str) -> int:
    return cli.main(["--course", str(course.root), *arguments])


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["publish"], ["grade", "--nonsense"], ["refresh"]])
def test_wrong_usage_is_exit_code_2(arguments, capsys):
    assert cli.main(arguments) == 2
    assert "usage" in capsys.readouterr().err


def test_help_names_every_command_and_succeeds(capsys):
    assert cli.main(["--help"]) == 0
    text = capsys.readouterr().out
    for name in ("lab", "release", "publish", "grade", "feedback", "export", "check", "refresh", "demo"):
        assert f"\n    {name} " in text


def test_what_is_not_there_is_exit_code_1_with_a_sentence_about_what_to_do(course, tmp_path, capsys):
    assert cli.main(["--course", str(tmp_path), "release"]) == 1
    assert "nbgrader_config.py" in capsys.readouterr().err
    for arguments, words in (
        (["release", "ps9"], f"Choose one of: {PS}"),
        (["grade"], "Put each student's files into"),
        (["feedback"], "run `course grade`"),
        (["feedback", "ps1"], "run `course grade"),
        (["publish", str(tmp_path / "out")], "c.Coursekit.publish"),
    ):
        assert course_command(course, *arguments) == 1
        assert words in capsys.readouterr().err


def test_an_interrupt_is_exit_code_1_without_a_traceback(course, monkeypatch, capsys):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("coursekit.commands.release.main", stop)
    assert course_command(course, "release") == 1
    assert "run it again to go on" in capsys.readouterr().err


def test_a_broken_config_is_explained(tmp_path):
    (tmp_path / "nbgrader_config.py").write_text("c = get_config(\n")
    with pytest.raises(CourseError, match="SyntaxError"):
        Course(tmp_path)
    (tmp_path / "nbgrader_config.py").write_text("c = get_config()\nc.Coursekit.cell_seconds = 'ten'\n")
    with pytest.raises(CourseError, match="cell_seconds"):
        Course(tmp_path)


def test_the_course_is_found_from_a_folder_within_it(course):
    assert find_root(course.source(PS)) == course.root


def test_an_assignment_is_found_by_its_beginning_unless_several_begin_so(course):
    assert course.find_assignment("ps1") == course.find_assignment(f"solutions/{PS}/") == PS
    (course.source("ps10-more")).mkdir()
    (course.source("ps10-more") / "n.ipynb").write_text("{}")
    assert course.find_assignments([]) == [PS, "ps10-more"]
    with pytest.raises(CourseError, match="several"):
        course.find_assignment("ps1")


def test_the_installed_command_runs_the_loop_without_an_activated_environment(course, class_):
    """Also without a gradebook: nbgrader then starts `alembic`, which is on no PATH here."""
    (course.root / "gradebook.db").unlink()
    class_.hand_in("eva", b"{")
    program = Path(sys.executable).parent / "course"
    environment = {"PATH": "/usr/bin:/bin", "HOME": os.environ.get("HOME", "/"), "PYTHONWARNINGS": "default"}

    def run(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [program, *arguments], cwd=course.source(PS), env=environment, capture_output=True, text=True, check=False
        )
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout

    code, text = run("grade", "ps1")
    assert code == 1
    assert "eva" in text
    assert "JSON is broken" in text
    assert "hand it in again" in text
    code, text = run("feedback")
    assert (code, "1 pages" in text) == (0, True)
    assert (course.feedback(PS, "eva") / f"{NB}.html").is_file()


def test_the_configuration_of_the_tiny_course_is_the_one_of_the_repository_where_it_matters(root, course):
    """Files of the instructor are kept back by both; otherwise the tests here would hold for the tiny course only."""
    assert "misconceptions.py" in CONFIG
    assert set(Course(root).ignore) == set(course.ignore)
