"""How much memory the processes of one kernel take together, from what /proc shows of their namespace."""

import os
from collections.abc import Iterable
from dataclasses import dataclass

_PARTS = {b"RssAnon:", b"RssShmem:", b"VmSwap:"}
_EXACT = {b"Pss_Anon:", b"Pss_Shmem:", b"SwapPss:"}


@dataclass(frozen=True)
class Usage:
    """Bytes of memory, and processes and their threads."""

    memory: int
    tasks: int


def _kilobytes(text: bytes, names: set[bytes]) -> int:
    return sum(int(line.split()[1]) for line in text.splitlines() if line.split(None, 1)[0] in names)


def _status(pid: str) -> tuple[int, int]:
    """Anonymous and shared memory of a process in bytes, as if it shared nothing with others, and its threads."""
    with open(f"/proc/{pid}/status", "rb") as file:
        text = file.read()
    threads = [line for line in text.splitlines() if line.startswith(b"Threads:")]
    return 1024 * _kilobytes(text, _PARTS), int(threads[0].split()[1])


def _share(pid: str, at_most: int) -> int:
    """A process's share of the pages that it uses, in bytes; of one that hides it, `at_most`."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            return 1024 * _kilobytes(b"\n".join(file.read().splitlines()[1:]), _EXACT)
    except PermissionError:
        return at_most


def _system_v() -> int:
    """Shared memory of the old kind, which stays when no process uses it."""
    with open("/proc/sysvipc/shm", "rb") as file:
        heading, *rows = file.read().splitlines()
    column = heading.split().index(b"rss")
    return sum(int(row.split()[column]) for row in rows)


def _without_name(pids: list[str]) -> int:
    """Bytes in files of memory that have no name (memfd_create), each counted once."""
    sizes = {}
    for pid in pids:
        try:
            for entry in os.scandir(f"/proc/{pid}/fd"):
                if os.readlink(entry.path).startswith("/memfd:"):
                    found = os.stat(entry.path)
                    sizes[found.st_dev, found.st_ino] = 512 * found.st_blocks
        except OSError:  # it ended, closed the file, or hides its files
            continue
    return sum(sizes.values())


def own() -> int:
    """What this process takes, in bytes."""
    return _status("self")[0]


def measure(enough: int, only: Iterable[int] | None = None) -> Usage:
    """What the processes in /proc but process 1 take together; exact only when it may be more than `enough` bytes.

    Or `only` these, which share /proc and segments with everybody else.
    """
    pids = [name for name in os.listdir("/proc") if name.isdigit() and name != "1"] if only is None else map(str, only)
    pids = list(pids)
    found = {}
    for pid in pids:
        try:
            found[pid] = _status(pid)
        except (FileNotFoundError, ProcessLookupError, IndexError):  # it has just ended
            continue
    others = (_system_v() if only is None else 0) + _without_name(pids)
    memory = sum(size for size, _ in found.values()) + others
    if memory > enough:
        memory = others
        for pid, (size, _) in found.items():
            try:
                memory += _share(pid, size)
            except (FileNotFoundError, ProcessLookupError):
                continue
    return Usage(memory, sum(threads for _, threads in found.values()))
