"""The cage itself, tried with code that is harmless if it does not hold: small bounds, small bites."""

import os
import socket
import sys
from pathlib import Path

import cage
import pytest
from cage import Bounds

SMALL = Bounds(seconds=20, memory_bytes=400_000_000, processes=40, home_bytes=30_000_000, tmp_bytes=10_000_000)
LIMIT_PASSED = 97


def python(code: str, bounds: Bounds = SMALL, **options: bool) -> cage.Outcome:
    return cage.run([sys.executable, "-I", "-S", "-c", code], bounds, **options)


def test_what_is_left_in_the_result_file_comes_out_and_the_exit_code_too():
    outcome = python(f"open({str(cage.RESULT)!r}, 'w').write('hello'); import sys; sys.exit(3)")
    assert (outcome.code, outcome.result) == (3, b"hello")


def test_a_link_in_the_place_of_the_result_file_is_not_followed():
    assert python(f"import os; os.symlink('/etc/passwd', {str(cage.RESULT)!r})").result == b""


def test_files_of_this_machine_are_not_in_the_cage(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("s")
    paths = [
        str(secret),
        str(Path.home() / ".ssh"),
        str(cage.ROOT / "solutions"),
        str(cage.ROOT / ".git"),
        "/etc/shadow",
    ]
    assert "seen []" in python(f"import os; print('seen', [p for p in {paths!r} if os.path.exists(p)])").log


def test_a_server_on_this_machine_cannot_be_reached():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        outcome = python(f"import socket; socket.create_connection(('127.0.0.1', {port}), 2)")
    assert "ConnectionRefusedError" in outcome.log


def test_the_environment_holds_only_what_the_cage_gives(monkeypatch):
    monkeypatch.setenv("COURSE_SECRET", "from outside")
    outcome = python("import os; print(sorted(os.environ))")
    assert str(sorted([*cage.environment(), "PWD"])) in outcome.log


def test_the_inhabitant_is_no_root_and_cannot_become_it():
    outcome = python("import os; print('uid', os.getuid()); os.setuid(0)")
    assert f"uid {cage.UID}" in outcome.log
    assert "PermissionError" in outcome.log


def test_processes_are_bounded():
    outcome = python(
        "import os, time\nfor n in range(200):\n    if os.fork() == 0:\n        time.sleep(60)\nprint('no limit')\n"
    )
    assert "no limit" not in outcome.log
    assert outcome.code == LIMIT_PASSED or "BlockingIOError" in outcome.log


EATERS = {
    "private": "bytearray(20_000_000)",
    "shared": "(lambda block: (block.write(b'1' * 20_000_000), block))(mmap.mmap(-1, 20_000_000))",
}


@pytest.mark.parametrize("kind", EATERS)
def test_memory_is_bounded_whether_private_or_shared(kind):
    """At most 2 GB are asked for, so that a cage without a bound does no harm."""
    outcome = python(
        "import mmap, time\n"
        "kept = []\n"
        "for _ in range(100):\n"
        f"    kept.append({EATERS[kind]})\n"
        "    time.sleep(0.02)\n"
        "print('no limit')"
    )
    assert "no limit" not in outcome.log
    assert outcome.code == LIMIT_PASSED
    assert "GB of memory" in outcome.log


@pytest.mark.parametrize("folder", ["/tmp", "/var/tmp", "/dev/shm", str(cage.HOME)])
def test_the_disk_is_bounded_wherever_one_may_write(folder):
    outcome = python(
        f"f = open('{folder}/big', 'wb')\nfor _ in range(100): f.write(b'1' * 1_000_000)\nprint('no limit')"
    )
    assert "No space left" in outcome.log
    assert "no limit" not in outcome.log


@pytest.mark.parametrize("folder", ["/", "/dev", "/etc", "/home", "/usr", sys.prefix, str(cage.HERE), str(cage.ROOT)])
def test_nothing_else_can_be_written(folder):
    assert "Error" in python(f"open('{folder}/cage-was-here', 'w')").log
    assert not os.path.exists(f"{folder}/cage-was-here")


def test_time_is_bounded_and_what_was_started_ends_with_the_cage():
    outcome = python("import os, time; os.fork() or os.setsid(); time.sleep(60)", Bounds(seconds=1))
    assert outcome.code == LIMIT_PASSED
    assert "ended after 1 s" in outcome.log


def test_a_process_that_outlives_the_command_cannot_keep_the_cage_open():
    outcome = python("import os, time\nif os.fork() == 0:\n    os.setsid(); time.sleep(60)")
    assert outcome.code == 0


def test_process_1_does_not_end_by_a_signal_from_inside():
    outcome = python(
        "import contextlib, os\n"
        "for number in (9, 15, 19, 11, 2):\n"
        "    with contextlib.suppress(PermissionError):\n"
        "        os.kill(1, number)\n"
        "print('alive')"
    )
    assert (outcome.code, outcome.log.strip()) == (0, "alive")
