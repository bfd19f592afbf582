"""First program of a nested cage that root has made: mounts /proc, gives up every right of root's, starts a command.

Usage: _cage_start.py UID HOME COMMAND ... It runs with `python -I -S` and imports the standard library alone.
"""

import ctypes
import os
import sys

NOSUID, NODEV, NOEXEC = 2, 4, 8


def mount_proc() -> None:
    """A view of the processes with nothing mounted over it: only then may a sandbox inside mount its own."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"proc", b"/proc", b"proc", ctypes.c_ulong(NOSUID | NODEV | NOEXEC), None) != 0:
        raise OSError(ctypes.get_errno(), f"mount /proc: {os.strerror(ctypes.get_errno())}")


def main() -> None:
    uid, home, argv = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    mount_proc()
    for folder in (home, "/out"):
        if os.path.isdir(folder):
            os.chown(folder, uid, uid)
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    os.execvp(argv[0], argv)


if __name__ == "__main__":
    main()
