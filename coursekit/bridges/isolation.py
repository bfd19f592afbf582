"""How a forked child of the fork server shuts itself in before it becomes a kernel.

The server runs in a bubblewrap already, which coursekit/sandbox/bubblewrap.py describes; the plan comes from there.
Where no namespace can be made, confined.py does the same with other means.
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

from coursekit.bridges import confined, groups, linux, memory, seccomp, surroundings, watcher
from coursekit.bridges.limits import bound, close_files, give_up

NAMESPACES = linux.NEWUSER | linux.NEWNS | linux.NEWPID | linux.NEWNET | linux.NEWIPC | linux.NEWUTS
CONFINED = "landlock"  # the kind of sandbox without namespaces
SIGNALS = {signal.SIGCHLD, *watcher.FORWARDED}

_sealer: socket.socket | None = None
_confined = False


def prepare(plan: Mapping[str, Any]) -> None:
    """In the server, before anything else is imported: give up root's rights, and hide from the kernels."""
    if plan["kind"] == CONFINED:
        return confined.prepare(plan)
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
    lies in /tmp or in the home folder, or is one beside the sockets where there are no namespaces; `sockets` is the
    only place that the kernel shares with us, until it is sealed. Every open file but `reason_fd` is closed. The
    watcher writes there why the kernel ended, one line that says "exit 0", "signal 11", "memory", "processes",
    "processor", "disk" or "setup: ...", and ends with the kernel's exit status.
    """
    global _sealer, _confined
    _confined = plan["kind"] == CONFINED
    if _confined:
        return confined.enter(plan, limits, files, sockets, reason_fd)
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # until somebody can pass them on
    heard, say = os.pipe()
    sealer, asks = socket.socketpair()
    close_files({heard, say, sealer.fileno(), asks.fileno(), reason_fd})
    before = memory.own()  # now: /proc will show another namespace soon
    try:
        events = groups.join(plan["groups"], limits)
        linux.set_dumpable(True)  # or else our own uid_map is closed to us
        linux.new_user_namespace(NAMESPACES, inside=surroundings.USER)
        linux.set_dumpable(False)
        linux.die_with_parent()
        first = os.fork()
    except Exception as error:  # whatever it was, no kernel may come of it
        give_up(reason_fd, error)
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
        give_up(say, error)
    os.close(say)
    _sealer = asks


def counts_processes() -> bool:
    """Whether RLIMIT_NPROC bounds a kernel alone; before Linux 5.14 it counts every process of the user."""
    version = tuple(int(part) for part in os.uname().release.split(".")[:2] if part.isdigit())
    return version >= (5, 14)


def seal() -> None:
    """In the kernel, when its sockets are bound: nothing that it shares with us can be written from now on."""
    global _sealer, _confined
    if _confined:
        confined.seal()
        _confined = False
    if _sealer is not None:
        with _sealer:
            _sealer.send(b".")
            if not _sealer.recv(1):
                raise OSError("the watcher is gone")
        _sealer = None


def _stay_outside(
    outside: watcher.Watcher, events: int, sockets: str, reason_fd: int, heard: int, sealer: socket.socket
) -> NoReturn:
    def make_readonly() -> None:
        if sockets:
            linux.make_readonly(sockets)

    try:
        reason = outside.watch(heard, sealer, make_readonly)
    except Exception as error:  # what is not watched does not run: process 1 ends with us
        give_up(reason_fd, error)
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
        close_files({say})
        linux.drop_capabilities()
        watcher.be_first(kernel, say)
    os.setsid()
    os.chdir(folder)
    os.umask(0o022)
    tasks = int(limits["processes"]) + watcher.SPARE_TASKS
    bound(limits, tasks=tasks if counts_processes() else None)
    _give_up_rights()
    for number in SIGNALS:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def _give_up_rights() -> None:
    """As the kernel: no capability, none to be had, no keys of others, and the first to go when memory runs out."""
    with contextlib.suppress(OSError):  # another kernel may have used up all keys, and the server's ring is empty
        linux.fresh_keyring()
    linux.drop_capabilities()
    linux.no_new_privileges()
    seccomp.refuse_few()
    linux.set_dumpable(True)  # or else it could not read its own /proc/self
    Path("/proc/self/oom_score_adj").write_text("1000")
