"""What students must never see, line by line, and whether a folder shows any of it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode

from coursekit import notebooks
from coursekit.course import Course
from coursekit.files import walk_files
from coursekit.release import release
from coursekit.release.markers import Marks, region_lines

SHORTEST = 20  # shorter lines, such as `return x`, are found everywhere and say nothing
RUN = 3  # a library may share a formula with a solution; three of its lines in a row are the solution


@dataclass(frozen=True)
class Secret:
    """Lines of one answer, hidden test or instructor's file, in order."""

    origin: str
    lines: tuple[str, ...]


def _telling(lines: Iterator[str] | list[str], public: set[str]) -> tuple[str, ...]:
    stripped = (line.strip() for line in lines)
    return tuple(line for line in stripped if len(line) >= SHORTEST and line not in public)


def _of_cell(cell: NotebookNode, marks: Marks) -> Iterator[tuple[str, list[str]]]:
    answer = list(region_lines(cell.source, marks, "solution"))
    if notebooks.is_answer(cell):
        yield "answer", answer or cell.source.split("\n")
    yield "hidden tests", list(region_lines(cell.source, marks, "hidden"))
    yield "marking scheme", list(region_lines(cell.source, marks, "scheme"))


def secrets_of(course: Course, assignment: str) -> list[Secret]:
    """Everything in an assignment's sources that its release does not show."""
    marks, found = Marks.of(course.config), []
    public: set[str] = set()
    for path in release.source_notebooks(course, assignment):
        released = release.make_release(course, assignment, path)
        public |= {line.strip() for cell in released.cells for line in cell.source.split("\n")}
    for path in release.source_notebooks(course, assignment):
        for index, cell in enumerate(release.read_source(path).cells):
            name = notebooks.grade_id(cell) or f"cell {index + 1}"
            found += [
                Secret(f"{assignment}/{path.name}, {name}: {kind}", _telling(lines, public))
                for kind, lines in _of_cell(cell, marks)
            ]
    source = course.source(assignment)
    released_files = set(release.other_files(course, assignment))
    # the instructor's files name exercises and hints, which the released data may name as well
    for path in released_files:
        public |= {line.strip() for line in path.read_text(encoding="utf-8", errors="replace").split("\n")}
    for path in walk_files(source, ("__pycache__", ".ipynb_checkpoints", "*.pyc", "*.ipynb")):
        if path not in released_files:
            text = path.read_text(encoding="utf-8", errors="replace")
            found.append(Secret(f"{assignment}/{path.name}", _telling(text.split("\n"), public)))
    return [secret for secret in found if secret.lines]


def _lines_of(path: Path) -> list[str]:
    """Lines of a text file; of a notebook those of its sources and outputs."""
    text = path.read_text(encoding="utf-8", errors="replace")
    if path.suffix == ".ipynb":
        try:
            text = "\n".join(_strings(json.loads(text)))
        except ValueError:
            return text.split("\n")
    return [line.strip() for line in text.split("\n")]


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        if all(isinstance(item, str) for item in value):
            yield "".join(value)
            yield from value
        else:
            for item in value:
                yield from _strings(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)


def _shown(secret: Secret, lines: list[str], run: int) -> str | None:
    """The first line of a run of a secret's lines that stands among `lines`, if there is one."""
    needed = min(run, len(secret.lines))
    if needed < run and run > 1:
        return None
    telling = [line for line in lines if len(line) >= SHORTEST]
    present = set(telling)
    if not any(line in present for line in secret.lines):
        return None
    windows = {tuple(secret.lines[start : start + needed]) for start in range(len(secret.lines) - needed + 1)}
    for start in range(len(telling) - needed + 1):
        if tuple(telling[start : start + needed]) in windows:
            return telling[start]
    return None


def leaks(course: Course, folder: Path) -> list[str]:
    """Where a folder for students shows solutions, hidden tests or the instructor's files, as sentences.

    Below the release directory one line is enough; elsewhere, where a library may share a formula, it takes three
    lines in a row.
    """
    found = []
    names = [pattern for pattern in course.ignore if "*" not in pattern and "." in pattern]
    secrets = [secret for assignment in course.assignments() for secret in secrets_of(course, assignment)]
    for path in walk_files(folder):
        shown = path.relative_to(folder)
        if path.name in names:
            found.append(f"{shown} is a file of the instructor.")
        run = 1 if course.directory.release_directory in shown.parts else RUN
        lines = _lines_of(path)
        for secret in secrets:
            if (line := _shown(secret, lines, run)) is not None:
                found.append(f"{shown} shows {secret.origin}: {line!r}")
    return found
