"""Kernels for jupyter_client that are forked from a process which has imported the heavy modules already."""

import asyncio
import os
import signal
import threading
from collections.abc import Mapping
from typing import Any

import psutil
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import LocalProvisioner
from traitlets import List, Unicode

from coursekit.kernels import servers
from coursekit.kernels.server import Forked, ForkFailed, ForkServer

READY_SECONDS = 60.0
END_SECONDS = 2.0
LOOK_SECONDS = 0.003


async def until(event: threading.Event, seconds: float, also: threading.Event | None = None) -> bool:
    """Wait for an event that another thread sets, or for the other one, without holding up the loop."""
    end = asyncio.get_running_loop().time() + seconds
    while not event.is_set() and not (also is not None and also.is_set()):
        if asyncio.get_running_loop().time() > end:
            return False
        await asyncio.sleep(LOOK_SECONDS)
    return True


class ServedKernel(LocalProvisioner):
    """A provisioner whose process is a kernel of a fork server; subclasses say which one and what it is asked for."""

    server: ForkServer | None = None
    kernel: Forked | None = None

    def ask(self, cmd: list[str], kwargs: Mapping[str, Any]) -> Forked:
        """Ask the server for the kernel; raises ForkFailed."""
        raise NotImplementedError

    @property
    def has_process(self) -> bool:
        """Whether there is a kernel that nobody has waited for yet."""
        return self.kernel is not None or super().has_process

    async def poll(self) -> int | None:
        """None while the kernel runs, otherwise its exit status."""
        if self.kernel is None:
            return await super().poll()
        return self.kernel.status if self.kernel.ended.is_set() else None

    async def wait(self) -> int | None:
        """Wait until the kernel has ended and forget it."""
        if self.kernel is None:
            return await super().wait()
        await until(self.kernel.ended, float("inf"))
        status, self.kernel = self.kernel.status, None
        return status

    async def send_signal(self, signum: int) -> None:
        """Send a signal; nothing happens when the kernel has ended."""
        if self.kernel is None or self.server is None:
            return await super().send_signal(signum)
        try:
            self.server.signal(self.kernel, signum)
        except ForkFailed as error:  # then the kernel is gone too
            self.log.warning(str(error))

    async def kill(self, restart: bool = False) -> None:
        """End the kernel and all that it started, and wait until it is gone, which takes milliseconds."""
        if self.kernel is None:
            return await super().kill(restart=restart)
        await self.send_signal(signal.SIGKILL)
        await until(self.kernel.ended, END_SECONDS)

    async def terminate(self, restart: bool = False) -> None:
        """Ask the kernel to end."""
        if self.kernel is None:
            return await super().terminate(restart=restart)
        await self.send_signal(signal.SIGTERM)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Fork a kernel and return when its sockets are bound; raises ForkFailed."""
        kernel = await asyncio.to_thread(self.ask, cmd, kwargs)
        self.kernel = kernel
        if not await until(kernel.started, READY_SECONDS, also=kernel.ended):
            await self.kill()
            self.kernel = None
            raise ForkFailed(f"The forked kernel was not ready within {READY_SECONDS:.0f} s.")
        if not kernel.started.is_set():
            self.kernel = None
            raise ForkFailed(f"The forked kernel ended while it started: {kernel.reason}.")
        self.pid = self.pgid = kernel.pid
        return self.connection_info


class ForkProvisioner(ServedKernel):
    """For JupyterLab and nbval: kernels of the user's own, with the user's rights, from one server for this process.

    Where nothing can be forked, it starts an ordinary kernel and says so in the log.
    """

    modules = List(Unicode(), [], help="Modules that the fork server imports once.").tag(config=True)

    def ask(self, cmd: list[str], kwargs: Mapping[str, Any]) -> Forked:
        """Fork a kernel in the folder and with the environment that the manager chose."""
        self.server = servers.current(tuple(self.modules), warn=self.log.warning)
        environment = dict(kwargs.get("env") or os.environ)
        self.cwd = kwargs.get("cwd") or os.getcwd()
        return self.server.fork(
            {},
            graded=False,
            folder=str(self.cwd),
            arguments=_arguments(cmd),
            environment=environment,
            threads=_threads(environment),
        )

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Fork a kernel, or start an ordinary one."""
        try:
            return await super().launch_kernel(cmd, **kwargs)
        except ForkFailed as error:
            self.log.warning(f"{error} An ordinary kernel is started instead.")
            return await LocalProvisioner.launch_kernel(self, cmd, **kwargs)


def _arguments(cmd: list[str]) -> list[str]:
    """What follows `python -m ipykernel_launcher`."""
    return cmd[cmd.index("ipykernel_launcher") + 1 :]


def _threads(environment: Mapping[str, str]) -> int:
    """The number of threads that torch would choose in a kernel of its own: one for each real core, or as told."""
    told = environment.get("OMP_NUM_THREADS", "").partition(",")[0]
    if told.isdigit() and int(told) > 0:
        return int(told)
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(psutil.cpu_count(logical=False) or usable, usable))
