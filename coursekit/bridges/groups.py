"""A control group for one kernel, where the sandbox was given a place to make some: see coursekit/sandbox/groups.py.

It counts what the watcher cannot see, such as memory that the system itself uses for a kernel, and lets no time pass.
"""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from coursekit.bridges.watcher import SPARE_TASKS

PREFIX = "kernel-"
MARGIN = 64_000_000  # the watcher, process 1, and what the system keeps for each process
_EVENTS = ("memory.events", "memory.oom_control")  # in version 2 and 1


def join(folders: Mapping[str, str], limits: Mapping[str, int]) -> int:
    """Make a group, with these limits, for this process and all that come of it; a file that counts kills, or -1.

    `folders` has a folder for "memory" and one for "pids", or for one of them; raises OSError.
    """
    memory = int(limits["memory_bytes"]) + int(limits["disk_bytes"]) + MARGIN
    # Private folders are memory too. The names differ between the versions, and some are not everywhere.
    values = {
        "memory.max": memory,
        "memory.swap.max": 0,
        "memory.limit_in_bytes": memory,
        "memory.memsw.limit_in_bytes": memory,
        "pids.max": int(limits["processes"]) + SPARE_TASKS,
    }
    events = -1
    for folder in sorted(set(folders.values())):
        sweep(Path(folder), PREFIX)
        group = Path(folder, f"{PREFIX}{os.getpid()}")
        group.mkdir()
        for name, value in values.items():
            if (group / name).exists():
                (group / name).write_text(str(value))
        for name in _EVENTS:
            if (group / name).exists():
                events = os.open(group / name, os.O_RDONLY)
        (group / "cgroup.procs").write_text("0")
    return events


def killed(events: int) -> bool:
    """Whether the system ended a process of the group because it had no more memory."""
    lines = os.pread(events, 4096, 0).decode().splitlines() if events >= 0 else []
    return any(line.startswith("oom_kill ") and int(line.split()[1]) > 0 for line in lines)


def sweep(folder: Path, prefix: str) -> None:
    """Remove the groups in which nobody is left."""
    for group in folder.glob(f"{prefix}*/"):
        with contextlib.suppress(OSError):  # somebody is
            group.rmdir()
