"""How a forked child of the fork server shuts itself in before it becomes a kernel.

The server runs in a bubblewrap already, which coursekit/sandbox/bubblewrap.py describes; the plan comes from there.
`prepare` is the server's first act. Each child calls `enter`, which puts two processes around the kernel (watcher.py)
and furnishes a place for it (surroundings.py), and `seal` when its sockets are bound, before anything of a student's
runs.
"""

import contextlib
import os
import resource
import signal
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from coursekit.bridges import groups, linux, memory, surroundings, watcher

MAX_OPEN_FILES = 1024
NAMESPACES = linux.NEWUSER | linux.NEWNS | linux.NEWPID | linux.NEWNET | linux.NEWIPC | linux.NEWUTS
SIGNALS = {signal.SIGCHLD, *watcher.FORWARDED}

_sealer: socket.socket | None = None


def prepare(plan: Mapping[str, Any]) -> None:
    """In the server, before anything else is imported: give up root's rights, and hide from the kernels."""
    linux.fresh_keyring()
    if plan["privileged"]:
        linux.mount("proc", "/proc", "proc", linux.NOSUID | linux.NODEV | linux.NOEXEC)
        user = plan["user"]
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    linux.no_new_privileges()
    linux.set_dumpable(False)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def enter(
    plan: Mapping[str, Any],
    limits: Mapping[str, Any],
    folder: str,
    files: Mapping[str, bytes],
    *,
    sockets: str = "",
    reason_fd: int,
) -> None:
    """In a forked child: return in the process that becomes the kernel, whose current folder holds `files`.

    The child itself stays as the watcher: a signal that it gets is passed on, and when it is killed all ends. `folder`
    lies in /tmp or in the home folder; `sockets` is the only place that the kernel shares with us, until it is sealed.
    Every open file but `reason_fd` is closed. The watcher writes there why the kernel ended, one line that says
    "exit 0", "signal 11", "memory", "processes", "processor" or "setup: ...", and ends with the kernel's exit status.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # until somebody can pass them on
    heard, say = os.pipe()
    sealer, asks = socket.socketpair()
    _close_files({heard, say, sealer.fileno(), asks.fileno(), reason_fd})
    before = memory.own()  # now: /proc will show another namespace soon
    try:
        events = groups.join(plan["groups"], limits)
        linux.set_dumpable(True)  # or else our own uid_map is closed to us
        linux.new_user_namespace(NAMESPACES, inside=surroundings.USER)
        linux.set_dumpable(False)
        linux.die_with_parent()
        first = os.fork()
    except Exception as error:  # whatever it was, no kernel may come of it
        _give_up(reason_fd, error)
    if first:
        os.close(say)
        asks.close()
        _stay_outside(watcher.Watcher(first, limits, before), events, sockets, reason_fd, heard, sealer)
    os.close(heard)
    sealer.close()
    if events >= 0:
        os.close(events)
    try:
        _be_inside(plan, limits, folder, files, sockets, reason_fd, say)
    except Exception as error:
        _give_up(say, error)
    os.close(say)
    global _sealer
    _sealer = asks


def counts_processes() -> bool:
    """Whether RLIMIT_NPROC bounds a kernel alone; before Linux 5.14 it counts every process of the user."""
    version = tuple(int(part) for part in os.uname().release.split(".")[:2] if part.isdigit())
    return version >= (5, 14)


def seal() -> None:
    """In the kernel, when its sockets are bound: nothing that it shares with us can be written from now on."""
    global _sealer
    if _sealer is not None:
        with _sealer:
            _sealer.send(b".")
            if not _sealer.recv(1):
                raise OSError("the watcher is gone")
        _sealer = None


def _give_up(fd: int, error: Exception) -> NoReturn:
    os.write(fd, f"setup: {type(error).__name__}: {error}\n".encode())
    os._exit(1)


def _stay_outside(
    outside: watcher.Watcher, events: int, sockets: str, reason_fd: int, heard: int, sealer: socket.socket
) -> NoReturn:
    def make_readonly() -> None:
        if sockets:
            linux.make_readonly(sockets)

    try:
        reason = outside.watch(heard, sealer, make_readonly)
    except Exception as error:  # what is not watched does not run: process 1 ends with us
        _give_up(reason_fd, error)
    if groups.killed(events):
        reason = "memory"
    os.write(reason_fd, reason.encode() + b"\n")
    os._exit(watcher.exit_status(reason))


def _be_inside(
    plan: Mapping[str, Any],
    limits: Mapping[str, Any],
    folder: str,
    files: Mapping[str, bytes],
    sockets: str,
    reason_fd: int,
    say: int,
) -> None:
    """Process 1 of the new namespaces: furnish them and fork the kernel, in which alone this returns."""
    linux.die_with_parent(say)
    surroundings.furnish(plan["home"], int(limits["disk_bytes"]), plan["kept"], sockets)
    surroundings.write_files(folder, files)
    os.write(say, watcher.BEGUN + b"\n")
    kernel = os.fork()
    if kernel:
        _close_files({say})
        linux.drop_capabilities()
        watcher.be_first(kernel, say)
    os.setsid()
    os.chdir(folder)
    os.umask(0o022)
    _limit(limits)
    _give_up_rights()
    for number in SIGNALS:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def _close_files(but: set[int]) -> None:
    """Keep the server's files and its terminal out of a child."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    for number in sorted(map(int, os.listdir("/proc/self/fd"))):
        if number > 2 and number not in but:
            with contextlib.suppress(OSError):  # the listing's own is gone
                os.close(number)


def _limit(limits: Mapping[str, Any]) -> None:
    """What the system itself bounds; the watcher sees to the sum over all processes."""
    with open("/proc/self/statm") as file:
        present = int(file.read().split()[5]) * resource.getpagesize()
    wanted = {
        resource.RLIMIT_DATA: present + int(limits["memory_bytes"]),
        resource.RLIMIT_FSIZE: int(limits["disk_bytes"]),
        resource.RLIMIT_NOFILE: MAX_OPEN_FILES,
        resource.RLIMIT_CORE: 0,
    }
    if counts_processes():
        wanted[resource.RLIMIT_NPROC] = int(limits["processes"]) + watcher.SPARE_TASKS
    for name, value in wanted.items():
        resource.setrlimit(name, (_at_most(name, value),) * 2)
    seconds = max(1, round(limits["cpu_seconds"]))
    hard = _at_most(resource.RLIMIT_CPU, seconds + 5)
    resource.setrlimit(resource.RLIMIT_CPU, (min(seconds, hard), hard))


def _at_most(name: int, value: int) -> int:
    """`value`, or the present limit, which cannot be raised."""
    hard = resource.getrlimit(name)[1]
    return value if hard == resource.RLIM_INFINITY else min(value, hard)


def _give_up_rights() -> None:
    """As the kernel: no capability, none to be had, no keys of others, and the first to go when memory runs out."""
    with contextlib.suppress(OSError):  # another kernel may have used up all keys, and the server's ring is empty
        linux.fresh_keyring()
    linux.drop_capabilities()
    linux.no_new_privileges()
    linux.refuse_system_calls()
    linux.set_dumpable(True)  # or else it could not read its own /proc/self
    Path("/proc/self/oom_score_adj").write_text("1000")
