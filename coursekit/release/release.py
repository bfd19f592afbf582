"""What students get, made from the instructor's notebooks: the same bytes every time."""

import copy
import filecmp
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.converters import GenerateAssignment
from nbgrader.preprocessors import SaveCells

from coursekit import notebooks
from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.files import replace_folder, walk_files
from coursekit.grading.gradebook import register
from coursekit.release.markers import Marks, complaints

# What editors and runs leave behind in metadata; it would change the bytes and says nothing to a student.
_NOTEBOOK_NOISE = ("widgets", "celltoolbar", "signature", "papermill", "varInspector", "vscode", "orig_nbformat")
_CELL_NOISE = ("execution", "ExecuteTime", "papermill", "vscode", "scrolled", "collapsed", "outputId")


def read_source(path: Path) -> NotebookNode:
    """An instructor's notebook; raises CourseError when it cannot be read."""
    try:
        return nbformat.read(path, as_version=4)
    except (OSError, ValueError, nbformat.ValidationError, AttributeError) as error:
        raise CourseError(
            f"{path} could not be read as a notebook ({error}). Open and save it in JupyterLab."
        ) from error


def _steps(course: Course) -> tuple[list[type], list[type]]:
    """nbgrader's own steps, before and after the gradebook learns about the cells."""
    steps: Sequence[type] = GenerateAssignment(coursedir=course.directory, config=course.config).preprocessors
    places = [index for index, step in enumerate(steps) if issubclass(step, SaveCells)]
    middle = places[0] if places else len(steps)
    return list(steps[:middle]), [step for step in steps[middle:] if not issubclass(step, SaveCells)]


def _apply(
    course: Course, steps: Sequence[type], nb: NotebookNode, resources: dict[str, Any], path: Path
) -> NotebookNode:
    for step in steps:
        try:
            # header and footer notebooks are named relative to the course folder
            with utils.chdir(course.directory.root):
                nb, resources = step(config=course.config, log=course.log)(nb, resources)
        except CourseError:
            raise
        except Exception as error:  # nbgrader raises RuntimeError, ValidationError, KeyError and others here
            raise CourseError(f"{path}: nbgrader's {step.__name__} says: {error}. Mend the source notebook.") from error
    return nb


def _clean(nb: NotebookNode) -> None:
    for key in _NOTEBOOK_NOISE:
        nb.metadata.pop(key, None)
    if "language_info" in nb.metadata:
        nb.metadata["language_info"] = {"name": nb.metadata["language_info"].get("name", "python")}
    for index, cell in enumerate(nb.cells):
        for key in _CELL_NOISE:
            cell.metadata.pop(key, None)
        if nb.nbformat_minor < 5 or "id" not in cell:
            cell["id"] = f"cell-{index:03d}"  # nbformat would draw a random one
    nb.nbformat_minor = max(nb.nbformat_minor, 5)


def make_tests(course: Course, assignment: str, path: Path) -> NotebookNode:
    """The notebook that is graded: with the hidden tests, without the solutions; raises CourseError on bad marks."""
    nb = read_source(path)
    found = complaints(nb, Marks.of(course.config))
    if found:
        listing = "".join(f"\n  - {text}" for text in found)
        raise CourseError(f"{path} cannot be released, because a solution or a hidden test could leak:{listing}")
    _clean(nb)
    return _apply(course, _steps(course)[0], nb, course.resources(assignment, path.stem), path)


def make_release(course: Course, assignment: str, path: Path) -> NotebookNode:
    """The notebook that students get: neither solutions nor hidden tests, outputs cleared."""
    nb = copy.deepcopy(make_tests(course, assignment, path))
    nb = _apply(course, _steps(course)[1], nb, course.resources(assignment, path.stem), path)
    _clean(nb)
    return nb


def source_notebooks(course: Course, assignment: str) -> list[Path]:
    """The instructor's notebooks of an assignment; raises CourseError when there is none."""
    paths = sorted(course.source(assignment).glob("*.ipynb"))
    if not paths:
        raise CourseError(f"There is no notebook in {course.source(assignment)}. Write the assignment there first.")
    return paths


def graded_notebooks(course: Course, assignment: str) -> dict[str, NotebookNode]:
    """The notebooks that are graded, with hidden tests and without solutions, by name."""
    return {path.stem: make_tests(course, assignment, path) for path in source_notebooks(course, assignment)}


def other_files(course: Course, assignment: str) -> Iterator[Path]:
    """Files that students get beside the notebooks, such as data."""
    yield from walk_files(course.source(assignment), (*course.ignore, "*.ipynb"))


def write_release(course: Course, assignment: str, folder: Path) -> None:
    """Write what students get of one assignment into a folder."""
    source = course.source(assignment)
    for path in source_notebooks(course, assignment):
        target = folder / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(notebooks.dumps(make_release(course, assignment, path)))
    for path in other_files(course, assignment):
        target = folder / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def release(course: Course, assignment: str) -> Path:
    """Make assignments/<name> anew from solutions/<name> and tell the gradebook; returns the folder."""
    target = course.release(assignment)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{assignment[:40]}.") as scratch:
        built = Path(scratch) / assignment
        write_release(course, assignment, built)
        register(course, assignment, graded_notebooks(course, assignment))
        replace_folder(built, target)
    return target


def release_differences(course: Course, assignment: str) -> list[str]:
    """How assignments/<name> differs from what the sources generate now, as sentences; empty when it does not."""
    target = course.release(assignment)
    if not target.is_dir():
        return [f"{target} is not there; run `course release {assignment}`."]
    with tempfile.TemporaryDirectory(prefix="release-") as scratch:
        built = Path(scratch) / assignment
        write_release(course, assignment, built)
        wanted = {path.relative_to(built) for path in walk_files(built)}
        found = {path.relative_to(target) for path in walk_files(target, (".ipynb_checkpoints", "__pycache__"))}
        missing = [f"{path} is missing." for path in sorted(wanted - found)]
        extra = [f"{path} is not generated from the sources." for path in sorted(found - wanted)]
        other = [
            f"{path} is not what the sources generate."
            for path in sorted(wanted & found)
            if not filecmp.cmp(built / path, target / path, shallow=False)
        ]
    return missing + extra + other


def release_bytes(course: Course, assignment: str) -> dict[str, bytes]:
    """The released notebooks as bytes, by notebook name; raises CourseError when there is no release yet."""
    folder = course.release(assignment)
    found = {path.stem: path.read_bytes() for path in sorted(folder.glob("*.ipynb"))} if folder.is_dir() else {}
    if not found:
        raise CourseError(f"{assignment} has not been released: run `course release {assignment}` first.")
    for name, data in found.items():
        try:
            json.loads(data)
        except ValueError as error:
            raise CourseError(f"{folder / name}.ipynb is broken; run `course release {assignment}` again.") from error
    return found
