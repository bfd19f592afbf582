"""Processes below this one, found and ended, where no namespace ends them: also those that left their parents.

Who has called `linux.adopt_orphans` gets every descendant whose parent ends as a child, so that nobody is lost.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Collection

PAUSE_SECONDS = 0.002


def children(pid: int) -> list[int]:
    """Children of all threads of a process; raises OSError when it has gone, or where the system does not list them."""
    found: list[int] = []
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/children") as file:
                found += map(int, file.read().split())
        except (FileNotFoundError, ProcessLookupError):
            if pid == os.getpid():
                raise
    return found


def below(pid: int, most: int = sys.maxsize) -> list[int]:
    """All descendants of a process, as far as they were there all the time, or the first ones up to `most`."""
    found: list[int] = []
    waiting = children(pid)
    while waiting and len(found) < most:
        child = waiting.pop()
        found.append(child)
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            waiting += children(child)
    return found


def reap() -> dict[int, int] | None:
    """Children that have ended, with exit code or minus the signal; None when there are no children at all."""
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended or None
        if pid == 0:
            return ended
        ended[pid] = os.waitstatus_to_exitcode(status)


def end_all(group: int = 0) -> None:
    """End everything below this process, which adopts orphans, and return when nobody is left.

    The group of a child that was not reaped yet goes first and at one stroke: in a flood of forks most are there.
    """
    while True:
        if group:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)
        _kill(below(os.getpid()))
        ended = reap()
        if ended is None:
            return
        group = 0 if group in ended else group  # its number may be somebody else's from now on
        time.sleep(PAUSE_SECONDS)


def end_strays(known: Collection[int]) -> None:
    """End what was handed to this process by a descendant that has ended, but for the children that are `known`."""
    while strays := [pid for pid in children(os.getpid()) if pid not in known]:
        _kill([other for pid in strays for other in (pid, *_below(pid))])
        for pid in strays:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _below(pid: int) -> list[int]:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return below(pid)
    return []


def _kill(pids: Collection[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def tasks_of_user() -> int:
    """Processes and threads of our user on the whole computer, as the system counts them for RLIMIT_NPROC."""
    own, count = str(os.getuid()), 0
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            with open(f"/proc/{name}/status") as file:
                lines = dict(line.split(":", 1) for line in file if line.startswith(("Uid:", "Threads:")))
            if lines["Uid"].split()[0] == own:
                count += int(lines["Threads"])
    return count
