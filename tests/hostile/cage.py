"""The cage: an outer bubblewrap in which hostile submissions are graded, so that a sandbox that fails harms nobody.

It has no network, a home and a /tmp of its own on sized tmpfs, and sees the programs and nothing else of the machine.
Its process 1 (inside/init.py) ends everything when a limit on processes, memory or time is passed.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
HOME = Path("/home/teacher")
RESULT = HOME / "result.tar"

# As root the cage is made without a user namespace, and its inhabitants get a uid that nobody else has.
UID = 61001

# What process 1 needs for its work, and a bubblewrap that root starts inside; an ordinary inhabitant has none of them.
CAPABILITIES = ("SYS_ADMIN", "SYS_CHROOT", "SYS_PTRACE", "NET_ADMIN", "SETUID", "SETGID", "SETPCAP", "CHOWN", "KILL",
                "DAC_OVERRIDE", "FOWNER", "SETFCAP")  # fmt: skip

PASSWD = f"root:x:0:0::/root:/bin/sh\nteacher:x:{UID}:{UID}::{HOME}:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n"


@dataclass(frozen=True)
class Bounds:
    """What everything in the cage may use together; the size of each tmpfs is given apart."""

    seconds: float = 480.0
    memory_bytes: int = 6_000_000_000
    processes: int = 700
    file_bytes: int = 1_500_000_000
    free_memory_bytes: int = 1_500_000_000  # of the machine, whoever uses the rest
    home_bytes: int = 2_000_000_000
    tmp_bytes: int = 500_000_000
    result_bytes: int = 300_000_000


@dataclass(frozen=True)
class Outcome:
    """How a run in the cage ended: exit code, the bytes of its result file, the end of what it said."""

    code: int
    result: bytes
    log: str


def _folders_above(*paths: Path) -> list[str]:
    """Arguments that make every folder above these paths, open to anybody; bubblewrap alone would make them 0700."""
    above = {parent for path in paths for parent in path.parents if parent != Path("/")}
    return [word for folder in sorted(above) for word in ("--perms", "0755", "--dir", str(folder))]


def _view() -> list[str]:
    """The programs, read-only: the system's, this Python and its environment, the two packages and these tests."""
    own = [Path(sys.base_prefix), Path(sys.prefix), ROOT / "coursekit", ROOT / "genlib", HERE]
    own = [path for path in own if not path.is_relative_to("/usr")]
    words = ["--ro-bind", "/usr", "/usr", "--perms", "0755", "--dir", "/etc"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        path = Path("/", name)
        if path.is_symlink():
            words += ["--symlink", os.readlink(path), str(path)]
        elif path.is_dir():
            words += ["--ro-bind", str(path), str(path)]
    for name in ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "fonts", "localtime", "ssl"):
        words += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    words += _folders_above(*own)
    for path in own:
        words += ["--ro-bind", str(path), str(path)]
    return words


def _places(bounds: Bounds) -> list[str]:
    return [
        *("--perms", "1777", "--size", str(bounds.tmp_bytes), "--tmpfs", "/tmp"),
        *("--perms", "1777", "--size", str(bounds.tmp_bytes), "--tmpfs", "/dev/shm"),
        *("--perms", "0755", "--dir", "/home"),
        *("--perms", "0755", "--dir", "/var"),
        *("--perms", "1777", "--size", str(bounds.tmp_bytes), "--tmpfs", "/var/tmp"),
        *("--perms", "0755", "--size", str(bounds.home_bytes), "--tmpfs", str(HOME)),
    ]


def command(argv: Sequence[str], bounds: Bounds, *, as_root: bool, has_bubblewrap: bool, passwd: int) -> list[str]:
    """The words that start bubblewrap with inside/init.py as process 1; `passwd` is the number of an open file."""
    bubblewrap = shutil.which("bwrap") or "bwrap"
    privileged = os.geteuid() == 0
    config = asdict(bounds) | {
        "mount_proc": privileged,
        "uid": UID if privileged and not as_root else None,
        "own": [str(HOME)],
        "result": str(RESULT),
    }
    words = [bubblewrap, "--die-with-parent", "--new-session", "--as-pid-1", "--unshare-pid"]
    words += ["--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--clearenv"]
    if privileged:
        words += ["--cap-drop", "ALL", *(word for name in CAPABILITIES for word in ("--cap-add", f"CAP_{name}"))]
    else:
        words += ["--unshare-user", "--uid", str(UID), "--gid", str(UID)]
    words += ["--dev", "/dev", *_places(bounds), *_view()]  # the project may lie in /tmp or in a home folder itself
    # where bubblewrap mounts /proc for root, it covers parts of it, and no sandbox inside could mount its own
    words += ["--perms", "0555", "--dir", "/proc"] if privileged else ["--proc", "/proc"]
    if not has_bubblewrap:
        words += ["--ro-bind", "/dev/null", bubblewrap]
    words += [
        "--perms",
        "0644",
        "--ro-bind-data",
        str(passwd),
        "/etc/passwd",
        "--remount-ro",
        "/dev",
        "--remount-ro",
        "/",
    ]
    for name, value in environment().items():
        words += ["--setenv", name, value]
    words += ["--chdir", str(HOME), sys.executable, "-I", "-S", str(HERE / "inside" / "init.py"), json.dumps(config)]
    return [*words, *argv]


def environment() -> dict[str, str]:
    """All that an inhabitant finds in its environment."""
    return {
        "HOME": str(HOME),
        "USER": "teacher",
        "LANG": "C.UTF-8",
        "PATH": os.pathsep.join([str(Path(sys.prefix) / "bin"), "/usr/bin", "/bin"]),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "JUPYTER_PLATFORM_DIRS": "1",
    }


class _Tail(threading.Thread):
    """Reads a stream to its end and keeps the last bytes, so that nothing inside can fill our memory or our disk."""

    def __init__(self, stream, keep: int) -> None:
        super().__init__(daemon=True)
        self.stream, self.keep, self.data = stream, keep, b""
        self.start()

    def run(self) -> None:
        while chunk := self.stream.read1(65536):
            self.data = (self.data + chunk)[-self.keep :]

    def text(self) -> str:
        self.join()
        return self.data.decode("utf-8", "replace")


def run(
    argv: Sequence[str], bounds: Bounds | None = None, *, as_root: bool = False, has_bubblewrap: bool = True
) -> Outcome:
    """Run a command in a fresh cage and return what it left in its result file; never raises for what happened inside.

    It runs as an ordinary user; `as_root` keeps root's rights inside (only where the tests themselves run as root), and
    without `has_bubblewrap` no sandbox can be made inside.
    """
    bounds = bounds or Bounds()
    reading, writing = os.pipe()
    os.write(writing, PASSWD.encode())
    os.close(writing)
    try:
        process = subprocess.Popen(
            command(argv, bounds, as_root=as_root, has_bubblewrap=has_bubblewrap, passwd=reading),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[reading],
        )
    finally:
        os.close(reading)
    assert process.stdout is not None
    log = _Tail(process.stderr, 200_000)
    watch = threading.Timer(bounds.seconds + 15, process.kill)
    watch.start()
    try:
        result = process.stdout.read(bounds.result_bytes + 1)
    finally:
        watch.cancel()
        process.kill()
        process.wait()
        process.stdout.close()
    return Outcome(process.returncode, result, log.text())
