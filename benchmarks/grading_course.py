"""The classes that are graded: problem set 4, a short notebook, a cheap one; each in a throw-away course of its own.

Every notebook carries two cells more than a student's: the first asks IPython to add up the time that cells take, the
last prints that time and the private memory of its kernel. So time in cells is measured where it is spent, in the same
way for every grader, and what remains of a submission's time is the grader's.
"""

import contextlib
import json
import re
import shutil
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from _common import ROOT
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from coursekit import notebooks
from coursekit.course import Course
from coursekit.demo import demo
from coursekit.demo.example_class import ExampleClass
from coursekit.grading.records import GRADED
from coursekit.release import release

PS4 = "ps4-variational-autoencoders"
SHORT, STILL, CHEAP = "ps-short", "ps-still", "ps-cheap"  # still: short, then two seconds in which nothing happens

CLOCK = """import json, time
_clock = {"seconds": 0.0, "begun": time.perf_counter()}
get_ipython().events.register("pre_run_cell", lambda info: _clock.update(begun=time.perf_counter()))
get_ipython().events.register(
    "post_run_cell", lambda result: _clock.update(seconds=_clock["seconds"] + time.perf_counter() - _clock["begun"])
)"""
READING = """_rollup = open("/proc/self/smaps_rollup").read().split("\\n")
_private = sum(int(line.split()[1]) for line in _rollup if line.startswith("Private"))
print("MEASURED", json.dumps({"seconds": _clock["seconds"], "private_kib": _private}))"""

CONFIG = """c = get_config()
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "assignments"
c.Coursekit.preload = {preload}
"""

ANSWER = {
    SHORT: 'def halve(x):\n    """Half of every entry of a tensor."""\n{body}',
    STILL: "import time\ntime.sleep(2)\ndef halve(x):\n{body}",
    CHEAP: 'def halve(x):\n    """Half of a number."""\n{body}',
}
SOLUTION = "    ### BEGIN SOLUTION\n    return x / 2\n    ### END SOLUTION"
TEST = {
    SHORT: """assert torch.equal(halve(torch.ones(3)), torch.tensor([0.5, 0.5, 0.5])), "half of 1 is 0.5"
### BEGIN HIDDEN TESTS
x = torch.randn(5)
assert torch.equal(halve(x), 0.5 * x)
### END HIDDEN TESTS""",
    CHEAP: """assert halve(1) == 0.5, "half of 1 is 0.5"
### BEGIN HIDDEN TESTS
assert all(halve(n) == 0.5 * n for n in range(5))
### END HIDDEN TESTS""",
}
TEST[STILL] = TEST[SHORT]
IMPORTS = {SHORT: "import matplotlib.pyplot as plt\nimport torch\nimport torchvision", CHEAP: "import math"}
IMPORTS[STILL] = IMPORTS[SHORT]
PRELOAD = {SHORT: ["matplotlib.pyplot", "torch", "torchvision"], CHEAP: ["math"]}
PRELOAD[STILL] = PRELOAD[SHORT]


@dataclass(frozen=True)
class Class:
    """A course in which some students have handed in one assignment."""

    root: Path
    assignment: str
    students: tuple[str, ...]


def short_notebook(name: str) -> NotebookNode:
    """The source notebook of the short assignment or of the cheap one: imports, one answer, one test."""

    def mark(grade_id: str, **options: Any) -> dict[str, Any]:
        plain = {"grade": False, "solution": False, "locked": False, "task": False, "schema_version": 3}
        return {"nbgrader": {**plain, "grade_id": grade_id, **options}}

    cells = [
        new_markdown_cell("# Halves", metadata=mark("title", locked=True)),
        new_code_cell(IMPORTS[name]),
        new_code_cell(ANSWER[name].format(body=SOLUTION), metadata=mark("halve", solution=True)),
        new_code_cell(TEST[name], metadata=mark("test_halve", grade=True, locked=True, points=2)),
    ]
    nb = new_notebook(cells=cells)
    nb.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return nb


def with_clock(nb: NotebookNode) -> NotebookNode:
    """The notebook with the two cells that measure."""
    nb.cells.insert(0, new_code_cell(CLOCK))
    nb.cells.append(new_code_cell(READING))
    for index, cell in enumerate(nb.cells):
        cell["id"] = f"cell-{index:03d}"
    return nb


def measured(course: Course, assignment: str, student: str) -> dict[str, float]:
    """What the last cells of a graded submission printed: `seconds` in cells, `private_kib` of the kernel."""
    found: dict[str, float] = {"seconds": 0.0, "private_kib": 0.0}
    for path in course.autograded(assignment, student).glob("*.ipynb"):
        match = re.search(r"MEASURED (\{.*?\})", path.read_text(encoding="utf-8").replace('\\"', '"'))
        if match is None:
            raise SystemExit(f"{path} does not say how long its cells took: it was not run to its end")
        one = json.loads(match[1])
        found = {
            "seconds": found["seconds"] + one["seconds"],
            "private_kib": max(found["private_kib"], one["private_kib"]),
        }
    return found


def mean_seconds_in_cells(class_: Class, n: int | None = None) -> float:
    """Seconds that a submission spends in its cells: the mean over the first n students who were graded."""
    course = Course(class_.root)
    return statistics.mean(measured(course, class_.assignment, student)["seconds"] for student in class_.students[:n])


def median_private_mb(class_: Class, n: int | None = None) -> float:
    """Private memory of a kernel at its end, in MB (10^6 bytes): the median over the first n students."""
    course = Course(class_.root)
    kib = [measured(course, class_.assignment, student)["private_kib"] for student in class_.students[:n]]
    return statistics.median(kib) * 1024 / 1e6


def _names(n: int) -> tuple[str, ...]:
    return tuple(f"student-{index:04d}" for index in range(n))


def _hand_in(course: Course, assignment: str, student: str, nbs: dict[str, NotebookNode]) -> None:
    """Each student's answers end with a comment of their own, so that no two submissions are the same bytes."""
    folder = course.submitted(assignment, student)
    folder.mkdir(parents=True)
    for name, nb in nbs.items():
        answers = [cell for cell in nb.cells if notebooks.is_answer(cell) and cell.cell_type == "code"]
        before = answers[0].source
        answers[0].source = f"{before}\n# {student}"
        (folder / f"{name}.ipynb").write_bytes(notebooks.dumps(nb))
        answers[0].source = before


def _short_class(root: Path, name: str, n: int) -> Class:
    source = root / "solutions" / name
    source.mkdir(parents=True)
    (root / "nbgrader_config.py").write_text(CONFIG.format(preload=PRELOAD[name]), encoding="utf-8")
    nbformat.write(with_clock(short_notebook(name)), source / "halves.ipynb")
    course = Course(root)
    release.release(course, name)
    nb = nbformat.read(course.release(name) / "halves.ipynb", as_version=4)
    notebooks.by_id(nb)["halve"].source = ANSWER[name].format(body="    return x / 2")
    for student in _names(n):
        _hand_in(course, name, student, {"halves": nb})
    return Class(root, name, _names(n))


def _ps4_class(root: Path, n: int) -> Class:
    """The examples of `course demo` that end by themselves, as often as it takes to make n submissions."""
    with (demo.make_course(root, Course(ROOT), [PS4]).root / "nbgrader_config.py").open("a", encoding="utf-8") as file:
        file.write("c.Coursekit.time_factor = 4.0\n")  # two at a time on a busy machine are to be slow, not stopped
    course = Course(root)
    for path in release.source_notebooks(course, PS4):
        nbformat.write(with_clock(release.read_source(path)), path)
    release.release(course, PS4)
    examples = [example for example in ExampleClass(course, PS4).examples() if example.expected.state == GRADED]
    kinds = [{Path(name).stem: notebooks.loads(data) for name, data in example.files.items()} for example in examples]
    for index, student in enumerate(_names(n)):
        _hand_in(course, PS4, student, kinds[index % len(kinds)])
    return Class(root, PS4, _names(n))


@contextlib.contextmanager
def a_class(assignment: str, n: int) -> Iterator[Class]:
    """A throw-away course in which n students have handed in the assignment; removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="grading-benchmark-") as folder:
        root = Path(folder) / "course"
        yield _ps4_class(root, n) if assignment == PS4 else _short_class(root, assignment, n)


@contextlib.contextmanager
def a_copy(class_: Class, n: int) -> Iterator[Class]:
    """The same class before anybody was graded, with its first n students only; removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="grading-benchmark-") as folder:
        root = Path(folder) / "course"
        shutil.copytree(class_.root, root, ignore=shutil.ignore_patterns("autograded", "submitted"))
        for student in class_.students[:n]:
            shutil.copytree(class_.root / "submitted" / student, root / "submitted" / student)
        yield Class(root, class_.assignment, class_.students[:n])
