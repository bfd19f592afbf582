"""The seam between the gradebook's process and the machines that run what students wrote.

`grade_notebook` takes bytes and returns bytes and a JSON record. It sees neither the gradebook nor any file of the
course, so it can be sent through any `concurrent.futures.Executor`, to another process or another machine, where
`open_worker` was called once.
"""

import atexit
import copy
import functools
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

from nbformat import NotebookNode

from coursekit import execution, notebooks
from coursekit.execution import add_error
from coursekit.grading import allowances, judgement, rule
from coursekit.grading.allowances import Limits
from coursekit.grading.harmless import disarm
from coursekit.grading.judgement import judge_all
from coursekit.grading.records import GRADED, KERNEL_DIED, MISSING, TIMED_OUT, UNREADABLE
from coursekit.grading.verdicts import Verdict
from coursekit.intake import RESUBMIT, Unreadable, rebuild
from coursekit.kernels import Kernels
from coursekit.kernels.opening import KernelSettings, open_kernels
from coursekit.sandbox import Sandbox

__all__ = [
    "GRADED",
    "KERNEL_DIED",
    "MISSING",
    "TIMED_OUT",
    "UNREADABLE",
    "Limits",
    "Record",
    "WorkerSettings",
    "close_worker",
    "grade_notebook",
    "judge_all",
    "open_worker",
    "use_kernels",
]


@dataclass(frozen=True)
class WorkerSettings:
    """What a worker needs to know before its first notebook; it is sent to other processes, so it can be pickled."""

    kernels: KernelSettings
    sandbox: Sandbox


@dataclass(frozen=True)
class Record:
    """What happened to one notebook, as plain data.

    `seconds` is all the time that it took, `overhead_seconds` the part of it that was not spent in its cells.
    """

    state: str
    reason: str
    next_step: str
    repairs: list[str]
    seconds: float
    cells: list[dict[str, Any]]
    hints: list[str] = field(default_factory=list)
    overhead_seconds: float = 0.0
    restarts: int = 0
    sandbox: str = ""
    warm: bool = False
    events: list[dict[str, Any]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON data."""
        return asdict(self)


_kernels: Kernels | None = None


def open_worker(settings: WorkerSettings) -> None:
    """Open this process's source of kernels, in place of one that was open; raises CourseError when there is none."""
    use_kernels(open_kernels(settings.kernels, settings.sandbox))


def use_kernels(kernels: Kernels) -> None:
    """Take the kernels of this process from here; they are closed with the worker."""
    global _kernels
    close_worker()
    _kernels = kernels


@atexit.register
def close_worker() -> None:
    """End every kernel of this process, and its process for the answer rule; nothing happens when there are none."""
    global _kernels
    rule.close()
    if _kernels is not None:
        kernels, _kernels = _kernels, None
        kernels.close()


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


def _with_secrets(nb: NotebookNode, released: NotebookNode) -> set[int]:
    """Cells that contain more than what students have: what is printed while they run could tell what they test."""
    known = notebooks.by_id(released)
    names = [notebooks.grade_id(cell) for cell in nb.cells]
    return {
        index
        for index, (name, cell) in enumerate(zip(names, nb.cells, strict=True))
        if name in known and not notebooks.is_answer(cell) and cell.source != known[name].source
    }


@functools.lru_cache(maxsize=8)
def _loaded(data: bytes) -> NotebookNode:
    """A notebook that is the same for every submission of an assignment; nobody may change it."""
    return notebooks.loads(data)


def _nothing_to_run(tests: NotebookNode, state: str, reason: str, next_step: str) -> tuple[bytes, dict[str, Any]]:
    """A notebook without answers in which every test says why it gives no points."""
    tests, found = copy.deepcopy(tests), []
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
    grader: KernelDidNotStart (also when a cell above the first answer fails), RuleFailed, OSError; and RuntimeError
    when no worker was opened.
    """
    begun = time.monotonic()
    released, with_tests = _loaded(release), _loaded(tests)
    if submission is None:
        return _nothing_to_run(
            with_tests, MISSING if not problem else UNREADABLE, problem or "Nothing was handed in.", RESUBMIT
        )
    try:
        nb, repairs = rebuild(submission, released)
    except Unreadable as error:
        return _nothing_to_run(with_tests, UNREADABLE, error.reason, error.next_step)
    if _kernels is None:
        raise RuntimeError(
            "This process has no kernels: call coursekit.grading.worker.open_worker before the first notebook."
        )
    to_check = rule.to_check(nb)
    insert_tests(nb, with_tests)
    with ThreadPoolExecutor(1) as aside:  # the rule has a process of its own, and time while the kernel starts
        asked = aside.submit(rule.ask, to_check, limits.answer_rule, limits.import_paths)
        done = execution.execute(
            nb,
            allowances.budget_of(with_tests, limits),
            _first_answer(nb),
            _kernels,
            files or {},
            limits=allowances.kernel_limits_of(with_tests, limits),
            silent=_with_secrets(nb, released),
            hidden_mark=limits.hidden_marks[0],
        )
        hits = asked.result()
    found = judge_all(nb, released, done.cells, limits.hidden_marks)
    judgement.explain(nb, found, done.cells, hits)
    state, reason, next_step = judgement.state_of(nb, done.cells)
    repairs += disarm(nb)
    graded = notebooks.dumps(nb)
    seconds = time.monotonic() - begun
    record = Record(
        state,
        reason,
        next_step,
        repairs,
        seconds=round(seconds, 3),
        cells=[verdict.to_dict() for verdict in found],
        hints=list(dict.fromkeys(run.hint for run in done.cells.values() if run.hint)),
        overhead_seconds=round(seconds - done.cell_seconds, 3),
        restarts=done.restarts,
        sandbox=_kernels.sandbox,
        warm=_kernels.warm,
        events=judgement.course_of_events(nb, done.cells),
    )
    return graded, record.to_dict()
