"""One writer at a time: a lock on a course that the operating system releases when its holder ends, however it ends."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from coursekit.errors import CourseError


@contextlib.contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold the lock that the file `path` stands for; raises CourseError when somebody has it, this process included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read(200).strip() or "another process"
            raise CourseError(
                f"This course is being graded already, by {holder}. Wait until it is done, or stop it: "
                "what it has graded is kept."
            ) from None
        file.truncate(0)
        file.write(f"process {os.getpid()} on {os.uname().nodename}, ")
        file.write(f"which began at {datetime.now().astimezone():%Y-%m-%d %H:%M}\n")
        file.flush()
        yield  # the file stays: whoever removed it would let in a second holder, with a file of its own
