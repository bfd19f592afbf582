"""Everything that a kernel has started ends with it, however it or one of the processes around it ends."""

import os
import shutil
import signal
import sys
import uuid
from pathlib import Path

import pytest
from left_behind import LEAVE_ONE_BEHIND, STAY, left, soon_gone

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")


@pytest.fixture
def token() -> str:
    return f"left-{uuid.uuid4().hex}"


def test_nothing_is_left_when_the_server_is_told_that_the_kernel_has_ended(run, token):
    (kernel,) = run(LEAVE_ONE_BEHIND.format(token=token, last="os._exit(5)")).kernels
    assert kernel.reason == "exit 5"
    assert left(token) == []


def test_the_process_that_is_looked_for_can_be_found(task, drive, token):
    """Guards the other tests: while the kernel lives, so does what it has left behind."""
    outside = f"""
import subprocess, threading, time
from pathlib import Path
def look():
    for _ in range(1000):
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if path.read_bytes().startswith(b"{token}"):
                    print("FOUND", flush=True)
                    return
            except OSError:
                continue
        time.sleep(0.01)
threading.Thread(target=look).start()
"""
    done = drive(task([LEAVE_ONE_BEHIND.format(token=token, last="time.sleep(2)")], outside=outside))
    assert "FOUND" in done.stdout, done.stderr
    assert soon_gone(token)


def test_all_ends_with_the_watcher(run, token):
    """The server kills the process that it forked, as it does when a kernel has to end at once."""
    (kernel,) = run(LEAVE_ONE_BEHIND.format(token=token, last=STAY), signal=int(signal.SIGKILL)).kernels
    assert kernel.status == -signal.SIGKILL
    assert soon_gone(token)


def test_all_ends_with_the_server(task, drive, token):
    done = drive(task([LEAVE_ONE_BEHIND.format(token=token, last=STAY)], signal="server"))
    assert "READY" in done.stdout
    assert "reason" not in done.stdout
    assert soon_gone(token)


def test_all_ends_with_the_worker_that_started_the_server(task, drive, token):
    done = drive(task([LEAVE_ONE_BEHIND.format(token=token, last=STAY)], die=True, name=token))
    for folder in Path("/tmp").glob(f"d-{token}*"):
        shutil.rmtree(folder)
    assert done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL)
    assert "reason" not in done.stdout
    assert soon_gone(token)


def test_a_limit_that_is_passed_ends_what_was_left_behind_too(run, token):
    take = "blocks = [os.memfd_create('m') for _ in range(50)]; [os.write(one, bytes(6_000_000)) for one in blocks]"
    (kernel,) = run(LEAVE_ONE_BEHIND.format(token=token, last=f"{take}\n{STAY}")).kernels
    assert kernel.reason == "memory"
    assert left(token) == []


def test_this_file_looks_at_processes_of_others():
    """Guards `left`: our own command line is among what it reads."""
    mine = Path(f"/proc/{os.getpid()}/cmdline").read_bytes().split(b"\0")[0].decode()
    assert str(os.getpid()) in left(mine)
