"""What a grade depends on besides the submission and its tests: Python, installed packages, sources, options."""

import functools
import hashlib
import platform
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from coursekit.errors import CourseError
from coursekit.files import digest, walk_files

if TYPE_CHECKING:  # a worker on another computer imports this module, and has neither course nor gradebook
    from coursekit.course import Course

NOISE = ("__pycache__", "*.pyc", ".*", "*.egg-info")


def installed() -> list[str]:
    """Every installed package with its version."""
    # the name of the folder says both, and a hundred times as fast as the files in it do
    names = set()
    for entry in sys.path:
        folder = Path(entry or ".")
        if folder.is_dir():
            names |= {path.name.removesuffix(".dist-info") for path in folder.glob("*.dist-info")}
    return sorted(names) or sorted(f"{found.name}-{found.version}" for found in metadata.distributions())


def _hash_file(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def sources(tops: Iterable[Path]) -> str:
    """Hash of every file in or below these paths, with its place there."""
    parts: list[bytes] = []
    for top in sorted(tops):
        for path in [top] if top.is_file() else walk_files(top, NOISE):
            parts += [path.relative_to(top.parent).as_posix().encode("utf-8", "surrogateescape"), _hash_file(path)]
    return digest(*parts)


def sandbox_paths(course: "Course") -> list[Path]:
    """c.Coursekit.sandbox_paths as they lie on this disk; raises CourseError where one shows too much."""
    directory = course.directory
    folders = (directory.source_directory, directory.submitted_directory, directory.autograded_directory)
    secret = [course.root, *(Path(directory.root, folder) for folder in (*folders, directory.feedback_directory))]
    found = []
    for name in course.options.sandbox_paths:
        path = (course.root / name).resolve()
        if not path.exists():
            raise CourseError(f"c.Coursekit.sandbox_paths names '{name}', and there is no {path}.")
        if any(folder.resolve().is_relative_to(path) for folder in secret) or any(
            path.is_relative_to(folder.resolve()) for folder in secret[1:]
        ):
            raise CourseError(
                f"c.Coursekit.sandbox_paths names '{name}', where solutions, submissions or grades lie. "
                "Name only what notebooks import from the course folder, such as 'genlib'."
            )
        found.append(path)
    return found


def sandbox_data(course: "Course") -> list[Path]:
    """c.Coursekit.sandbox_data as they lie on this disk; raises CourseError for what is no folder."""
    found = [(course.root / Path(name).expanduser()).resolve() for name in course.options.sandbox_data]
    for folder in found:
        if not folder.is_dir():
            raise CourseError(f"c.Coursekit.sandbox_data names {folder}, which is no folder on this computer.")
    return found


def python() -> str:
    """The Python of this process, with the kind of computer."""
    return f"{platform.python_implementation()} {platform.python_version()} {platform.machine()}"


@functools.cache
def own_sources() -> str:
    """Hash of coursekit itself, as it was when this process began to use it."""
    return sources([Path(__file__).parents[1]])


def rule_file(course: "Course") -> Iterator[Path]:
    """The file of c.Coursekit.answer_rule, where it lies in the course folder."""
    module = course.options.answer_rule.partition(":")[0]
    for name in (f"{module.replace('.', '/')}.py", f"{module.replace('.', '/')}/__init__.py"):
        if module and (course.root / name).is_file():
            yield course.root / name


def describe(course: "Course", *, sandbox: str) -> dict[str, str]:
    """What there is, part by part, each as a short text that differs when something in it does.

    `sandbox` is the kind of isolation. Raises CourseError when c.Coursekit.sandbox_paths are not as they should be.
    """
    options = course.options
    return {
        "Python": python(),
        "packages": digest(*(name.encode() for name in installed())),
        "the course's modules": sources({*sandbox_paths(course), *rule_file(course)}),
        "coursekit": own_sources(),
        "preload": " ".join(sorted(options.preload)),
        "sandbox": sandbox,
    }
