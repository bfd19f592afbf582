"""Runs code in a sandboxed kernel, as root and as an ordinary user, whichever of them runs the tests."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
SECONDS = 60
SOMEBODY = 54_321  # no user of this computer
LIMITS = {"memory_bytes": 200_000_000, "processes": 16, "disk_bytes": 8 << 20, "cpu_seconds": 20}


@dataclass(frozen=True)
class Ended:
    """What a kernel printed, why it ended, and the status that the server saw."""

    lines: list[str]
    reason: str
    status: int


@dataclass(frozen=True)
class Run:
    """What the kernels of one server did, what they left in the shared folder, and all that was printed."""

    kernels: list[Ended]
    shared: list[str]
    text: str


@pytest.fixture(scope="session")
def bubblewrap() -> str:
    """bwrap, or else the tests are listed as not run; in CI every tool must be there."""
    if path := shutil.which("bwrap"):
        return path
    if os.environ.get("CI"):
        pytest.fail("bubblewrap is missing, and in CI every tool must be there. On Debian: apt-get install bubblewrap")
    pytest.skip("needs bubblewrap (on Debian: apt-get install bubblewrap)")


def _as_somebody(program: str, *, stay: bool = False) -> list[str]:
    """A prefix that makes root an ordinary user who may read the Python that runs this; or nobody else, with `stay`."""
    if shutil.which("setpriv") is None:
        pytest.skip("needs setpriv (on Debian: apt-get install util-linux)")
    words = [program, "--bind", "/", "/", "--dev-bind", "/dev", "/dev"]
    closed = {
        parent
        for folder in (sys.prefix, sys.base_prefix, HERE)
        for path in (Path(folder), Path(folder).resolve())
        for parent in path.parents
        if not parent.stat().st_mode & 0o001
    }
    for parent in sorted(closed):  # such as /root: covered by one that all may enter, with the Python in it
        words += ["--perms", "0755", "--tmpfs", str(parent)]
    for folder in {Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve(), HERE.parents[2]}:
        inner = [parent for parent in reversed(folder.parents) if any(parent.is_relative_to(one) for one in closed)]
        if inner:
            words += [word for parent in inner[1:] for word in ("--perms", "0755", "--dir", str(parent))]
            words += ["--ro-bind", str(folder), str(folder)]
    if stay:
        return [*words, "--cap-add", "ALL", "--"]
    user = ["setpriv", f"--reuid={SOMEBODY}", f"--regid={SOMEBODY}", "--clear-groups"]
    user += ["--bounding-set=-all", "--inh-caps=-all"]
    return [*words, "--cap-add", "ALL", "--", *user, "--"]


@pytest.fixture(params=["root", "user"])
def prefix(request: pytest.FixtureRequest, bubblewrap: str) -> list[str]:
    """What to put before a command so that it runs as root, or as an ordinary user."""
    if os.geteuid() != 0:
        if request.param == "root":
            pytest.skip("needs root")
        return []
    return _as_somebody(bubblewrap) if request.param == "user" else []


@pytest.fixture(params=["root", "user"])
def open_prefix(request: pytest.FixtureRequest, bubblewrap: str) -> list[str]:
    """The same, where the Python that runs this can be read by everybody, whoever starts it."""
    if os.geteuid() != 0:
        if request.param == "root":
            pytest.skip("needs root")
        return []
    return _as_somebody(bubblewrap, stay=request.param == "root")


Sandboxed = Callable[..., Run]


@pytest.fixture
def task(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Makes a task for driver.py from what differs."""

    def make(codes: Sequence[str] = (), *, limits: Mapping[str, float] | None = None, **other: Any) -> dict[str, Any]:
        usual = {
            "tier": "bubblewrap",
            "before": "",
            "outside": "",
            "name": "",
            "files": {},
            "folder": "/tmp/work",
            "course": str(HERE.parents[2]),
        }
        flags = {"sealed": True, "signal": 0, "die": False, "groups": False, "probe": False, "edits": [], "without": []}
        return {**usual, **flags, "codes": list(codes), "limits": {**LIMITS, **(limits or {})}, **other}

    return make


@pytest.fixture
def drive(prefix: list[str], tmp_path: Path) -> Callable[[dict[str, Any]], subprocess.CompletedProcess[str]]:
    """Runs driver.py with a task."""

    def run(task: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        command = [*prefix, sys.executable, str(HERE / "driver.py"), json.dumps(task)]
        environment = {**os.environ, "HOME": "/nowhere", "TMPDIR": "/tmp", "PYTHONPATH": str(HERE.parents[2])}
        return subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS, env=environment, check=False, cwd="/"
        )

    return run


@pytest.fixture
def run(task: Callable[..., dict[str, Any]], drive: Callable[..., subprocess.CompletedProcess[str]]) -> Sandboxed:
    """Runs pieces of code, each in a kernel of its own, of one server."""

    def run_all(*codes: str, **other: Any) -> Run:
        done = drive(task(codes, **other))
        assert done.returncode == 0, done.stdout + done.stderr
        *_, results, shared = done.stdout.splitlines()
        kernels = [Ended(**result) for result in json.loads(results)]
        return Run(kernels, json.loads(shared.removeprefix("SHARED ")), done.stdout)

    return run_all
