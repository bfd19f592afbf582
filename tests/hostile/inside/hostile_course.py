"""The course that hostile students hand in to: one notebook with torch, four exercises and a written question.

Each exercise is there for a kind of attack: a plain function, one on tensors, one whose value becomes partial credit,
one whose test imports a module of the course.
"""

import copy
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

PS = "ps1-vectors"
NB = "vectors"
LIMITS = {
    "cell_seconds": 3,
    "total_seconds": 10,
    "memory_bytes": 600_000_000,
    "processes": 64,
    "disk_bytes": 50_000_000,
    "forbidden": {"estimate": ["median"]},
}

CONFIG = f"""
c = get_config()
c.CourseDirectory.course_id = "hostile"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "assignments"
c.Coursekit.preload = ["numpy", "torch", "matplotlib.pyplot"]
c.Coursekit.sandbox_paths = ["courselib.py"]
c.Coursekit.answer_rule = "course_rule:forbidden_uses"
c.Coursekit.due_dates = {{{PS!r}: "2026-01-31 12:00 UTC"}}
c.LateSubmissionPlugin.penalty_method = "none"
"""

COURSELIB = '''"""A module of the course that tests import."""

REAL = True


def check_total(value):
    """Raises unless the value is right."""
    assert value == 45, "the sum of 0 to 9 is 45"
'''

RULE = '''"""Names that an answer may not use, as attributes."""
import ast


def forbidden_uses(source, forbidden):
    """A sentence for each name."""
    names = {node.attr for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute)}
    return [f"You used {name}, which this exercise forbids." for name in forbidden if name in names]
'''

# What stands in hidden tests only. No student may read it anywhere.
SECRETS = ("secret_input_8191", "the secret of double", "the secret of norm", "secret_truth_of_estimate")
SECRET_ARGUMENT = "8191"

ANSWERS = {
    "double": "def double(x):\n    ### BEGIN SOLUTION\n    return x + x\n    ### END SOLUTION",
    "norm": "def norm(x):\n    ### BEGIN SOLUTION\n    return x.square().sum().sqrt()\n    ### END SOLUTION",
    "estimate": "def estimate(data):\n    ### BEGIN SOLUTION\n    return sum(data) / len(data)\n    ### END SOLUTION",
    "total": "### BEGIN SOLUTION\ntotal = sum(range(10))\n### END SOLUTION",
}

TESTS = {
    "test_double": (
        2,
        """assert double(1) == 2, "double(1) should be 2; did you square it?"
### BEGIN HIDDEN TESTS
secret_input_8191 = 8191
assert all(double(n) == 2 * n for n in (secret_input_8191, -4)), "the secret of double"
### END HIDDEN TESTS""",
    ),
    "test_norm": (
        3,
        """assert torch.allclose(norm(torch.tensor([3.0, 4.0])), torch.tensor(5.0)), "the length of (3, 4) is 5"
### BEGIN HIDDEN TESTS
x = torch.rand(7) + 1
assert torch.allclose(norm(x), torch.linalg.vector_norm(x)), "the secret of norm"
np.testing.assert_allclose(float(norm(3 * x)), 3 * float(norm(x)), rtol=1e-5)
### END HIDDEN TESTS""",
    ),
    "test_estimate": (
        4,
        """assert not estimate([2.0, 4.0]) < 0, "the mean of positive numbers is not negative"
### BEGIN HIDDEN TESTS
secret_truth_of_estimate = 7.0
credit = 1 - (secret_truth_of_estimate - estimate([6.0, 8.0])) / secret_truth_of_estimate
### END HIDDEN TESTS
4 * float(globals().get("credit", 1))""",
    ),
    "test_total": (3, "import courselib\n\nassert courselib.REAL\ncourselib.check_total(total)"),
}

FULL = {name: float(points) for name, (points, _) in TESTS.items()}

RIGHT = {
    "double": "def double(x):\n    return 2 * x",
    "norm": "def norm(x):\n    return (x * x).sum() ** 0.5",
    "estimate": "def estimate(data):\n    return float(np.mean(data))",
    "total": "total = 45",
    "essay": "A vector has a length.",
}

# Healthy students and what differs from the right answers; the names lie between those of the hostile ones.
HEALTHY: dict[str, dict[str, str]] = {
    "00-anna": {},
    "10-bert": {"double": "def double(x):\n    return x * x"},
    "20-cleo": {"estimate": "def estimate(data):\n    return 3.5"},
    "22-dora": {"norm": "def norm(x):\n    return x.abs().sum()", "total": "total = 45.5"},
    "26-emil": {"total": "import torch\n\ntotal = int(torch.arange(10).sum())"},
    "40-fred": {"essay": "YOUR ANSWER HERE", "estimate": "def estimate(data):\n    return sum(data) / 4"},
    "99-zora": {"double": "def double(x):\n    print('thinking')\n    return x + x"},
}

HEALTHY_SCORES: dict[str, dict[str, float]] = {
    "00-anna": FULL,
    "10-bert": {**FULL, "test_double": 0.0},
    "20-cleo": {**FULL, "test_estimate": 2.0},
    "22-dora": {**FULL, "test_norm": 0.0, "test_total": 0.0},
    "26-emil": FULL,
    "40-fred": {**FULL, "test_estimate": 2.0},
    "99-zora": FULL,
}


def _mark(grade_id: str, **options: Any) -> dict[str, Any]:
    data = {"grade": False, "solution": False, "locked": False, "task": False, "schema_version": 3, **options}
    return {"nbgrader": {"grade_id": grade_id, **data}}


def source_notebook() -> NotebookNode:
    """The instructor's notebook, 12 points for tests and 4 by hand."""
    cells = [
        new_markdown_cell("# Vectors", metadata=_mark("title", locked=True)),
        new_code_cell("import numpy as np\nimport torch"),
    ]
    for name, source in ANSWERS.items():
        points, test = TESTS[f"test_{name}"]
        cells.append(new_code_cell(source, metadata=_mark(name, solution=True)))
        cells.append(new_code_cell(test, metadata=_mark(f"test_{name}", grade=True, locked=True, points=points)))
    essay = "### BEGIN SOLUTION\nIt is the root of a sum of squares.\n### END SOLUTION"
    cells.append(new_markdown_cell(essay, metadata=_mark("essay", grade=True, solution=True, points=4)))
    for index, cell in enumerate(cells):
        cell["id"] = f"source-{index}"
    nb = new_notebook(cells=cells)
    nb.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    nb.metadata["coursekit"] = dict(LIMITS)
    return nb


def write_course(root: Path) -> Path:
    """The instructor's folder."""
    folder = root / "solutions" / PS
    folder.mkdir(parents=True)
    nbformat.write(source_notebook(), folder / f"{NB}.ipynb")
    (root / "nbgrader_config.py").write_text(CONFIG)
    (root / "courselib.py").write_text(COURSELIB)
    (root / "course_rule.py").write_text(RULE)
    return root


def answered(release: NotebookNode, **answers: str) -> NotebookNode:
    """A release with the right answers filled in, but for those that are given."""
    nb = copy.deepcopy(release)
    for cell in nb.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if name in RIGHT:
            cell.source = answers.get(name, RIGHT[name])
    return nb
