"""The two processes around a kernel: one watches it from outside its namespace, one is process 1 within.

The watcher cannot be seen from within. It passes signals on, looks at the memory and at the number of processes, and
when the kernel ends, or passes a limit, it ends process 1 and with it everything that the kernel has started.
"""

import os
import selectors
import signal
import socket
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from coursekit.bridges import memory

LOOK_SECONDS = 0.1
BEGUN = b"begun"  # process 1 says so when /proc shows its namespace
SPARE_TASKS = 2  # the watcher and process 1, where the system counts them too
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
NOBODY_SAID = f"signal {int(signal.SIGKILL)}"
REASONS = {f"signal {int(signal.SIGXCPU)}": "processor"}


def be_first(kernel: int, say: int) -> NoReturn:
    """As process 1, with the signals blocked: pass them on to the kernel's group, reap, and end with the kernel."""
    while True:
        number = signal.sigwait({signal.SIGCHLD, *FORWARDED})
        if number != signal.SIGCHLD:
            pass_on(kernel, number)
            continue
        while (child := _ended()) is not None:
            pid, code = child
            if pid == kernel:
                os.write(say, f"exit {code}\n".encode() if code >= 0 else f"signal {-code}\n".encode())
                os._exit(0)


def pass_on(kernel: int, number: int) -> None:
    """Send a signal to a kernel and what runs in its group."""
    try:
        os.killpg(kernel, number)
    except ProcessLookupError:  # it does not lead its group yet
        os.kill(kernel, number)


def _ended() -> tuple[int, int] | None:
    """A child that has ended, and its exit code or minus the signal."""
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (pid, os.waitstatus_to_exitcode(status)) if pid else None


class Watcher:
    """Looks after one kernel, whose process 1 is our child `first`, until it has ended."""

    def __init__(self, first: int, limits: Mapping[str, Any], before: int) -> None:
        self.first = first
        # The `before` bytes that were in memory at the fork count in the sums, and are not the student's.
        self.memory = int(limits["memory_bytes"]) + before
        self.tasks = int(limits["processes"])
        self.heard = b""

    def watch(self, heard: int, sealer: socket.socket, seal: Callable[[], None]) -> str:
        """Watch until the end, call `seal` when the kernel asks for it, and give the reason of the end."""
        for number in FORWARDED:
            signal.signal(number, lambda number, _: os.kill(self.first, number))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
        selector = selectors.DefaultSelector()
        selector.register(heard, selectors.EVENT_READ)
        selector.register(sealer, selectors.EVENT_READ)
        reason = ""
        while not reason:
            for key, _ in selector.select(LOOK_SECONDS):
                if key.fd == heard:
                    reason = self._listen(heard)
                elif sealer.recv(1):
                    seal()
                    sealer.send(b".")
                else:
                    selector.unregister(sealer)
            reason = reason or self._excess()
        self._end()
        return reason

    def _listen(self, heard: int) -> str:
        data = os.read(heard, 4096)
        self.heard += data
        if data:
            return ""
        lines = [line for line in self.heard.splitlines() if line != BEGUN]
        last = lines[-1].decode(errors="replace") if lines else NOBODY_SAID
        return REASONS.get(last, last)

    def _excess(self) -> str:
        if BEGUN not in self.heard:
            return ""
        usage = memory.measure(self.memory)
        if usage.memory > self.memory:
            return "memory"
        return "processes" if usage.tasks > self.tasks else ""

    def _end(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)  # nobody is left to pass them on to
        os.kill(self.first, signal.SIGKILL)
        os.waitpid(self.first, 0)  # returns when nobody is left in its namespace


def exit_status(reason: str) -> int:
    """The exit status with which the watcher stands for a kernel that ended for this reason."""
    word, _, number = reason.partition(" ")
    if word in ("exit", "signal"):
        return int(number) + (128 if word == "signal" else 0)
    return 1 if word == "setup:" else 128 + int(signal.SIGKILL)
