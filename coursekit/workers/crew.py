"""Who does the grading: an executor with opened workers, and what is known of how they isolate submissions."""

import os
from concurrent.futures import Executor
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from coursekit import sandbox
from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.execution import KernelDidNotStart
from coursekit.grading import worker
from coursekit.grading.assignment import kernel_environment
from coursekit.grading.environment import sandbox_data, sandbox_paths
from coursekit.grading.worker import WorkerSettings
from coursekit.kernels.opening import KernelSettings
from coursekit.workers.opening import open_here
from coursekit.workers.pool import LocalWorkers, Recipe


@dataclass
class Crew:
    """An executor whose workers are open, or open when they get something to do.

    `ahead` is how many submissions it is given before the first is stored, `sandbox` the kind of isolation; empty when
    nobody here knows it. Leaving the context ends the executor, after an error also what it is doing.
    """

    executor: Executor
    ahead: int = 1
    sandbox: str = ""
    _told: set[str] = field(default_factory=set)

    def allow(self, seconds: float) -> None:
        """Let a notebook take so long before its worker is ended."""
        if isinstance(self.executor, LocalWorkers):
            self.executor.task_seconds = max(seconds, self.executor.task_seconds or 0.0)

    def news(self) -> list[str]:
        """What the workers have said since the last time, each sentence once."""
        about: list[list[str]] = self.executor.about if isinstance(self.executor, LocalWorkers) else []
        found = [text for texts in list(about) for text in texts if text not in self._told]
        self._told.update(found)
        return list(dict.fromkeys(found))

    def __enter__(self) -> "Crew":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.executor.shutdown(wait=True, cancel_futures=kind is not None)


def cores() -> int:
    """How many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def choose_sandbox(course: Course, *, trust: bool) -> Any:
    """The isolation that this computer offers, or the one that c.Coursekit.sandbox asks for.

    Raises CourseError when that does not hold, or when there is none and `trust` does not allow it.
    """
    paths = sandbox.Paths(course=course.root, packages=tuple(sandbox_paths(course)), data=tuple(sandbox_data(course)))
    return sandbox.choose(paths, trust=trust, kind=course.options.sandbox)


def hire(course: Course, *, trust: bool = False, workers: int | None = None) -> Crew:
    """Workers on this computer, started when there is something to do: `workers`, or as many as the course says.

    `trust` lets submissions run with the rights of this process where nothing else is possible. Raises CourseError.
    """
    count = course.options.workers if workers is None else workers
    if count < 0:
        raise CourseError(
            f"{count} workers cannot be had. Say how many notebooks to grade at a time, or 0 for one on every core."
        )
    count = count or cores()
    chosen = choose_sandbox(course, trust=trust)
    kernels = KernelSettings(preload=tuple(course.options.preload), environment=kernel_environment(course))
    recipe = Recipe(
        open=open_here,
        arguments=(WorkerSettings(kernels, chosen),),
        close=worker.close_worker,
        spoilt=(KernelDidNotStart, OSError),
    )
    return Crew(LocalWorkers(count, recipe), ahead=2 * count, sandbox=chosen.kind)
