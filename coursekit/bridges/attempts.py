"""Attempts to get out of a sandbox, made from where a submission would run: see coursekit/sandbox/probe.py.

    python -m coursekit.bridges.attempts TASK      (TASK: JSON, see `Task`)

It prints one JSON object: for each attempt the list of what it got, which should be empty.
"""

import ctypes
import errno
import json
import mmap
import os
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any

from coursekit.bridges import isolation, linux

Task = dict[str, Any]
_PTRACE_SEIZE = 0x4206  # does not stop what it is done to


def _succeeds(action: Callable[[], object]) -> bool:
    """Whether the system lets us; any other error than a refusal is a fault of the attempt."""
    try:
        action()
    except OSError:
        return False
    return True


def _connect(family: int, kind: int, address: Any) -> None:
    with socket.socket(family, kind) as any_socket:
        any_socket.settimeout(1)
        any_socket.connect(address)


def network(task: Task) -> Iterator[str]:
    """A server on this computer, one beside it that has no file, and a way to anywhere at all."""
    if _succeeds(lambda: _connect(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", task["port"]))):
        yield "a connection to a server on this computer"
    if _succeeds(lambda: _connect(socket.AF_UNIX, socket.SOCK_STREAM, "\0" + task["token"])):
        yield "a connection to a program on this computer"
    if _succeeds(lambda: _connect(socket.AF_INET, socket.SOCK_DGRAM, ("192.0.2.1", 9))):  # sends nothing
        yield "a way to other computers"


def reading(task: Task) -> Iterator[str]:
    """Files of the course and of whoever grades it, and the sockets of other kernels."""
    yield from (path for path in task["secret"] if _succeeds(lambda path=path: os.lstat(path)))  # type: ignore[misc]
    around = os.path.dirname(task["sockets"])
    yield from (f"{around}/{name}" for name in os.listdir(around) if name != os.path.basename(task["sockets"]))


def writing(task: Task) -> Iterator[str]:
    """A new file in every folder that is not the kernel's alone."""
    folders = ["/", "/usr", "/etc", "/dev", "/run", "/run/etc", "/home", *task["shown"]]
    for folder in [*folders, task["sockets"], os.path.dirname(task["sockets"])]:
        path = os.path.join(folder, task["token"])
        if _succeeds(lambda path=path: os.close(os.open(path, os.O_CREAT | os.O_WRONLY))):  # type: ignore[misc]
            yield path
    for path in ("/proc/sys/kernel/core_pattern", "/proc/sys/user/max_user_namespaces", "/proc/sysrq-trigger"):
        if _succeeds(lambda path=path: os.close(os.open(path, os.O_WRONLY))):  # type: ignore[misc]
            yield path


def processes(task: Task) -> Iterator[str]:
    """Processes beside process 1 and this one, and namespaces that are shared with the outside."""
    known = {"1", str(os.getpid())}
    yield from (f"process {name}" for name in os.listdir("/proc") if name.isdigit() and name not in known)
    for pid in task["pids"]:
        # in a container the grader's number is a small one, which may be ours in here
        if str(pid) not in known and _succeeds(lambda pid=pid: os.kill(pid, 0)):  # type: ignore[misc]
            yield f"a signal to process {pid}"
    for name, identity in task["namespaces"].items():
        if os.readlink(f"/proc/self/ns/{name}") == identity:
            yield f"the {name} namespace of the outside"


def environment(task: Task) -> Iterator[str]:
    """A secret that the grader's environment held at the start, in this process and in its ancestors."""
    if any(task["secret_value"] in value for value in os.environ.values()):
        yield "the environment"
    for pid in ("self", "1"):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                if task["secret_value"].encode() in file.read():
                    yield f"/proc/{pid}/environ"
        except PermissionError:
            continue


def capabilities(task: Task) -> Iterator[str]:
    """Rights of root, and ways to get them."""
    with open("/proc/self/status") as file:
        status = dict(line.split(":", 1) for line in file)
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        if int(status[name], 16):
            yield f"{name} {status[name].strip()}"
    if status["NoNewPrivs"].strip() != "1":
        yield "set-user-id programs"
    ways: dict[str, Callable[[], object]] = {
        "another user": lambda: os.setuid(0),
        "another root folder": lambda: os.chroot("/tmp"),
        "a mount": lambda: linux.mount("tmpfs", "/tmp", "tmpfs", 0),
        "an unmount": lambda: linux.unmount("/proc"),
        "another name for the computer": lambda: socket.sethostname("free"),
        "a user namespace": lambda: linux.unshare(linux.NEWUSER),
    }
    yield from (what for what, way in ways.items() if _succeeds(way))
    if linux.fresh_keyring():
        yield "keys"


def tracing(task: Task) -> Iterator[str]:
    """Process 1, which watches over this one: its memory, its files, its control."""
    for path in ("/proc/1/mem", "/proc/1/maps", "/proc/1/environ"):
        if _succeeds(lambda path=path: open(path, "rb").close()):  # type: ignore[misc]
            yield path
    if _succeeds(lambda: os.listdir("/proc/1/fd")):
        yield "/proc/1/fd"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(ctypes.c_long(_PTRACE_SEIZE), ctypes.c_long(1), None, None) == 0:
        yield "ptrace"


def files(task: Task) -> Iterator[str]:
    """Open files that were inherited, beside those that go nowhere and the pipe for this report."""
    for name in os.listdir("/proc/self/fd"):
        is_open = _succeeds(lambda name=name: os.fstat(int(name)))  # type: ignore[misc]
        if is_open and int(name) != task["report"] and os.readlink(f"/proc/self/fd/{name}") != os.devnull:
            yield os.readlink(f"/proc/self/fd/{name}")


def disk(task: Task) -> Iterator[str]:
    """More files than fit, in all places that can be written."""
    written, chunk = 0, bytes(1 << 20)
    for folder in ("/tmp", "/dev/shm", os.environ["HOME"]):
        try:
            for number in range(2):
                with open(f"{folder}/{number}", "wb", buffering=0) as file:
                    for _ in range(task["limits"]["disk_bytes"] // len(chunk)):
                        written += file.write(chunk)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EFBIG):
                raise
    if written > task["limits"]["disk_bytes"]:
        yield f"{written} bytes in files"


def memory(task: Task) -> Iterator[str]:
    """More memory than one process may have; nothing is written to it."""
    size = task["limits"]["memory_bytes"] + (64 << 20)
    if _succeeds(lambda: mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE)):
        yield f"{size} bytes of memory"


def forks(task: Task) -> Iterator[str]:
    """More processes than there may be; each of them only waits for its end, which comes with ours."""
    allowed = task["limits"]["processes"]
    if not isolation.counts_processes():
        return  # the watcher counts, and would end this process
    for count in range(1, 2 * allowed):
        try:
            if os.fork() == 0:
                os.read(os.pipe()[0], 1)  # for ever
        except BlockingIOError:
            return
        if count > allowed:
            yield f"{count} processes"
            return


def _all(attempt: Callable[[Task], Iterator[str]], task: Task) -> list[str]:
    try:
        return list(attempt(task))
    except Exception as error:  # an attempt that does not work shows nothing
        return [f"{type(error).__name__}: {error}"]


ATTEMPTS = (network, reading, writing, processes, environment, capabilities, tracing, files, disk, memory, forks)


def main() -> int:
    """Shut a child in as a kernel is, let it make the attempts, and print what it reports."""
    task = json.loads(sys.argv[1])
    plan = task["plan"]
    isolation.prepare(plan)
    for name in ("0", "1"):  # the second one is somebody else's
        os.mkdir(f"{task['folder']}/{name}", mode=0o700)
    task["sockets"] = f"{task['folder']}/0"
    heard, task["report"] = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(heard)
        isolation.enter(plan, task["limits"], "/tmp/work", {}, sockets=task["sockets"], reason_fd=task["report"])
        isolation.seal()
        found = {attempt.__name__: _all(attempt, task) for attempt in ATTEMPTS}
        os.write(task["report"], json.dumps(found).encode() + b"\n")
        os._exit(0)
    os.close(task["report"])
    os.waitpid(child, 0)
    with open(heard) as report:
        print(report.read(), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
