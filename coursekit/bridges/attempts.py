"""Attempts to get out of a sandbox, made from where a submission would run: see coursekit/sandbox/probe.py.

    python -m coursekit.bridges.attempts TASK      (TASK: JSON, see `Task`)

It prints one JSON object: for each attempt the list of what it got, which should be empty.
"""

import ctypes
import errno
import json
import mmap
import os
import resource
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from coursekit.bridges import isolation, linux

Task = dict[str, Any]
OTHER = "1"  # the name of another kernel's folder
GRACE_SECONDS, LEFT_SECONDS = 5, 30
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


def _send(address: str) -> None:
    """Past a socket that is connected to another one from the start."""
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with one, other:
        one.sendto(b".", address)


def _open(path: str, flags: int) -> None:
    os.close(os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC))


def network(task: Task) -> Iterator[str]:
    """A server on this computer, one beside it that has no file, and a way to anywhere at all."""
    if _succeeds(lambda: _connect(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", task["port"]))):
        yield "a connection to a server on this computer"
    for name in ("\0" + task["token"], task["door"]):
        if _succeeds(lambda name=name: _connect(socket.AF_UNIX, socket.SOCK_STREAM, name)):  # type: ignore[misc]
            yield "a connection to a program on this computer"
    if _succeeds(lambda: _send(task["letterbox"])):
        yield "a message to a program on this computer"
    if _succeeds(lambda: _connect(socket.AF_INET, socket.SOCK_DGRAM, ("192.0.2.1", 9))):  # sends nothing
        yield "a way to other computers"


def reading(task: Task) -> Iterator[str]:
    """Files of the course and of whoever grades it, and the folder with the sockets of other kernels."""
    around = os.path.dirname(task["sockets"])
    for path in (*task["secret"], f"{around}/{OTHER}"):
        if _succeeds(lambda path=path: _open(path, os.O_RDONLY)):  # type: ignore[misc]
            yield path
    if _succeeds(lambda: os.listdir(around)):
        yield from (f"{around}/{name}" for name in os.listdir(around) if name != os.path.basename(task["sockets"]))


def names(task: Task) -> Iterator[str]:
    """Whether the same files exist."""
    yield from (path for path in task["secret"] if _succeeds(lambda path=path: os.lstat(path)))  # type: ignore[misc]


def writing(task: Task) -> Iterator[str]:
    """A new file in every folder that is not the kernel's alone, other rights and times for a file that is not."""
    for folder in ["/", "/usr", "/etc", "/dev", "/run", "/run/etc", "/home", *task["shown"], *task["shared"]]:
        path = os.path.join(folder, task["token"])
        if _succeeds(lambda path=path: _open(path, os.O_CREAT | os.O_WRONLY)):  # type: ignore[misc]
            yield path
    for path in ("/proc/sys/kernel/core_pattern", "/proc/sys/user/max_user_namespaces", "/proc/sysrq-trigger"):
        if _succeeds(lambda path=path: _open(path, os.O_WRONLY)):  # type: ignore[misc]
            yield path
    _succeeds(lambda: os.chmod(task["own"], 0o777))  # what came of these is seen from outside
    _succeeds(lambda: os.utime(task["own"], (0, 0)))
    for change in (os.unlink, lambda path: os.truncate(path, 0), lambda path: os.setxattr(path, "user.a", b"a")):
        if _succeeds(lambda change=change: change(task["own"])):  # type: ignore[misc]
            yield f"a change of {task['own']}"


def sealing(task: Task) -> Iterator[str]:
    """A new file in the folder with the own sockets, and beside it."""
    for folder in (task["sockets"], os.path.dirname(task["sockets"])):
        path = os.path.join(folder, task["token"])
        if _succeeds(lambda path=path: _open(path, os.O_CREAT | os.O_WRONLY)):  # type: ignore[misc]
            yield path


def signals(task: Task) -> Iterator[str]:
    """A signal to, and a limit for, processes outside."""
    for pid in task["pids"]:
        if pid in (1, os.getpid()):  # in a container the grader's number is a small one, which may be ours in here
            continue
        if _succeeds(lambda pid=pid: os.kill(pid, 0)):  # type: ignore[misc]
            yield f"a signal to process {pid}"
        if _succeeds(lambda pid=pid: resource.prlimit(pid, resource.RLIMIT_CORE)):  # type: ignore[misc]
            yield f"the limits of process {pid}"
        if _succeeds(lambda pid=pid: os.setpriority(os.PRIO_PROCESS, pid, 19)):  # type: ignore[misc]
            yield f"the priority of process {pid}"


def sight(task: Task) -> Iterator[str]:
    """Processes beside process 1 and this one, and namespaces that are shared with the outside."""
    known = {"1", str(os.getpid())}
    yield from (f"process {name}" for name in os.listdir("/proc") if name.isdigit() and name not in known)
    for name, identity in task["namespaces"].items():
        if os.readlink(f"/proc/self/ns/{name}") == identity:
            yield f"the {name} namespace of the outside"


def loopback(task: Task) -> Iterator[str]:
    """A server and a connection to it on a network of its own, which works for a kernel: the gap is where it fails."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=1).close()
    yield from ()


def folders(task: Task) -> Iterator[str]:
    """Files in private folders with the usual names, which a kernel may write."""
    for folder in ("/tmp", "/dev/shm"):
        _open(f"{folder}/{task['token']}", os.O_CREAT | os.O_WRONLY)
    yield from ()


def environment(task: Task) -> Iterator[str]:
    """A secret that the grader's environment held at the start, in this process and in its ancestors."""
    if any(task["secret_value"] in value for value in os.environ.values()):
        yield "the environment"
    for pid in ("self", "1", os.getppid(), *task["pids"]):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                if task["secret_value"].encode() in file.read():
                    yield f"/proc/{pid}/environ"
        except (PermissionError, FileNotFoundError):
            continue


def capabilities(task: Task) -> Iterator[str]:
    """Rights of root, and ways to get them."""
    with open("/proc/self/status") as file:
        status = dict(line.split(":", 1) for line in file)
    bounding = [] if task["plan"]["kind"] == isolation.CONFINED else ["CapBnd"]  # only who has rights can give it up
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb", *bounding):
        if int(status[name], 16):
            yield f"{name} {status[name].strip()}"
    if status["NoNewPrivs"].strip() != "1":
        yield "set-user-id programs"
    ways: dict[str, Callable[[], object]] = {
        "another user": lambda: os.setuid(0),
        "another root folder": lambda: os.chroot("/tmp"),
        "a mount": lambda: linux.mount("tmpfs", os.environ["HOME"], "tmpfs", 0),
        "an unmount": lambda: linux.unmount("/proc"),
        "another name for the computer": lambda: socket.sethostname("free"),
        "a user namespace": lambda: linux.unshare(linux.NEWUSER),
    }
    yield from (what for what, way in ways.items() if _succeeds(way))
    if linux.fresh_keyring():
        yield "keys"


def tracing(task: Task) -> Iterator[str]:
    """Who watches over this process, which is process 1 in a namespace, and who grades: memory, files, control."""
    libc = ctypes.CDLL(None, use_errno=True)
    for pid in dict.fromkeys([1, os.getppid(), *task["pids"]]):
        if pid == os.getpid():
            continue
        for path in (f"/proc/{pid}/mem", f"/proc/{pid}/maps", f"/proc/{pid}/environ"):
            if _succeeds(lambda path=path: open(path, "rb").close()):  # type: ignore[misc]
                yield path
        for name in ("fd/0", "fd/1", "cwd", "root", "exe"):
            if _succeeds(lambda pid=pid, name=name: os.stat(f"/proc/{pid}/{name}")):  # type: ignore[misc]
                yield f"/proc/{pid}/{name}"
        if libc.ptrace(ctypes.c_long(_PTRACE_SEIZE), ctypes.c_long(pid), None, None) == 0:
            yield f"ptrace of process {pid}"


def files(task: Task) -> Iterator[str]:
    """Open files that were inherited, beside those that go nowhere and the pipe for this report."""
    for name in os.listdir("/proc/self/fd"):
        is_open = _succeeds(lambda name=name: os.fstat(int(name)))  # type: ignore[misc]
        if is_open and int(name) != task["report"] and os.readlink(f"/proc/self/fd/{name}") != os.devnull:
            yield os.readlink(f"/proc/self/fd/{name}")


def disk(task: Task) -> Iterator[str]:
    """More files than fit, in all places that can be written."""
    written, chunk = 0, bytes(1 << 20)
    confined = task["plan"]["kind"] == isolation.CONFINED
    for folder in (os.getcwd(), tempfile.gettempdir(), os.environ["HOME"], *([] if confined else ["/dev/shm"])):
        try:
            for number in range(2):
                with open(f"{folder}/{number}", "wb", buffering=0) as file:
                    for _ in range(task["limits"]["disk_bytes"] // len(chunk)):
                        written += file.write(chunk)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EFBIG):
                raise
    if confined:
        time.sleep(GRACE_SECONDS)  # until the guard looks
    if written > task["limits"]["disk_bytes"]:
        yield f"{written} bytes in files"


def memory(task: Task) -> Iterator[str]:
    """More memory than one process may have; nothing is written to it."""
    size = task["limits"]["memory_bytes"] + (64 << 20)
    if _succeeds(lambda: mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE)):
        yield f"{size} bytes of memory"


def forks(task: Task) -> Iterator[str]:
    """More processes than there may be; each of them only waits for ours to end, also where nobody else ends them."""
    allowed = task["limits"]["processes"]
    confined = task["plan"]["kind"] == isolation.CONFINED
    if not confined and not isolation.counts_processes():
        return  # the watcher counts, and would end this process
    waiting, ours = os.pipe()
    for count in range(1, 2 * allowed):
        try:
            if os.fork() == 0:
                os.close(ours)
                os.read(waiting, 1)  # until the other end is closed
                os._exit(0)
        except BlockingIOError:
            return
        if count > allowed:
            if confined:
                time.sleep(GRACE_SECONDS)  # until the guard looks
            yield f"{count} processes"
            return


def ending(task: Task) -> Iterator[str]:
    """A process that leaves its parent and its session behind; whether it stays is seen from outside."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(LEFT_SECONDS)
        os._exit(0)
    os.wait()
    yield from ()


def _all(attempt: Callable[[Task], Iterator[str]], task: Task) -> list[str]:
    try:
        return list(attempt(task))
    except Exception as error:  # an attempt that does not work shows nothing
        return [f"{type(error).__name__}: {error}"]


ATTEMPTS = {
    attempt.__name__: attempt
    for attempt in (network, reading, names, writing, sealing, signals, sight, environment, capabilities, tracing,
                    files, folders, loopback, ending, disk, memory, forks)
}  # fmt: skip
ENDED_FOR = {"disk": "disk", "forks": "processes"}  # by a guard, where no system call fails: in a kernel of its own


def _in_kernel(task: Task, number: int, attempts: Sequence[str]) -> tuple[dict[str, list[str]], str]:
    """What a kernel got by these attempts, and the reason that is given for its end."""
    task["sockets"] = f"{task['folder']}/{number}"
    os.mkdir(task["sockets"], mode=0o700)
    heard, task["report"] = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(heard)
        bounds, report = task["limits"], task["report"]
        isolation.enter(task["plan"], bounds, "/tmp/work", {}, sockets=task["sockets"], reason_fd=report)
        isolation.seal()
        found = {name: _all(ATTEMPTS[name], task) for name in attempts}
        os.write(report, json.dumps(found).encode() + b"\n")
        os._exit(0)
    os.close(task["report"])
    os.waitpid(child, 0)
    found, reason = {}, ""
    with open(heard) as report_file:
        os.set_blocking(heard, False)
        for line in report_file.read().splitlines():
            found, reason = (json.loads(line), reason) if line.startswith("{") else (found, line)
        if "ending" in found and select.select([heard], [], [], 0)[0] == []:
            found["ending"].append("a process that outlives its kernel")  # it has the other end of this pipe
    return found, reason


def main() -> int:
    """Shut children in as kernels are, let them make the attempts, and print what they report."""
    task = json.loads(sys.argv[1])
    isolation.prepare(task["plan"])
    subprocess.run([sys.executable, "-c", "import json"], check=True)  # can be read by whoever we are now
    os.mkdir(f"{task['folder']}/{OTHER}", mode=0o700)  # somebody else's
    apart = ENDED_FOR if task["plan"]["kind"] == isolation.CONFINED else {}
    promised = [name for name in ATTEMPTS if name in task["promises"]]
    found, reason = _in_kernel(task, 0, [name for name in promised if name not in apart])
    for number, name in enumerate((name for name in promised if name in apart), start=2):
        got, why = _in_kernel(task, number, [name])
        found |= got if got else {name: [] if why == apart[name] else [f"the end of its kernel: {why}"]}
    print(json.dumps(found))
    print(reason)
    return 0


if __name__ == "__main__":
    sys.exit(main())
