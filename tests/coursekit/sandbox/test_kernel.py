"""What a kernel in the sandbox finds, what bounds it, and what is said when it ends."""

import platform
import signal
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")

KEY_CALLS = {"x86_64": (248, 249, 250), "aarch64": (217, 218, 219)}

ENDINGS = {
    "exit 0": ("pass", 0),
    "exit 7": ("import os; os._exit(7)", 7),
    "signal 11": ("import os; os.kill(os.getpid(), 11)", 128 + 11),
    "signal 9": ("import os; os.kill(os.getpid(), 9)", 128 + 9),
    "processor": ("while True: pass", 137),
}

# Each takes about 300 MB in another way, of the 200 MB that there are; what is not bounded ends after seconds.
WAYS_TO_TAKE_MEMORY = {
    "in several processes": """
import os, time
for _ in range(5):
    if os.fork() == 0:
        block = bytearray(60_000_000)
        block[::4096] = b"1" * len(block[::4096])
        time.sleep(20)
        os._exit(0)
time.sleep(20)
""",
    "in pages that are shared after a fork": """
import os, time
for _ in range(3):
    block = bytearray(100_000_000)
    block[::4096] = b"1" * len(block[::4096])
    for _ in range(2):  # each page has two owners
        if os.fork() == 0:
            time.sleep(20)
            os._exit(0)
    del block
time.sleep(20)
""",
    "in files without a name": """
import os, time
files = [os.memfd_create("m") for _ in range(50)]
for file in files:
    os.write(file, bytes(6_000_000))
time.sleep(20)
""",
    "in a mapping that is no file": """
import mmap, time
block = mmap.mmap(-1, 300_000_000)
for at in range(0, len(block), 4096):
    block[at] = 1
time.sleep(20)
""",
    "in shared memory that nobody has attached": """
import ctypes, time
libc = ctypes.CDLL(None)
libc.shmat.restype = ctypes.c_void_p
for _ in range(3):
    number = libc.shmget(0, ctypes.c_size_t(100_000_000), 0o1600)
    at = libc.shmat(number, None, 0)
    ctypes.memset(at, 1, 100_000_000)
    libc.shmdt(ctypes.c_void_p(at))
time.sleep(20)
""",
    "in a process that hides what it takes": """
import ctypes, os, time
ctypes.CDLL(None).prctl(4, 0)
for _ in range(5):
    if os.fork() == 0:
        block = bytearray(60_000_000)
        block[::4096] = b"1" * len(block[::4096])
        time.sleep(20)
time.sleep(20)
""",
}


@pytest.mark.parametrize("reason", ENDINGS)
def test_the_reason_and_the_status_say_how_a_kernel_ended(run, reason):
    code, status = ENDINGS[reason]
    (kernel,) = run(code, limits={"cpu_seconds": 1}).kernels
    assert (kernel.reason, kernel.status) == (reason, status)


def test_more_memory_than_allowed_is_an_error_in_python_and_the_kernel_lives_on(run):
    code = """
try:
    bytearray(210_000_000)
except MemoryError:
    print("refused")
print(len(bytearray(100_000_000)))
"""
    (kernel,) = run(code).kernels
    assert kernel.lines == ["refused", "100000000"]
    assert kernel.reason == "exit 0"


@pytest.mark.parametrize("way", WAYS_TO_TAKE_MEMORY)
def test_memory_that_no_single_process_has_ends_the_kernel(run, way):
    (kernel,) = run(WAYS_TO_TAKE_MEMORY[way]).kernels
    assert kernel.reason == "memory"


def test_memory_that_was_taken_before_the_fork_is_not_charged(run):
    """300 MB are there already, are changed by the kernel, and by a child of it."""
    before = "block = bytearray(300_000_000); block[::4096] = b'1' * len(block[::4096])"
    code = """
import os, time
block = before["block"]
if os.fork() == 0:
    time.sleep(0.5)
    os._exit(0)
time.sleep(0.5)
block[::4096] = b"2" * len(block[::4096])
time.sleep(0.5)
print("lives")
"""
    (kernel,) = run(code, before=before).kernels
    assert (kernel.lines, kernel.reason) == (["lives"], "exit 0")


def test_processes_and_threads_together_are_bounded(run):
    code = """
import os, threading, time
held = threading.Event()
for _ in range(5):
    threading.Thread(target=held.wait, daemon=True).start()
count = 0
try:
    for _ in range(40):
        if os.fork() == 0:
            time.sleep(20)
            os._exit(0)
        count += 1
except BlockingIOError:
    print(count)
"""
    (kernel,) = run(code, limits={"processes": 16}).kernels
    assert kernel.lines == [str(16 - 1 - 5)]


def test_all_private_folders_share_one_size(run):
    code = """
import errno, os
total = 0
for folder in ("/tmp", os.environ["HOME"], "/dev/shm", os.getcwd()):
    for number in range(4):
        try:
            with open(f"{folder}/{number}", "wb", buffering=0) as file:
                for _ in range(8):
                    total += file.write(bytes(1 << 19))
        except OSError as error:
            assert error.errno in (errno.ENOSPC, errno.EFBIG), error
print(total)
"""
    (kernel,) = run(code, limits={"disk_bytes": 8 << 20}).kernels
    assert (8 << 20) - 200_000 < int(kernel.lines[0]) <= 8 << 20


def test_the_number_of_files_is_bounded(run):
    code = """
import errno, os
for number in range(100_000):
    try:
        os.mkdir(f"/tmp/{number}")
    except OSError as error:
        print(errno.errorcode[error.errno], number < 2000)
        break
"""
    (kernel,) = run(code).kernels
    assert kernel.lines == ["ENOSPC True"]


def test_a_kernel_starts_in_a_folder_with_its_files_and_knows_its_names(run):
    code = """
import getpass, os, pwd, socket
print(os.getcwd(), sorted(os.listdir()), open("data/a.txt").read())
print(os.getpid(), os.getuid(), getpass.getuser(), pwd.getpwuid(os.getuid()).pw_dir, os.path.expanduser("~"))
print(socket.gethostname(), socket.gethostbyname("localhost"), os.listdir(os.path.expanduser("~")))
"""
    (kernel,) = run(code, files={"data/a.txt": "hello", "b.txt": ""}).kernels
    assert kernel.lines == [
        "/tmp/work ['b.txt', 'data'] hello",
        "2 1000 student /home/student /home/student",
        "sandbox 127.0.0.1 []",
    ]


def test_programs_terminals_and_the_own_network_work(run):
    code = """
import os, pty, socket, subprocess, sys
print(subprocess.run(["sh", "-c", "echo shell"], capture_output=True, text=True).stdout.strip())
main, other = pty.openpty()
print(os.ttyname(other))
with socket.create_server(("127.0.0.1", 5000)) as server, socket.create_connection(("127.0.0.1", 5000)):
    print("connected")
import multiprocessing
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(pool.map(abs, [-1, -2]))
"""
    first, second = run(code, code).kernels  # the same port in both, and the first terminal
    assert first.lines == second.lines == ["shell", "/dev/pts/0", "connected", "[1, 2]"]


def test_kernels_do_not_see_what_others_write_or_run(run):
    """Each writes where it can, says that it is ready, and looks once all have written."""
    code = """
import os, signal, time
token = f"from-{sockets[-1]}"
for folder in ("/tmp", "/dev/shm", os.path.expanduser("~")):
    open(f"{folder}/{token}", "w").close()
signal.signal(signal.SIGALRM, lambda *_: None)
print("READY", flush=True)
time.sleep(0.5)
for folder in ("/tmp", "/dev/shm", os.path.expanduser("~")):
    print(sorted(name for name in os.listdir(folder) if name.startswith("from-")))
print(os.listdir(os.path.dirname(sockets)), [name for name in os.listdir("/proc") if name.isdigit()])
"""
    for number, kernel in enumerate(run(code, code).kernels):
        assert kernel.lines == ["READY", *[str([f"from-{number}"])] * 3, f"['{number}'] ['1', '2']"]


def test_what_is_shared_can_be_written_before_the_seal_and_not_after(run):
    code = """
import os
from coursekit.bridges import isolation
open(f"{sockets}/socket", "w").close()
isolation.seal()
for action, name in ((os.mkdir, "more"), (os.unlink, "socket"), (lambda path: open(path, "w"), "file")):
    try:
        action(f"{sockets}/{name}")
        print("done")
    except OSError as error:
        print(error.strerror)
"""
    done = run(code, sealed=False)
    assert done.kernels[0].lines == ["Read-only file system"] * 3
    assert done.shared == ["socket"]


def test_signals_reach_the_kernel_and_what_runs_in_its_group(run):
    code = '''
import subprocess, sys, time
child = """
import time
try:
    print('READY', flush=True)
    time.sleep(20)
except KeyboardInterrupt:
    print('child', flush=True)
"""
process = subprocess.Popen([sys.executable, "-c", child])
try:
    time.sleep(20)
except KeyboardInterrupt:
    process.wait()
    print("kernel")
'''
    (kernel,) = run(code, signal=int(signal.SIGINT)).kernels
    assert kernel.lines == ["READY", "child", "kernel"]


def test_a_kernel_cannot_stop_what_watches_over_it(run):
    """It does to process 1 what its rights allow, and takes too much memory then."""
    attack = """
import os, resource, signal
for number in (9, 19, 15, 2):
    os.kill(1, number)
try:
    os.setpriority(os.PRIO_PROCESS, 1, 19)
    os.sched_setscheduler(1, os.SCHED_IDLE, os.sched_param(0))
    resource.prlimit(1, resource.RLIMIT_NOFILE, (0, 0))
    resource.prlimit(1, resource.RLIMIT_DATA, (0, 0))
except PermissionError as error:
    print(error)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
"""
    ignored = "import signal; [signal.signal(n, signal.SIG_IGN) for n in (2, 15)]\n"
    (kernel,) = run(ignored + attack + WAYS_TO_TAKE_MEMORY["in several processes"]).kernels
    assert kernel.reason == "memory"


def test_a_kernel_that_cannot_be_shut_in_never_begins(run):
    (kernel,) = run("print('began')", folder="/usr/share/work").kernels
    assert kernel.lines == []
    assert kernel.reason.startswith("setup: OSError: [Errno 30]")
    assert kernel.status == 1


@pytest.mark.skipif(platform.machine() not in KEY_CALLS, reason="the numbers of its system calls are not known")
def test_keys_of_whoever_grades_cannot_be_asked_for(run):
    """As an ordinary user we have the same keys by our own right, so that only a refusal of the calls protects them."""
    code = f"""
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
for number in {KEY_CALLS.get(platform.machine())}:
    assert libc.syscall(ctypes.c_long(number), 0, ctypes.c_int(-4), 1, 0, 0) == -1
    print(errno.errorcode[ctypes.get_errno()])
print(open("/proc/keys").read() if __import__("os").path.exists("/proc/keys") else "")
"""
    (kernel,) = run(code).kernels
    assert kernel.lines == ["EPERM"] * 3 + [""]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="other machines have one table of system calls")
def test_system_calls_are_refused_under_their_other_numbers_too(run):
    code = """
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
print(libc.syscall(ctypes.c_long(0x40000000 | 250), 0, ctypes.c_int(-4), 1), errno.errorcode[ctypes.get_errno()])
"""
    assert run(code).kernels[0].lines == ["-1 EPERM"]
