"""What a grader leaves in its cage: processes, files, and descriptors that its processes keep open."""

import os
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import psutil

PLACES = ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/run")
PATIENCE_SECONDS = 30.0  # a worker whose grader was killed ends its kernel first
LOOKS = 40  # fewer say nothing about a process


def processes() -> dict[int, str]:
    """Command lines of everything in the cage but this process and those above it, by number."""
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = {}
    for process in psutil.process_iter(["cmdline", "status"]):
        if process.pid not in own and process.pid != 1 and process.info["status"] != psutil.STATUS_ZOMBIE:
            found[process.pid] = " ".join(process.info["cmdline"] or [])[:200]
    return found


def outliving() -> list[str]:
    """Processes that are still there when they have had time to end."""
    end = time.monotonic() + PATIENCE_SECONDS
    while (found := processes()) and time.monotonic() < end:
        time.sleep(0.1)
    return sorted(found.values())


def files(home: Path, course: Path) -> set[str]:
    """Everything in the places for temporary files and in the teacher's home, but for the course and for caches."""
    apart = {course, home / ".cache", home / ".config"}  # matplotlib, for the report, keeps a list of fonts
    found = set()
    for place in (*PLACES, str(home)):
        for folder, names, others in os.walk(place):
            names[:] = [name for name in names if Path(folder, name) not in apart]
            found |= {f"{folder}/{name}" for name in (*names, *others)}
    return found


def segments() -> int:
    """Segments of System V's shared memory, and sockets without a path."""
    lines = Path("/proc/sysvipc/shm").read_text(encoding="ascii").splitlines()[1:]
    sockets = Path("/proc/net/unix").read_text(encoding="utf-8").splitlines()[1:]
    return len(lines) + sum(" @" in line for line in sockets)


def partial(course: Path, known: Iterable[str]) -> list[str]:
    """Files in the course's folder of results that no grading should leave, such as one that was half written."""
    found = []
    for path in (course / "autograded").rglob("*"):
        if path.is_file() and path.name not in known and path.suffix != ".log":
            found.append(str(path.relative_to(course)))
    return sorted(found)


class Descriptors:
    """How many descriptors the long-lived processes of one run have open, looked at again and again."""

    def __init__(self) -> None:
        self.looks = 0
        self.seen: dict[int, list[int]] = defaultdict(list)
        self.roles: dict[int, str] = {}

    def look(self, grader: psutil.Process) -> None:
        """One look at the grader and all that it has started."""
        try:
            family = [grader, *grader.children(recursive=True)]
        except psutil.Error:
            return
        self.looks += 1
        for process in family:
            try:
                count = len(os.listdir(f"/proc/{process.pid}/fd"))
                role = self.roles.get(process.pid) or _role(process, grader)
            except (psutil.Error, OSError):
                continue  # it has ended
            self.roles[process.pid] = role
            self.seen[process.pid].append(count)

    def growth(self) -> dict[str, int]:
        """By role the most that a process had open more at its end than at its start.

        Compared are the first quarter of the looks and the last, both the least and the most that was open in them: for
        every submission some are opened and closed, and a leak raises both. Kernels and whatever else was not there for
        half of the run do not count.
        """
        found: dict[str, int] = {}
        for pid, counts in self.seen.items():
            if len(counts) >= max(LOOKS, self.looks // 2):
                quarter = len(counts) // 4
                first, last = counts[:quarter], counts[-quarter:]
                more = min(min(last) - min(first), max(last) - max(first))
                found[self.roles[pid]] = max(more, found.get(self.roles[pid], more))
        return found


def _role(process: psutil.Process, grader: psutil.Process) -> str:
    words = " ".join(process.cmdline())
    if process.pid == grader.pid:
        return "grader"
    if "spawn_main" in words:
        return "worker"
    return "fork server" if "fork_server" in words else "other"
