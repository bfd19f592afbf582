"""The harmless rows of the table of faults: what each submission is, made from the released notebook.

Only nbgrader's own format is used here, nothing of coursekit: this file runs in the cage. What takes a machine down
(fork bombs, memory and disk eaters, endless output) is not among them, and neither is what needs a network.
"""

import json
import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grading_fault_answers as code

Notebook = dict[str, Any]  # a notebook as JSON
ENDLESS_SECONDS = 5  # the time for a cell that stock nbgrader is given here, to save time

JULIA = {"name": "julia", "display_name": "Julia", "language": "julia"}
POINTS = {"test_double": 2, "test_square": 3}


@dataclass(frozen=True)
class Fault:
    """One row: its number, what the submission does, how it is made, and what is looked at besides the points.

    `make` takes the released notebook and the student's folder, in which it may leave more than what it returns.
    """

    row: int
    what: str
    make: Callable[[Notebook, Path], Notebook | bytes | None]
    look: Callable[[Path], str] = lambda root: ""


def cell(nb: Notebook, grade_id: str) -> dict[str, Any]:
    """The cell of this name."""
    return next(one for one in nb["cells"] if one["metadata"].get("nbgrader", {}).get("grade_id") == grade_id)


def _meta(nb: Notebook, grade_id: str) -> dict[str, Any]:
    return cell(nb, grade_id)["metadata"]["nbgrader"]


def answers(double: str = code.DOUBLE, square: str = code.SQUARE) -> Callable[[Notebook, Path], Notebook]:
    """A submission that differs from a right one in its answers."""

    def make(nb: Notebook, folder: Path) -> Notebook:
        cell(nb, "double")["source"], cell(nb, "square")["source"] = double, square
        return nb

    return make


def changed(change: Callable[[Notebook], Any]) -> Callable[[Notebook, Path], Notebook]:
    """A right submission whose notebook was then changed."""

    def make(nb: Notebook, folder: Path) -> Notebook:
        change(answers()(nb, folder))
        return nb

    return make


def _twice(nb: Notebook) -> None:
    twin = {**cell(nb, "test_double"), "id": "twin"}
    nb["cells"].insert(nb["cells"].index(cell(nb, "test_double")), twin)


def _link(nb: Notebook, folder: Path) -> None:
    os.symlink(folder.parents[2] / "source" / "ps" / "nb.ipynb", folder / "nb.ipynb")


def _nbformat_3(nb: Notebook, folder: Path) -> bytes:
    import nbformat

    text = json.dumps(answers()(nb, folder))
    return nbformat.writes(nbformat.convert(nbformat.reads(text, as_version=4), 3), version=3).encode()


def _own_module(nb: Notebook, folder: Path) -> Notebook:
    (folder / "numpy.py").write_text(
        "float64 = float\nclass testing:\n    assert_allclose = staticmethod(lambda *_: None)\n"
    )
    return answers(square="def square(x):\n    return x * x if x > 3 else 0")(nb, folder)


def _early(nb: Notebook, folder: Path) -> Notebook:
    (folder / "timestamp.txt").write_text("1999-12-31 23:59 UTC")
    return answers()(nb, folder)


def _to_markdown(nb: Notebook) -> None:
    test = cell(nb, "test_double")
    test.update(cell_type="markdown")
    for name in ("outputs", "execution_count"):
        test.pop(name, None)


def printed(root: Path) -> str:
    """Whether what the submission was after got into the notebook that the student's feedback is made of."""
    path = root / "autograded" / "mallory" / "ps" / "nb.ipynb"
    cells = json.loads(path.read_text())["cells"] if path.is_file() else []
    found = "FOUND" in json.dumps([one.get("outputs", []) for one in cells])
    return "it is printed into the feedback" if found else "nothing is printed"


def precious(root: Path) -> str:
    """Whether the teacher's home is as it was."""
    return "" if Path("~/grades.txt").expanduser().exists() else "a file of the teacher's is gone"


def stamp(root: Path) -> str:
    """When the work counts as handed in."""
    with sqlite3.connect(root / "gradebook.db") as book:
        rows = book.execute("select timestamp from submitted_assignment where timestamp is not null").fetchall()
    return f"counts as handed in on {rows[0][0][:10]}" if rows else "no time stamp"


FAULTS = (
    Fault(1, "strips assert through an IPython input transformer", answers(code.STRIP)),
    Fault(2, "returns an object that equals everything", answers(code.ALWAYS)),
    Fault(3, "patches numpy.testing", answers(square=code.PATCH)),
    Fault(4, "a detached process updates the gradebook", answers(code.BOOST + code.DETACHED)),
    Fault(5, "a detached process holds the database's lock", answers(code.LOCK + code.DETACHED)),
    Fault(6, "reads the hidden tests from the source folder", answers(code.READ), printed),
    Fault(7, "is a symbolic link to the solution", _link),
    Fault(8, "prints the source of the hidden test", answers(code.HISTORY), printed),
    Fault(9, "prints what a hidden test calls it with", answers(code.ARGUMENT), printed),
    Fault(10, "contains a test cell twice", changed(_twice)),
    Fault(11, "has a newer schema version", changed(lambda nb: _meta(nb, "double").update(schema_version=4))),
    Fault(12, "lacks a test cell", changed(lambda nb: nb["cells"].remove(cell(nb, "test_double")))),
    Fault(13, "turned a test cell into markdown", changed(_to_markdown)),
    Fault(14, "edited a locked cell", changed(lambda nb: cell(nb, "test_double").update(source="pass"))),
    Fault(15, "is an empty file", lambda nb, folder: b""),
    Fault(16, "is nbformat 3", _nbformat_3),
    Fault(17, "names another kernel", changed(lambda nb: nb["metadata"].update(kernelspec=JULIA))),
    Fault(18, f"while True (here a cell may take {ENDLESS_SECONDS} s)", answers(square=code.ENDLESS)),
    Fault(20, "os._exit(0)", answers(square=code.ENDS.format("os._exit(0)"))),
    Fault(21, "sys.exit()", answers(square=code.ENDS.format("sys.exit()"))),
    Fault(26, "kills its parent", answers(square=code.ENDS.format("os.kill(os.getppid(), 9)"))),
    Fault(28, "!rm ~/grades.txt", answers(f"!rm ~/grades.txt\n{code.DOUBLE}"), precious),
    Fault(29, "reads a secret from the environment", answers(code.TOKEN), printed),
    Fault(30, "brings its own copy of a library", _own_module),
    Fault(33, "calls input()", answers("def double(x):\n    return input()")),
    Fault(37, "returns NaN as partial credit", answers(square=code.ODD.format("float('nan')"))),
    Fault(37, "returns 1000 times the partial credit", answers(square=code.ODD.format("1000"))),
    Fault(38, "recurses deeply", answers("def double(x):\n    return double(x)")),
    Fault(41, "changes its time stamp to be early", _early, stamp),
    Fault(45, "writes a warning to stderr inside a right answer", answers(code.WARNS)),
)
