"""Watches over a kernel that has no namespaces of its own, from outside of its Landlock domain.

It adopts all that the kernel's processes leave behind, adds up what they take, passes signals on, and ends every one of
them when the kernel ends, when a limit is passed, when it is told to, or when the fork server ends.
"""

import os
import select
import signal
from collections.abc import Mapping
from types import FrameType
from typing import Any

from coursekit.bridges import descendants, disk, memory
from coursekit.bridges.surroundings import BYTES_PER_FILE
from coursekit.bridges.watcher import FORWARDED, LOOK_SECONDS, NOBODY_SAID, REASONS, pass_on

END = signal.SIGPWR  # to a guard: end everything. SIGKILL would end the guard alone
LEAST_FILES = 1024


class _Told(BaseException):
    """Somebody has asked for the end."""


def _end(number: int, frame: FrameType | None) -> None:
    raise _Told


class Guard:
    """Looks after one kernel, our child, whose files lie in `folder`; `before` bytes were in memory at the fork."""

    def __init__(self, kernel: int, limits: Mapping[str, Any], before: int, folder: str) -> None:
        self.kernel, self.folder = kernel, folder
        self.memory = int(limits["memory_bytes"]) + before
        self.tasks, self.disk = int(limits["processes"]), int(limits["disk_bytes"])
        self.files = max(LEAST_FILES, self.disk // BYTES_PER_FILE)

    def watch(self) -> str:
        """Watch until the end, with signals blocked before and after, and give its reason; then nobody is left."""
        wakes, wakened = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wakened, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in FORWARDED:
            signal.signal(number, lambda number, _: pass_on(self.kernel, number))
        signal.signal(END, _end)
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {END, signal.SIGCHLD, *FORWARDED})
            reason = self._until_the_end(wakes)
        except _Told:
            reason = NOBODY_SAID
        signal.pthread_sigmask(signal.SIG_BLOCK, {END, *FORWARDED})
        descendants.end_all(self.kernel)
        return reason

    def _until_the_end(self, wakes: int) -> str:
        while True:
            if select.select([wakes], [], [], LOOK_SECONDS)[0]:
                os.read(wakes, 4096)
            code = (descendants.reap() or {}).get(self.kernel)
            if code is not None:
                self.kernel = 0
                reason = f"exit {code}" if code >= 0 else f"signal {-code}"
                return REASONS.get(reason, reason)
            if reason := self._excess():
                return reason

    def _excess(self) -> str:
        pids = descendants.below(os.getpid(), self.tasks + 1)
        if len(pids) > self.tasks:  # to look at each would take long, while more of them come
            return "processes"
        usage = memory.measure(self.memory, pids)
        if usage.memory > self.memory:
            return "memory"
        if usage.tasks > self.tasks:
            return "processes"
        size, files = disk.occupied(self.folder, self.files)
        full = files > self.files or size > self.disk or size + disk.deleted(self.folder, pids) > self.disk
        return "disk" if full else ""
