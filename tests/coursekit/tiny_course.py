"""A tiny nbgrader course without torch, and the hands of its students."""

import copy
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from coursekit.course import Course

PS = "ps1-numbers"
NB = "numbers"

CONFIG = """
c = get_config()
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "assignments"
c.CourseDirectory.ignore = [
    ".ipynb_checkpoints", "*.pyc", "__pycache__", "feedback", "misconceptions.py", "alternatives.py", "rubric.md",
]
c.Coursekit.answer_rule = "course_rule:forbidden_uses"
c.Coursekit.due_dates = {"ps1-numbers": "2026-01-31 12:00 UTC"}
c.LateSubmissionPlugin.penalty_method = "zero"
"""

RULE = '''
"""A rule for the tests: names are forbidden as words."""
import ast

def forbidden_uses(source, forbidden):
    names = {node.attr for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute)}
    names |= {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
    return [f"You used {name}, which this exercise forbids." for name in forbidden if name in names]
'''

DOUBLE = """def double(x):
    \"\"\"Twice x.\"\"\"
    ### BEGIN SOLUTION
    twice_the_value_of_x = x + x
    return twice_the_value_of_x
    ### END SOLUTION"""

TEST_DOUBLE = """assert double(1) == 2, "double(1) should be 2; did you square it?"
### BEGIN HIDDEN TESTS
secret_input_of_double = 21
assert double(secret_input_of_double) == 42, "the secret of double"
### END HIDDEN TESTS"""

SQUARE = """def square(x):
    ### BEGIN SOLUTION
    the_square_of_x_itself = x * x
    return the_square_of_x_itself
    ### END SOLUTION"""

TEST_SQUARE = """assert square(3) == 9, "square(3) should be 9"
### BEGIN HIDDEN TESTS
credit_of_squares = sum(square(n) == n * n for n in (5, 6)) / 2
### END HIDDEN TESTS
3 * float(globals().get("credit_of_squares", 1))"""

TOTAL = """### BEGIN SOLUTION
sum_of_all_numbers = sum(range(10))
### END SOLUTION"""

TEST_TOTAL = """import json
assert sum_of_all_numbers == json.load(open("checks.json"))["total"]
### BEGIN HIDDEN TESTS
assert isinstance(sum_of_all_numbers, int), "a secret about whole numbers"
### END HIDDEN TESTS"""

ESSAY = """### BEGIN SOLUTION
Because addition is commutative, of course.
### END SOLUTION"""


def mark(grade_id: str, **options: Any) -> dict[str, Any]:
    """nbgrader's metadata of one cell."""
    data = {"grade": False, "solution": False, "locked": False, "task": False, "schema_version": 3, **options}
    return {"nbgrader": {"grade_id": grade_id, **data}}


def answer(grade_id: str, source: str) -> NotebookNode:
    """An answer cell of the source notebook."""
    return new_code_cell(source, metadata=mark(grade_id, solution=True))


def test(grade_id: str, points: float, source: str) -> NotebookNode:
    """A test cell of the source notebook."""
    return new_code_cell(source, metadata=mark(grade_id, grade=True, locked=True, points=points))


test.__test__ = False  # type: ignore[attr-defined]


def source_notebook() -> NotebookNode:
    """The instructor's notebook: three exercises and a written question, 8 points for tests and 4 by hand."""
    cells = [
        new_markdown_cell("# Numbers", metadata=mark("title", locked=True)),
        new_code_cell("import math"),
        answer("double", DOUBLE),
        test("test_double", 2, TEST_DOUBLE),
        answer("square", SQUARE),
        test("test_square", 3, TEST_SQUARE),
        answer("total", TOTAL),
        test("test_total", 3, TEST_TOTAL),
        new_markdown_cell(ESSAY, metadata=mark("essay", grade=True, solution=True, points=4)),
    ]
    for index, cell in enumerate(cells):
        cell["id"] = f"source-{index}"
    nb = new_notebook(cells=cells)
    nb.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    nb.metadata["coursekit"] = {"cell_seconds": 3, "total_seconds": 30, "forbidden": {"square": ["pow"]}}
    return nb


def write_course(root: Path) -> Path:
    """The folder of the tiny course."""
    folder = root / "solutions" / PS
    folder.mkdir(parents=True)
    nbformat.write(source_notebook(), folder / f"{NB}.ipynb")
    (folder / "checks.json").write_text('{"total": 45}\n')
    (folder / "misconceptions.py").write_text("WRONG_ON_PURPOSE = 'return x * x  # squares instead of doubling'\n")
    (folder / "alternatives.py").write_text("RIGHT_IN_ANOTHER_WAY = 'return 2 * x  # multiplies instead of adding'\n")
    (folder / "rubric.md").write_text("Full marks for commutativity being named.\n")
    (root / "nbgrader_config.py").write_text(CONFIG)
    (root / "course_rule.py").write_text(RULE)
    return root


RIGHT = {
    "double": "def double(x):\n    return 2 * x",
    "square": "def square(x):\n    return x ** 2",
    "total": "sum_of_all_numbers = 45",
    "essay": "Addition commutes.",
}


def answered(release: NotebookNode, **answers: str) -> NotebookNode:
    """A release with answers filled in, as a student would."""
    nb = copy.deepcopy(release)
    for cell in nb.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if name in answers:
            cell.source = answers[name]
    return nb


class Class:
    """Students of a course that hand in."""

    def __init__(self, course: Course) -> None:
        self.course = course
        self.release = nbformat.read(course.release(PS) / f"{NB}.ipynb", as_version=4)

    def folder(self, student: str) -> Path:
        """Where a student's files go."""
        folder = self.course.submitted(PS, student)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def hand_in(self, student: str, nb: NotebookNode | bytes, stamp: str | None = None) -> Path:
        """Hand in a notebook, or any bytes in its place."""
        path = self.folder(student) / f"{NB}.ipynb"
        path.write_bytes(nb if isinstance(nb, bytes) else nbformat.writes(nb).encode())
        if stamp is not None:
            (path.parent / "timestamp.txt").write_text(stamp)
        return path

    def answers(self, **answers: str) -> NotebookNode:
        """The right answers, but for those that are given."""
        return answered(self.release, **{**RIGHT, **answers})


def cells_of(record: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The verdicts of a submission by grade_id."""
    return {cell["grade_id"]: cell for cell in record["notebooks"][NB]["cells"]}
