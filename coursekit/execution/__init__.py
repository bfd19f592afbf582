"""Run a notebook cell by cell, each with its time and its output bounded; what goes wrong costs that question."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Any

from nbformat import NotebookNode

from coursekit.execution.budget import (
    DIED,
    FAILED,
    FINE,
    NOT_RUN,
    TIMED_OUT,
    Budget,
    CellRun,
    Execution,
    KernelDidNotStart,
    SetupFailed,
)
from coursekit.execution.outputs import add_error
from coursekit.execution.run import Run
from coursekit.kernels import Kernels
from coursekit.kernels.limits import KernelLimits

__all__ = [
    "DIED",
    "FAILED",
    "FINE",
    "NOT_RUN",
    "TIMED_OUT",
    "Budget",
    "CellRun",
    "Execution",
    "KernelDidNotStart",
    "SetupFailed",
    "add_error",
    "execute",
]


def execute(
    nb: NotebookNode,
    budget: Budget,
    first_answer: int,
    kernels: Kernels,
    files: Mapping[str, bytes],
    *,
    limits: KernelLimits | None = None,
    silent: Collection[int] = (),
    hidden_mark: str = "BEGIN HIDDEN TESTS",
    runner: Callable[[Any], Any] = asyncio.run,
) -> Execution:
    """Run a notebook in place and return what happened; cells in `silent` keep no output but their result or error.

    These have hidden parts, which begin at the line with `hidden_mark`; the part above it runs by itself first.
    Raises KernelDidNotStart, and SetupFailed when a cell above `first_answer` (an index) does not run through: there
    nothing of the student's has run yet.
    """
    run = Run(nb, budget, first_answer, kernels, files, limits or KernelLimits(), silent, hidden_mark)
    found: Execution = runner(run.execute())
    return found
