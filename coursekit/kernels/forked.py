"""Kernels for grading, forked from one warm process, in a sandbox where there is one."""

import uuid
from collections.abc import Mapping
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

from coursekit.kernels.limits import KernelLimits
from coursekit.kernels.provisioner import ServedKernel
from coursekit.kernels.reasons import sentence
from coursekit.kernels.server import Forked, ForkServer

PORTS = ("shell_port", "iopub_port", "stdin_port", "hb_port", "control_port")
# A graded kernel needs no history, whose thread writes a file.
# Whenever somebody asks what the kernel is, its tip of the day would be drawn from the notebook's own random numbers.
# Output is waited for on its own channel, so a kernel need not sleep before it replies to give output a head start.
CONFIG = {
    "HistoryManager": {"enabled": False},
    "InteractiveShell": {"enable_tip": False},
    "IPKernelApp": {"outstream_class": "coursekit.bridges.streams.LazyStream"},
    "Kernel": {"_execute_sleep": 0.0},
}


class GradedKernel(ServedKernel):
    """A provisioner that is told its server, its files and its limits instead of a kernelspec."""

    files: Mapping[str, bytes]
    limits: KernelLimits
    environment: Mapping[str, str]
    seed: int | None
    last: Forked | None = None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Choose fresh sockets and a fresh key for every start; no file is written."""
        manager = self.parent
        assert self.server is not None
        assert manager is not None
        self.name, manager.ip = self.server.address()
        manager.transport = "ipc"
        for number, port in enumerate(PORTS, start=1):
            setattr(manager, port, number)
        manager.session.key = uuid.uuid4().hex.encode()
        self.connection_info = manager.get_connection_info()
        return {"cmd": [], "env": {}}

    def ask(self, cmd: list[str], kwargs: Mapping[str, Any]) -> Forked:
        """Fork with the files and limits of this notebook."""
        assert self.server is not None
        info = {**self.connection_info, "key": self.connection_info["key"]}
        if isinstance(info["key"], bytes):
            info["key"] = info["key"].decode()
        self.last = self.server.fork(
            info,
            name=self.name,
            files=self.files,
            limits=self.limits,
            environment=self.environment,
            config=CONFIG,
            seed=self.seed,
        )
        return self.last

    async def cleanup(self, restart: bool = False) -> None:
        """The server removes the sockets and the folder with the kernel."""


class GradedManager(AsyncKernelManager):
    """A manager of one graded kernel, which needs neither a kernelspec on disk nor a connection file."""

    def __init__(self, provisioner: GradedKernel, **traits: Any) -> None:
        super().__init__(**traits)
        self._kernel_spec = KernelSpec(argv=["forked"], display_name="graded", language="python")
        provisioner.parent, provisioner.kernel_spec = self, self._kernel_spec
        self.provisioner = provisioner

    def _reconcile_connection_info(self, info: KernelConnectionInfo) -> None:
        """Nothing to do: the manager itself has chosen the sockets, and there is no file."""


class ForkedKernels:
    """Kernels of one fork server, which must have been started."""

    def __init__(
        self, server: ForkServer, *, environment: Mapping[str, str] | None = None, seed: int | None = 0
    ) -> None:
        self.server, self.environment, self.seed = server, dict(environment or {}), seed
        self.sandbox = server.sandbox.kind if server.sandbox is not None else "none"
        self.warm = bool(server.modules)

    def manager(self, files: Mapping[str, bytes], limits: KernelLimits) -> AsyncKernelManager:
        """A manager whose kernel, once started, runs in a fresh folder of its own that holds these files."""
        provisioner = GradedKernel()
        provisioner.server, provisioner.files, provisioner.limits = self.server, files, limits
        provisioner.environment, provisioner.seed = self.environment, self.seed
        return GradedManager(provisioner)

    def why_dead(self, manager: AsyncKernelManager) -> str:
        """A sentence for the student on why the kernel ended; empty when nobody knows."""
        provisioner = manager.provisioner
        if not isinstance(provisioner, GradedKernel) or provisioner.last is None or not provisioner.last.ended.wait(1):
            return ""
        return sentence(provisioner.last.reason, provisioner.limits)

    def close(self) -> None:
        """End every kernel and everything that they started."""
        self.server.stop()
