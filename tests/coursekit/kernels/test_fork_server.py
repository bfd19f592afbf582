"""The fork server: that a child is safe, alone with its random numbers, and gone when it should be."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from kernel_talk import SECONDS, needs_fork, say

from coursekit.errors import CourseError
from coursekit.kernels import process, server, servers
from coursekit.kernels.forked import ForkedKernels
from coursekit.kernels.opening import KernelSettings, open_kernels
from coursekit.kernels.ordinary import OrdinaryKernels
from coursekit.kernels.server import ForkFailed, ForkServer
from coursekit.sandbox.none import Nothing

pytestmark = needs_fork

Write = Callable[..., dict[str, str]]

THREAD = "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n"
BREAKS_CHILDREN = "import os\nos.register_at_fork(after_in_child=lambda: os._exit(5))\n"
HANGS_CHILDREN = "import os, time\nos.register_at_fork(after_in_child=lambda: time.sleep(1000))\n"
CUDA = "class cuda:\n    is_initialized = staticmethod(lambda: True)\n"
THREAD_LATER = f"""
import signal
signal.signal(signal.SIGUSR1, lambda *_: exec({THREAD!r}))
"""
NUMBERS = "import random, numpy, torch; print(random.random(), numpy.random.random(), torch.rand(1).item())"


@pytest.mark.parametrize(
    ("source", "words"),
    [(THREAD, "2 threads"), ("1 / 0", "ZeroDivisionError"), ("import no_such_thing", "ModuleNotFoundError")],
)
def test_a_module_that_makes_forking_unsafe_or_is_broken_is_named(modules: Write, source: str, words: str):
    bad = ForkServer(("json", "odd"), environment=modules(odd=source))
    with pytest.raises(ForkFailed, match=words) as caught:
        bad.start()
    assert caught.value.module == "odd"
    assert not bad.alive
    assert not bad.root.exists()


def test_cuda_must_not_be_initialised_before_the_fork(modules: Write):
    with pytest.raises(ForkFailed, match="CUDA"):
        ForkServer(("torch",), environment=modules(torch=CUDA)).start()


def test_a_child_that_ends_badly_is_seen_at_the_start(modules: Write):
    with pytest.raises(ForkFailed, match="exit 5"):
        ForkServer(("odd",), environment=modules(odd=BREAKS_CHILDREN)).start()


def test_a_child_that_hangs_is_seen_at_the_start_and_ended(modules: Write, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(server, "CANARY_SECONDS", 1.0)
    bad = ForkServer(("odd",), environment=modules(odd=HANGS_CHILDREN))
    with pytest.raises(ForkFailed, match="did not end"):
        bad.start()
    assert not bad.alive


def test_a_thread_that_comes_later_is_seen_at_the_next_fork(modules: Write):
    late = ForkServer(("odd",), environment=modules(odd=THREAD_LATER))
    late.start()
    try:
        say(ForkedKernels(late), "1")
        os.kill(late.pid, signal.SIGUSR1)
        with pytest.raises(ForkFailed, match="2 threads"):
            say(ForkedKernels(late), "1")
    finally:
        late.stop()


def test_kernels_without_the_troublesome_module_are_found_and_said_to_be(modules: Write):
    warnings: list[str] = []
    environment = modules(odd=THREAD, fine="import sys\nsys.was_here = True\n")
    kernels = open_kernels(KernelSettings(("fine", "odd"), environment), Nothing(), warn=warnings.append)
    try:
        assert isinstance(kernels, ForkedKernels)
        assert kernels.warm
        assert say(kernels, "import sys; print(sys.was_here, 'odd' in sys.modules)") == ["True False"]
    finally:
        kernels.close()
    assert len(warnings) == 1
    assert "odd" in warnings[0]


def test_when_no_module_is_to_blame_none_is_preloaded(modules: Write):
    warnings: list[str] = []
    settings = KernelSettings(("odd",), modules(odd=BREAKS_CHILDREN))
    kernels = open_kernels(settings, Nothing(), warn=warnings.append)
    try:
        assert not kernels.warm
        assert say(kernels, "import sys; print('odd' in sys.modules)") == ["False"]
    finally:
        kernels.close()
    assert len(warnings) == 1


def test_only_with_consent_do_ordinary_kernels_take_over(monkeypatch: pytest.MonkeyPatch):
    def never(self: ForkServer, **_: object) -> None:
        raise ForkFailed("No.")

    class Holds(Nothing):
        kind = "bubblewrap"

    monkeypatch.setattr(ForkServer, "start", never)
    warnings: list[str] = []
    assert isinstance(open_kernels(KernelSettings(), Nothing(), warn=warnings.append), OrdinaryKernels)
    assert len(warnings) == 1
    with pytest.raises(CourseError, match="sandbox"):
        open_kernels(KernelSettings(("json",)), Holds(), warn=warnings.append)


def test_without_fork_a_sentence_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(os, "fork")
    with pytest.raises(ForkFailed, match="Windows"):
        ForkServer()


def test_the_same_seed_gives_the_same_numbers_and_no_seed_gives_others():
    """False alarm: nine pairs of numbers, of which three have 24 bits and six have 53, agree by chance: below 2e-7."""
    warm = ForkServer(("numpy", "torch"))
    warm.start()
    try:
        seeded = [say(ForkedKernels(warm, seed=seed), NUMBERS)[0].split() for seed in (1, 1, 2)]
        free = [say(ForkedKernels(warm, seed=None), NUMBERS)[0].split() for _ in range(2)]
        threads = say(ForkedKernels(warm), "import torch; print(torch.get_num_threads(), torch.cuda.is_initialized())")
    finally:
        warm.stop()
    assert seeded[0] == seeded[1]
    for one, other in ((seeded[0], seeded[2]), (seeded[0], free[0]), (free[0], free[1])):
        assert all(left != right for left, right in zip(one, other, strict=True))
    assert threads == ["1 False"]


PARENT = """
import asyncio, json, sys
from coursekit.kernels.forked import ForkedKernels
from coursekit.kernels.server import ForkServer
from coursekit.kernels.limits import KernelLimits
import psutil
server = ForkServer()
server.start()
async def begin():
    manager = ForkedKernels(server).manager({}, KernelLimits())
    await manager.start_kernel()
    pids = [child.pid for child in psutil.Process().children(recursive=True)]
    print(json.dumps([str(server.root), pids]), flush=True)
    await asyncio.sleep(1000)
asyncio.run(begin())
"""


def test_when_their_parent_is_killed_server_and_kernels_end_and_their_folder_goes_with_the_next_one():
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        left, pids = json.loads(parent.stdout.readline())
        children = [psutil.Process(pid) for pid in pids]
        beside = process.short_folder()
        assert Path(left).is_dir()
        parent.kill()
    assert len(children) >= 2
    assert not psutil.wait_procs(children, timeout=SECONDS)[1]
    after = process.short_folder()
    assert not Path(left).exists()
    assert beside.is_dir()
    beside.rmdir()
    after.rmdir()


def test_a_folder_of_a_process_that_was_killed_before_any_server_started_goes_with_the_next_one():
    code = "from coursekit.kernels.process import short_folder; print(short_folder(), flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        left = Path(owner.stdout.readline().strip())
        process.drop_folder(process.short_folder())
        assert left.is_dir()  # its owner is alive
        owner.kill()
    process.drop_folder(process.short_folder())
    assert not left.exists()


def test_paths_of_sockets_fit_wherever_temporary_files_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    deep = tmp_path / ("x" * 60)
    deep.mkdir()
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(deep))
    folder = process.short_folder()
    folder.rmdir()
    assert len(os.fsencode(folder / "s" / "123456" / "k-5")) <= 107


def test_a_server_whose_modules_have_changed_is_replaced_and_its_kernels_live_on(
    modules: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    for name, value in modules(odd="value = 1").items():
        monkeypatch.setenv(name, value)
    warnings: list[str] = []
    first = servers.current(("odd",), warn=warnings.append)
    try:
        assert servers.current(("odd",), warn=warnings.append) is first
        kernel = first.fork(
            {}, graded=False, folder="/", arguments=["-f", str(tmp_path / "c.json")], environment=dict(os.environ)
        )
        assert kernel.started.wait(SECONDS)
        processes = [psutil.Process(first.pid)]
        modules(odd="value = 22")
        second = servers.current(("odd",), warn=warnings.append)
        assert second is not first
        assert not kernel.ended.is_set()
        assert say(ForkedKernels(second), "import odd; print(odd.value)") == ["22"]
        first.signal(kernel, signal.SIGKILL)
        assert kernel.ended.wait(SECONDS)
        assert not psutil.wait_procs(processes, timeout=SECONDS)[1]
        assert not warnings
    finally:
        servers.close()
