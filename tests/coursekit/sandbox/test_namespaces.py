"""Namespaces without bubblewrap: the launcher builds the same walls, and a gap in them is noticed."""

import json
import sys
from pathlib import Path

import pytest

from coursekit.bridges import launcher
from coursekit.sandbox.bubblewrap import Bubblewrap
from coursekit.sandbox.namespaces import Namespaces
from coursekit.sandbox.paths import Paths
from coursekit.sandbox.promises import PROMISES

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")

TIER = "namespaces"
# Which attempt notices, what is changed in which module, what is left out of the arguments; as an ordinary user.
GAPS = {
    "no network namespace": (
        "network",
        [("isolation", "linux.NEWNET | ", ""), ("surroundings", "    linux.loopback_up()", "")],
        [["--unshare-net"]],
    ),
    "a root folder that can be written": ("writing", [], [["--remount-ro", "/"]]),
    "the environment": ("environment", [], [["--clearenv"]]),
}


@pytest.mark.parametrize("groups", [False, True])
def test_every_attempt_is_in_vain(groups, task, drive):
    kind, holds, attempts, sentence = json.loads(drive(task(probe=True, tier=TIER, groups=groups)).stdout)
    assert holds, sentence
    assert (kind, set(attempts)) == (TIER, set(PROMISES[TIER]))


@pytest.mark.parametrize("gap", GAPS)
def test_a_gap_is_noticed_and_named(gap, task, drive, request):
    if request.node.callspec.params["prefix"] == "root":
        pytest.skip("as root the server mounts and gives up more by itself, see test_probe.py")
    attempt, edits, without = GAPS[gap]
    _, holds, _, sentence = json.loads(drive(task(probe=True, tier=TIER, edits=edits, without=without)).stdout)
    assert not holds
    assert f"{attempt}: " in sentence


def test_nothing_of_the_old_root_folder_is_left(run):
    code = """
import os
print(sorted(os.listdir("/")), sorted(os.listdir("/dev")))
print(os.path.ismount("/"), [name for name in ("/root", "/var", "/oldroot") if os.path.exists(name)])
"""
    (kernel,) = run(code, tier=TIER).kernels
    known = {"bin", "dev", "etc", "home", "lib", "lib32", "lib64", "libx32", "proc", "run", "sbin", "tmp", "usr"}
    folders, devices = (set(eval(text)) for text in kernel.lines[0].replace("] [", "]\n[").splitlines())
    shown = {Path(sys.prefix).parts[1], Path(sys.base_prefix).parts[1], Path(__file__).parts[1]}
    assert folders <= known | shown
    assert devices == {*launcher.DEVICES, *launcher.DEVICE_LINKS, "pts", "shm"}
    assert kernel.lines[1] == f"True {[name for name in ('/root',) if 'root' in shown]}"


def test_the_launcher_takes_every_argument_that_bubblewrap_is_given(tmp_path):
    """As root and as an ordinary user; and it refuses what it does not know, before it does anything."""
    for privileged in (True, False):
        box = Bubblewrap(Paths(course=tmp_path))
        box.privileged = False
        words = box.command(["a", "b"], sockets=tmp_path)
        words = words[words.index("--die-with-parent") :]
        if privileged:
            words = [*words[: words.index("--")], "--cap-drop", "ALL", "--cap-add", "CAP_SYS_ADMIN", "--", "a", "b"]
        plan = launcher.parse(words)
        assert (plan.command, plan.folder, plan.new_session) == (["a", "b"], "/tmp", True)
        assert plan.environment["HOME"] == "/home/student"
        assert plan.capabilities == ([21] if privileged else [])
    with pytest.raises(ValueError, match="--share-net"):
        launcher.parse(["--share-net", "--", "a"])


def test_what_cannot_be_launched_says_why(tmp_path):
    import subprocess

    box = Namespaces(Paths(course=tmp_path))
    done = subprocess.run([*box.starter(), "--nonsense", "--", "true"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ValueError: --nonsense" in done.stderr
