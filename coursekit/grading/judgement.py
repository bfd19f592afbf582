"""The verdicts on a whole notebook: each graded cell, then what can be said only of a question or of all of it."""

from collections.abc import Mapping
from typing import Any

from nbformat import NotebookNode
from nbgrader.utils import compute_checksum

from coursekit import execution, notebooks
from coursekit.execution import CellRun
from coursekit.grading import verdicts
from coursekit.grading.records import GRADED, KERNEL_DIED, TIMED_OUT
from coursekit.grading.verdicts import Verdict

MEND = "Mend that cell; the other exercises keep their points."


def judge_all(
    nb: NotebookNode, release: NotebookNode, runs: Mapping[int, CellRun], marks: tuple[str, str]
) -> list[Verdict]:
    """Verdicts on every graded cell of a notebook that was run."""
    released = notebooks.by_id(release)
    return [
        verdicts.judge(cell, released.get(str(notebooks.grade_id(cell)), cell), runs.get(index), marks)
        for index, cell in enumerate(nb.cells)
        if notebooks.is_graded(cell)
    ]


def explain(nb: NotebookNode, found: list[Verdict], runs: Mapping[int, CellRun], hits: Mapping[str, list[str]]) -> None:
    """What can be said only of a whole question: it was left empty, a cell above gave a hint, a rule was broken."""
    cells, by_name = notebooks.by_id(nb), {verdict.grade_id: verdict for verdict in found}
    advice = {notebooks.grade_id(nb.cells[index]): run.hint for index, run in runs.items()}
    for question in notebooks.questions(nb):
        answers = [cells[name] for name in question.answers]
        empty = all(notebooks.meta(cell).get("checksum") == compute_checksum(cell) for cell in answers)
        checked = next(filter(None, (verdicts.error_of(cells[name]) for name in question.checks)), "")
        advised = next(filter(None, (advice.get(name, "") for name in (*question.answers, *question.checks))), "")
        sentences = [sentence for name in question.answers for sentence in hits.get(name, [])]
        for name in question.tests:
            verdict = by_name[name]
            if verdict.score == 0 and empty:
                verdict.state, verdict.reason, verdict.hint = verdicts.BLANK, "This exercise was left empty.", ""
            elif verdict.score != verdict.max_score:
                verdict.hint = " ".join(filter(None, (advised, verdict.hint or checked)))
            if sentences and not empty:
                verdicts.refuse(cells[name], verdict, sentences)


def state_of(nb: NotebookNode, runs: Mapping[int, CellRun]) -> tuple[str, str, str]:
    """State, reason and next step of a notebook, from the first cell of the gravest kind."""
    kinds = ((execution.DIED, KERNEL_DIED), (execution.TIMED_OUT, TIMED_OUT), (execution.NOT_RUN, TIMED_OUT))
    for kind, state in kinds:
        for index, run in sorted(runs.items()):
            if run.state == kind:
                return state, f"In the cell '{_name(nb, index)}': {run.reason}", MEND
    return GRADED, "", ""


def course_of_events(nb: NotebookNode, runs: Mapping[int, CellRun]) -> list[dict[str, Any]]:
    """Every cell that was to be run, in order, as plain data: for the log and the report."""
    return [
        {"cell": _name(nb, index), "state": run.state, "reason": run.reason, "seconds": round(run.seconds, 3)}
        for index, run in sorted(runs.items())
    ]


def _name(nb: NotebookNode, index: int) -> str:
    return notebooks.grade_id(nb.cells[index]) or f"number {index + 1}"
