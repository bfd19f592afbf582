"""A crew on other computers: the workers of a dask.distributed cluster, with the one writer at home."""

import logging
import platform
import threading
import uuid
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.files import digest
from coursekit.grading.assignment import kernel_environment
from coursekit.grading.environment import sandbox_data
from coursekit.kernels.opening import KernelSettings
from coursekit.workers.cluster_executor import ClusterWorkers
from coursekit.workers.crew import Crew
from coursekit.workers.luggage import pack
from coursekit.workers.opened import Errand, Machine

CONNECT_SECONDS, ANSWER_SECONDS = 10.0, 5.0
EXTRA = 'dask is not installed. In the course folder: python -m pip install -c constraints.txt -e ".[teach,cluster]"'


@dataclass
class ClusterCrew(Crew):
    """Workers of a cluster, more or fewer from one moment to the next."""

    def allow(self, seconds: float) -> None:
        """Let a notebook take so long before its worker is ended."""
        workers = self._workers()
        workers.task_seconds = max(seconds, workers.task_seconds or 0.0)

    def news(self) -> list[str]:
        """What the workers have said since the last time, each sentence once."""
        workers = self._workers()
        self.ahead = 2 * max(workers.ready, 1)
        found = [text for texts in list(workers.about) for text in texts if text not in self._told]
        self._told.update(found)
        return list(dict.fromkeys(found))

    def _workers(self) -> ClusterWorkers:
        assert isinstance(self.executor, ClusterWorkers)
        return self.executor


def _connect(address: str) -> Any:
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("distributed", "dask"):
            raise
        raise CourseError(EXTRA) from error
    _keep_quiet()
    found: Future[Any] = Future()

    def connect() -> None:
        try:
            found.set_result(Client(address, timeout=CONNECT_SECONDS, set_as_default=False, name="course-grade"))
        except Exception as error:  # anything, from a name that means nothing to a certificate that is not there
            found.set_exception(error)

    # in a thread, for dask waits for ever where something listens that does not answer
    threading.Thread(target=connect, name="cluster connection", daemon=True).start()
    try:
        return found.result(CONNECT_SECONDS + ANSWER_SECONDS)
    except Exception as error:
        what = f"{type(error).__name__}: {error}" if found.done() else "what listens there does not answer"
        raise CourseError(
            f"There is no dask scheduler at '{address}' ({what}). Start one with `dask scheduler`, and say the address "
            "that it prints, such as --dask tcp://192.168.0.7:8786."
        ) from error


def _keep_quiet() -> None:
    """What dask has to say of lost connections would tear the progress bar; it arrives as a sentence of ours."""
    if not logging.getLogger().isEnabledFor(logging.INFO):
        for name in ("distributed", "distributed.client"):
            logging.getLogger(name).setLevel(logging.CRITICAL)


def errand_of(course: Course, *, trust: bool) -> Errand:
    """All that a worker is told about this course; raises CourseError when its modules cannot be sent."""
    return Errand(
        run=uuid.uuid4().hex,
        course=str(course.root),
        trust=trust,
        sandbox=course.options.sandbox,
        kernels=KernelSettings(preload=tuple(course.options.preload), environment=kernel_environment(course)),
        luggage=pack(course),
        data=tuple(map(str, sandbox_data(course))),
        machine=Machine.here(),
    )


def hire_cluster(course: Course, address: str, *, trust: bool = False) -> ClusterCrew:
    """The workers of the dask scheduler at `address`, when at least one of them is ready.

    `trust` lets submissions run with the workers' own rights where these have no sandbox. Raises CourseError when the
    scheduler cannot be reached, when no worker can be used, and when the course's modules cannot be sent.
    """
    errand = errand_of(course, trust=trust)
    client = _connect(address)
    from coursekit.workers.cluster_process import CoursePlugin

    # the next run takes the place of one that was killed
    name = f"coursekit-{digest(platform.node().encode(), str(course.root).encode())[:16]}"
    workers = ClusterWorkers(client, CoursePlugin(errand), name, patience=course.options.cluster_seconds)
    try:
        workers.open()
    except BaseException as error:
        workers.shutdown(cancel_futures=True)
        if isinstance(error, (CourseError, KeyboardInterrupt)):
            raise
        raise CourseError(
            f"The workers of {address} could not be opened ({type(error).__name__}: {error}). coursekit and the "
            "packages of the course must be installed on every one of them, and in the same versions as here."
        ) from error
    return ClusterCrew(workers, ahead=2 * workers.ready, sandbox=workers.sandbox)
