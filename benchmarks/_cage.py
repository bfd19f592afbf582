"""A cage for submissions that stock nbgrader is to meet: bubblewrap, without network, with a home that is thrown away.

It is for faults that lie, cheat, break or stop by themselves. What eats memory, processes or disk is run by soak.py
only, and stops by itself at an amount that the machine bears. The limits below are a second wall, in case one of them
does more than it should.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from _common import ROOT

USER, HOME = "61001", "/home/teacher"
PRLIMIT = ("--nproc=400", "--data=4000000000", "--fsize=100000000", "--core=0", "--cpu=600")
# What _cage_start.py needs, and gives up, when root makes the cage for a grader that makes sandboxes of its own.
CAPABILITIES = ("SYS_ADMIN", "SETUID", "SETGID", "CHOWN")
PACKAGES = ("coursekit", "genlib")
LINKS = ("bin", "sbin", "lib", "lib64")
ETC = ("ld.so.cache", "alternatives", "localtime", "fonts")


def missing(*, nested: bool = False) -> str:
    """Why there can be no cage on this machine, or with `nested` no sandbox within one; empty when there can."""
    for program in ("bwrap", "prlimit"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    inner = ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "true"] if nested else ["true"]
    done = subprocess.run(
        ["bwrap", *_view(nested=nested), *_start(nested=nested), *inner], capture_output=True, text=True, check=False
    )
    return f"bwrap cannot be used here: {done.stderr.strip()}" if done.returncode else ""


def _start(*, nested: bool) -> list[str]:
    """What gives up root's rights inside, where the cage was made with them."""
    own = [sys.executable, "-I", "-S", str(ROOT / "benchmarks" / "_cage_start.py"), USER, HOME]
    return own if nested and os.geteuid() == 0 else []


def _rights(*, nested: bool) -> list[str]:
    """Namespaces of its own, and a /proc that shows its processes.

    In a user namespace that root makes, bwrap covers parts of /proc, after which the system refuses a /proc of its own
    to every sandbox inside. So root makes a nested cage without one, and _cage_start.py mounts /proc.
    """
    if not (nested and os.geteuid() == 0):
        return ["--unshare-all", "--uid", USER, "--gid", USER, "--proc", "/proc"]
    names = ("pid", "net", "ipc", "uts", "cgroup-try")
    rights = [word for name in CAPABILITIES for word in ("--cap-add", f"CAP_{name}")]
    return [*(f"--unshare-{name}" for name in names), "--cap-drop", "ALL", *rights, "--perms", "0555", "--dir", "/proc"]


def _folders_above(*paths: Path) -> list[str]:
    """Every folder above these, open to anybody; bwrap alone would keep them to itself."""
    above = {parent for path in paths for parent in path.parents if parent not in (Path("/"), Path("/tmp"))}
    return [word for folder in sorted(above) for word in ("--perms", "0755", "--dir", str(folder))]


def _view(*, nested: bool, packages: Path = ROOT) -> list[str]:
    """All that is visible: the system's programs, this Python with its environment, and the benchmarks, read-only.

    In a nested cage the packages of the course are there as well, as they lie in the folder `packages`.
    """
    words = ["--hostname", "cage", "--die-with-parent", "--new-session", "--clearenv", "--ro-bind", "/usr", "/usr"]
    words += _rights(nested=nested)
    for name in LINKS:
        path = Path("/", name)
        words += ["--symlink", os.readlink(path), str(path)] if path.is_symlink() else ["--ro-bind-try", str(path)] * 2
    words += ["--perms", "0755", "--dir", "/etc"]
    for name in ETC:
        words += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    words += ["--dev", "/dev", "--perms", "1777", "--size", "500000000", "--tmpfs", "/tmp"]
    own = [Path(sys.base_prefix), Path(sys.prefix), ROOT / "benchmarks"]
    shown = {path: path for path in own} | {ROOT / name: packages / name for name in PACKAGES if nested}
    words += _folders_above(*shown, Path(HOME))
    for path, source in shown.items():
        words += ["--ro-bind", str(source), str(path)]
    words += ["--size", "500000000", "--tmpfs", HOME, "--chdir", HOME]
    environment = {"HOME": HOME, "PATH": f"{sys.prefix}/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1"}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1", "JUPYTER_PLATFORM_DIRS": "1"}
    return words + [word for pair in environment.items() for word in ("--setenv", *pair)]


def run(argv: Sequence[str], out: Path, seconds: float, *, nested: bool = False) -> str:
    """Run a command in the cage, where `out` is the only folder of the machine that it can write, as /out.

    With `nested` it sees the course's packages and can make sandboxes of its own, with which it grades. Returns what it
    printed; raises SystemExit when it failed or took longer than `seconds`.
    """
    with tempfile.TemporaryDirectory(prefix="grading-benchmark-") as folder:
        for name in PACKAGES if nested else ():  # whoever changes them meanwhile would change what grades depend on
            shutil.copytree(ROOT / name, Path(folder, name), ignore=shutil.ignore_patterns("__pycache__"))
        view = [*_view(nested=nested, packages=Path(folder)), "--bind", str(out), "/out"]
        command = ["bwrap", *view, *_start(nested=nested), "prlimit", *PRLIMIT, *argv]
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False, text=True
            )
        except subprocess.TimeoutExpired as error:
            raise SystemExit(f"what ran in the cage was not done after {seconds:.0f} s") from error
    if done.returncode:
        raise SystemExit(f"what ran in the cage failed:\n{done.stdout[-2000:]}{done.stderr[-3000:]}")
    return done.stdout
