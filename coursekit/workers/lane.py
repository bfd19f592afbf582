"""A dask worker that grades for one run, one notebook at a time.

All of it happens in one thread, the lane, for a sandbox ends with the thread that started it. A worker that cannot be
trusted any more ends its process: dask's nanny brings a new one.
"""

import contextlib
import os
import queue
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distributed import Status

from coursekit.workers import board as notes
from coursekit.workers.board import Lease, WorkersBoard
from coursekit.workers.opened import Errand, Opened, Refused
from coursekit.workers.pool import WorkerLost, WorkerStuck

GRACE_SECONDS = 2.0  # for the last news of a process that ends itself
POLL_SECONDS = 0.3
OPEN_ATTEMPTS = 2

Result = tuple[bytes, bytes]

_turn = threading.Lock()  # a process has one source of kernels, so it works for one run at a time
_serving = ""  # the run that has it


def resource(run: str) -> str:
    """What a worker has one of while it is ready for this run, and every task of the run takes."""
    return f"coursekit-{run}"


@dataclass
class _Job:
    future: Future[Result]
    payload: bytes


class Lane(threading.Thread):
    """The thread in which a worker opens, grades and closes."""

    def __init__(self, worker: Any, errand: Errand) -> None:
        super().__init__(name="course lane", daemon=True)
        self.worker, self.errand = worker, errand
        self.board = WorkersBoard(worker, errand.run)
        self._leaving, self._ending = threading.Event(), threading.Event()
        self._lease = Lease(self.board)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._busy = False
        self._interrupter: threading.Thread | None = None

    # What the threads of dask call

    def call(self, payload: bytes, token: str, seconds: float | None) -> Result:
        """Do a task that nobody has begun yet; raises WorkerLost or WorkerStuck, or what the task raises."""
        if (before := self.board.read(notes.BEGUN, token)) is not None:
            raise WorkerLost(f"the worker {before} was lost while it graded this")
        if self._ending.is_set():  # this process is about to end, and then dask gives the task to another one
            time.sleep(10 * GRACE_SECONDS)
        if self._ending.is_set() or self._leaving.is_set():
            raise WorkerLost(f"the worker {self.worker.address} is being closed")
        self.board.write(notes.BEGUN, token, note=self.worker.address)
        job = _Job(Future(), payload)
        self._jobs.put(job)
        try:
            return job.future.result(seconds)
        except TimeoutError as error:
            if job.future.done():  # the task's own
                raise
            self._end_process()
            raise WorkerStuck(f"a task took longer than {seconds:.0f} s on {self.worker.address}") from error

    def stop(self) -> None:
        """Give up what is being graded, and let the thread end; returns at once."""
        self._leaving.set()
        self._jobs.put(None)
        if self._busy and self._interrupter is None:
            self._interrupter = threading.Thread(target=Opened.interrupt, name="course interrupter", daemon=True)
            self._interrupter.start()

    def _end_process(self) -> None:
        """End this process as soon as the news of it are on their way; what waits here goes to other workers."""
        self._ending.set()
        ending = threading.Timer(GRACE_SECONDS, os._exit, (1,))
        ending.daemon = True
        ending.start()

    # The thread itself

    def run(self) -> None:
        """The whole life of a worker, as far as it concerns the run."""
        try:
            self._take_turn()
            self._live()
        except Refused as refused:
            self._tell(notes.REFUSED, texts=[str(refused)])
        except Exception as error:  # whatever it is, somebody has to read it
            self._tell(notes.REFUSED, texts=[f"{type(error).__name__}: {error}"])
        finally:
            self._leaving.set()

    def _take_turn(self) -> None:
        told = False
        while not _turn.acquire(timeout=POLL_SECONDS):
            if _serving == self.errand.run:
                raise Refused("it shares its process with another worker. Start every worker as a process of its own.")
            if not told:
                told = self._tell(notes.OPENING, texts=["It grades for somebody else still, and waits for the end."])
            self._heed()

    def _live(self) -> None:
        global _serving
        _serving = self.errand.run
        try:
            self._tell(notes.OPENING)
            with Opened(self.errand, Path(self.worker.local_directory)) as opened:
                self._agree(opened.sandbox.kind)
                texts = self._open(opened)
                self._offer(texts)
                self._serve(opened)
        finally:
            if self._interrupter is not None:
                self._interrupter.join()
            _serving = ""
            _turn.release()

    def _agree(self, kind: str) -> None:
        """Wait until it is known which sandbox all workers have: a grade depends on it."""
        self._tell(notes.OFFERS, kind=kind)
        while (wanted := self.board.read(notes.KIND)) is None:
            self._leaving.wait(POLL_SECONDS)
            self._heed()
        if wanted != kind:
            raise Refused(
                f"the isolation that it offers is '{kind}', and the other workers have '{wanted}'. "
                "`course doctor` says there what is missing."
            )

    def _open(self, opened: Opened) -> list[str]:
        for attempt in range(1, OPEN_ATTEMPTS + 1):
            self._heed()
            try:
                return opened.open()
            except OSError:
                if attempt == OPEN_ATTEMPTS:
                    raise
        raise AssertionError

    def _offer(self, texts: list[str]) -> None:
        threads = self.worker.state.nthreads
        if threads > 1:
            texts.append(
                f"The worker {self.worker.address} has {threads} threads and grades one notebook at a time. To use "
                "more cores, start more workers with --nthreads 1."
            )
        self._tell(notes.READY, texts=texts)
        self.board.call(self._have, amount=1)

    async def _have(self, amount: int) -> None:
        """Say to the scheduler whether tasks of this run may come, and let it look for those that wait."""
        await self.worker.set_resources(**{resource(self.errand.run): amount})
        if amount and self.worker.status == Status.running:
            # only a worker that begins to run makes the scheduler look at tasks that had nobody to go to
            self.worker.status = Status.paused
            self.worker.status = Status.running

    def _serve(self, opened: Opened) -> None:
        while (job := self._next()) is not None:
            self._busy = True  # before the look at what `stop` says, which does it the other way round
            try:
                if self._leaving.is_set():
                    raise WorkerLost("the worker is being closed")
                job.future.set_result(opened.do(job.payload))
            except BaseException as error:  # the task's own, to be raised where its result is waited for
                job.future.set_exception(error)
                if opened.is_spoilt_by(error) and not self._leaving.is_set():
                    self._mend(opened)
            finally:
                self._busy = False
        self._leaving.set()
        while not self._jobs.empty():
            if (left := self._jobs.get()) is not None:
                left.future.set_exception(WorkerLost("the worker is being closed"))
        with contextlib.suppress(OSError, RuntimeError):  # dask itself may be gone
            self.board.call(self._have, amount=0)
        self._tell(notes.ENDED)

    def _mend(self, opened: Opened) -> None:
        try:
            opened.open()
        except Exception:  # a fresh process tries it once more, and says what it finds
            self._end_process()
            self._leaving.wait()

    def _next(self) -> _Job | None:
        """The next job, or None when nobody wants this worker any more."""
        while not self._leaving.is_set():
            with contextlib.suppress(queue.Empty):
                return self._jobs.get(timeout=POLL_SECONDS)
            if not self._lease.holds():
                break
        return None

    def _heed(self) -> None:
        """Raises Refused when this worker is to stop, or when the one who grades is not there any more."""
        if self._leaving.is_set():
            raise Refused("it was closed.")
        if not self._lease.holds():
            raise Refused("nobody is there any more for whom it could grade.")

    def _tell(self, state: str, *, kind: str = "", texts: list[str] | None = None) -> bool:
        note = {"state": state, "kind": kind, "texts": texts or []}
        try:
            self.board.write(notes.WORKERS, self.worker.address, note=note)
        except (OSError, RuntimeError):  # the scheduler has gone, or this worker's event loop has
            return False
        return True
