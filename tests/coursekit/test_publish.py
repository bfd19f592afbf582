"""What students receive: everything they need, nothing they must not see, whole or not at all."""

import json
import tomllib
from pathlib import Path

import pytest
from tiny_course import DOUBLE, NB, PS, TEST_DOUBLE, write_course

from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.release.publish import publish, student_environment
from coursekit.release.release import release
from coursekit.release.secrets import leaks

PUBLISH = """
c.Coursekit.publish = {
    "lectures": "lectures", "assignments": "assignments", "lib": "lib", "pyproject.toml": "pyproject.toml",
    "environment.yml": "environment.yml", "docs/student.md": "README.md",
}
c.Coursekit.published_packages = ["lib*"]
"""

PYPROJECT = """
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"
[project]
name = "numbers"
version = "1"
description = 'A "course"'
dependencies = ["numpy>=1"]
scripts = {course = "coursekit.cli:main"}
[project.optional-dependencies]
teach = ["nbgrader"]
[tool.setuptools.packages.find]
include = ["lib*", "coursekit*"]
[tool.ruff]
line-length = 120
"""


@pytest.fixture
def shop(tmp_path, empty_gradebook) -> Course:
    """The tiny course with something to publish."""
    root = write_course(tmp_path / "course")
    (root / "gradebook.db").write_bytes(empty_gradebook.read_bytes())
    with (root / "nbgrader_config.py").open("a") as file:
        file.write(PUBLISH)
    for name, text in {
        "lectures/01.ipynb": json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}),
        "lectures/.ipynb_checkpoints/01.ipynb": "old",
        "lib/__init__.py": "twice_the_value_of_x = None  # a library may share a line with a solution\n",
        "lib/__pycache__/x.pyc": "compiled",
        "pyproject.toml": PYPROJECT,
        "environment.yml": 'dependencies:\n  - pip:\n      - -e ".[teach, test]"\n',
        "docs/student.md": "# Welcome\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    course = Course(root)
    release(course, PS)
    return course


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_students_receive_what_is_configured_and_nothing_else(shop, tmp_path):
    target = tmp_path / "for" / "students"
    publish(shop, target)
    assert set(tree(target)) == {
        ".published.json",
        "README.md",
        f"assignments/{PS}/{NB}.ipynb",
        f"assignments/{PS}/checks.json",
        "environment.yml",
        "lectures/01.ipynb",
        "lib/__init__.py",
        "pyproject.toml",
    }
    data = tomllib.loads((target / "pyproject.toml").read_text())
    assert data == {
        "build-system": tomllib.loads(PYPROJECT)["build-system"],
        "project": {"name": "numbers", "version": "1", "description": 'A "course"', "dependencies": ["numpy>=1"]},
        "tool": {"setuptools": {"packages": {"find": {"include": ["lib*"]}}}},
    }
    assert '-e "."' in (target / "environment.yml").read_text()
    assert (target / "README.md").read_text() == "# Welcome\n"


def test_extras_are_dropped_and_other_brackets_are_not():
    assert student_environment("- -e .[teach,test]\n- torch[cpu]==2.8\n") == "- -e .\n- torch[cpu]==2.8\n"


def test_publishing_again_replaces_the_folder_and_keeps_its_history(shop, tmp_path):
    target = tmp_path / "students"
    publish(shop, target)
    first = tree(target)
    (target / ".git").mkdir()
    (target / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (shop.root / "docs" / "student.md").write_text("# Welcome again\n")
    (shop.root / "lectures" / "01.ipynb").rename(shop.root / "lectures" / "02.ipynb")
    publish(shop, target)
    second = tree(target)
    assert second.pop(".git/HEAD") == b"ref: refs/heads/main\n"
    assert set(first) - set(second) == {"lectures/01.ipynb"}
    assert second["README.md"] == b"# Welcome again\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["course", "students"]


def test_a_folder_with_anything_else_in_it_is_left_alone(shop, tmp_path):
    target = tmp_path / "mine"
    target.mkdir()
    (target / "thesis.tex").write_text("years of work")
    with pytest.raises(CourseError, match=r"thesis\.tex"):
        publish(shop, target)
    assert tree(target) == {"thesis.tex": b"years of work"}
    other = tmp_path / "students"
    publish(shop, other)
    (other / "README.md").write_text("edited by a teacher")
    with pytest.raises(CourseError, match=r"README\.md"):
        publish(shop, other)
    with pytest.raises(CourseError, match="holds the course itself"):
        publish(shop, tmp_path)


SOLUTION = "\n".join(DOUBLE.split("\n")[3:5])


@pytest.mark.parametrize(
    ("name", "text", "origin"),
    [
        (f"assignments/{PS}/extra.py", SOLUTION, "double: answer"),
        (f"assignments/{PS}/extra.py", TEST_DOUBLE.split("\n")[3], "hidden tests"),
        (f"assignments/{PS}/extra.txt", "Because addition is commutative, of course.", "essay: answer"),
        (f"assignments/{PS}/x.ipynb", json.dumps({"cells": [{"source": SOLUTION.split("\n")}]}), "double: answer"),
        (f"assignments/{PS}/extra.md", "Full marks for commutativity being named.", "rubric.md"),
        ("lib/misconceptions.py", "", "a file of the instructor"),
    ],
)
def test_a_planted_leak_is_found_in_the_students_folder(shop, tmp_path, name, text, origin):
    target = tmp_path / "students"
    publish(shop, target)
    assert leaks(shop, target) == []
    (target / name).write_text(text)
    assert any(name in line and origin in line for line in leaks(shop, target))


def test_a_leak_or_a_stale_release_publishes_nothing(shop, tmp_path):
    target = tmp_path / "students"
    (shop.release(PS) / "extra.py").write_text(SOLUTION)
    with pytest.raises(CourseError, match="course release"):
        publish(shop, target)
    release(shop, PS)
    source = "\n".join(["x = 1"] + [f"line_number_{i} = 'of a long solution {i}'" for i in range(3)])
    (shop.source(PS) / "alternatives.py").write_text(source)
    (shop.root / "lib" / "answers.py").write_text(f"import math\n{source}\n")
    with pytest.raises(CourseError, match=r"alternatives\.py"):
        publish(shop, target)
    (shop.root / "lib" / "answers.py").unlink()
    (shop.root / "docs" / "student.md").unlink()
    with pytest.raises(CourseError, match=r"docs/student\.md"):
        publish(shop, target)
    assert not target.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["course"]
