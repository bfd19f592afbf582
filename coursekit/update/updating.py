"""`course update`: the new release merged into a student's files, each replaced whole, the old one kept beside it."""

import filecmp
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from coursekit import notebooks
from coursekit.errors import CourseError
from coursekit.files import walk_files, write_atomic
from coursekit.update.finding import find_release
from coursekit.update.merging import Unreadable, merge

_NOT_OURS = (".*", "__pycache__", "*.pyc", "*.ipynb", "*.backup-*", "timestamp.txt")


@dataclass
class Updated:
    """What was done with one notebook: the copy of the old file, where there is one, and sentences."""

    path: Path
    release: Path
    backup: Path | None = None
    told: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Whether anything was written."""
        return self.backup is not None or bool(self.files)


def back_up(path: Path) -> Path:
    """Copy a file beside itself under a name that nothing has yet, such as psi.ipynb.backup-1."""
    data = path.read_bytes()
    for number in itertools.count(1):
        copy = path.with_name(f"{path.name}.backup-{number}")
        try:
            with copy.open("xb") as file:
                file.write(data)
        except FileExistsError:
            continue
        return copy
    raise AssertionError("there is always a next number")


def _is_same(data: bytes, merged: NotebookNode) -> bool:
    """Whether a file holds this very notebook, however it is laid out."""
    try:
        return bool(nbformat.from_dict(nbformat.reader.reads(data.decode("utf-8-sig"))) == merged)
    except (ValueError, nbformat.reader.NotJSONError):
        return False


def _other_files(source: Path, target: Path) -> Iterator[str]:
    """Bring what lies beside the new release, such as data of the checks; yields a sentence for each file."""
    if source.resolve() == target.resolve():
        return
    for path in walk_files(source, _NOT_OURS):
        name = path.relative_to(source)
        here = target / name
        if not here.exists():
            write_atomic(here, path.read_bytes())
            yield f"{name} is new."
        elif not filecmp.cmp(path, here, shallow=False):
            kept = back_up(here)
            write_atomic(here, path.read_bytes())
            yield f"{name} was renewed; the old one is {kept.name}."


def update(path: Path, start: Path) -> Updated:
    """Merge the new release, looked for from `start`, into a student's notebook; done twice it changes nothing.

    Raises CourseError, with nothing written, for what is no notebook of an assignment of the course.
    """
    try:
        path = path.resolve(strict=True)
        data = path.read_bytes()
    except OSError as error:
        raise CourseError(f"{path} cannot be read ({error.strerror}). Name a notebook or its folder.") from error
    source, release = find_release(path, data, start)
    try:
        merged, told = merge(data, release)
    except Unreadable as error:
        raise CourseError(f"{path} was left as it is. {error.reason}") from error
    except CourseError as error:
        raise CourseError(f"{path} was left as it is: it {error}") from error
    done = Updated(path, source)
    try:
        nbformat.validate(merged)
        if not _is_same(data, merged):
            done.backup, done.told = back_up(path), told
            write_atomic(path, notebooks.dumps(merged))
        done.files = list(_other_files(source.parent, path.parent))
    except OSError as error:
        raise CourseError(f"{path} could not be written: {error.strerror}. The old file is whole.") from error
    return done


def notebooks_in(path: Path) -> list[Path]:
    """The notebook that is named, or those of the folder; raises CourseError when there is none."""
    if not path.is_dir():
        return [path]
    found = sorted(other for other in path.glob("*.ipynb") if other.is_file() and not other.name.startswith("."))
    if not found:
        raise CourseError(f"There is no notebook in {path}. Name the notebook in which you write, or its folder.")
    return found
