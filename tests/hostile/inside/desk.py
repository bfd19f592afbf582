"""The desk at which one hostile student hands in files, and the list of all who do."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
from hostile_course import NB, answered
from nbformat import NotebookNode

FILE = f"{NB}.ipynb"


class Desk:
    """Where one student hands in: the folder, the release, and the course, which a link may point into."""

    def __init__(self, folder: Path, release: NotebookNode, source: Path) -> None:
        self.folder, self.release, self.source = folder, release, source

    def right(self, **answers: str) -> NotebookNode:
        """The right notebook, but for these answers."""
        return answered(self.release, **answers)

    def put(self, nb: NotebookNode | bytes, name: str = FILE) -> None:
        """Hand in a notebook, or any bytes in its place."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_bytes(nb if isinstance(nb, bytes) else nbformat.writes(nb).encode())


RECEIVED_LATE = ("41a-early-time-stamp", "41b-time-stamp-of-nonsense")
HANDED_IN: dict[str, Callable[[Desk], None]] = {}


def student(name: str) -> Callable[[Callable[[Desk], None]], Callable[[Desk], None]]:
    """Register a function under the student's name."""

    def register(function: Callable[[Desk], None]) -> Callable[[Desk], None]:
        HANDED_IN[name] = function
        return function

    return register


def cell(nb: NotebookNode, name: str) -> NotebookNode:
    """The cell with this grade_id."""
    return next(cell for cell in nb.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == name)


def edited(nb: NotebookNode, edit: Callable[[dict[str, Any]], None]) -> bytes:
    """The notebook as JSON after an edit that nbformat would not allow."""
    data = json.loads(nbformat.writes(nb))
    edit(data)
    return json.dumps(data).encode()
