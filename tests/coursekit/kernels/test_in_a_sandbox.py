"""Forked kernels in a sandbox: that the two fit together (what the sandbox keeps out is tested with the sandbox)."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from kernel_talk import Talk, converse, say

from coursekit.errors import CourseError
from coursekit.kernels import Kernels
from coursekit.kernels.limits import KernelLimits
from coursekit.kernels.opening import KernelSettings, open_kernels
from coursekit.sandbox import Paths, choose


@pytest.fixture(scope="module")
def shut_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernels]:
    course = tmp_path_factory.mktemp("course")
    try:
        sandbox = choose(Paths(course=course), trust=False)
    except CourseError as error:
        pytest.skip(str(error))
    kernels = open_kernels(KernelSettings(("json",), {"MINE": "1"}), sandbox)
    yield kernels
    kernels.close()


def test_a_kernel_is_ready_with_its_files_in_a_sandbox(shut_in: Kernels):
    assert (shut_in.sandbox, shut_in.warm) == ("bubblewrap", True)
    cells = ("import os; print(os.listdir('.'), os.getpid())", "print(os.environ['MINE'])")
    assert say(shut_in, *cells, files={"a.txt": b"x"}) == ["['a.txt'] 2", "1"]


def test_the_server_removes_the_sockets_of_a_kernel_in_a_sandbox(shut_in: Kernels):
    say(shut_in, "1")
    assert not list(Path(shut_in.server.sockets).iterdir())  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("code", "words"),
    [("import os; os._exit(3)", "exit status 3"), ("import os; os.kill(os.getpid(), 11)", "segmentation fault")],
)
def test_the_reason_of_a_death_comes_out_of_the_sandbox(shut_in: Kernels, code: str, words: str):
    assert words in converse(shut_in, lambda talk: talk.run_to_the_end(code))


def test_memory_of_several_processes_together_is_the_reason_that_is_told(shut_in: Kernels):
    code = "import os, time\nfor _ in range(5):\n    if os.fork() == 0:\n"
    code += "        y = bytearray(b'y') * 100_000_000\n        time.sleep(1000)\ntime.sleep(1000)"
    limits = KernelLimits(memory_bytes=300_000_000)
    said = converse(shut_in, lambda talk: talk.run_to_the_end(code), limits=limits)
    assert "0.3 GB of memory" in said


def test_an_interrupt_gets_into_the_sandbox(shut_in: Kernels):
    async def story(talk: Talk) -> tuple[str, str]:
        cell = asyncio.create_task(talk.run("while True: pass"))
        await asyncio.sleep(0.5)
        await talk.manager.interrupt_kernel()
        return await cell, await talk.run("print(1)")

    assert converse(shut_in, story) == ("KeyboardInterrupt", "1")
