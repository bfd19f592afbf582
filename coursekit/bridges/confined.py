"""How a child of the fork server is shut in where no namespace can be made: Landlock, seccomp, limits, and a guard.

The three functions are those of isolation.py, which calls them. The plan comes from coursekit/sandbox/landlock.py,
which has also made the folder of the server beside those of the kernels' sockets.
"""

import contextlib
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from coursekit.bridges import descendants, guard, landlock, limits, linux, memory, seccomp, surroundings, watcher

WORK, HOME, TMP = "w", "home", "tmp"  # of a kernel, beside its sockets
DEVICES = ("null", "zero", "full", "random", "urandom")
SIGNALS = {signal.SIGCHLD, guard.END, *watcher.FORWARDED}
# The system counts the processes of a user, whoever started them: this only slows a flood down until the guard ends it.
FLOOD = 2


def prepare(plan: Mapping[str, Any]) -> None:
    """In the server: give up root's rights, end with the grader, and adopt what a guard that was killed leaves."""
    linux.fresh_keyring()
    if plan["privileged"]:
        user = plan["user"]
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    linux.no_new_privileges()
    linux.set_dumpable(False)
    linux.die_with_parent()
    linux.adopt_orphans()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def enter(
    plan: Mapping[str, Any], bounds: Mapping[str, Any], files: Mapping[str, bytes], sockets: str, reason_fd: int
) -> None:
    """In a forked child: return in the process that becomes the kernel; the child itself stays as its guard.

    All that the kernel may write lies in the folder `sockets`, which others cannot open.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # until somebody can pass them on
    limits.close_files({reason_fd})
    before = memory.own()
    heard, say = os.pipe()
    try:
        linux.die_with_parent(reason_fd, number=guard.END)
        linux.adopt_orphans()
        for name in (WORK, HOME, TMP):
            os.mkdir(f"{sockets}/{name}", 0o700)
        surroundings.write_files(f"{sockets}/{WORK}", files)
        own = os.getpid()
        kernel, tasks = _fork_counted()
    except Exception as error:  # whatever it was, no kernel may come of it
        limits.give_up(reason_fd, error)
    if kernel:
        os.close(say)
        _guard(guard.Guard(kernel, bounds, before, sockets), heard, reason_fd)
    os.close(heard)
    try:
        linux.die_with_parent()
        if os.getppid() != own:
            os._exit(1)
        _shut_in(plan, {**bounds, "tasks": tasks + FLOOD * int(bounds["processes"])}, sockets)
    except Exception as error:
        limits.give_up(say, error)
    os.close(say)


def seal() -> None:
    """In the kernel, when its sockets are bound: no others from now on."""
    seccomp.seal()


def _guard(watching: guard.Guard, heard: int, reason_fd: int) -> None:
    try:
        with open(heard) as file:
            problem = file.read().strip()
        reason = watching.watch()
    except Exception as error:  # what is not watched does not run
        descendants.end_all()
        limits.give_up(reason_fd, error)
    reason = problem or reason
    os.write(reason_fd, reason.encode() + b"\n")
    os._exit(watcher.exit_status(reason))


def _fork_counted() -> tuple[int, int]:
    """Fork, and say how many processes and threads our user has, or at most twice as many.

    The system counts also those of other containers, which nobody can see from here.
    """
    hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    most = sys.maxsize if hard == resource.RLIM_INFINITY else hard
    tasks = descendants.tasks_of_user() + 1
    while True:
        resource.setrlimit(resource.RLIMIT_NPROC, (min(tasks, most), hard))
        try:
            return os.fork(), tasks
        except BlockingIOError:
            if tasks >= most:
                raise
            tasks *= 2


def _shut_in(plan: Mapping[str, Any], bounds: Mapping[str, Any], sockets: str) -> None:
    linux.set_dumpable(True)  # or else it could not read its own /proc/self; other kernels cannot look into it
    os.setsid()
    os.umask(0o022)
    os.chdir(f"{sockets}/{WORK}")
    os.environ.update(HOME=f"{sockets}/{HOME}", TMPDIR=f"{sockets}/{TMP}")
    tempfile.tempdir = None  # the server's
    limits.bound(bounds, tasks=int(bounds["tasks"]))
    Path("/proc/self/oom_score_adj").write_text("1000")
    with contextlib.suppress(OSError):  # another kernel may have used up all keys, and the server's ring is empty
        linux.fresh_keyring()
    linux.drop_capabilities(bounding=False)
    linux.no_new_privileges()
    server = os.path.join(os.path.dirname(sockets), plan["server"])
    rules = [(path, landlock.LOOK) for path in (*plan["readable"], server)]
    rules += [("/proc", landlock.LIST), (sockets, landlock.OWN)]
    landlock.restrict([*rules, *((f"/dev/{name}", landlock.DEVICE) for name in DEVICES)])
    seccomp.confine()
    for number in SIGNALS:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
