"""The sandbox is used only where attempts to get out of it were in vain, and these attempts would notice a gap."""

import json
import os
import sys
from pathlib import Path

import pytest

from coursekit import sandbox
from coursekit.errors import CourseError
from coursekit.sandbox import bubblewrap as bubblewrap_module
from coursekit.sandbox import paths as paths_module
from coursekit.sandbox.bubblewrap import Bubblewrap
from coursekit.sandbox.none import Nothing
from coursekit.sandbox.paths import Paths
from coursekit.sandbox.probe import Report, probe
from coursekit.sandbox.promises import PROMISES

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")

ROOT = Path(__file__).resolve().parents[3]
# One wall taken down: which attempt notices, what is changed in which module, what is left out of bwrap's arguments.
Gap = tuple[str, list[tuple[str, str, str]], list[list[str]]]
GAPS: dict[str, Gap] = {
    "no network namespace": (
        "network",
        [("isolation", "linux.NEWNET | ", ""), ("surroundings", "    linux.loopback_up()", "")],
        [["--unshare-net"]],
    ),
    "no ipc namespace": ("sight", [("isolation", "linux.NEWIPC | ", "")], [["--unshare-ipc"]]),
    "the sockets of others": (
        "reading",
        [
            ("surroundings", "filter(None, [sockets])", "filter(None, [sockets, os.path.dirname(sockets)])"),
            ("surroundings", 'linux.mount("tmpfs", around, "tmpfs", _QUIET, TINY)', "_put_back(around, held[around])"),
        ],
        [],
    ),
    "no seal": ("sealing", [("isolation", "            linux.make_readonly(sockets)", "            pass")], []),
    "a root folder that can be written": ("writing", [], [["--remount-ro", "/"]]),
    "devices that can be added": ("writing", [], [["--remount-ro", "/dev"]]),
    "the environment": ("environment", [], [["--clearenv"]]),
    "capabilities": (
        "capabilities",
        [("isolation", "    linux.drop_capabilities()\n    linux.no_new", "    linux.no_new")],
        [],
    ),
    "user namespaces": ("capabilities", [("surroundings", '.write_text("0")', '.write_text("9")')], []),
    "keys": ("capabilities", [("isolation", "    seccomp.refuse_few()", "")], []),
    "a watcher that can be traced": (
        "tracing",
        [("isolation", "        linux.set_dumpable(False)\n        linux.die", "        linux.die")],
        [],
    ),
    "open files": ("files", [("isolation", "    close_files({heard,", "    ({heard,")], []),
    "no size": ("disk", [("surroundings", "size={disk_bytes},", "")], []),
    "no limit of memory": (
        "memory",
        [
            ("limits", "        resource.RLIMIT_DATA: present", "        -1: present"),
            ("limits", "in wanted.items():", "in wanted.items():\n        if name < 0:\n            continue"),
        ],
        [],
    ),
    "no limit of processes": (
        "forks",
        [
            ("isolation", "if counts_processes() else None", "if False else None"),
            ("watcher", 'return "processes" if', 'return "" if'),
        ],
        [],
    ),
}
ONLY_AS_USER = {"a root folder that can be written", "devices that can be added"}  # else they belong to root


def test_every_attempt_is_in_vain(task, drive):
    kind, holds, attempts, sentence = json.loads(drive(task(probe=True)).stdout)
    assert holds, sentence
    assert set(attempts) == set(PROMISES["bubblewrap"])
    assert kind == "bubblewrap"


def test_every_attempt_is_in_vain_with_control_groups_too(task, drive):
    _, holds, _, sentence = json.loads(drive(task(probe=True, groups=True)).stdout)
    assert holds, sentence


@pytest.mark.parametrize("gap", GAPS)
def test_a_gap_is_noticed_and_named(gap, task, drive, request):
    attempt, edits, without = GAPS[gap]
    if gap in ONLY_AS_USER and request.node.callspec.params["prefix"] == "root":
        pytest.skip("is none for a sandbox that root has made")
    done = drive(task(probe=True, edits=edits, without=without))
    assert done.returncode == 0, done.stderr
    _, holds, _, sentence = json.loads(done.stdout)
    assert not holds
    assert f"{attempt}: " in sentence


def test_a_folder_that_should_not_be_seen_is_noticed(bubblewrap, tmp_path, monkeypatch):
    tmp_path.chmod(0o755)  # as root the sandbox is somebody else, who may not enter it otherwise
    (tmp_path / "solution.ipynb").touch()
    monkeypatch.setattr(bubblewrap_module, "shown", lambda paths: [*paths_module.shown(paths), tmp_path])
    report = probe(Bubblewrap(Paths(course=tmp_path)))
    assert report.got == {name: [str(tmp_path / "solution.ipynb")] for name in ("reading", "names")}, report


def test_a_course_folder_is_empty_but_for_what_it_shows(bubblewrap, tmp_path, monkeypatch):
    """It lies in a folder that is shown, beside what is hidden; the module and the data in it can be read."""
    prefix = tmp_path / "prefix"
    course = prefix / "course"
    for name in ("gradebook.db", "solutions/ps1.ipynb", "lib/a.py", "data/x.csv"):
        path = course / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (prefix / "exchange").mkdir()
    (prefix / "exchange" / "somebody.ipynb").touch()
    monkeypatch.setattr(paths_module, "_python", _with(paths_module._python, prefix))
    paths = Paths(course=course, packages=(course / "lib",), data=(course / "data",), hidden=(prefix / "exchange",))
    box = Bubblewrap(paths)
    sockets = tmp_path / "s"
    sockets.mkdir()
    look = (
        "import os, sys; print([sorted(os.listdir(p)) for p in sys.argv[1:]], os.environ['PYTHONPATH'].split(':')[0])"
    )
    folders = [str(folder) for folder in (prefix, course, course / "lib", course / "data", prefix / "exchange")]
    done = _output(box.command([sys.executable, "-c", look, *folders], sockets=sockets))
    assert done == f"[['course', 'exchange'], ['data', 'lib'], ['a.py'], ['x.csv'], []] {course}"


def _with(python, folder):
    return lambda: [*python(), folder]


def _output(command: list[str]) -> str:
    import subprocess

    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def test_paths_that_show_the_course_or_nothing_are_refused(tmp_path):
    course = tmp_path / "course"
    course.mkdir()
    for path in (course, tmp_path, course / ".." / "course"):
        with pytest.raises(CourseError, match="solutions and grades"):
            Paths(course=course, packages=(path,))
        with pytest.raises(CourseError, match="solutions and grades"):
            Paths(course=course, data=(path,))
    with pytest.raises(CourseError, match="not there"):
        Paths(course=course, packages=(course / "lib",))


def test_without_a_sandbox_nothing_is_chosen_but_by_trust(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sandbox, "offered", lambda paths, kind: [Bubblewrap(paths)])
    with pytest.raises(
        CourseError, match=r"bubblewrap does not work here .*there is no program 'bwrap'.*--i-trust-the-submissions"
    ):
        sandbox.choose(Paths(course=ROOT), trust=False)
    chosen = sandbox.choose(Paths(course=ROOT), trust=True)
    assert isinstance(chosen, Nothing)
    assert (chosen.kind, chosen.plan()) == ("none", {"kind": "none"})
    assert chosen.command(["a", "b"], sockets=tmp_path) == ["a", "b"]


def test_a_sandbox_that_does_not_hold_is_not_chosen(monkeypatch):
    """Neither this one nor any that comes after it."""
    got = {"network": ["a way to other computers"]}
    monkeypatch.setattr(sandbox, "probe", lambda box: Report(box.kind, ("network",), got))
    with pytest.raises(CourseError, match=r"does not hold here.*a way to other computers"):
        sandbox.choose(Paths(course=ROOT), trust=False)
    assert sandbox.choose(Paths(course=ROOT), trust=True).kind == "none"


def test_a_program_that_does_something_else_is_no_sandbox(tmp_path):
    """It runs the command as it is, and another one says nothing at all."""
    plain = tmp_path / "plain"
    plain.write_text('#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done; shift; exec "$@"\n')
    silent = tmp_path / "silent"
    silent.write_text("#!/bin/sh\nexit 0\n")
    for path in (plain, silent):
        path.chmod(0o755)
    if os.geteuid() != 0:  # as root the plain one would mount on this computer's own /proc
        assert not probe(Bubblewrap(Paths(course=ROOT), program=str(plain))).holds
    report = probe(Bubblewrap(Paths(course=ROOT), program=str(silent)))
    assert not report.holds
    assert "said nothing" in report.sentence()


def test_a_sandbox_is_chosen_where_it_holds(bubblewrap):
    chosen = sandbox.choose(Paths(course=ROOT, packages=(ROOT / "genlib",)), trust=False)
    assert chosen.kind == "bubblewrap"


def _only(monkeypatch, *kinds: str) -> list[str]:
    """Let these kinds hold and no others; gives the list of those that will have been tried."""
    tried: list[str] = []

    def judge(box):
        tried.append(box.kind)
        return Report(box.kind, ("network",), {} if box.kind in kinds else {"network": ["a way out"]})

    monkeypatch.setattr(sandbox, "probe", judge)
    return tried


@pytest.mark.parametrize("kind", ["bubblewrap", "namespaces", "landlock"])
def test_the_best_kind_that_holds_is_chosen(kind, monkeypatch):
    tried = _only(monkeypatch, "landlock", kind)
    assert sandbox.choose(Paths(course=ROOT), trust=True).kind == kind
    order = list(dict.fromkeys(tried))
    assert order == ["bubblewrap", "namespaces", "landlock"][: order.index(kind) + 1]


def test_a_kind_that_is_asked_for_is_the_only_one_that_is_tried(monkeypatch):
    tried = _only(monkeypatch, "bubblewrap", "landlock")
    assert sandbox.choose(Paths(course=ROOT), trust=False, kind="landlock").kind == "landlock"
    assert tried == ["landlock"]
    with pytest.raises(CourseError, match=r"by namespaces on this computer: namespaces does not hold here.*a way out"):
        sandbox.choose(Paths(course=ROOT), trust=True, kind="namespaces")
    with pytest.raises(CourseError, match=r"'jail' is no kind of sandbox\. There are bubblewrap, namespaces, landlock"):
        sandbox.choose(Paths(course=ROOT), trust=True, kind="jail")


def test_no_sandbox_at_all_is_used_only_by_trust(monkeypatch):
    tried = _only(monkeypatch, "bubblewrap")
    with pytest.raises(CourseError, match=r"asked for no sandbox\..*--i-trust-the-submissions"):
        sandbox.choose(Paths(course=ROOT), trust=False, kind="none")
    assert sandbox.choose(Paths(course=ROOT), trust=True, kind="none").kind == "none"
    assert tried == []


@pytest.mark.parametrize(
    ("system", "words"),
    [("darwin", "On macOS nothing isolates.*processor time and file sizes"), ("win32", "On Windows.*only the time")],
)
def test_where_there_is_no_linux_it_is_said_what_is_not_isolated(system, words, monkeypatch):
    monkeypatch.setattr(sandbox.sys, "platform", system)
    with pytest.raises(CourseError, match=f"{words}.*your own rights.*Linux.*--i-trust-the-submissions"):
        sandbox.choose(Paths(course=ROOT), trust=False)
    with pytest.raises(CourseError, match="landlock needs Linux"):
        sandbox.choose(Paths(course=ROOT), trust=True, kind="landlock")
    assert sandbox.choose(Paths(course=ROOT), trust=True).kind == "none"
