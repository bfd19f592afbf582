"""Who may import what: the walls of docs/architecture.md, read from the syntax trees."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BRIDGES = ROOT / "coursekit" / "bridges"


def python_files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def notebooks(folder: str) -> list[Path]:
    return sorted(path for path in (ROOT / folder).rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)


def imported(source: str) -> Iterator[str]:
    """Every dotted name that the code imports, also inside functions."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def notebook_code(path: Path) -> str:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    lines = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code").splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith(("%", "!")))


def offenders(names: Iterator[str], *forbidden: str) -> list[str]:
    return [name for name in names if any(name == f or name.startswith(f + ".") for f in forbidden)]


@pytest.mark.parametrize("path", python_files("genlib"), ids=lambda p: str(p.relative_to(ROOT)))
def test_genlib_knows_neither_graders_nor_servers(path):
    forbidden = ["coursekit", "nbgrader", "jupyter_server", "jupyterlab", "notebook", "nbclient", "tests"]
    if path.name != "widgets.py":
        forbidden.append("ipywidgets")
    if (ROOT / "genlib" / "plot") not in path.parents:
        forbidden.append("matplotlib")
    assert not offenders(imported(path.read_text(encoding="utf-8")), *forbidden)


@pytest.mark.parametrize(
    "path",
    [p for p in python_files("coursekit") if BRIDGES not in p.parents],
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_coursekit_serves_any_course(path):
    names = list(imported(path.read_text(encoding="utf-8")))
    assert not offenders(iter(names), "genlib", "torch", "torchvision", "tests", "coursekit.bridges")


@pytest.mark.parametrize("path", notebooks("lectures"), ids=lambda p: p.stem)
def test_lectures_stand_on_genlib_alone(path):
    assert not offenders(imported(notebook_code(path)), "coursekit", "nbgrader", "tests", "lectures")


@pytest.mark.parametrize("path", notebooks("solutions"), ids=lambda p: p.stem)
def test_assignments_use_neither_the_grader_nor_the_tests(path):
    assert not offenders(imported(notebook_code(path)), "coursekit", "nbgrader", "tests")


def test_nothing_outside_imports_the_tests():
    for folder in ("genlib", "coursekit", "benchmarks"):
        for path in python_files(folder):
            assert not offenders(imported(path.read_text(encoding="utf-8")), "tests"), path


def test_the_walls_are_looked_at():
    """Guards this file itself: an empty listing would let everything pass."""
    assert len(python_files("genlib")) > 10
    assert len(python_files("coursekit")) > 5
    assert notebooks("lectures")
    assert notebooks("solutions")
    assert offenders(imported("from torch import nn\nimport genlib.gaussian"), "torch") == ["torch.nn"]
    assert offenders(imported("from coursekit import bridges"), "coursekit.bridges") == ["coursekit.bridges"]
