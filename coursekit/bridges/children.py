"""A forked child as the fork server sees it."""

import contextlib
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass

READY = b"ready"
CHUNK = 1 << 16


@dataclass
class Child:
    """A kernel; at `report` arrives that it is ready, and in a sandbox why it ended."""

    name: str
    pid: int
    report: int
    leads_group: bool  # without a sandbox, whose outermost process passes signals on to all that it holds
    folders: tuple[str, ...] = ()  # they go with the kernel
    end: int = signal.SIGKILL  # the signal that ends it with all that it has started
    heard: bytes = b""

    @property
    def is_ready(self) -> bool:
        """Whether its sockets are bound."""
        return READY in self.heard.splitlines()

    def hear(self) -> bool:
        """Take what has arrived; False when nothing more will come."""
        while True:
            try:
                data = os.read(self.report, CHUNK)
            except BlockingIOError:
                return True
            if not data:
                return False
            self.heard += data

    def reason(self, status: int) -> str:
        """Why it ended: the last line that says so, otherwise what the exit status means."""
        lines = [line for line in self.heard.splitlines() if line and line != READY]
        if lines:
            return lines[-1].decode(errors="replace")
        return f"exit {status}" if status >= 0 else f"signal {-status}"

    def send(self, number: int) -> None:
        """Send a signal to the kernel, and to what it has started."""
        number = self.end if number == signal.SIGKILL else number
        for function in (os.killpg, os.kill) if self.leads_group else (os.kill,):
            try:
                function(self.pid, number)
            except (ProcessLookupError, PermissionError):  # forked just now, it does not lead its group yet
                continue
            return

    def clear_away(self) -> None:
        """Once it has ended: end what it has left running, and remove its folders."""
        if self.leads_group:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)  # nobody else has the number while the group has a member
        os.close(self.report)
        for folder in self.folders:
            _remove(folder)


def _remove(folder: str) -> None:
    """Remove a folder, however deep somebody has made it."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except RecursionError:
        subprocess.run(["rm", "-rf", "--", folder], check=False, stdin=subprocess.DEVNULL)
