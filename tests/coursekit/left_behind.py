"""A notebook that leaves a process behind which does not want to end, and how to find that process."""

import contextlib
import time
from pathlib import Path

# It has left its parent, its session and its group, and hears no signal that can be ignored.
LEAVE_ONE_BEHIND = """
import os, signal, time
ready, told = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in set(range(1, 65)) - {{9, 19, 32, 33}}:
            signal.signal(number, signal.SIG_IGN)
        os.write(told, b".")
        os.execv("/usr/bin/sleep", ["{token}", "120"])
    os._exit(0)
os.wait()
os.read(ready, 1)
{last}
"""
STAY = "print('READY', flush=True); time.sleep(120)"
GONE_SECONDS = 20


def left(token: str) -> list[str]:
    """Processes of this computer that have the token in their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if path.read_bytes().startswith(token.encode()):
                found.append(path.parent.name)
    return found


def soon_gone(token: str) -> bool:
    """Whether no process has the token any more, at the latest after some seconds."""
    end = time.monotonic() + GONE_SECONDS
    while left(token) and time.monotonic() < end:
        time.sleep(0.02)
    return not left(token)
