"""The contract of an assignment, read from its folder, and the run of all its variants."""

import ast
import builtins
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode

from coursekit import notebooks, variants
from coursekit.grading import rubrics
from genlib.rules import forbidden_uses

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = sorted(path for path in (ROOT / "solutions").glob("ps*") if path.is_dir())
NOTEBOOKS = [path for folder in FOLDERS for path in sorted(folder.glob("*.ipynb"))]
HIDDEN = re.compile(r"### BEGIN HIDDEN TESTS\n(.*?)### END HIDDEN TESTS", re.DOTALL)
SOLUTION = re.compile(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", re.DOTALL)
# of one notebook: exercises at least and at most, misconceptions, alternatives; what was agreed beyond the rule for all
SIZE = (6, 12, 12, 6)
OWN_SIZES = {
    "ps2-autoregressive-models": (8, 11, 40, 11),
    "ps3-latent-variables-and-autoencoders": (8, 12, 40, 11),
    "ps4-variational-autoencoders": (8, 12, 15, 8),
}
HEADING = re.compile(r"### Exercise \d+: .*\((\d+) points?, (\d+) minutes\b")

each_folder = pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def answers(nb: NotebookNode) -> dict[str, NotebookNode]:
    return {n: c for n, c in notebooks.by_id(nb).items() if notebooks.is_answer(c) and c.cell_type == "code"}


def hidden_tests(nb: NotebookNode) -> dict[str, str]:
    """grade_id of each test cell, and its hidden part."""
    found = {name: cell for name, cell in notebooks.by_id(nb).items() if notebooks.is_test(cell)}
    return {name: "\n".join(HIDDEN.findall(cell.source)) for name, cell in found.items()}


def exercises(nb: NotebookNode) -> Iterator[tuple[int, int, list[NotebookNode]]]:
    """Points and minutes that each heading states, and the cells up to the next heading."""
    stated: tuple[int, int] | None = None
    cells: list[NotebookNode] = []
    for cell in nb.cells:
        heading = HEADING.search(cell.source) if cell.cell_type == "markdown" else None
        if heading:
            if stated:
                yield *stated, cells
            stated, cells = (int(heading[1]), int(heading[2])), []
        cells.append(cell)
    if stated:
        yield *stated, cells


def load(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "checks.json").read_text(encoding="utf-8"))
    return content


@each_notebook
def test_a_notebook_has_the_size_that_was_agreed(path):
    code = set(answers(read(path)))
    mine = [variant for variant in variants.load_variants(path.parent) if variant.answer in code]
    fewest, most, misconceptions, alternatives = OWN_SIZES.get(path.parent.name, SIZE)
    assert fewest <= len(code) <= most
    assert sum(not variant.right for variant in mine) >= misconceptions
    assert sum(variant.right for variant in mine) >= alternatives
    assert {variant.answer for variant in mine if not variant.right} == code
    assert {variant.answer for variant in mine if variant.right} == code


@each_folder
def test_every_variant_belongs_to_an_answer(folder):
    code = {name for path in folder.glob("*.ipynb") for name in answers(read(path))}
    assert {variant.answer for variant in variants.load_variants(folder)} == code


@each_folder
def test_one_question_of_each_notebook_is_graded_by_a_person_and_has_a_rubric(folder):
    read_all = [read(path) for path in sorted(folder.glob("*.ipynb"))]
    names = [rubrics.by_hand(nb) for nb in read_all]
    assert [len(written) for written in names] == [1] * len(read_all)
    told = rubrics.parts((folder / "rubric.md").read_text(encoding="utf-8"), [name for (name,) in names])
    for nb, (name,) in zip(read_all, names, strict=True):
        points = notebooks.max_score(notebooks.by_id(nb)[name])
        assert f"{points:g} points)" in told[name]
        rows = [float(row.split("|")[2]) for row in told[name].splitlines() if re.match(r"\| \d", row)]
        assert sum(rows) == points


@each_notebook
def test_every_exercise_states_its_points_and_minutes(path):
    nb = read(path)
    minutes = notebooks.options(nb)["minutes"]
    found = list(exercises(nb))
    assert len(found) == len(minutes) == len(answers(nb)) + 1
    for points, stated, cells in found:
        assert points == sum(notebooks.max_score(cell) for cell in cells if notebooks.is_graded(cell))
        (name,) = [name for cell in cells if notebooks.is_answer(cell) and (name := notebooks.grade_id(cell))]
        assert minutes[name] == stated
    total = sum(points for points, _, _ in found)
    assert f"{total} points" in nb.cells[0].source


@each_notebook
def test_every_exercise_says_whether_torch_distributions_may_be_used(path):
    nb = read(path)
    forbidden = notebooks.options(nb)["forbidden"]
    for _, _, cells in exercises(nb):
        names = [notebooks.grade_id(cell) for cell in cells if notebooks.is_answer(cell) and cell.cell_type == "code"]
        for name in names:
            text = " ".join(" ".join(cell.source for cell in cells if cell.cell_type == "markdown").split())
            banned = "torch.distributions" in [*forbidden["*"], *forbidden.get(name, [])]
            assert ("`torch.distributions` is not allowed" in text) is banned
            assert ("`torch.distributions` is allowed" in text) is not banned


@each_notebook
def test_answers_have_three_to_twenty_five_lines(path):
    for name, cell in answers(read(path)).items():
        lines = "\n".join(SOLUTION.findall(cell.source)).splitlines()
        assert 3 <= sum(bool(line.strip()) for line in lines) <= 25, name


@each_notebook
def test_every_docstring_of_an_answer_gives_shapes_and_units(path):
    for name, cell in answers(read(path)).items():
        for node in ast.parse(cell.source).body:
            assert isinstance(node, ast.FunctionDef | ast.ClassDef), name
            nodes = [n for n in ast.walk(node) if isinstance(n, ast.FunctionDef) and n.name != "__init__"]
            for function in nodes:
                text = ast.get_docstring(function) or ""
                assert re.search(r"\([A-Za-z_.0-9]+, ?[A-Za-z_0-9 ]*", text), (
                    f"{name}: {function.name} states no shapes"
                )
                assert "Returns" in text, f"{name}: {function.name}"
                if re.search(r"log_prob|kl|elbo|evidence|log_weights|iwae", function.name):
                    assert "nats" in text, f"{name}: {function.name} states no unit"


@each_notebook
def test_cells_are_marked_as_nbgrader_wants_them(path):
    nb = read(path)
    names = [name for cell in nb.cells if (name := notebooks.grade_id(cell))]
    assert len(names) == len(set(names))
    for cell in nb.cells:
        marks = notebooks.meta(cell)
        if marks:
            assert marks["schema_version"] == 3
            assert re.fullmatch(r"[a-z0-9-]+", marks["grade_id"])
            assert marks["locked"] is not marks["solution"]
        if cell.cell_type == "code":
            assert marks, "a code cell that a student might change"
            assert bool(SOLUTION.search(cell.source)) == notebooks.is_answer(cell)
            assert bool(HIDDEN.search(cell.source)) == notebooks.is_test(cell)


@each_notebook
def test_nothing_of_a_hidden_test_stays_in_its_released_cell(path):
    for cell in read(path).cells:
        if notebooks.is_test(cell):
            assert HIDDEN.sub("", cell.source).strip() == "# Hidden tests run here when your notebook is graded."


@each_notebook
def test_hidden_tests_look_at_values_only(path):
    forbidden = {
        "In",
        "Out",
        "_ih",
        "_oh",
        "get_ipython",
        "inspect",
        "dis",
        "sys",
        "io",
        "warnings",
        "print",
        "exec",
        "eval",
    }
    attributes = {"__code__", "__doc__", "__name__", "__globals__", "stderr", "stdout", "manual_seed", "seed_all"}
    for name, source in hidden_tests(read(path)).items():
        tree = ast.parse(source)
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        modules = {a.name.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
        assert not names & forbidden, name
        assert not modules & forbidden, name
        assert not {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)} & attributes, name


@each_notebook
def test_hidden_tests_bring_what_they_need_and_draw_fresh_inputs(path):
    nb = read(path)
    students = {"vae"} if "vae" in answers(nb) else set()
    for cell in answers(nb).values():
        students |= {n.name for n in ast.parse(cell.source).body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    for name, source in hidden_tests(nb).items():
        tree = ast.parse(source)
        (function, call) = tree.body
        assert isinstance(function, ast.FunctionDef), name
        assert ast.unparse(call) == f"{function.name}()", name
        bound = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        bound |= {
            a.asname or a.name.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names
        }
        bound |= {a.asname or a.name for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for a in n.names}
        used = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        assert used - bound - set(dir(builtins)) <= students, name
        assert used & students, f"{name} calls nothing of the student's"
        if ".rand" in source:
            assert "generator.seed()" in source, f"{name} depends on a seed"
            assert re.search(r"alse[ \n]+alarm", source), f"{name} does not state its false alarms"


@each_notebook
def test_the_solution_keeps_to_its_own_rule(path):
    nb = read(path)
    forbidden = notebooks.options(nb)["forbidden"]
    for name, cell in answers(nb).items():
        assert forbidden_uses(cell.source, [*forbidden["*"], *forbidden.get(name, [])]) == []
    for variant in variants.load_variants(path.parent):
        if variant.right and variant.answer in answers(nb):
            rules = [*forbidden["*"], *forbidden.get(variant.answer, [])]
            assert forbidden_uses(variant.code, rules) == [], variant.name


@each_folder
def test_every_answer_has_a_visible_check_with_hints(folder):
    checks = load(folder)["checks"]
    code = [name for path in folder.glob("*.ipynb") for name in answers(read(path))]
    assert {check["answer"] for check in checks.values()} == set(code)
    hints = [mistake["hint"] for check in checks.values() for mistake in check.get("mistakes", [])]
    assert sorted(hints) == sorted(variant.hint for variant in variants.load_variants(folder) if not variant.right)


@each_folder
def test_stored_values_tell_mistakes_from_right_answers_and_from_each_other(folder):
    for name, check in load(folder)["checks"].items():
        right = [case["expected"] for case in check["cases"]]
        for mistake in check.get("mistakes", []):
            assert not variants.same_checks(mistake["values"], right, tolerance=5e-3), f"{name}: {mistake['name']}"
        for first, second in itertools.combinations(check.get("mistakes", []), 2):
            same = variants.same_checks(first["values"], second["values"], tolerance=5e-3)
            assert not same or first["hint"] == second["hint"], f"{name}: {first['name']} and {second['name']}"


@each_folder
def test_checks_and_hints_contain_no_solution_code(folder):
    text = json.dumps(load(folder))
    for path in folder.glob("*.ipynb"):
        for cell in answers(read(path)).values():
            for line in "\n".join(SOLUTION.findall(cell.source)).splitlines():
                code = line.split("#")[0].strip()
                right = re.split(r" = |return ", code)[-1]
                assert len(right) < 8 or right not in text, code


@each_folder
def test_checks_are_up_to_date(folder):
    assert variants.same_checks(load(folder), variants.made_checks(folder), tolerance=1e-3), (
        f"run: python -m coursekit.variants --make-checks {folder.relative_to(ROOT)}"
    )


@each_folder
def test_every_misconception_scores_zero_and_every_alternative_full(folder):
    report = variants.check_assignment(folder)
    print(report)
    assert report.ok, str(report)


def test_there_is_something_to_test():
    """Guards this file itself: an empty listing would let everything pass."""
    assert FOLDERS
    assert NOTEBOOKS
