"""Workers on this computer: an ordinary `concurrent.futures.Executor` whose processes may die without harm.

Python's own ProcessPoolExecutor gives up all its tasks, and itself, when one of its processes ends. Here every worker
is on its own: what it worked on fails with `WorkerLost`, a new worker takes its place, and nobody else is touched.
"""

import multiprocessing
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any

from coursekit.errors import CourseError
from coursekit.workers.pool_process import STOP_SECONDS, Recipe, serve

__all__ = ["LocalWorkers", "Recipe", "WorkerLost", "WorkerStuck", "WorkersDidNotOpen"]

OPEN_SECONDS = 600.0  # importing torch on a busy machine takes minutes


class WorkerLost(Exception):
    """The process that worked on a task has ended, or had to be ended, before the task was done."""


class WorkerStuck(WorkerLost):
    """The process took longer for a task than any task may take."""


class WorkersDidNotOpen(CourseError):
    """No worker can be opened on this machine, so nothing can be done."""


class _Worker:
    """One process, seen from the parent."""

    def __init__(self, recipe: Recipe) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        # a daemon: it ends with its parent even if nobody calls `shutdown`
        self.process = context.Process(target=serve, args=(theirs, recipe), name="course-worker", daemon=True)
        self.process.start()
        theirs.close()

    def answer(self, seconds: float | None, what: str) -> Any:
        """What comes next from the process, or what it raised; raises WorkerLost when nothing does."""
        try:
            if not self.connection.poll(seconds):
                raise WorkerStuck(f"{what} took longer than {seconds:.0f} s")
            fine, value = self.connection.recv()
        except (EOFError, OSError) as error:
            self.process.join(STOP_SECONDS)
            raise WorkerLost(f"a worker process ended ({self._ending()})") from error
        if not fine:
            raise value
        return value

    def call(self, function: Callable[..., Any], args: Any, kwargs: Any, seconds: float | None) -> Any:
        """Run one task; raises WorkerLost, or what the task raises."""
        try:
            self.connection.send((function, args, kwargs))
        except OSError as error:
            self.process.join(STOP_SECONDS)
            raise WorkerLost(f"a worker process ended ({self._ending()})") from error
        return self.answer(seconds, "a task")

    def _ending(self) -> str:
        status = self.process.exitcode
        if status is None:
            return "it does not answer"
        return f"signal {-status}" if status < 0 else f"exit status {status}"

    def end(self, *, kindly: bool = True) -> None:
        """End the process with all that it started; an idle one has time to put things away."""
        self.connection.close()
        if not kindly:
            self.process.terminate()
        self.process.join(STOP_SECONDS)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
        self.process.close()


@dataclass
class _Task:
    future: Future[Any]
    function: Callable[..., Any]
    args: Any
    kwargs: Any


class LocalWorkers(Executor):
    """So many worker processes, started when there is something to do; also a context manager.

    `about` holds what `recipe.open` returned in each worker that was opened. A worker that cannot be opened is tried
    `attempts` times; tasks fail with `WorkersDidNotOpen` once none is left. `task_seconds` bounds every task.
    """

    def __init__(self, count: int, recipe: Recipe, *, attempts: int = 2, task_seconds: float | None = None) -> None:
        self.count, self.recipe, self.attempts, self.task_seconds = count, recipe, attempts, task_seconds
        self.about: list[Any] = []
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._lanes: set[threading.Thread] = set()
        self._workers: set[_Worker] = set()
        self._pending = 0
        self._closed = False
        self._broken: Exception | None = None

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Give a task to the workers; its future fails with WorkerLost when a worker dies of it."""
        future: Future[Any] = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError("These workers have been shut down.")
            if self._broken is not None:
                raise self._broken
            self._pending += 1
            if len(self._lanes) < min(self.count, self._pending):
                lane = threading.Thread(target=self._work, name=f"worker lane {len(self._lanes)}", daemon=True)
                self._lanes.add(lane)
                lane.start()
            self._tasks.put(_Task(future, fn, args, kwargs))
        return future

    def _open(self) -> _Worker | None:
        """A worker that is ready, or None when there will be none."""
        failure: Exception = RuntimeError("nobody wants it any more")
        for _ in range(self.attempts):
            with self._lock:
                if self._closed:
                    break
                worker = _Worker(self.recipe)
                self._workers.add(worker)
            try:
                about = worker.answer(OPEN_SECONDS, "opening a worker")
            except Exception as error:  # counted, and told once no worker is left
                failure = error
                self._end(worker, kindly=False)
                if isinstance(error, CourseError):
                    break  # that is how things are: trying again changes nothing
            else:
                with self._lock:
                    self.about.append(about)
                return worker
        with self._lock:
            self._lanes.discard(threading.current_thread())
            if not self._lanes and not self._closed:
                self._broken = WorkersDidNotOpen(f"Nothing can be graded, because no worker could be opened. {failure}")
                self._broken.__cause__ = failure
        return None

    def _end(self, worker: _Worker, *, kindly: bool) -> None:
        with self._lock:
            self._workers.discard(worker)
        worker.end(kindly=kindly)

    def _work(self) -> None:
        """One lane: a worker, and the next one when it is lost."""
        worker = None
        while (worker := worker or self._open()) is not None and (task := self._tasks.get()) is not None:
            if task.future.set_running_or_notify_cancel() and not self._run(worker, task):
                worker = None
            with self._lock:
                self._pending -= 1
        if worker is not None:
            self._end(worker, kindly=True)
        if self._broken is not None:
            self._fail_all(self._broken)

    def _run(self, worker: _Worker, task: _Task) -> bool:
        """Whether the worker is still good after this task."""
        try:
            result = worker.call(task.function, task.args, task.kwargs, self.task_seconds)
        except Exception as error:  # the task's own exception, or the loss of the worker
            good = not isinstance(error, (WorkerLost, *self.recipe.spoilt))
            if not good:
                self._end(worker, kindly=not isinstance(error, WorkerStuck))
            task.future.set_exception(error)
            return good
        task.future.set_result(result)
        return True

    def _fail_all(self, error: Exception) -> None:
        while True:
            try:
                task = self._tasks.get_nowait()
            except queue.Empty:
                return
            if task is not None and task.future.set_running_or_notify_cancel():
                task.future.set_exception(error)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Finish what was given, or with `cancel_futures` drop it and end what runs; then end every worker."""
        with self._lock:
            self._closed = True
            lanes = list(self._lanes)
            for worker in self._workers if cancel_futures else ():
                worker.process.terminate()
        while cancel_futures:
            try:
                task = self._tasks.get_nowait()
            except queue.Empty:
                break
            if task is not None:
                task.future.cancel()
        for _ in lanes:
            self._tasks.put(None)
        if wait:
            for lane in lanes:
                lane.join()
