"""Landlock, seccomp and a guard, without namespaces: what is promised holds, is tried, and a gap is noticed."""

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from left_behind import LEAVE_ONE_BEHIND, STAY, soon_gone

from coursekit.bridges import guard, landlock, seccomp, without_network
from coursekit.sandbox.promises import COMFORT, NEEDED, PROMISES, lacks, warning

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
TIER = "landlock"

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="needs Linux"),
    pytest.mark.skipif(landlock.version() < landlock.NEEDED, reason=f"needs Landlock {landlock.NEEDED} (Linux 6.12)"),
]

# Which attempt notices, what is changed in which module, what is left out of the command.
GAPS = {
    "no filter of system calls": (
        "network",
        [("confined", "    seccomp.confine()", ""), ("confined", "    seccomp.seal()", "    return")],
        [],
    ),
    "sockets with paths": ("network", [("confined", "    seccomp.seal()", "    return")], []),
    "messages past a connection": ("network", [("seccomp", "_must_be(1, _STREAM,", "_must_be(1, 2, _STREAM,")], []),
    "no rules for files": ("reading", [("confined", "    landlock.restrict([", "    list([")], []),
    "the sockets of others": (
        "reading",
        [("confined", "(sockets, landlock.OWN)", "(os.path.dirname(sockets), landlock.OWN)")],
        [],
    ),
    "rights of files": ("writing", [("seccomp", " + _all(SILENT, PRETEND)", "")], []),
    "signals": ("signals", [("landlock", "_NAMELESS_SOCKETS | _SIGNALS)", "_NAMELESS_SOCKETS)")], []),
    "limits of others": ("signals", [("seccomp", 'lines += _if("prlimit64", *_must_be(0, 0))', "")], []),
    "priorities of others": ("signals", [("seccomp", 'lines += _if("setpriority",', '_if("setpriority",')], []),
    "the environment": ("environment", [], [["-i"]]),
    "user namespaces": ("capabilities", [("seccomp", '"chroot", "unshare",', '"chroot",')], []),
    "open files": ("files", [("confined", "    limits.close_files({reason_fd})", "")], []),
    "no bound of files": ("disk", [("guard", 'return "disk" if full', 'return "" if full')], []),
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
        [("guard", "if len(pids) > self.tasks:", "if False:"), ("guard", "if usage.tasks > self.tasks:", "if False:")],
        [],
    ),
    "no end of what is left": (  # of everybody but those in the group
        "ending",
        [("guard", "        descendants.end_all(self.kernel)\n        return reason", "        return reason")],
        [],
    ),
}
ONLY_AS_USER = {"rights of files", "signals", "limits of others", "priorities of others"}  # else they belong to root


@pytest.fixture
def prefix(open_prefix):
    return open_prefix


@pytest.fixture
def as_user(request, prefix):
    """Leaves out the other one, where it makes no difference and takes time."""
    if request.node.callspec.params["open_prefix"] == "root":
        pytest.skip("is tried as an ordinary user")


def test_every_attempt_is_in_vain(task, drive):
    kind, holds, attempts, sentence = json.loads(drive(task(probe=True, tier=TIER)).stdout)
    assert holds, sentence
    assert (kind, set(attempts)) == (TIER, set(PROMISES[TIER]))


@pytest.mark.parametrize("gap", GAPS)
def test_a_gap_is_noticed_and_named(gap, task, drive, as_user):
    attempt, edits, without = GAPS[gap]
    done = drive(task(probe=True, tier=TIER, edits=edits, without=without))
    assert done.returncode == 0, done.stderr
    _, holds, _, sentence = json.loads(done.stdout)
    assert not holds
    assert f"{attempt}: " in sentence


def test_as_root_it_is_not_used_where_nobody_cannot_read_python(task, open_prefix, request):
    home = pwd.getpwuid(0).pw_dir
    if request.node.callspec.params["open_prefix"] != "root" or os.stat(home).st_mode & 0o001:
        pytest.skip("needs root, and a folder that is root's alone")
    wanted = json.dumps(task(probe=True, tier=TIER, outside=f"import sys; sys.prefix = '{home}/python'"))
    command = [sys.executable, str(HERE / "driver.py"), wanted]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True, timeout=60)
    _, holds, _, sentence = json.loads(done.stdout)
    if not holds:  # where Python itself lies there; elsewhere only the changed prefix says so
        assert f"may enter {home}" in sentence


REASONS = {
    "exit 7": "import os; os._exit(7)",
    "signal 11": "import os; os.kill(os.getpid(), 11)",
    "processor": "while True: pass",
    "memory": """
import os, time
for _ in range(5):
    if os.fork() == 0:
        block = bytearray(60_000_000)
        block[::4096] = b"1" * len(block[::4096])
        time.sleep(20)
time.sleep(20)
""",
    "processes": "import os, time\nfor _ in range(40):\n    if os.fork() == 0: time.sleep(20)\ntime.sleep(20)",
    "disk": "import time\nfor n in range(3): open(str(n), 'wb').write(bytes(4_000_000))\ntime.sleep(20)",
}
# Ways to hide files from who only looks at names, and too many of them.
FILES = {
    "deleted, but open": """
import os, time
kept = []
for n in range(3):
    kept.append(open(str(n), "wb", buffering=0)); kept[-1].write(bytes(4_000_000)); os.unlink(str(n))
time.sleep(20)
""",
    "deleted, but mapped": """
import mmap, os, time
kept = []
for n in range(3):
    with open(str(n), "w+b", buffering=0) as file:
        file.write(bytes(4_000_000))
        kept.append(mmap.mmap(file.fileno(), 0))
    os.unlink(str(n))
time.sleep(20)
""",
    "many": "import time\nfor n in range(1500): open(str(n), 'w').close()\ntime.sleep(20)",
    "deep": "import os, time\nfor n in range(400): os.mkdir('d'); os.chdir('d')\ntime.sleep(20)",
}


def test_the_reason_says_how_a_kernel_ended(run, as_user):
    kernels = run(*REASONS.values(), tier=TIER, limits={"cpu_seconds": 1}).kernels
    assert [kernel.reason for kernel in kernels] == list(REASONS)


def test_files_count_whether_or_not_they_have_names(run, as_user):
    done = run(*FILES.values(), tier=TIER)
    assert [kernel.reason for kernel in done.kernels] == ["disk"] * len(FILES)


def test_kernels_share_nothing_and_find_their_files(run):
    code = """
import os, signal, tempfile, time
print(os.path.basename(os.getcwd()), os.listdir(), open("data/a.txt").read())
for folder in (tempfile.gettempdir(), os.path.expanduser("~"), "."):
    open(f"{folder}/mine", "w").close()
os.chmod("mine", 0o600); os.utime("mine", (0, 0))
others = [f"{os.path.dirname(sockets)}/{name}" for name in "01" if not sockets.endswith(name)]
print("READY", flush=True)
time.sleep(0.3)
for action in (os.listdir, lambda path: open(f"{path}/w/mine"), lambda path: open(f"{path}/new", "w")):
    for other in others:
        try:
            print("GOT", action(other))
        except PermissionError as error:
            print("refused")
"""
    for kernel in run(code, code, tier=TIER, files={"data/a.txt": "hello"}).kernels:
        assert kernel.lines == ["w ['data'] hello", "READY", *["refused"] * 3]


def test_refused_system_calls_are_refused(run, as_user):
    """With arguments that mean nothing, so that each would fail in another way if it were let through."""
    numbers = [number for call in seccomp.MANY if (number := seccomp._number(call)) is not None]
    silent = [number for call in seccomp.SILENT if (number := seccomp._number(call)) is not None]
    code = f"""
import ctypes, errno, socket
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *words):
    done = libc.syscall(ctypes.c_long(number), *(ctypes.c_long(word) for word in words))
    return done if done >= 0 else errno.errorcode[ctypes.get_errno()]
print({{call(number, -1, -1, -1, -1, -1) for number in {numbers}}}, {{call(n, -1, -1, -1, -1) for n in {silent}}})
print(call({seccomp._number("clone3")}, 0, 0), call(600), call({seccomp._number("clone")}, 0x10000000 | 17, 0, 0, 0, 0))
for family, kind in ((socket.AF_UNIX, 1), (socket.AF_INET, 1), (socket.AF_INET, 2), (socket.AF_NETLINK, 3)):
    try:
        socket.socket(family, kind)
    except PermissionError:
        print("no socket")
one, other = socket.socketpair()
one.send(b"works")
print(other.recv(5))
"""
    (kernel,) = run(code, tier=TIER).kernels
    assert kernel.lines == ["{'EPERM'} {0}", "ENOSYS ENOSYS EPERM", *["no socket"] * 4, "b'works'"]


@pytest.mark.parametrize("end", ["the kernel", "the guard", "the server", "the worker"])
def test_everything_ends_with(end, task, drive, as_user):
    """Whoever of them ends first; also what has left parent, session and group and ignores signals."""
    token = f"left-{os.urandom(16).hex()}"
    how = {"the kernel": {}, "the guard": {"signal": int(guard.END)}, "the server": {"signal": "server"}}
    last = "os._exit(5)" if end == "the kernel" else STAY
    options = how.get(end, {"die": True, "name": token})
    done = drive(task([LEAVE_ONE_BEHIND.format(token=token, last=last)], tier=TIER, **options))
    for folder in Path("/tmp").glob(f"d-{token}*"):
        shutil.rmtree(folder)
    if end in ("the kernel", "the guard"):
        (result,) = json.loads(done.stdout.splitlines()[-2])
        assert result["reason"] == ("exit 5" if end == "the kernel" else f"signal {int(signal.SIGKILL)}")
    else:
        assert "READY" in done.stdout or end == "the worker"
        assert "reason" not in done.stdout
    assert soon_gone(token)


def test_a_process_that_adopts_orphans_ends_all_that_its_children_left():
    """As the fork server does when a guard was killed: one child is known and stays, the orphans of another go."""
    code = """
import os, time
from coursekit.bridges import descendants, linux
linux.adopt_orphans()
known = os.fork()
if known == 0:
    time.sleep(60)
guard = os.fork()
if guard == 0:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(60)
        time.sleep(60)
    time.sleep(60)
while len(descendants.below(os.getpid())) < 4:
    time.sleep(0.01)
os.kill(guard, 9)
os.waitpid(guard, 0)
print(len(descendants.below(os.getpid())))
descendants.end_strays([known])
print(descendants.below(os.getpid()) == [known])
descendants.end_all()
print(descendants.below(os.getpid()))
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True, cwd=ROOT)
    assert done.stdout.split() == ["3", "True", "[]"]


def test_a_notebook_works_without_network_and_terminal(prefix, as_user, tmp_path):
    """Modules of the course, the shell, forked processes, files: in a real kernel of the fork server."""
    environment = {**os.environ, "HOME": "/nowhere", "TMPDIR": "/tmp", "PYTHONPATH": str(ROOT)}
    command = [*prefix, sys.executable, str(HERE / "notebook.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, check=False, cwd="/")
    assert done.stdout.splitlines() == [
        "hello shell",
        "['captured']",
        "from a child",
        "tiny True",
        "copied ['a.txt', 'b.txt']",
        "from a program",
        "why: Python ended by itself with exit status 3, as os._exit does.",
    ], done.stderr


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=6))
def test_messages_of_forked_processes_arrive_as_they_were_sent(parts):
    class Way:
        def send(self, data: bytes) -> None:
            self.data = data

    way = Way()
    without_network._Pipe(way).send_multipart(parts)
    assert without_network.unpack(way.data) == parts


def test_what_is_lacking_is_said_and_what_is_needed_is_promised_by_every_kind():
    assert lacks("bubblewrap") == lacks("namespaces") == []
    assert lacks(TIER) == list(COMFORT.values())
    assert all(set(NEEDED) <= set(promised) for kind, promised in PROMISES.items() if kind != "none")
    assert all(text in warning(TIER) for text in COMFORT.values())
    assert "your own rights" in warning("none")
    assert warning("namespaces") == warning("not known") == ""
