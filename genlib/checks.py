"""What the visible checks of an assignment call: a student's function on stored inputs, compared with stored values.

The file `checks.json` beside the notebook holds the inputs, the values that a right answer gives, and the values that
well-known mistakes give, so that a check can name the mistake without containing the solution.
"""

from __future__ import annotations

import inspect
import json
import linecache
import math
import os
import textwrap
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from genlib.rules import forbidden_uses

# The plain form of one case's outcome: part of the result -> nested lists of numbers, None, or a sentence such as
# "raises ValueError".
Outcome = dict[str, Any]


class CheckFailed(AssertionError):
    """A visible check that did not pass; a notebook shows its message alone, without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [f"Check failed: {self}"]


def load(path: str | Path = "checks.json") -> Checks:
    """Read the stored checks of an assignment; the path is relative to the notebook's folder.

    Raises ``FileNotFoundError`` when the file is not there, and ``ValueError`` when it is damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is not in {Path.cwd().name}/, the folder this notebook runs in. It belongs beside the notebook: "
            "copy it there from the assignment as you received it, then run this cell again."
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise ValueError(
            f"{path} is damaged ({error}): copy it again from the assignment as you received it."
        ) from None
    return Checks(content)


class Checks:
    """The stored checks of one assignment; calling it with a name and a function runs that check."""

    def __init__(self, content: dict[str, Any]) -> None:
        self._checks: dict[str, Any] = content["checks"]
        self._forbidden: dict[str, list[str]] = content.get("forbidden", {})
        self.observed: dict[str, list[Outcome]] = {}  # what checks last saw: `--make-checks` reads it

    def inputs(self, name: str, case: int = 1) -> tuple[Any, ...]:
        """The inputs of one stored case of a check, as the function receives them; cases count from 1."""
        cases = self._entry(name)["cases"]
        if not 1 <= case <= len(cases):
            raise ValueError(f"check {name!r} has cases 1 to {len(cases)}, not {case}: ask for one of these.")
        return tuple(_tensor(value) for value in cases[case - 1]["inputs"].values())

    def __call__(self, name: str, function: Callable[..., Any], *, answer: Any = None) -> None:
        """Compare `function` with the stored values of check `name`; print `ok`, or raise CheckFailed with a hint.

        `answer` is what the student wrote when `function` only wraps it: the rule about forbidden names reads its
        source.
        """
        entry = self._entry(name)
        written = function if answer is None else answer
        self._refuse_forbidden(entry.get("answer", ""), written)
        runs = [_run(function, case["inputs"], entry.get("gradients", []), written) for case in entry["cases"]]
        self.observed[name] = [outcome for outcome, _ in runs]
        tolerance = (entry.get("rtol", 1e-3), entry.get("atol", 1e-4))
        for number, (case, (outcome, remark)) in enumerate(zip(entry["cases"], runs, strict=True), start=1):
            if "expected" not in case:
                raise CheckFailed(f"{name}: no expected value is stored yet for case {number}.")
            problem = _difference(outcome, case["expected"], tolerance)
            if problem is not None:
                raise CheckFailed(self._message(name, number, remark or problem, tolerance))
        print(f"ok: {name} ({len(runs)} {'case' if len(runs) == 1 else 'cases'})")

    def _entry(self, name: str) -> dict[str, Any]:
        if name not in self._checks:
            raise ValueError(
                f"there is no check called {name!r}; the checks of this assignment are {', '.join(self._checks)}."
            )
        return self._checks[name]

    def _refuse_forbidden(self, answer: str, written: Any) -> None:
        rules = sorted({*self._forbidden.get("*", []), *self._forbidden.get(answer, [])})
        source = _source(written) if rules else None
        sentences = forbidden_uses(source, rules) if source else []
        if sentences:
            raise CheckFailed(" ".join(sentences) + " Write it with plain tensor operations instead.")

    def _message(self, name: str, number: int, problem: str, tolerance: tuple[float, float]) -> str:
        message = f"{name}, case {number}: {problem}"
        for mistake in self._checks[name].get("mistakes", []):
            pairs = zip(self.observed[name], mistake["values"], strict=True)
            if all(_difference(outcome, value, tolerance) is None for outcome, value in pairs):
                message += f"\nHint: {mistake['hint']}"
                break
        return message + f"\nThe inputs are check.inputs({name!r}, {number}), should you want to try them by hand."


def _run(
    function: Callable[..., Any], inputs: dict[str, Any], gradients: list[str], written: Any
) -> tuple[Outcome, str | None]:
    """The outcome of one case, and a remark where the plain difference would not say enough."""
    arguments = {name: _tensor(value) for name, value in inputs.items()}
    for name in gradients:
        arguments[name].requires_grad_(True)
    try:
        result = function(*arguments.values())
    except NotImplementedError as error:
        raise CheckFailed(f"{_last_function(error)} is not answered yet.") from None
    except Exception as error:
        kind = type(error).__name__
        return {"result": f"raises {kind}"}, f"the call raised {kind}: {error}{_place(error, written)}"
    parts = {"result": result}
    if isinstance(result, tuple):
        parts = {f"result {i}": part for i, part in enumerate(result, start=1)}
    outcome = {key: _plain(part) for key, part in parts.items()}
    tensors = [part for part in parts.values() if isinstance(part, torch.Tensor) and part.requires_grad]
    found: tuple[torch.Tensor | None, ...] = (None,) * len(gradients)
    if tensors and gradients:
        total = torch.stack([part.sum() for part in tensors]).sum()
        found = torch.autograd.grad(total, [arguments[name] for name in gradients], allow_unused=True)
    outcome |= {f"gradient for {name}": _plain(value) for name, value in zip(gradients, found, strict=True)}
    return outcome, None


def _tensor(value: Any) -> Any:
    """Lists and floats become tensors; integers (a number of steps, say) stay what they are."""
    return torch.tensor(value) if isinstance(value, list | float) else value


def _plain(value: Any) -> Any:
    """A tensor as nested lists of numbers, a number, None, or a sentence about any other type."""
    if isinstance(value, torch.Tensor):
        return _six_digits(value.detach().cpu().tolist()) if value.is_floating_point() else f"a tensor of {value.dtype}"
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _six_digits(value)
    return f"an object of type {type(value).__name__}"


def _six_digits(value: Any) -> Any:
    """Numbers as JSON knows them: "nan" and "inf" become text."""
    if isinstance(value, list):
        return [_six_digits(item) for item in value]
    return float(f"{value:.6g}") if math.isfinite(value) else str(float(value))


def _difference(outcome: Outcome, expected: Outcome, tolerance: tuple[float, float]) -> str | None:
    """The first difference between two outcomes as a sentence, or None."""
    if outcome.keys() != expected.keys():
        wanted = [key for key in expected if key.startswith("result")]
        if len(wanted) == 1 and isinstance(expected[wanted[0]], str):
            return f"expected that the call {expected[wanted[0]]}, but it returned a value."
        if isinstance(next(iter(outcome.values())), str):
            return f"the call {next(iter(outcome.values()))}."
        what = "one tensor" if len(wanted) == 1 else f"a tuple of {len(wanted)} tensors"
        return f"the function should return {what}."
    for key, want in expected.items():
        if outcome[key] is None and want is not None:
            if key.startswith("result"):
                return f"the {key} is None. Is there a `return` at the end?"
            return f"there is no {key}. Something on the way from there to the result cut the path."
        problem = _difference_of_part(outcome[key], want, tolerance)
        if problem is not None:
            return f"the {key} {problem}"
    return None


def _difference_of_part(got: Any, want: Any, tolerance: tuple[float, float]) -> str | None:
    if isinstance(want, str) or isinstance(got, str) or want is None:
        if got == want:
            return None
        return f"is {_short(got)}; expected was {_short(want)}."
    have, wish = (torch.tensor(_numbers(value), dtype=torch.float64) for value in (got, want))
    if have.shape != wish.shape:
        return f"has shape {tuple(have.shape)}; expected was {tuple(wish.shape)}."
    if have.isnan().any() and not wish.isnan().any():
        return "contains NaN (not a number)."
    if have.isinf().any() and not wish.isinf().any():
        return "contains infinite values."
    close = torch.isclose(have, wish, rtol=tolerance[0], atol=tolerance[1], equal_nan=True)
    if close.all():
        return None
    place = (~close).nonzero()[0].tolist()
    where = f" at index {place}" if place else ""
    return f"is {have[tuple(place)].item():.4g}{where}; expected was {wish[tuple(place)].item():.4g}."


def _numbers(value: Any) -> Any:
    return [_numbers(item) for item in value] if isinstance(value, list) else float(value)


def _short(value: Any) -> str:
    if isinstance(value, list):
        return f"a tensor of shape {tuple(torch.tensor(_numbers(value)).shape)}"
    return value if isinstance(value, str) else "nothing" if value is None else f"{value:.4g}"


def _codes(written: Any) -> list[Any]:
    """The code objects of a function, or of the methods of a class."""
    members = vars(written).values() if inspect.isclass(written) else [written]
    functions = [inspect.unwrap(member) for member in members if callable(member)]
    return [function.__code__ for function in functions if hasattr(function, "__code__")]


def _source(written: Any) -> str | None:
    """The source of the whole notebook cell that defines `written`; of the function alone when it comes from a file."""
    for code in _codes(written):
        lines = linecache.getlines(code.co_filename)
        if lines and not os.path.exists(code.co_filename):
            return "".join(lines)
        try:
            return textwrap.dedent(inspect.getsource(code))
        except (OSError, TypeError):
            continue
    return None


def _last_function(error: Exception) -> str:
    """The function that raised an exception: perhaps one of an earlier exercise."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return frames[-1].f_code.co_qualname


def _place(error: Exception, written: Any) -> str:
    """Where in the student's own code an exception came from."""
    files = {code.co_filename for code in _codes(written)}
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename in files:
            return f"\n  in line {frame.lineno} of your cell: {frame.line}"
    return ""
