"""Keeps an executor busy with submissions, and tries again what the machine spoilt, never what a student did."""

from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from dataclasses import dataclass, field
from typing import Any

from coursekit.errors import CourseError
from coursekit.execution import KernelDidNotStart
from coursekit.grading.assignment import Assignment
from coursekit.grading.submissions import Submission
from coursekit.grading.worker import grade_notebook
from coursekit.workers.crew import Crew
from coursekit.workers.pool import WorkerLost, WorkerStuck

# Faults of the machine. A worker that hangs is none of them: the same submission would hang the next one as well.
SPOILT = (KernelDidNotStart, BrokenExecutor, WorkerLost, OSError)
# So many submissions that fail one after the other may be the machine's fault.
SUSPICIOUS = 5

Result = tuple[bytes, dict[str, Any]]


@dataclass
class Task:
    """One submission that the executor has been given."""

    submission: Submission
    hashes: dict[str, str]
    futures: dict[str, Future[Any]] = field(default_factory=dict)
    attempts: int = 0
    troubles: list[str] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)  # what else the record is to say

    def is_done(self) -> bool:
        """Whether nothing of it is being graded any more."""
        return all(future.done() for future in self.futures.values())

    def results(self) -> dict[str, Result]:
        """Graded notebooks and their records by name; raises what grading raised."""
        return {name: future.result() for name, future in self.futures.items()}


class Dispatcher:
    """The submissions of one assignment that are being graded."""

    def __init__(self, crew: Crew, assignment: Assignment, attempts: int) -> None:
        self.crew, self.assignment, self.attempts = crew, assignment, attempts
        self.waiting: list[Task] = []
        self._failures = 0

    def has_room(self) -> bool:
        """Whether another submission can be given."""
        return len(self.waiting) < max(self.crew.ahead, 1)

    def start(self, submission: Submission, hashes: dict[str, str]) -> None:
        """Give a submission to the executor."""
        task = Task(submission, hashes)
        self._give(task)
        self.waiting.append(task)

    def _submit(self, name: str, data: bytes | None, problem: str) -> Future[Any]:
        ours = self.assignment
        return self.crew.executor.submit(
            grade_notebook, data, ours.releases[name], ours.tests[name], ours.limits, ours.files, problem
        )

    def _give(self, task: Task) -> None:
        """Every notebook of the task that has no good result yet."""
        task.attempts += 1
        for name in sorted(self.assignment.tests):
            future = task.futures.get(name)
            if future is None or future.exception() is not None:
                problem = task.submission.problems.get(name, "")
                task.futures[name] = self._submit(name, task.submission.notebooks[name], problem)

    def finished(self) -> Iterator[tuple[Task, Exception | None]]:
        """Wait for a submission and return every one that is done, with the fault of the machine where there was one.

        Raises CourseError when nothing can be graded here at all.
        """
        running = [future for task in self.waiting for future in task.futures.values() if not future.done()]
        wait(running, return_when=FIRST_COMPLETED)
        for task in [task for task in self.waiting if task.is_done()]:
            errors = [error for future in task.futures.values() if (error := future.exception()) is not None]
            if errors and self._may_try_again(task, errors):
                self._give(task)
                continue
            self.waiting.remove(task)
            self._failures = self._failures + 1 if errors else 0
            yield task, _as_exception(errors[0]) if errors else None
            if self._failures >= SUSPICIOUS:
                self._try_the_machine(_as_exception(errors[0]))
                self._failures = 0

    def _may_try_again(self, task: Task, errors: list[BaseException]) -> bool:
        for error in errors:
            if isinstance(error, CourseError):
                raise error
            task.troubles.append(f"attempt {task.attempts}: {type(error).__name__}: {error}")
        again = all(isinstance(error, SPOILT) and not isinstance(error, WorkerStuck) for error in errors)
        return again and task.attempts < self.attempts

    def _try_the_machine(self, last: Exception) -> None:
        """Grade what students were given, without any answer; raises CourseError when not even that can be done."""
        name = min(self.assignment.tests)
        for _ in range(max(self.attempts, 1)):
            error = self._submit(name, self.assignment.releases[name], "").exception()
            if error is None:
                return
        raise CourseError(
            f"{SUSPICIOUS} submissions in a row could not be graded, nor can the assignment without any answers, so "
            f"the fault is this machine's or the course's. {type(last).__name__}: {last}. "
            "Put that right and run `course grade` again; what was graded is kept."
        )

    def cancel(self) -> None:
        """Take back what has not begun."""
        for task in self.waiting:
            for future in task.futures.values():
                future.cancel()


def _as_exception(error: BaseException) -> Exception:
    return error if isinstance(error, Exception) else RuntimeError(f"{type(error).__name__}: {error}")
