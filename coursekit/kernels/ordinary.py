"""Kernels that are started anew for every notebook, with the rights of whoever grades: only with consent."""

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from jupyter_client.manager import AsyncKernelManager

from coursekit.kernels.limits import KernelLimits
from coursekit.kernels.reasons import sentence


class OrdinaryManager(AsyncKernelManager):
    """A manager of python3's kernel in a temporary folder, which goes when the kernel's resources do."""

    def __init__(self, files: Mapping[str, bytes], limits: KernelLimits, environment: Mapping[str, str]) -> None:
        super().__init__(kernel_name="python3")
        self.files, self.limits, self.environment = files, limits, environment
        self.folder: tempfile.TemporaryDirectory[str] | None = None

    async def _async_start_kernel(self, **options: Any) -> None:
        self._forget_folder()
        self.folder = tempfile.TemporaryDirectory(prefix="course-", ignore_cleanup_errors=True)
        for name, data in self.files.items():
            target = Path(self.folder.name, PurePosixPath(name))
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        options |= {"cwd": self.folder.name, "env": {**os.environ, **self.environment}}
        await super()._async_start_kernel(**{"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL} | options)

    start_kernel = _async_start_kernel

    async def _async_cleanup_resources(self, restart: bool = False) -> None:
        await super()._async_cleanup_resources(restart=restart)
        self._forget_folder()

    cleanup_resources = _async_cleanup_resources

    def abandon(self) -> None:
        """End the kernel, if it runs still, and forget its folder."""
        process = getattr(self.provisioner, "process", None)
        if process is not None and process.poll() is None:
            process.kill()
            process.wait()
        self._forget_folder()

    def _forget_folder(self) -> None:
        if self.folder is not None:
            self.folder.cleanup()
            self.folder = None


class OrdinaryKernels:
    """What a course without a sandbox and without a fork server uses."""

    sandbox = "none"
    warm = False

    def __init__(self, *, environment: Mapping[str, str] | None = None) -> None:
        self.environment = dict(environment or {})
        self._managers: list[OrdinaryManager] = []

    def manager(self, files: Mapping[str, bytes], limits: KernelLimits) -> AsyncKernelManager:
        """A manager whose kernel, once started, runs in a fresh folder of its own that holds these files."""
        manager = OrdinaryManager(files, limits, self.environment)
        self._managers.append(manager)
        return manager

    def why_dead(self, manager: AsyncKernelManager) -> str:
        """A sentence for the student on why the kernel ended; empty when nobody knows."""
        process = getattr(manager.provisioner, "process", None)
        status = None if process is None else process.poll()
        if status is None or not isinstance(manager, OrdinaryManager):
            return ""
        return sentence(f"exit {status}" if status >= 0 else f"signal {-status}", manager.limits)

    def close(self) -> None:
        """End every kernel that still runs."""
        for manager in self._managers:
            manager.abandon()
        self._managers.clear()
