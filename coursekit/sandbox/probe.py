"""Whether a sandbox holds on this computer: real attempts to get out of it, a moment before it is used.

The attempts are those of coursekit/bridges/attempts.py. Beside them stand controls, things that can be reached from
here: an attempt that fails inside says something only because the same thing succeeds outside.
"""

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from coursekit.kernels.limits import KernelLimits
from coursekit.kernels.process import drop_folder, short_folder
from coursekit.sandbox.paths import Paths, shown
from coursekit.sandbox.promises import PROMISES

SECONDS = 60.0
LIMITS = KernelLimits(memory_bytes=256_000_000, processes=12, disk_bytes=4 << 20, cpu_seconds=20)
SECRET = "COURSEKIT_PROBE"
NAMESPACES = ("user", "mnt", "pid", "net", "ipc", "uts")
DOOR, LETTERBOX = "door", "letterbox"
SHOWN = 40  # entries of a folder that are tried at most


class Walls(Protocol):
    """What a sandbox must have to be tried: see `coursekit.sandbox.Sandbox`."""

    kind: str
    paths: Paths

    @property
    def program(self) -> str:
        """What has to be installed for it."""
        ...

    def command(self, argv: list[str], *, sockets: Path) -> list[str]:
        """The command that runs `argv` inside."""
        ...

    def plan(self) -> dict[str, Any]:
        """For coursekit.bridges.isolation, inside."""
        ...

    def close(self) -> None:
        """Remove what was made for servers that have ended."""
        ...


@dataclass(frozen=True)
class Report:
    """What came of the attempts: their names, and what each got that it should not have."""

    kind: str
    attempts: tuple[str, ...] = ()
    got: dict[str, list[str]] = field(default_factory=dict)
    problem: str = ""

    @property
    def holds(self) -> bool:
        """Whether the sandbox could be made and every attempt was in vain."""
        return bool(self.attempts) and not self.got and not self.problem

    def sentence(self) -> str:
        """The same for a person."""
        if self.problem:
            return f"{self.kind} does not work here ({self.problem})."
        if self.got:
            listing = "; ".join(f"{name}: {', '.join(what[:3])}" for name, what in self.got.items())
            return f"{self.kind} does not hold here, for an attempt to get out of it was given {listing}."
        return f"{self.kind} holds: {len(self.attempts)} kinds of attempts to get out of it were in vain."


@contextlib.contextmanager
def _listening(token: str, folder: Path) -> Iterator[int]:
    """Servers that can be reached from this process, as is seen; the port of the one that has one."""
    door, letterbox = str(folder / DOOR), str(folder / LETTERBOX)
    kinds = (socket.SOCK_STREAM, socket.SOCK_DGRAM)
    with (
        socket.socket() as tcp,
        socket.socket(socket.AF_UNIX) as local,
        socket.socket(socket.AF_UNIX) as named,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as letters,
    ):
        for server, path, kind in zip((named, letters), (door, letterbox), kinds, strict=True):
            server.bind(path)
            os.chmod(path, 0o777)
            if kind == socket.SOCK_STREAM:
                server.listen(8)
            with socket.socket(socket.AF_UNIX, kind) as control:
                control.connect(path)
        tcp.bind(("127.0.0.1", 0))
        tcp.listen(8)
        local.bind("\0" + token)
        local.listen(8)
        port = int(tcp.getsockname()[1])
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        with socket.socket(socket.AF_UNIX) as control:
            control.connect("\0" + token)
        yield port


def _secrets(sandbox: Walls, own: Path) -> list[str]:
    """What must not be there: a file of ours, and what lies in the course folder and in our home."""
    seen = [path.resolve() for path in shown(sandbox.paths)]
    found = [own]
    for folder in (sandbox.paths.course.resolve(), Path.home(), *sandbox.paths.hidden):
        with contextlib.suppress(OSError):
            found += sorted(folder.iterdir())[:SHOWN]
    real = {path: path.resolve() for path in found}
    return [
        str(path)
        for path, its in real.items()
        if not any(its.is_relative_to(one) or one.is_relative_to(its) for one in seen)
    ]


def _shared(folder: Path) -> list[str]:
    """Folders that belong to everybody here, or to us."""
    return [str(path) for path in (folder, "/tmp", "/var/tmp", "/dev/shm", Path.home())]


def _state(path: Path) -> tuple[int, ...]:
    """What would show that somebody has changed a file; nothing when it is gone."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return ()
    return (found.st_mode, found.st_mtime_ns, found.st_size)


def probe(sandbox: Walls) -> Report:
    """Try to get out of the sandbox, and report; never raises for what the sandbox or the computer is like."""
    if shutil.which(sandbox.program) is None:
        return Report(sandbox.kind, problem=f"there is no program '{sandbox.program}'")
    folder = short_folder()
    try:
        return _try(sandbox, folder)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        return Report(sandbox.kind, problem=f"{type(error).__name__}: {error}")
    finally:
        sandbox.close()
        drop_folder(folder)


def _try(sandbox: Walls, folder: Path) -> Report:
    token = f"probe-{secrets.token_hex(8)}"
    sockets = folder / "s"
    sockets.mkdir(mode=0o700)
    (folder / "secret").write_text(token)
    (folder / "secret").chmod(0o666)
    before = _state(folder / "secret")
    shared = _shared(folder) if sandbox.kind == "landlock" else []
    with _listening(token, folder) as port:
        task: dict[str, Any] = {
            "plan": sandbox.plan(),
            "limits": asdict(LIMITS),
            "folder": str(sockets.resolve()),
            "token": token,
            "secret_value": secrets.token_hex(16),
            "port": port,
            "secret": _secrets(sandbox, folder / "secret"),
            "shown": [str(path) for path in shown(sandbox.paths) if path.is_dir()],
            "pids": [os.getpid(), os.getppid()],
            "promises": PROMISES[sandbox.kind],
            "own": str(folder / "secret"),
            "door": str(folder / DOOR),
            "letterbox": str(folder / LETTERBOX),
            "shared": shared,
            "namespaces": {name: os.readlink(f"/proc/self/ns/{name}") for name in NAMESPACES},
        }
        done = _run(sandbox, task, sockets)
    for place in shared:  # where an attempt was not in vain
        Path(place, token).unlink(missing_ok=True)
    lines = done.stdout.splitlines()
    if done.returncode != 0 or len(lines) < 2 or lines[1] != "exit 0":
        said = done.stderr.strip() or "; ".join(lines) or f"it ended with status {done.returncode} and said nothing"
        return Report(sandbox.kind, problem=said.splitlines()[-1])
    found: dict[str, list[str]] = json.loads(lines[0])
    if (written := [path.name for path in sockets.glob("*/*")]) and "sealing" in found:
        found["sealing"].append(f"{len(written)} files outside")
    if _state(folder / "secret") != before:
        found["writing"].append(f"a change of {folder / 'secret'}")
    if missing := [name for name in PROMISES[sandbox.kind] if name not in found]:
        return Report(sandbox.kind, problem=f"nothing is known of {', '.join(missing)}")
    return Report(sandbox.kind, tuple(found), {name: what for name, what in found.items() if what})


def _run(sandbox: Walls, task: dict[str, Any], sockets: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, SECRET: task["secret_value"]}
    argv = [sys.executable, "-m", "coursekit.bridges.attempts", json.dumps(task)]
    return subprocess.run(
        sandbox.command(argv, sockets=sockets),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env=environment,
        check=False,
    )
