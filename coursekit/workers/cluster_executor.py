"""The workers of a dask cluster as a `concurrent.futures.Executor`, behind the one that dask itself offers.

Dask decides which worker does what. Here every task gets a name that can be begun only once, whatever dies, so that
dask never runs a submission again of its own accord; what the cluster loses fails with `WorkerLost`, as for `pool`.
"""

import asyncio
import contextlib
import pickle
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from typing import Any

from coursekit.errors import CourseError
from coursekit.workers import board as notes
from coursekit.workers.board import ClientsBoard
from coursekit.workers.outcomes import as_ours, sentences, taken
from coursekit.workers.pool import WorkerLost

LOOK_SECONDS = 2.0
SETTLE_SECONDS = 30.0  # for workers that are slower than the first to say which sandbox they have
END_SECONDS = 60.0
SILENT_SECONDS = 10.0  # after which a worker that could not even take its errand will not say anything


class ClusterWorkers(Executor):
    """Workers that dask has; those that join later are opened too, and used.

    `about` holds what each of them had to say, `ready` how many can be used now, `task_seconds` bounds every task. When
    there is none for `patience` seconds, or the scheduler is lost, all tasks fail with CourseError.
    """

    def __init__(self, client: Any, plugin: Any, name: str, *, patience: float) -> None:
        from coursekit.workers.lane import resource

        self.client, self.plugin, self.name, self.patience = client, plugin, name, patience
        self.run = plugin.errand.run
        self.board = ClientsBoard(client, self.run)
        self.about: list[list[str]] = []
        self.sandbox = ""
        self.ready = 0
        self.task_seconds: float | None = None
        self._tasks = client.get_executor(pure=False, retries=0, resources={resource(self.run): 1})
        self._lock = threading.Lock()
        self._pending: dict[Future[Any], tuple[Future[Any], Any]] = {}  # with the connection that it was sent over
        self._heard: dict[str, Any] = {}
        self._offered = self._idle_since = time.monotonic()
        self._broken: Exception | None = None
        self._closed = threading.Event()
        self._signs = 0
        self._comm: Any = None
        self._trouble = ""
        self._watcher = threading.Thread(target=self._watch, name="cluster watcher", daemon=True)

    # From the beginning to the end

    def open(self) -> None:
        """Open the workers, and wait until one can be used; raises CourseError when none can."""
        self._register()
        begun = self._idle_since = time.monotonic()
        while not self.ready:
            self._look()
            here = self.board.workers()
            if here and all(self._heard.get(each, {}).get("state") == notes.REFUSED for each in here):
                raise CourseError(f"No worker of the cluster can be used.{self._reasons()}")
            if self._trouble and not self._heard and time.monotonic() - begun > SILENT_SECONDS:
                raise CourseError(f"No worker of the cluster can be used. {self._trouble}")
            if time.monotonic() - begun > self.patience:
                raise self._nobody()
            if not self.ready:
                self._closed.wait(LOOK_SECONDS / 10)
        self._watcher.start()

    def _register(self) -> None:
        self._comm = self.client.scheduler_comm
        self.board.write(notes.ALIVE, note=self._next_sign())
        if self.sandbox:
            self.board.write(notes.KIND, note=self.sandbox)
        try:
            self.client.register_plugin(self.plugin, name=self.name)
        except OSError:
            raise
        except Exception as error:  # what a worker raises when it is told; the others have been told as well
            self._trouble = (
                f"A worker could not be opened ({type(error).__name__}: {error}). coursekit and the packages of the "
                "course must be installed on all of them, in the same versions as here."
            )
            self.about.append([self._trouble])

    def _next_sign(self) -> int:
        self._signs += 1
        return self._signs

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Finish what was given, or with `cancel_futures` drop it and end what runs; then close the workers."""
        if self._closed.is_set():
            return
        while wait and not cancel_futures and self._pending:
            with contextlib.suppress(Exception):  # whoever wants to know asks the future
                next(iter(self._pending), Future()).exception(LOOK_SECONDS)
        self._closed.set()
        if self._watcher.is_alive():
            self._watcher.join()
        for inner, _ in self._take(lambda _: True).values():
            inner.cancel()
        with _quietly():
            self.client.sync(
                self.client.scheduler.unregister_worker_plugin, name=self.name, callback_timeout=END_SECONDS
            )
        with _quietly():
            self.client.sync(self.client.scheduler.set_metadata, keys=[self.run], value=None, callback_timeout=5)
        with _quietly():
            self.client.close(timeout=5)

    # Tasks

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Give a task to the cluster, which must return a notebook's bytes and its record."""
        from coursekit.workers.cluster_process import run_task

        payload, token = pickle.dumps((fn, args, kwargs)), uuid.uuid4().hex
        with self._lock:
            if self._broken is not None:
                raise self._broken
            if self._closed.is_set():
                raise RuntimeError("These workers have been shut down.")
            outer: Future[Any] = Future()
            try:
                inner = self._tasks.submit(run_task, self.name, token, payload, self.task_seconds)
            except Exception as error:  # dask has no type of its own for a client that has been closed
                raise self._lost(error) from error
            self._pending[outer] = (inner, self.client.scheduler_comm)
        outer.add_done_callback(lambda done: inner.cancel() if done.cancelled() else None)
        inner.add_done_callback(lambda _: self._settle(outer))
        return outer

    def _settle(self, outer: Future[Any]) -> None:
        """Pass on what became of a task, unless somebody else has said so already."""
        with self._lock:
            inner, _ = self._pending.pop(outer, (None, None))
        if inner is None or not outer.set_running_or_notify_cancel():
            return
        try:
            outer.set_result(taken(inner.result()))
        except Exception as error:
            outer.set_exception(as_ours(error))
        except asyncio.CancelledError as error:
            outer.set_exception(as_ours(error))

    def _take(self, wanted: Callable[[Any], bool]) -> dict[Future[Any], tuple[Future[Any], Any]]:
        with self._lock:
            return {outer: self._pending.pop(outer) for outer, (_, comm) in list(self._pending.items()) if wanted(comm)}

    def _fail(self, error: Exception, wanted: Callable[[Any], bool] = lambda _: True) -> None:
        """Give up the tasks that were sent over these connections."""
        for outer, (inner, _) in self._take(wanted).items():
            if outer.set_running_or_notify_cancel():
                outer.set_exception(error)
            inner.cancel()

    # What becomes of the cluster

    def _watch(self) -> None:
        while self._broken is None and not self._closed.wait(LOOK_SECONDS):
            try:
                self._look()
            except Exception as error:  # the scheduler is away, perhaps only for a moment
                if self.client.status in ("closed", "closing"):
                    self._give_up(self._lost(error))
            if not self.ready and time.monotonic() - self._idle_since > self.patience:
                self._give_up(self._nobody())

    def _give_up(self, error: CourseError) -> None:
        with self._lock:
            self._broken = error
        self._fail(error)

    def _look(self) -> None:
        """Give a sign of life, and see who is there."""
        if self.client.status == "closed":
            raise OSError("the connection has ended")
        if self.client.scheduler_comm is not self._comm:  # it was lost and found, or there is a new scheduler
            lost = self._comm
            self._register()
            self._fail(WorkerLost("the connection to the cluster's scheduler was lost"), lambda comm: comm is lost)
        self.board.write(notes.ALIVE, note=self._next_sign())
        found: dict[str, Any] = self.board.read(notes.WORKERS) or {}
        here = self.board.workers()
        for address, note in found.items():
            if self._heard.get(address) != note:
                self._heard[address] = note
                self.about += filter(None, [list(sentences(address, note))])
        if not self.sandbox:
            self._choose([found.get(address, {}) for address in here])
        self.ready = sum(found.get(address, {}).get("state") == notes.READY for address in here)
        if self.ready:
            self._idle_since = time.monotonic()

    def _choose(self, known: list[dict[str, Any]]) -> None:
        """Which isolation all workers must have: what most of them offer, and any rather than none."""
        offers = Counter(note["kind"] for note in known if note.get("state") == notes.OFFERS)
        if not offers:
            self._offered = time.monotonic()
            return
        slow = any(note.get("state") in (None, notes.OPENING) for note in known)
        if not slow or time.monotonic() - self._offered > SETTLE_SECONDS:
            self.sandbox = max(sorted(offers), key=lambda kind: (kind != "none", offers[kind]))
            self.board.write(notes.KIND, note=self.sandbox)

    def _reasons(self) -> str:
        found = [text for address, note in self._heard.items() for text in sentences(address, note)]
        return "".join(f" {text}" for text in dict.fromkeys(found))

    def _nobody(self) -> CourseError:
        return CourseError(
            f"For {self.patience:.0f} s the cluster has had no worker that can be used.{self._reasons()} Start workers "
            "(`dask worker ADDRESS --nthreads 1`), or raise c.Coursekit.cluster_seconds, and run `course grade` again; "
            "what was graded is kept."
        )

    def _lost(self, error: Exception) -> CourseError:
        address = self.client.scheduler.address if self.client.scheduler is not None else "dask"
        return CourseError(
            f"The scheduler {address} was lost ({type(error).__name__}: {error}). See that it and its workers run, and "
            "run `course grade` again; what was graded is kept."
        )


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """At the end there may be nobody left to answer."""
    with contextlib.suppress(Exception):
        yield
