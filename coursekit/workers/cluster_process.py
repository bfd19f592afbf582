"""The far side of `cluster`: what dask calls in its workers."""

import asyncio
import os
from typing import Any

from distributed import WorkerPlugin, get_worker

from coursekit.workers import opening  # noqa: F401  # first: it leaves out what a worker never uses
from coursekit.workers.lane import Lane, Result
from coursekit.workers.opened import Errand
from coursekit.workers.pool import WorkerLost

STOP_SECONDS = 20.0  # what a lane has to end its kernels in


class CoursePlugin(WorkerPlugin):
    """Opens a lane in every worker, also in those that join later, and closes it at the end."""

    def __init__(self, errand: Errand) -> None:
        self.errand = errand
        self.lane: Lane | None = None

    def setup(self, worker: Any) -> None:
        """Called by dask in the worker; opening takes long, so it goes on in the lane."""
        self.lane = Lane(worker, self.errand)
        self.lane.start()

    async def teardown(self, worker: Any) -> None:
        """Called by dask in the worker, at the end of the run or of the worker."""
        if self.lane is None:
            return
        self.lane.stop()
        await asyncio.to_thread(self.lane.join, STOP_SECONDS)
        if self.lane.is_alive():  # nothing of a submission may be left
            os._exit(1)


def run_task(name: str, token: str, payload: bytes, seconds: float | None) -> Result:
    """What dask runs: one task in the lane of this worker."""
    plugin = get_worker().plugins.get(name)
    if not isinstance(plugin, CoursePlugin) or plugin.lane is None:
        raise WorkerLost("the worker does not grade for this course any more")
    return plugin.lane.call(payload, token, seconds)
