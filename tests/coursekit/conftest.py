"""Fixtures of the tests of coursekit: the tiny course of tiny_course.py, fresh or with a class of students."""

import shutil
import sys
from pathlib import Path

import pytest

# pytest imports test files without touching sys.path, and these tests share tiny_course.py
sys.path.insert(0, str(Path(__file__).parent))

from tiny_course import PS, Class, write_course

from coursekit.course import Course
from coursekit.release.release import release


@pytest.fixture(scope="session")
def empty_gradebook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gradebook with nothing in it; making one costs nbgrader seconds, copying it nothing."""
    course = Course(write_course(tmp_path_factory.mktemp("gradebook") / "course"))
    course.gradebook().close()
    return course.root / "gradebook.db"


@pytest.fixture
def course(tmp_path: Path, empty_gradebook: Path) -> Course:
    """A fresh course, nothing released yet."""
    root = write_course(tmp_path / "course")
    shutil.copyfile(empty_gradebook, root / "gradebook.db")
    return Course(root)


@pytest.fixture
def class_(course: Course) -> Class:
    """The students of a fresh course, after the release."""
    release(course, PS)
    return Class(course)
