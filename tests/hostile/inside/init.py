"""Process 1 of the cage: starts one command, watches what everything in the cage uses, and hands its result file out.

A signal from inside does not reach process 1, and when it ends, so does everything else in the cage. It runs with
``python -I -S`` and imports nothing but the standard library.
"""

import contextlib
import ctypes
import json
import os
import resource
import signal
import stat
import sys
import time
from typing import Any

LIMIT_PASSED = 97
PAGE = resource.getpagesize()


def mount_proc() -> None:
    """A view of the processes with nothing mounted over it: only then may a namespace inside mount its own."""
    libc = ctypes.CDLL(None, use_errno=True)
    nosuid_nodev_noexec = ctypes.c_ulong(2 | 4 | 8)
    if libc.mount(b"proc", b"/proc", b"proc", nosuid_nodev_noexec, None) != 0:
        raise OSError(ctypes.get_errno(), f"mount /proc: {os.strerror(ctypes.get_errno())}")


def start(argv: list[str], config: dict[str, Any]) -> int:
    """Fork and run the command as the ordinary user of the cage, with limits that nothing below it can lift."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_NPROC, (config["processes"], config["processes"]))
        resource.setrlimit(resource.RLIMIT_FSIZE, (config["file_bytes"], config["file_bytes"]))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if config["uid"] is not None:
            os.setgroups([])
            os.setresgid(config["uid"], config["uid"], config["uid"])
            os.setresuid(config["uid"], config["uid"], config["uid"])
        os.dup2(2, 1)  # standard output carries the result file and nothing else
        os.execv(argv[0], argv)
    finally:
        os._exit(126)


def processes() -> list[int]:
    """Everything that lives in the cage but process 1, also in the namespaces within."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and name != "1"]


def private_bytes(pid: int) -> int:
    """Memory of a process that no file stands behind, as if it shared nothing with its parent; 0 when it has gone."""
    try:
        with open(f"/proc/{pid}/statm") as file:
            _, resident, shared, *_ = map(int, file.read().split())
    except (OSError, ValueError):
        return 0
    return (resident - shared) * PAGE


def exact_bytes(pid: int) -> int:
    """The same with each shared page divided among those who share it, which takes longer to find out."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            lines = (line.split() for line in file.readlines()[1:])
            return sum(int(words[1]) * 1024 for words in lines if words[0] in ("Pss_Anon:", "SwapPss:"))
    except OSError:
        return private_bytes(pid)


def used_bytes(shmem_before: int, enough: int) -> int:
    """Memory of everything in the cage and of its disks; exact only where it may be more than `enough`."""
    shared = max(0, machine()["Shmem"] - shmem_before)
    used = shared + sum(map(private_bytes, processes()))
    return used if used <= enough else shared + sum(map(exact_bytes, processes()))


def machine() -> dict[str, int]:
    """/proc/meminfo in bytes."""
    with open("/proc/meminfo") as file:
        lines = (line.split() for line in file)
        return {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines}


def passed(config: dict[str, Any], begun: float, shmem_before: int) -> str:
    """A sentence about the limit that the cage has passed; empty while it keeps within them."""
    pids, free = processes(), machine()["MemAvailable"]
    if time.monotonic() - begun > config["seconds"]:
        return f"the cage was ended after {config['seconds']:.0f} s"
    if len(pids) > config["processes"]:
        return f"the cage was ended: {len(pids)} processes"
    used = used_bytes(shmem_before, config["memory_bytes"])
    if used > config["memory_bytes"]:
        return f"the cage was ended: {used / 1e9:.1f} GB of memory"
    if free < config["free_memory_bytes"]:
        return f"the cage was ended: only {free / 1e9:.1f} GB of the machine's memory were left"
    return ""


def largest(count: int = 8) -> str:
    """The processes that take most, for whoever wants to know why a limit was passed."""
    lines = []
    for pid in sorted(processes(), key=exact_bytes, reverse=True)[:count]:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
            command = file.read(150).replace(b"\0", b" ").decode("utf-8", "replace")
            lines.append(f"  {exact_bytes(pid) / 1e6:.0f} MB  process {pid}  {command}")
    return "\n".join(lines)


def reap() -> dict[int, int]:
    """Exit statuses of the children that have ended; orphans of the cage are ours too."""
    ended = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended[pid] = status


def hand_out(path: str, most: int) -> None:
    """Copy the result file to standard output, once nothing else in the cage is alive to change it."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return
    if not stat.S_ISREG(os.fstat(file).st_mode):
        return
    while most > 0 and (data := os.read(file, min(most, 1 << 20))):
        most -= len(data)
        while data:
            data = data[os.write(1, data) :]


def main() -> int:
    """Mount, start, watch, hand out."""
    config, argv = json.loads(sys.argv[1]), sys.argv[2:]
    if config["mount_proc"]:
        mount_proc()
    if config["uid"] is not None:
        for folder in config["own"]:
            os.chown(folder, config["uid"], config["uid"])
    shmem_before, begun = machine()["Shmem"], time.monotonic()
    command = start(argv, config)
    while True:
        if (status := reap().get(command)) is not None:
            hand_out(config["result"], config["result_bytes"])
            return os.waitstatus_to_exitcode(status) % 256
        if reason := passed(config, begun, shmem_before):
            shared = max(0, machine()["Shmem"] - shmem_before)
            print(f"{reason}\n{largest()}\n  {shared / 1e6:.0f} MB shared or on disks", file=sys.stderr, flush=True)
            return LIMIT_PASSED
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
