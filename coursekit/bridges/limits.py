"""What every kernel in a sandbox starts with: no file of the server's, and limits that the system itself holds."""

import contextlib
import os
import resource
from collections.abc import Mapping
from typing import Any, NoReturn

MAX_OPEN_FILES = 1024


def close_files(but: set[int]) -> None:
    """Keep the server's files and its terminal out of a child."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    for number in sorted(map(int, os.listdir("/proc/self/fd"))):
        if number > 2 and number not in but:
            with contextlib.suppress(OSError):  # the listing's own is gone
                os.close(number)


def give_up(fd: int, error: Exception) -> NoReturn:
    """Say why no kernel comes of this process, and end it."""
    os.write(fd, f"setup: {type(error).__name__}: {error}\n".encode())
    os._exit(1)


def bound(limits: Mapping[str, Any], *, tasks: int | None) -> None:
    """What the system itself bounds; whoever watches sees to the sum over all processes."""
    with open("/proc/self/statm") as file:
        present = int(file.read().split()[5]) * resource.getpagesize()
    wanted = {
        resource.RLIMIT_DATA: present + int(limits["memory_bytes"]),
        resource.RLIMIT_FSIZE: int(limits["disk_bytes"]),
        resource.RLIMIT_NOFILE: MAX_OPEN_FILES,
        resource.RLIMIT_CORE: 0,
    }
    if tasks is not None:
        wanted[resource.RLIMIT_NPROC] = tasks
    for name, value in wanted.items():
        resource.setrlimit(name, (_at_most(name, value),) * 2)
    seconds = max(1, round(limits["cpu_seconds"]))
    hard = _at_most(resource.RLIMIT_CPU, seconds + 5)
    resource.setrlimit(resource.RLIMIT_CPU, (min(seconds, hard), hard))


def _at_most(name: int, value: int) -> int:
    """`value`, or the present limit, which cannot be raised."""
    hard = resource.getrlimit(name)[1]
    return value if hard == resource.RLIM_INFINITY else min(value, hard)
