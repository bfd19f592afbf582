"""A cage for submissions that stock nbgrader is to meet: bubblewrap, without network, with a home that is thrown away.

It is for harmless faults only: those that lie, cheat, break or stop by themselves. What eats memory, processes or disk
is not run by any benchmark. The limits below are a second wall, in case one of the others does more than it should.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from _common import ROOT

USER, HOME = "61001", "/home/teacher"
PRLIMIT = ("--nproc=400", "--data=4000000000", "--fsize=100000000", "--core=0", "--cpu=600")
LINKS = ("bin", "sbin", "lib", "lib64")
ETC = ("ld.so.cache", "alternatives", "localtime")


def missing() -> str:
    """Why there can be no cage on this machine; empty when there can."""
    for program in ("bwrap", "prlimit"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    done = subprocess.run(["bwrap", *_view(), "true"], capture_output=True, text=True, check=False)
    return f"bwrap cannot be used here: {done.stderr.strip()}" if done.returncode else ""


def _view() -> list[str]:
    """All that is visible: the system's programs, this Python with its environment, and the benchmarks, read-only."""
    words = ["--unshare-all", "--uid", USER, "--gid", USER, "--hostname", "cage", "--die-with-parent", "--new-session"]
    words += ["--clearenv", "--ro-bind", "/usr", "/usr"]
    for name in LINKS:
        path = Path("/", name)
        words += ["--symlink", os.readlink(path), str(path)] if path.is_symlink() else ["--ro-bind-try", str(path)] * 2
    for name in ETC:
        words += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    own = [Path(sys.base_prefix), Path(sys.prefix), ROOT / "benchmarks"]
    for path in own:
        words += ["--ro-bind", str(path), str(path)]
    words += ["--proc", "/proc", "--dev", "/dev", "--size", "500000000", "--tmpfs", "/tmp"]
    words += ["--size", "500000000", "--tmpfs", HOME, "--chdir", HOME]
    environment = {"HOME": HOME, "PATH": f"{sys.prefix}/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1"}
    return words + [word for pair in environment.items() for word in ("--setenv", *pair)]


def run(argv: Sequence[str], out: Path, seconds: float) -> str:
    """Run a command in the cage, where `out` is the only folder of the machine that it can write, as /out.

    Returns what it printed; raises SystemExit when it failed or took longer than `seconds`.
    """
    command = ["bwrap", *_view(), "--bind", str(out), "/out", "prlimit", *PRLIMIT, *argv]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False, text=True
        )
    except subprocess.TimeoutExpired as error:
        raise SystemExit(f"what ran in the cage was not done after {seconds:.0f} s") from error
    if done.returncode:
        raise SystemExit(f"what ran in the cage failed:\n{done.stdout[-2000:]}{done.stderr[-3000:]}")
    return done.stdout
