"""From what a test cell put out to its points, in nbgrader's terms and without its accidents."""

import builtins
import math
import re
from dataclasses import asdict, dataclass
from typing import Any

from nbformat import NotebookNode
from nbgrader.utils import determine_grade

from coursekit import execution, notebooks
from coursekit.execution import CellRun

PASSED = "passed"
PARTIAL = "partly passed"
VISIBLE = "visible check failed"
HIDDEN = "hidden test failed"
RAISED = "raised"
FORBIDDEN = "forbidden"
BY_HAND = "graded by hand"
BLANK = "no answer"

# What numpy and torch print for one number that is not finite; such a result is no credit either.
_WRAPPED = re.compile(r"(?:\w+\.)?\w+\(\s*[+-]?(?:nan|inf)\b", re.IGNORECASE)
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
HIDDEN_SENTENCE = "A hidden test of this exercise did not pass."


@dataclass
class Verdict:
    """Points of one graded cell, with the state, the reason in a sentence and the hint that a student may read."""

    grade_id: str
    score: float | None
    max_score: float
    state: str
    reason: str = ""
    hint: str = ""
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON data."""
        return asdict(self)


def plain(text: str) -> str:
    """Text without terminal colours."""
    return _ANSI.sub("", text)


def _number(text: str) -> float | None:
    """The number that a result is, or that an array of one number prints when it is not finite; otherwise None."""
    try:
        return float(text)
    except ValueError:
        return math.nan if _WRAPPED.match(text) else None


def _tidy_result(output: NotebookNode, maximum: float) -> None:
    """Partial credit that is not finite is 0, and what lies outside of [0, maximum] is brought to the edge."""
    text = output["data"].get("text/plain") or "no text"
    text = "".join(text) if isinstance(text, list) else str(text)
    value = _number(text)
    if value is not None:  # anything but a number: full marks, as nbgrader has it
        text = repr(min(max(value, 0.0), maximum) if math.isfinite(value) else 0.0)
    output["data"]["text/plain"] = text


def tidy(cell: NotebookNode) -> None:
    """Bring a test cell's outputs into a form that nbgrader scores as it should.

    Warnings on stderr never cost points, an error always does, and of several results the last one counts.
    """
    outputs = [output for output in cell.outputs if not (output.output_type == "stream" and output.name == "stderr")]
    failed = any(output.output_type == "error" for output in outputs)
    results = [output for output in outputs if output.output_type == "execute_result"]
    dropped = results if failed else results[:-1]
    cell.outputs = [output for output in outputs if not any(output is other for other in dropped)]
    for output in results[-1:]:
        _tidy_result(output, notebooks.max_score(cell))


def failed_line(cell: NotebookNode) -> int | None:
    """Line of a test cell, counted from 1, in which its error arose, as the traceback says."""
    errors = [output for output in cell.outputs if output.output_type == "error"]
    if not errors:
        return None
    text = plain("\n".join(errors[-1].get("traceback", [])))
    for number, line in re.findall(r"Cell In\[(\d+)\], line (\d+)", text):
        if int(number) == cell.get("execution_count"):
            return int(line)
    return None


def is_hidden_line(source: str, line: int, marks: tuple[str, str]) -> bool:
    """Whether a line, counted from 1, stands within a hidden region of a cell's source."""
    inside = False
    for number, text in enumerate(source.split("\n"), start=1):
        inside = (inside or marks[0] in text) and marks[1] not in text
        if number == line:
            return inside
    return True  # no line of this cell: nobody knows what it would show


def _error_text(output: NotebookNode) -> str:
    """What a student should read about an error in visible code: an assertion's message, otherwise name and message."""
    name, text = str(output.ename), plain(str(output.evalue)).strip()
    if name in ("AssertionError", "CheckFailed"):
        return text or "An assertion of this check failed."
    return f"{name}: {text}" if text else name


def error_of(cell: NotebookNode) -> str:
    """What a student should read about the last error of a cell that has no hidden parts; empty without an error."""
    errors = [output for output in cell.outputs if output.output_type == "error"]
    return _error_text(errors[-1]) if errors else ""


def _builtin_name(name: str) -> str:
    """The class of an exception when it is Python's own; a student's class could carry a message."""
    kind = getattr(builtins, name, None)
    return name if isinstance(kind, type) and issubclass(kind, BaseException) else "an error"


def _arose_in_view(cell: NotebookNode, run: CellRun | None, marks: tuple[str, str]) -> bool:
    """Whether the error arose in lines that students have; of what nbgrader ran, only the traceback tells."""
    if run is not None:
        return not run.hidden
    line = failed_line(cell)
    return line is not None and not is_hidden_line(cell.source, line, marks)


def _judge_error(
    verdict: Verdict, cell: NotebookNode, released: NotebookNode, run: CellRun | None, marks: tuple[str, str]
) -> None:
    output = next(output for output in reversed(cell.outputs) if output.output_type == "error")
    if _arose_in_view(cell, run, marks):
        verdict.state = VISIBLE if output.ename == "AssertionError" else RAISED
        verdict.hint = _error_text(output)
        verdict.reason = f"A check that you can see did not pass: {verdict.hint}"
    elif cell.source == released.source:
        verdict.state, verdict.hint = RAISED, _error_text(output)
        verdict.reason = f"The test cell did not run through: {verdict.hint}"
    else:
        verdict.state, verdict.reason = HIDDEN, HIDDEN_SENTENCE
        if output.ename != "AssertionError":
            verdict.reason += f" Your code raised {_builtin_name(str(output.ename))}."


def judge(cell: NotebookNode, released: NotebookNode, run: CellRun | None, marks: tuple[str, str]) -> Verdict:
    """Verdict on one graded cell after it ran; a test cell's outputs are tidied on the way."""
    name, maximum = str(notebooks.grade_id(cell)), notebooks.max_score(cell)
    if not notebooks.is_test(cell):
        score = determine_grade(cell)[0] if notebooks.meta(cell).get("grade") else None
        if score == 0:
            return Verdict(name, 0.0, maximum, BLANK, "This question was not answered.")
        return Verdict(name, None, maximum, BY_HAND, "A person grades this answer.")
    tidy(cell)
    score = float(determine_grade(cell)[0])
    verdict = Verdict(name, score, maximum, PASSED, seconds=round(run.seconds, 3) if run else 0.0)
    if run is not None and run.state in (execution.TIMED_OUT, execution.DIED, execution.NOT_RUN):
        verdict.state, verdict.reason = run.state, run.reason
    elif any(output.output_type == "error" for output in cell.outputs):
        _judge_error(verdict, cell, released, run, marks)
    elif score < maximum:
        verdict.state, verdict.reason = PARTIAL, f"Partial credit: {score:g} of {maximum:g} points."
    if run is not None and score < maximum:
        verdict.hint = " ".join(filter(None, (run.hint, verdict.hint)))
    return verdict


def refuse(cell: NotebookNode, verdict: Verdict, sentences: list[str]) -> None:
    """Score a test cell 0 because of the rule about names that an answer may not use."""
    text = " ".join(sentences)
    cell.outputs = []
    execution.add_error(cell, "AnswerRule", text)
    verdict.score, verdict.state, verdict.hint = 0.0, FORBIDDEN, text
    verdict.reason = f"This exercise is to be solved without what you used: {text}"
