"""The runner of variants, on an assignment so small that every outcome is known beforehand."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from coursekit import variants
from coursekit.errors import CourseError

CHECK = """
import json


class Check:
    def __init__(self):
        self.content = json.load(open("checks.json"))
        self.observed = {}

    def __call__(self, name, function):
        entry = self.content["checks"][name]
        self.observed[name] = [{"result": function(*case["inputs"].values())} for case in entry["cases"]]
        for mistake in entry.get("mistakes", []):
            if mistake["values"] == self.observed[name]:
                raise AssertionError(mistake["hint"])
        for case, got in zip(entry["cases"], self.observed[name]):
            assert case.get("expected") == got, "something else"


check = Check()
"""
TWICE = "def twice(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION"
THRICE = "def thrice(x):\n    return twice(x) + x"
PARTIAL = "### BEGIN HIDDEN TESTS\nmin(4.0, float(thrice(2) - 2))\n### END HIDDEN TESTS"
HIDDEN = "### BEGIN HIDDEN TESTS\nassert {call}\n### END HIDDEN TESTS"
MISCONCEPTIONS = [
    {
        "name": "square",
        "answer": "twice",
        "change": [("2 * x", "x * x")],
        "fails": ["test-twice"],
        "check": "twice",
        "hint": "this is the square.",
    },
    {
        "name": "nothing-added",
        "answer": "thrice",
        "code": "def thrice(x):\n    return 2",
        "fails": ["test-partial"],
        "check": "thrice",
        "hint": "nothing is added.",
    },
]
ALTERNATIVES = [
    {"name": "sum", "answer": "twice", "code": "def twice(x):\n    return x + x"},
    {"name": "shift", "answer": "twice", "change": [("2 * x", "x << 1")]},
]


def cell(grade_id: str, source: str, points: float | None = None, *, solution: bool = False) -> Any:
    found = new_code_cell(source, id=grade_id)
    marks = {"schema_version": 3, "grade_id": grade_id, "solution": solution, "grade": points is not None}
    found.metadata["nbgrader"] = {**marks, "locked": not solution, "task": False, "cell_type": "code"}
    if points is not None:
        found.metadata["nbgrader"]["points"] = points
    return found


def write(folder: Path, misconceptions: Any = MISCONCEPTIONS, alternatives: Any = ALTERNATIVES, **cells: str) -> Path:
    folder.mkdir(exist_ok=True)
    nb = new_notebook(metadata={"coursekit": {"forbidden": {"twice": ["numpy"]}}})
    nb.cells = [
        new_markdown_cell("# Tiny"),
        cell("given", CHECK),
        cell("twice", TWICE, solution=True),
        cell("check-twice", 'check("twice", twice)'),
        cell("test-twice", HIDDEN.format(call="twice(5) == 10"), 2),
        cell("thrice", THRICE, solution=True),
        cell("check-thrice", 'check("thrice", thrice)'),
        cell("test-partial", cells.get("partial", PARTIAL), 4),
    ]
    nbformat.write(nb, folder / "tiny.ipynb")
    (folder / "misconceptions.py").write_text(f"MISCONCEPTIONS = {list(misconceptions)!r}\n")
    (folder / "alternatives.py").write_text(f"ALTERNATIVES = {list(alternatives)!r}\n")
    checks = {
        "checks": {name: {"cases": [{"inputs": {"x": 3}}, {"inputs": {"x": -1}}]} for name in ("twice", "thrice")}
    }
    (folder / "checks.json").write_text(json.dumps(checks))
    variants.write_checks(folder)
    return folder


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("course") / "tiny")


@pytest.fixture
def copy(tiny: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny, tmp_path / "tiny")


def by_name(report: variants.Report) -> dict[str, variants.Result]:
    return {result.name: result for result in report.results}


def set_variants(folder: Path, misconceptions: Any = (), alternatives: Any = ()) -> None:
    (folder / "misconceptions.py").write_text(f"MISCONCEPTIONS = {list(misconceptions)!r}\n")
    (folder / "alternatives.py").write_text(f"ALTERNATIVES = {list(alternatives)!r}\n")


@pytest.mark.parametrize("fork", [pytest.param(True, id="forked"), pytest.param(False, id="one by one")])
def test_forking_and_executing_again_give_the_same_scores(tiny, fork):
    if fork and not variants.HAS_FORK:
        pytest.skip("this platform cannot fork safely")
    report = variants.check_assignment(tiny, fork=fork)
    assert report.ok, str(report)
    scores = {name: result.scores for name, result in by_name(report).items()}
    assert scores == {
        "tiny": {"test-twice": (2.0, 2.0), "test-partial": (4.0, 4.0)},
        "square": {"test-twice": (0.0, 2.0)},
        "nothing-added": {"test-partial": (0.0, 4.0)},
        "sum": {"test-twice": (2.0, 2.0), "test-partial": (4.0, 4.0)},
        "shift": {"test-twice": (2.0, 2.0), "test-partial": (4.0, 4.0)},
    }
    assert ("cannot fork" in str(report)) is not fork
    assert dict(report.cell_seconds).keys() >= {"given", "twice", "test-partial"}


def test_checks_hold_the_values_of_the_solution_and_of_each_mistake(tiny):
    content = json.loads((tiny / "checks.json").read_text())
    twice = content["checks"]["twice"]
    assert [case["expected"] for case in twice["cases"]] == [{"result": 6}, {"result": -2}]
    assert twice["mistakes"] == [
        {"name": "square", "hint": "this is the square.", "values": [{"result": 9}, {"result": 1}]}
    ]
    assert content["forbidden"] == {"twice": ["numpy"]}
    assert variants.same_checks(content, variants.made_checks(tiny))


def test_made_checks_leave_the_file_alone_and_do_not_trust_its_values(copy):
    content = json.loads((copy / "checks.json").read_text())
    content["checks"]["twice"]["cases"][0]["expected"] = {"result": 7}
    (copy / "checks.json").write_text(json.dumps(content))
    made = variants.made_checks(copy)
    assert made["checks"]["twice"]["cases"][0]["expected"] == {"result": 6}
    assert json.loads((copy / "checks.json").read_text()) == content
    assert not variants.same_checks(content, made)


def test_a_misconception_that_scores_is_reported(copy):
    set_variants(copy, [MISCONCEPTIONS[0] | {"name": "right", "change": [("2 * x", "x + x")]}])
    (problem, hint) = by_name(variants.check_assignment(copy))["right"].problems
    assert problem.startswith("test-twice: 2 of 2 points")
    assert "does not show the hint" in hint


def test_a_hint_that_does_not_show_is_reported(copy):
    set_variants(copy, [MISCONCEPTIONS[0] | {"hint": "another hint."}])
    (problem,) = by_name(variants.check_assignment(copy))["square"].problems
    assert problem.startswith("the check 'twice' does not show the hint")


@pytest.mark.parametrize(
    ("code", "part"),
    [
        ("def twice(x):\n    return 2 * x + (x == 5)", "test-twice: 0 of 2 points"),
        ("def twice(x):\n    return 2 * x\n\n\nraise RuntimeError('late')", "twice: RuntimeError: late"),
        ("import os\nos._exit(3)", "ended with exit status 3"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "ended with signal 9"),
    ],
)
@pytest.mark.skipif(not variants.HAS_FORK, reason="this platform cannot fork safely")
def test_an_alternative_that_loses_points_or_dies_is_reported(copy, code, part):
    set_variants(copy, alternatives=[{"name": "bad", "answer": "twice", "code": code}, ALTERNATIVES[0]])
    results = by_name(variants.check_assignment(copy))
    assert part in " ".join(results["bad"].problems)
    assert not results["sum"].problems
    assert not results["tiny"].problems


@pytest.mark.parametrize(
    ("code", "part"),
    [
        ("while True:\n    pass", "was stopped after 1 seconds of computing"),
        ("import signal\nsignal.pause()", "was stopped after 5 seconds by the clock"),
    ],
)
@pytest.mark.skipif(not variants.HAS_FORK, reason="this platform cannot fork safely")
def test_a_variant_that_never_ends_is_stopped(copy, code, part, monkeypatch):
    monkeypatch.setattr(variants, "SECONDS", 1.0)
    set_variants(copy, alternatives=[{"name": "endless", "answer": "twice", "code": code}, ALTERNATIVES[0]])
    results = by_name(variants.check_assignment(copy))
    assert results["endless"].problems == [part]
    assert not results["sum"].problems


def test_a_solution_that_loses_points_is_reported(tmp_path):
    folder = write(tmp_path / "tiny", (), (), partial="3.5")
    report = variants.check_assignment(folder)
    assert not report.ok
    assert report.results[0].problems == ["test-partial: 3.5 of 4 points"]


def test_what_is_written_to_stderr_scores_zero_as_in_nbgrader(tmp_path):
    folder = write(tmp_path / "tiny", (), (), partial="import sys\nprint('careful', file=sys.stderr)")
    assert by_name(variants.check_assignment(folder))["tiny"].scores["test-partial"] == (0.0, 4.0)


def test_only_the_named_variants_run(tiny):
    assert set(by_name(variants.check_assignment(tiny, only=["sum"]))) == {"tiny", "sum"}


def test_the_folder_is_left_as_it_was(copy):
    set_variants(
        copy, alternatives=[{"name": "writes", "answer": "twice", "code": TWICE + "\nopen('left.txt', 'w').close()"}]
    )
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    variants.check_assignment(copy)
    assert {path.name: path.read_bytes() for path in copy.iterdir() if path.is_file()} == before


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"answer": "four"}, "no cell with grade_id 'four'"),
        ({"fails": ["test-four"]}, "no cell with grade_id 'test-four'"),
        ({"change": [("3 * x", "x")]}, "stands 0 times"),
        ({"change": [("x", "y")]}, "stands 2 times"),
        ({"hint": ""}, "needs 'fails', 'check' and 'hint'"),
        ({"name": "solution"}, "none may be 'solution'"),
    ],
)
def test_a_variant_that_does_not_fit_the_notebook_is_refused(copy, change, part):
    set_variants(copy, [MISCONCEPTIONS[0] | change])
    with pytest.raises(CourseError, match=part):
        variants.load_variants(copy)


def test_a_folder_without_a_notebook_is_refused(tmp_path):
    with pytest.raises(CourseError, match="no notebook"):
        variants.check_assignment(tmp_path)


@pytest.fixture
def two(copy: Path) -> Path:
    """The same assignment with a second notebook, whose cells have names of their own and another rule."""
    nb = nbformat.read(copy / "tiny.ipynb", as_version=4)
    nb.metadata["coursekit"] = {"forbidden": {"*": ["torch", "scipy"], "four-times": ["math"]}}
    nb.cells = [
        cell("given", CHECK),
        cell("four-times", TWICE.replace("twice", "four_times").replace("2 * x", "4 * x"), solution=True),
        cell("check-four-times", 'check("four-times", four_times)'),
        cell("test-four-times", HIDDEN.format(call="four_times(5) == 20"), 2),
    ]
    nbformat.write(nb, copy / "second.ipynb")
    nb = nbformat.read(copy / "tiny.ipynb", as_version=4)
    nb.metadata["coursekit"] = {"forbidden": {"*": ["torch"], "twice": ["numpy"]}}
    nbformat.write(nb, copy / "tiny.ipynb")
    wrong = {"name": "plus-4", "answer": "four-times", "change": [("4 * x", "4 + x")], "fails": ["test-four-times"]}
    wrong |= {"check": "four-times", "hint": "4 is added."}
    right = {"name": "twice-twice", "answer": "four-times", "change": [("4 * x", "2 * x + 2 * x")]}
    set_variants(copy, [*MISCONCEPTIONS, wrong], [*ALTERNATIVES, right])
    content = json.loads((copy / "checks.json").read_text())
    content["checks"]["four-times"] = {"cases": [{"inputs": {"x": 3}}]}
    (copy / "checks.json").write_text(json.dumps(content))
    variants.write_checks(copy)
    return copy


@pytest.mark.parametrize("fork", [pytest.param(True, id="forked"), pytest.param(False, id="one by one")])
def test_each_notebook_of_an_assignment_runs_with_the_variants_of_its_own_answers(two, fork):
    if fork and not variants.HAS_FORK:
        pytest.skip("this platform cannot fork safely")
    report = variants.check_assignment(two, fork=fork)
    assert report.ok, str(report)
    tests = {name: set(result.scores) for name, result in by_name(report).items()}
    first, second = {"test-twice", "test-partial"}, {"test-four-times"}
    assert tests["tiny"] == tests["sum"] == tests["shift"] == first
    assert tests["second"] == tests["plus-4"] == tests["twice-twice"] == second


def test_checks_of_two_notebooks_keep_the_rules_of_each(two):
    content = json.loads((two / "checks.json").read_text())
    assert content["forbidden"] == {"*": ["torch"], "twice": ["numpy"], "four-times": ["math", "scipy"]}
    assert content["checks"]["four-times"]["cases"][0]["expected"] == {"result": 12}
    assert [mistake["name"] for mistake in content["checks"]["four-times"]["mistakes"]] == ["plus-4"]
    assert content["checks"]["twice"]["cases"][0]["expected"] == {"result": 6}


@pytest.mark.parametrize("name", ["twice", "test-twice"])
def test_two_notebooks_that_share_the_name_of_a_cell_are_refused(two, name):
    nb = nbformat.read(two / "second.ipynb", as_version=4)
    nb.cells.append(cell(name, "1", None if name == "twice" else 1, solution=name == "twice"))
    nbformat.write(nb, two / "second.ipynb")
    with pytest.raises(CourseError, match=f"second.ipynb and tiny.ipynb both have cells called '{name}'"):
        variants.load_variants(two)


def test_a_misconception_that_names_a_test_of_another_notebook_is_refused(two):
    set_variants(two, [MISCONCEPTIONS[0] | {"fails": ["test-twice", "test-four-times"]}])
    with pytest.raises(CourseError, match="no cell with grade_id 'test-four-times'"):
        variants.load_variants(two)


def test_a_check_that_never_runs_is_refused(copy):
    content = json.loads((copy / "checks.json").read_text())
    content["checks"]["four"] = {"cases": [{"inputs": {"x": 3}}]}
    (copy / "checks.json").write_text(json.dumps(content))
    with pytest.raises(CourseError, match=r"never runs these checks.*four"):
        variants.made_checks(copy)


def test_numbers_of_checks_agree_within_the_tolerance_only():
    assert variants.same_checks({"a": [1.0, "nan", None]}, {"a": [1.00001, "nan", None]})
    assert not variants.same_checks({"a": [1.0]}, {"a": [1.001]})
    assert not variants.same_checks({"a": [1.0]}, {"a": [1.0, 2.0]})
    assert not variants.same_checks({"a": 1.0}, {"b": 1.0})


def test_the_command_tells_and_its_status_says_whether_all_is_well(copy):
    command = [sys.executable, "-m", "coursekit.variants", str(copy)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "all as it should be" in done.stdout
    set_variants(copy, alternatives=[{"name": "bad", "answer": "twice", "code": "twice = None"}])
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "FAIL alternative   bad" in done.stdout
