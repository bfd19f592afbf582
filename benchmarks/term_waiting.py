"""Workers that do not grade: each waits as long as grading takes, then gives what was graded once and stored."""

import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

Results = dict[bytes, Any]  # by the notebook as students got it: the graded notebook, and its record


class Recording(Executor):
    """Lets somebody else grade, and keeps what comes out."""

    def __init__(self, other: Executor) -> None:
        self.other = other
        self.results: Results = {}

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Grade one notebook, and wait for it."""
        future = self.other.submit(fn, *args, **kwargs)
        self.results[args[1]] = future.result()
        return future


class Waiting(ThreadPoolExecutor):
    """So many workers that need so many seconds for a notebook; the results are always the same."""

    def __init__(self, workers: int, seconds: float, results: Results) -> None:
        super().__init__(workers)
        self.seconds, self.results = seconds, results

    def _after_a_while(self, release: bytes) -> Any:
        time.sleep(self.seconds)
        return self.results[release]

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Wait in a thread of its own."""
        return super().submit(self._after_a_while, args[1])


class AtOnce(Executor):
    """One who needs no time at all: what is left is the time of the process that reads and writes."""

    def __init__(self, results: Results) -> None:
        self.results = results

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """The result that is stored."""
        future: Future[Any] = Future()
        future.set_result(self.results[args[1]])
        return future
