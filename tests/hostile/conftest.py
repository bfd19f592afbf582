"""Where bubblewrap cannot make a cage, nothing hostile runs: the tests are listed as not run, and in CI that fails."""

import os
import shutil
import sys
from pathlib import Path

import pytest

# pytest imports test files without touching sys.path, and these tests share cage.py and what lies in inside/
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "inside")]

import cage  # noqa: E402


def why_no_cage() -> str:
    """A sentence on why hostile submissions cannot be run here; empty where they can."""
    if shutil.which("bwrap") is None:
        return "needs bubblewrap (on Debian: apt-get install bubblewrap)"
    nested = ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "true"]
    outcome = cage.run([shutil.which("env") or "env", *nested], cage.Bounds(seconds=20))
    return f"bubblewrap cannot make a sandbox within a sandbox here: {outcome.log}" if outcome.code else ""


@pytest.fixture(scope="session", autouse=True)
def a_cage_that_holds() -> None:
    """Skips every test of this folder where there is no cage; fails them in CI, where every tool must be there."""
    if reason := why_no_cage():
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
