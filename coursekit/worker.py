"""The seam between the gradebook's process and the machines that run what students wrote.

`grade_notebook` takes bytes and returns bytes and a JSON record. It sees neither the gradebook nor any file of the
course, so it can be sent through any `concurrent.futures.Executor`, to another process or another machine.
"""

import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from nbformat import NotebookNode
from nbgrader.utils import compute_checksum

from coursekit import execution, notebooks, rule, verdicts
from coursekit.execution import Budget, CellRun, add_error
from coursekit.intake import RESUBMIT, Unreadable, rebuild
from coursekit.records import GRADED, KERNEL_DIED, MISSING, TIMED_OUT, UNREADABLE
from coursekit.verdicts import Verdict

MEND = "Mend that cell; what had been run before it keeps its points."


@dataclass(frozen=True)
class Limits:
    """Defaults of the course, where the notebook's metadata say nothing, and how to run it."""

    cell_seconds: float = 30.0
    total_seconds: float = 600.0
    setup_seconds: float = 120.0
    output_bytes: int = 1_000_000
    time_factor: float = 1.0
    answer_rule: str = ""
    import_paths: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    hidden_marks: tuple[str, str] = ("BEGIN HIDDEN TESTS", "END HIDDEN TESTS")


@dataclass(frozen=True)
class Record:
    """What happened to one notebook, as plain data."""

    state: str
    reason: str
    next_step: str
    repairs: list[str]
    seconds: float
    cells: list[dict[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON data."""
        return asdict(self)


def _seconds(options: Mapping[str, Any], name: str, default: float) -> float:
    value = options.get(name, default)
    return float(value) if isinstance(value, int | float) and value > 0 else default


def budget_of(nb: NotebookNode, limits: Limits) -> Budget:
    """Times from metadata['coursekit'] of the notebook and of single cells, otherwise the course's."""
    options, factor = notebooks.options(nb), limits.time_factor
    cell_seconds = _seconds(options, "cell_seconds", limits.cell_seconds)
    own = {index: _seconds(notebooks.options(cell), "seconds", cell_seconds) for index, cell in enumerate(nb.cells)}
    return Budget(
        cell_seconds=factor * cell_seconds,
        total_seconds=factor * _seconds(options, "total_seconds", limits.total_seconds),
        setup_seconds=limits.setup_seconds,
        output_bytes=limits.output_bytes,
        own_seconds={index: factor * seconds for index, seconds in own.items() if seconds != cell_seconds},
    )


def insert_tests(nb: NotebookNode, tests: NotebookNode) -> None:
    """Give a rebuilt submission the instructor's locked cells, hidden tests included, and their checksums."""
    sources = notebooks.by_id(tests)
    for name, cell in notebooks.by_id(nb).items():
        original = sources.get(name)
        if original is None:
            continue
        cell.metadata["nbgrader"] = dict(original.metadata["nbgrader"])
        if not notebooks.is_answer(cell):
            cell.source = original.source


def _first_answer(nb: NotebookNode) -> int:
    return next((index for index, cell in enumerate(nb.cells) if notebooks.is_answer(cell)), len(nb.cells))


def _write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        target = folder / PurePosixPath(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


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


def _explain(nb: NotebookNode, found: list[Verdict], hits: Mapping[str, list[str]]) -> None:
    """What can be said only of a whole question: it was left empty, a check gave a hint, a rule was broken."""
    cells, by_name = notebooks.by_id(nb), {verdict.grade_id: verdict for verdict in found}
    for question in notebooks.questions(nb):
        answers = [cells[name] for name in question.answers]
        empty = all(notebooks.meta(cell).get("checksum") == compute_checksum(cell) for cell in answers)
        hint = next(filter(None, (verdicts.error_of(cells[name]) for name in question.checks)), "")
        sentences = [sentence for name in question.answers for sentence in hits.get(name, [])]
        for name in question.tests:
            verdict = by_name[name]
            if verdict.score == 0 and empty:
                verdict.state, verdict.reason, verdict.hint = verdicts.BLANK, "This exercise was left empty.", ""
            elif verdict.score != verdict.max_score:
                verdict.hint = verdict.hint or hint
            if sentences and not empty:
                verdicts.refuse(cells[name], verdict, sentences)


def _state(nb: NotebookNode, runs: Mapping[int, CellRun]) -> tuple[str, str, str]:
    """State, reason and next step of a notebook, from the first cell of the gravest kind."""
    kinds = ((execution.DIED, KERNEL_DIED), (execution.TIMED_OUT, TIMED_OUT), (execution.NOT_RUN, TIMED_OUT))
    for kind, state in kinds:
        for index, run in sorted(runs.items()):
            if run.state == kind:
                name = notebooks.grade_id(nb.cells[index]) or f"number {index + 1}"
                return state, f"In the cell '{name}': {run.reason}", MEND
    return GRADED, "", ""


def _nothing_to_run(tests: NotebookNode, state: str, reason: str, next_step: str) -> tuple[bytes, dict[str, Any]]:
    """A notebook without answers in which every test says why it gives no points."""
    found = []
    for cell in tests.cells:
        if notebooks.is_test(cell):
            add_error(cell, "NotGraded", reason)
        if notebooks.is_graded(cell):
            name = str(notebooks.grade_id(cell))
            found.append(Verdict(name, 0.0, notebooks.max_score(cell), state, reason))
    record = Record(state, reason, next_step, [], 0.0, [verdict.to_dict() for verdict in found])
    return notebooks.dumps(tests), record.to_dict()


def grade_notebook(
    submission: bytes | None,
    release: bytes,
    tests: bytes,
    limits: Limits,
    files: Mapping[str, bytes] | None = None,
    problem: str = "",
) -> tuple[bytes, dict[str, Any]]:
    """Rebuild, run and judge one notebook; returns the executed notebook and its record.

    `release` is what the student got, `tests` the same with hidden tests (no solutions), `files` what lies beside it.
    `submission` is None when there is nothing to read, and `problem` then says why. Raises only for faults of the
    grader: KernelDidNotStart, RuleFailed, OSError.
    """
    released, with_tests = notebooks.loads(release), notebooks.loads(tests)
    begun = time.monotonic()
    if submission is None:
        return _nothing_to_run(
            with_tests, MISSING if not problem else UNREADABLE, problem or "Nothing was handed in.", RESUBMIT
        )
    try:
        nb, repairs = rebuild(submission, released)
    except Unreadable as error:
        return _nothing_to_run(with_tests, UNREADABLE, error.reason, error.next_step)
    hits = rule.hits(nb, limits.answer_rule, limits.import_paths)
    insert_tests(nb, with_tests)
    with tempfile.TemporaryDirectory(prefix="grading-", ignore_cleanup_errors=True) as folder:
        _write_files(Path(folder), files or {})
        runs = execution.execute(nb, budget_of(with_tests, limits), _first_answer(nb), folder, limits.environment)
    found = judge_all(nb, released, runs, limits.hidden_marks)
    _explain(nb, found, hits)
    state, reason, next_step = _state(nb, runs)
    seconds = round(time.monotonic() - begun, 3)
    record = Record(state, reason, next_step, repairs, seconds, [verdict.to_dict() for verdict in found])
    return notebooks.dumps(nb), record.to_dict()
