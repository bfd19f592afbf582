"""The visible checks: a right answer prints one line, every other outcome gets a sentence, a known mistake its hint."""

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell

from genlib import checks

INPUTS = {"x": [[1.0, -2.0, 0.5], [0.3, 0.0, 4.0]], "scale": 1.5}
HALF = "this looks like the missing 1/2."
CUT = "the path of the gradient is cut."


def right(x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    return 0.5 * (scale * x).square().sum(-1)


def without_half(x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    return (scale * x).square().sum(-1)


def cut(x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    return right(x, scale).detach()


def outcomes(function: Any, content: dict[str, Any], name: str = "energy") -> list[Any]:
    blank = copy.deepcopy(content)
    for case in blank["checks"][name]["cases"]:
        case.pop("expected", None)
    recorder = checks.Checks(blank)
    with pytest.raises(checks.CheckFailed, match="no expected value"):
        recorder(name, function)
    return recorder.observed[name]


@pytest.fixture
def content() -> dict[str, Any]:
    """A checks.json with one check, two cases and two known mistakes, made as the command makes it."""
    other = {"x": [[2.0, 1.0]], "scale": -1.0}
    made: dict[str, Any] = {
        "forbidden": {"*": ["genlib.gaussian"], "energy": ["torch.distributions"]},
        "checks": {
            "energy": {"answer": "energy", "gradients": ["x"], "cases": [{"inputs": INPUTS}, {"inputs": other}]}
        },
    }
    entry = made["checks"]["energy"]
    mistakes = [
        {"name": "half", "hint": HALF, "values": outcomes(without_half, made)},
        {"name": "cut", "hint": CUT, "values": outcomes(cut, made)},
    ]
    for case, expected in zip(entry["cases"], outcomes(right, made), strict=True):
        case["expected"] = expected
    return {**made, "checks": {"energy": {**entry, "mistakes": mistakes}}}


def failure(content: dict[str, Any], function: Any, **options: Any) -> str:
    with pytest.raises(checks.CheckFailed) as caught:
        checks.Checks(content)("energy", function, **options)
    return str(caught.value)


def test_a_right_answer_prints_one_line(content, capsys):
    checks.Checks(content)("energy", right)
    assert capsys.readouterr().out == "ok: energy (2 cases)\n"


def test_a_right_answer_in_another_form_passes(content, capsys):
    checks.Checks(content)("energy", lambda x, s: torch.einsum("bd,bd->b", x, x) * s**2 / 2)
    checks.Checks(content)("energy", lambda x, s: right(x.double(), s))
    assert capsys.readouterr().out.count("ok: energy") == 2


@pytest.mark.parametrize(
    ("wrong", "part"),
    [
        (lambda x, s: None, "result is None"),
        (lambda x, s: right(x, s).sum(), "shape ()"),
        (lambda x, s: right(x, s).unsqueeze(-1), "shape (2, 1)"),
        (lambda x, s: right(x, s) * float("nan"), "NaN"),
        (lambda x, s: right(x, s) / 0, "infinite"),
        (lambda x, s: right(x, s) + 0.01, "index [0]"),
        (lambda x, s: right(x, s).round().long(), "a tensor of torch.int64"),
        (lambda x, s: right(x, s).detach().numpy(), "ndarray"),
        (lambda x, s: np.float32(1.0), "float32"),
        (lambda x, s: right(x, s).detach().clone() + 1, "index [0]"),
        (lambda x, s: right(x, s).detach().tolist(), "type list"),
        (lambda x, s: "energy", "type str"),
        (lambda x, s: (right(x, s), right(x, s)), "one tensor"),
        (lambda x: x, "TypeError"),
    ],
)
def test_each_kind_of_problem_is_named(content, wrong, part):
    message = failure(content, wrong)
    assert part in message
    assert message.startswith("energy, case 1: ")
    assert "Hint" not in message


@pytest.mark.parametrize(("wrong", "hint"), [(without_half, HALF), (cut, CUT)])
def test_a_known_mistake_gets_its_hint(content, wrong, hint):
    assert f"Hint: {hint}" in failure(content, wrong)


def test_a_mistake_in_one_case_only_gets_no_hint(content):
    def sometimes(x, scale):
        return without_half(x, scale) if len(x) == 1 else right(x, scale)

    message = failure(content, sometimes)
    assert message.startswith("energy, case 2: ")
    assert "Hint" not in message


@given(st.floats(0.01, 100).filter(lambda c: abs(c - 1) > 0.01))
def test_a_wrong_factor_never_passes(factor):
    made = {"checks": {"energy": {"cases": [{"inputs": INPUTS}]}}}
    made["checks"]["energy"]["cases"][0]["expected"] = outcomes(right, made)[0]  # type: ignore[index]
    with pytest.raises(checks.CheckFailed):
        checks.Checks(made)("energy", lambda x, s: factor * right(x, s))


def test_an_unanswered_exercise_is_called_so(content):
    def unanswered(x, scale):
        raise NotImplementedError()

    def uses_it(x, scale):
        return 2 * unanswered(x, scale)

    for function in (unanswered, uses_it):
        message = failure(content, function)
        assert message.endswith("unanswered is not answered yet.")


def test_an_exception_is_shown_with_the_line_of_the_answer(content):
    def broken(x, scale):
        return x @ x

    message = failure(content, broken)
    assert "raised RuntimeError" in message
    assert "return x @ x" in message


def test_an_exception_can_be_what_is_expected(content):
    content["checks"]["energy"]["cases"][0]["expected"] = {"result": "raises ValueError", "gradient for x": None}
    content["checks"]["energy"]["cases"] = content["checks"]["energy"]["cases"][:1]
    content["checks"]["energy"].pop("mistakes")

    def refuses(x, scale):
        raise ValueError("no")

    outcome = outcomes(refuses, content)
    content["checks"]["energy"]["cases"][0]["expected"] = outcome[0]
    checks.Checks(content)("energy", refuses)
    assert "raises ValueError" in failure(content, right)


def test_a_tuple_is_compared_part_by_part(capsys):
    made: dict[str, Any] = {"checks": {"energy": {"cases": [{"inputs": INPUTS}]}}}
    made["checks"]["energy"]["cases"][0]["expected"] = outcomes(lambda x, s: (x, s), made)[0]
    checks.Checks(made)("energy", lambda x, s: (x, s))
    assert "result 2" in failure(made, lambda x, s: (x, s + 1))
    assert "tuple of 2" in failure(made, lambda x, s: x)
    assert capsys.readouterr().out.startswith("ok")


def test_infinite_and_missing_numbers_survive_the_file(tmp_path, capsys):
    made: dict[str, Any] = {"checks": {"energy": {"cases": [{"inputs": INPUTS}]}}}

    def special(x, scale):
        return torch.tensor([float("inf"), -float("inf"), float("nan")])

    made["checks"]["energy"]["cases"][0]["expected"] = outcomes(special, made)[0]
    (tmp_path / "checks.json").write_text(json.dumps(made, allow_nan=False))
    checks.load(tmp_path / "checks.json")("energy", special)
    with pytest.raises(checks.CheckFailed):
        checks.load(tmp_path / "checks.json")("energy", lambda x, s: -special(x, s))
    assert capsys.readouterr().out.startswith("ok")


@pytest.mark.parametrize(
    "line", ["torch.distributions.Normal(0.0, 1.0)", "from genlib import gaussian", "import torch.distributions as d"]
)
def test_a_forbidden_name_is_refused_before_anything_runs(content, line, tmp_path):
    path = tmp_path / "student.py"
    path.write_text(f"import torch\n\n\ndef answer(x, scale):\n    {line}\n    raise RuntimeError('was run')\n")
    namespace: dict[str, Any] = {}
    exec(compile(path.read_text(), str(path), "exec"), namespace)
    message = failure(content, namespace["answer"])
    assert "not allowed" in message
    assert "was run" not in message


def test_the_rule_reads_the_whole_cell_of_a_wrapped_class(content):
    shell = InteractiveShell.instance()
    shell.push({"check": checks.Checks(content)})
    shell.run_cell(
        "import torch.distributions as d\n\n\n"
        "class Model:\n    def energy(self, x, scale):\n        return 0.5 * (scale * x).square().sum(-1)"
    )
    outcome = shell.run_cell("check('energy', lambda x, s: Model().energy(x, s), answer=Model)")
    assert isinstance(outcome.error_in_exec, checks.CheckFailed)
    assert "torch.distributions" in str(outcome.error_in_exec)


def test_a_failed_check_shows_no_traceback(content, capsys):
    shell = InteractiveShell.instance()
    shell.push({"check": checks.Checks(content), "answer": without_half})
    capsys.readouterr()
    shell.run_cell("check('energy', answer)")
    shown = capsys.readouterr()
    text = shown.out + shown.err
    assert text.startswith("Check failed: energy, case 1: ")
    assert HALF in text
    assert "Traceback" not in text
    assert "checks.py" not in text


def test_inputs_are_those_of_the_file(content):
    x, scale = checks.Checks(content).inputs("energy", 1)
    assert torch.equal(x, torch.tensor(INPUTS["x"]))
    assert scale.shape == ()
    assert scale.item() == 1.5
    with pytest.raises(ValueError, match="cases 1 to 2, not 3"):
        checks.Checks(content).inputs("energy", 3)
    with pytest.raises(ValueError, match=r"no check called 'entropy'.*energy"):
        checks.Checks(content)("entropy", right)


def test_a_missing_or_damaged_file_is_explained(tmp_path):
    with pytest.raises(FileNotFoundError, match="beside the notebook"):
        checks.load(tmp_path / "checks.json")
    (tmp_path / "checks.json").write_text('{"checks": ')
    with pytest.raises(ValueError, match="damaged"):
        checks.load(tmp_path / "checks.json")


def test_the_inputs_of_one_call_do_not_reach_the_next(content, capsys):
    def destroys(x, scale):
        result = right(x.clone(), scale)
        x.data.zero_()
        return result

    check = checks.Checks(content)
    check("energy", destroys)
    check("energy", right)
    assert capsys.readouterr().out.count("ok") == 2


def test_checks_need_no_server_and_no_pictures():
    unwanted = ("matplotlib", "ipywidgets", "IPython", "nbgrader")
    code = f"import sys, genlib.checks; print(*[name for name in {unwanted} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_path_is_taken_relative_to_the_notebook(tmp_path, monkeypatch, content, capsys):
    (tmp_path / "checks.json").write_text(json.dumps(content))
    monkeypatch.chdir(tmp_path)
    checks.load()("energy", right)
    assert Path("checks.json").is_file()
    assert capsys.readouterr().out.startswith("ok")
