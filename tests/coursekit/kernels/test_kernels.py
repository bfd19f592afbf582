"""What holds for every kernel that a notebook is graded in, wherever it comes from."""

import asyncio
import signal
from pathlib import Path

import psutil
import pytest
from kernel_talk import SECONDS, Talk, converse, needs_fork, say

from coursekit.kernels import Kernels
from coursekit.kernels.forked import ForkedKernels
from coursekit.kernels.limits import KernelLimits
from coursekit.kernels.reasons import sentence
from coursekit.kernels.server import ForkServer

LOOK = "import os; print(sorted(os.path.join(r, f) for r, _, fs in os.walk('.') for f in fs))"


def test_a_kernel_starts_in_a_folder_with_its_files_and_no_others(kernels: Kernels):
    files = {"data/numbers.txt": b"1 2", "a name with ü.txt": b"x"}
    first = say(kernels, LOOK, "open('left behind', 'w').close()", "print(os.getcwd())", files=files)
    assert first[0] == str(sorted(f"./{name}" for name in files))
    second = say(kernels, LOOK, "print(os.getcwd())")
    assert second[0] == "[]"
    assert second[1] != first[2]


def test_an_interrupt_ends_the_cell_and_not_the_kernel(kernels: Kernels):
    async def story(talk: Talk) -> tuple[str, str]:
        await talk.run("x = 3")
        cell = asyncio.create_task(talk.run("print('begun', flush=True)\nwhile True: pass"))
        await asyncio.sleep(0.5)
        await talk.manager.interrupt_kernel()
        return await cell, await talk.run("print(x)")

    stopped, after = converse(kernels, story)
    assert stopped.endswith("KeyboardInterrupt")
    assert after == "3"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import os; os._exit(3)", "exit status 3"),
        ("import os; os.kill(os.getpid(), 11)", "segmentation fault"),
        ("import os; os.kill(os.getpid(), 9)", "killed"),
    ],
)
def test_the_reason_of_a_death_is_told(kernels: Kernels, code: str, words: str):
    assert words in converse(kernels, lambda talk: talk.run_to_the_end(code))


def test_nothing_is_said_about_a_kernel_that_lives(kernels: Kernels):
    async def story(talk: Talk) -> str:
        return "" if not await talk.manager.is_alive() else "lives"

    assert converse(kernels, story) == "lives"


@needs_fork
@pytest.mark.parametrize("end", ["", "os._exit(1)"])
def test_what_a_kernel_has_started_ends_with_it(forked: ForkedKernels, tmp_path: Path, end: str):
    start = "import os, subprocess; pid = subprocess.Popen(['sleep', '1000']).pid"
    note = f"open({str(tmp_path / 'pid')!r}, 'w').write(str(pid))"

    async def story(talk: Talk) -> psutil.Process:
        assert await talk.run(f"{start}; {note}") != "NameError"
        started = psutil.Process(int((tmp_path / "pid").read_text()))
        if end:
            await talk.run_to_the_end(end)
        return started

    assert not psutil.wait_procs([converse(forked, story)], timeout=SECONDS)[1]


@needs_fork
def test_files_and_sockets_go_with_the_kernel(forked: ForkedKernels, lean_server: ForkServer):
    say(forked, "open('something', 'w').close()", files={"a.txt": b"x"})
    assert not list(lean_server.sockets.iterdir())
    assert {path.name for path in lean_server.root.iterdir()} == {"s", "log"}


@needs_fork
def test_a_file_of_the_students_hides_no_module_of_ours(forked: ForkedKernels):
    files = {"wave.py": b"ours = False", "my_own.py": b"value = 7"}
    found = say(forked, "import wave; print(hasattr(wave, 'ours'))", "import my_own; print(my_own.value)", files=files)
    assert found == ["False", "7"]


@needs_fork
def test_memory_beyond_the_limit_is_refused_without_a_sandbox_too(forked: ForkedKernels):
    limits = KernelLimits(memory_bytes=300_000_000)
    assert say(forked, "x = bytearray(10**8); print(len(x))", "y = bytearray(10**9)", limits=limits) == [
        str(10**8),
        "MemoryError",
    ]


@needs_fork
def test_several_kernels_of_one_server_do_not_disturb_each_other(forked: ForkedKernels):
    async def both() -> tuple[str, str, bool]:
        managers = [forked.manager({}, KernelLimits()) for _ in range(2)]
        await asyncio.gather(*(manager.start_kernel() for manager in managers))
        talks = [Talk(forked, manager) for manager in managers]
        await asyncio.gather(*(talk.begin() for talk in talks))
        await talks[0].run("x = 'first'")
        missing = await talks[1].run("x")
        await talks[1].run_to_the_end("import os; os._exit(1)")
        kept = await talks[0].run("print(x)")
        for talk in talks:
            talk.client.stop_channels()
            await talk.manager.shutdown_kernel(now=True)
        return missing, kept, await managers[0].is_alive()

    assert asyncio.run(both()) == ("NameError", "first", False)


def test_each_reason_has_its_own_sentence_and_an_unknown_one_has_none():
    limits = KernelLimits(memory_bytes=1_500_000_000, processes=7, cpu_seconds=9)
    reasons = ["memory", "processes", "processor", "exit 1", "signal 11", "signal 9", "signal 15"]
    sentences = [sentence(reason, limits) for reason in reasons]
    assert len({*sentences}) == len(reasons)
    assert all(text.startswith("Python ") and text.endswith(".") for text in sentences)
    assert "1.5 GB" in sentences[0]
    assert "7" in sentences[1]
    assert sentence(f"signal {int(signal.SIGXCPU)}", limits) == sentences[2]
    assert [sentence(text, limits) for text in ("", "setup: OSError: no", "exit", "signal x")] == [""] * 4
