"""Control groups are made only where the tree belongs to us, hold the limits of a kernel, and do not stay."""

import json
import os
import pickle
import sys
from pathlib import Path

import pytest

from coursekit.bridges import groups as inside
from coursekit.sandbox import groups
from coursekit.sandbox.bubblewrap import Bubblewrap
from coursekit.sandbox.paths import Paths

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")

ROOT = Path(__file__).resolve().parents[3]
MOUNTS_2 = (
    "30 23 0:26 {root} /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n25 1 0:1 / / rw - ext4 /dev/a rw\n"
)
MOUNTS_1 = "".join(
    f"{number} 23 0:{number} / /sys/fs/cgroup/{name} rw - cgroup cgroup rw,{name}\n"
    for number, name in enumerate(("memory", "pids", "cpu"), start=31)
)


def tree(root: Path, mounts: str, own: str, folders: dict[str, str]) -> Path:
    """A computer's files as far as they matter: mounts, our own groups, folders with the controllers they offer."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/mountinfo").write_text(mounts)
    (root / "proc/self/cgroup").write_text(own)
    for name, offered in folders.items():
        folder = root / "sys/fs/cgroup" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cgroup.subtree_control").write_text(offered)
        (folder / "cgroup.controllers").write_text(offered)
    return root


def test_a_users_own_part_of_version_2_is_used_beside_our_group(tmp_path):
    """The folder above ours is ours, for it belongs to the user who runs this."""
    root = tree(tmp_path, MOUNTS_2.format(root="/"), "0::/a/app.slice/here.scope\n", {"a/app.slice": "cpu memory pids"})
    (tmp_path / "sys/fs/cgroup/a/app.slice/here.scope").mkdir()
    folder = tmp_path / "sys/fs/cgroup/a/app.slice"
    user = os.getuid() or 1234
    os.chown(folder, user, -1)
    assert groups.find(root=root, user=user) == groups.Place({"memory": folder, "pids": folder})


def test_a_part_of_somebody_else_is_not_used(tmp_path):
    root = tree(tmp_path, MOUNTS_2.format(root="/"), "0::/a/session.scope\n", {"a": "memory pids"})
    somebody_else = 4321
    assert groups.find(root=root, user=somebody_else) is None
    assert groups.find(root=root, user=0) is None  # root could write there, but it was not given to us


def test_only_controllers_that_are_handed_on_are_used(tmp_path):
    root = tree(tmp_path, MOUNTS_2.format(root="/"), "0::/\n", {".": "cpu pids"})
    assert groups.find(root=root, user=0) == groups.Place({"pids": tmp_path / "sys/fs/cgroup"})


def test_our_group_is_found_where_a_container_sees_a_part_of_the_tree(tmp_path):
    root = tree(tmp_path, MOUNTS_2.format(root="/docker/1"), "0::/docker/1\n", {".": "memory pids"})
    assert groups.find(root=root, user=0) == groups.Place(dict.fromkeys(("memory", "pids"), tmp_path / "sys/fs/cgroup"))
    elsewhere = tree(tmp_path / "b", MOUNTS_2.format(root="/docker/1"), "0::/docker/2\n", {".": "memory pids"})
    assert groups.find(root=elsewhere, user=0) is None


def test_version_1_is_used_at_its_top_and_each_controller_by_itself(tmp_path):
    own = "3:pids:/\n2:memory:/somebody/elses\n1:cpu:/\n"
    root = tree(tmp_path, MOUNTS_1, own, {"pids": "", "memory/somebody/elses": "", "cpu": ""})
    assert groups.find(root=root, user=0) == groups.Place({"pids": tmp_path / "sys/fs/cgroup/pids"})


def test_no_tree_is_no_place(tmp_path):
    assert groups.find(root=tree(tmp_path, "25 1 0:1 / / rw - ext4 /dev/a rw\n", "", {}), user=0) is None


def test_kills_for_lack_of_memory_are_read_from_both_versions(tmp_path):
    for text, answer in (
        ("low 0\nhigh 0\nmax 12\noom 1\noom_kill 1\noom_group_kill 0\n", True),
        ("low 0\nhigh 0\nmax 12\noom 0\noom_kill 0\n", False),
        ("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n", True),
    ):
        (tmp_path / "events").write_text(text)
        with (tmp_path / "events").open() as file:
            assert inside.killed(file.fileno()) is answer
    assert not inside.killed(-1)


@pytest.fixture
def place() -> groups.Place:
    found = groups.find()
    if found is None:
        pytest.skip("no control groups were delegated to the user who runs this")
    return found


def test_a_kernel_runs_in_a_group_with_its_limits_and_nothing_stays(place, bubblewrap, task, tmp_path):
    """The kernel's own limit of processes is lifted in a copy of the modules: the group's holds by itself."""
    import subprocess

    code = """
import os, time
count = 0
try:
    for _ in range(40):
        if os.fork() == 0:
            time.sleep(20)
        count += 1
except BlockingIOError:
    pass
print("READY", flush=True)
time.sleep(0.5)
print(count, os.listdir("/run/groups"))
"""
    edits = [("isolation", "if counts_processes() else None", "if False else None")]
    here = Path(__file__).resolve().parent
    wanted = task([code], groups=True, edits=edits, limits={"processes": 12})
    done = subprocess.run(
        [sys.executable, str(here / "driver.py"), json.dumps(wanted)],
        capture_output=True, text=True, timeout=60, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    lines = done.stdout.splitlines()
    limits = json.loads(next(line for line in lines if line.startswith("GROUPS ")).removeprefix("GROUPS "))
    kernels = {Path(path).name: text.strip() for path, text in limits.items() if "/kernel-" in path}
    assert kernels.get("pids.max", "14") == "14"
    if "memory" in place.parents and "memory.max" in kernels:
        assert int(kernels["memory.max"]) >= wanted["limits"]["memory_bytes"] + wanted["limits"]["disk_bytes"]
    (kernel,) = json.loads(lines[-2])
    if "pids" in place.parents:
        assert kernel["lines"] == ["READY", "11 []"]
    for path in limits:
        assert not Path(path).parent.exists()


def test_what_a_grader_that_was_killed_has_left_is_removed_by_the_next(place, monkeypatch):
    base = groups.make(place, None)
    folders = set(base.folders.values())
    with monkeypatch.context() as patched:
        patched.setattr(groups.os, "getpid", lambda: 2**30)  # no process has this number
        left = groups.make(place, None)
    groups.make(place, None).remove()
    assert not any(folder.exists() for folder in left.folders.values())
    assert all(folder.exists() for folder in folders)
    base.remove()
    assert not any(folder.exists() for folder in folders)


def test_a_sandbox_that_is_sent_to_a_worker_makes_groups_of_its_own(tmp_path):
    sandbox = Bubblewrap(Paths(course=tmp_path, environment={"A": "b"}), place=groups.Place({"pids": tmp_path}))
    sandbox.bases.append(groups.Base({"pids": tmp_path}))
    copy = pickle.loads(pickle.dumps(sandbox))
    assert copy.bases == []
    assert copy.plan() == sandbox.plan()
    assert copy.paths == sandbox.paths
