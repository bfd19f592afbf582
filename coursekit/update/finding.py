"""Where the new release of a student's notebook lies: in the folder that was downloaded anew."""

import json
import os
from pathlib import Path

from nbformat import NotebookNode

from coursekit import notebooks, outline
from coursekit.errors import CourseError
from coursekit.intake.names import plain
from coursekit.settings import CONFIG_NAME, PYPROJECT, Settings, find_settings

GET_IT = "Download the new version of the course into a folder of its own, and name that: --from FOLDER."
SHARE = 0.5  # of the marked cells that a notebook of another name has to have in common with a release


def read_release(path: Path) -> NotebookNode | None:
    """A released notebook, or None when the file is none."""
    try:
        nb = notebooks.loads(path.read_bytes())
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return None
    graded = any(notebooks.is_answer(cell) or notebooks.is_graded(cell) for cell in nb.cells)
    return nb if graded and nb.get("nbformat") == 4 and all("id" in cell for cell in nb.cells) else None


def _course_at(folder: Path) -> Settings | None:
    """The course of which this folder is the top, if it is."""
    if not any((folder / name).is_file() for name in (CONFIG_NAME, PYPROJECT)):
        return None
    try:
        found = find_settings(folder)
    except CourseError:
        return None
    return found if found.root == folder.resolve() else None


def candidates(start: Path) -> list[Path]:
    """Notebooks that a student may have meant: the one named, those of a folder, or those of a course's assignments."""
    if start.is_file():
        return [start]
    if not start.is_dir():
        raise CourseError(f"{start} is not there. {GET_IT}")
    if settings := _course_at(start):
        return outline.assignments(settings.root, settings.assignments)
    inside = sorted(path for path in start.glob("*.ipynb") if not path.name.startswith("."))
    return inside or outline.assignments(start, ".") or outline.assignments(start, "assignments")


def marked(data: bytes) -> set[str]:
    """Names of the cells of a student's notebook that carry nbgrader's mark; empty for what is no notebook."""
    try:
        cells = json.loads(data.decode("utf-8-sig"))["cells"]
        marks = [cell.get("metadata", {}).get("nbgrader", {}) for cell in cells]
        return {str(mark["grade_id"]) for mark in marks if mark.get("grade_id")}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return set()


def _likely(path: Path, data: bytes, found: dict[Path, NotebookNode]) -> list[Path]:
    """The releases that the notebook can be of: those of its name, else those with most of its marked cells."""
    named = [other for other in found if plain(other.name) == plain(path.name)]
    same_folder = [other for other in named if other.parent.name == path.resolve().parent.name]
    if named:
        return same_folder or named
    names = marked(data)
    shared = {other: len(names & notebooks.by_id(nb).keys()) for other, nb in found.items()}
    most = max(shared.values(), default=0)
    return [other for other in shared if most and shared[other] == most >= SHARE * len(names)]


def find_release(path: Path, data: bytes, start: Path) -> tuple[Path, NotebookNode]:
    """The new release of a student's notebook, looked for from `start`; raises CourseError when it is not clear."""
    paths = [other for other in candidates(start) if not os.path.samefile(other, path)]
    found = {other: nb for other in paths if (nb := read_release(other)) is not None}
    if not found:
        raise CourseError(f"In {start} is no other version of {path.name}. {GET_IT}")
    likely = _likely(path, data, found)
    if not likely:
        listed = ", ".join(sorted(other.name for other in found)[:8])
        raise CourseError(
            f"{path} is no assignment of this course, or of another one than those in {start}: {listed}. "
            "Name a notebook in which you write your answers."
        )
    if len(likely) > 1:
        listed = " and ".join(str(other) for other in likely[:3])
        raise CourseError(f"{path} could be {listed}. Name the right one: --from NOTEBOOK.")
    return likely[0], found[likely[0]]
