"""A conversation with kernels, as tests of every source of kernels need it, and fork servers that import little."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.manager import AsyncKernelManager

from coursekit.kernels import Kernels
from coursekit.kernels.forked import ForkedKernels
from coursekit.kernels.limits import KernelLimits
from coursekit.kernels.ordinary import OrdinaryKernels
from coursekit.kernels.server import ForkServer

SECONDS = 60

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork a process")


class Talk:
    """One kernel, between start and end, in one event loop."""

    def __init__(self, kernels: Kernels, manager: AsyncKernelManager) -> None:
        self.kernels, self.manager = kernels, manager
        self.client: AsyncKernelClient = manager.client()

    async def begin(self) -> None:
        self.client.start_channels(hb=False)
        await self.client.wait_for_ready(timeout=SECONDS)

    async def run(self, code: str) -> str:
        """What a cell prints, or the name of what it raises."""
        texts: list[str] = []

        def take(message: dict[str, Any]) -> None:
            texts.append(message["content"].get("text") or message["content"].get("ename") or "")

        await self.client.execute_interactive(code, output_hook=take, timeout=SECONDS)
        return "".join(texts).strip()

    async def run_to_the_end(self, code: str) -> str:
        """Run a cell that ends the kernel, and give the sentence on why."""
        self.client.execute(code)
        async with asyncio.timeout(SECONDS):
            while await self.manager.is_alive():
                await asyncio.sleep(0.01)
        return self.kernels.why_dead(self.manager)


def converse(
    kernels: Kernels,
    story: Callable[[Talk], Awaitable[Any]],
    *,
    files: Mapping[str, bytes] | None = None,
    limits: KernelLimits | None = None,
) -> Any:
    """Start a kernel, have a conversation with it, end it, and give what the conversation gave."""

    async def tell() -> Any:
        manager = kernels.manager(files or {}, limits or KernelLimits())
        await manager.start_kernel()
        talk = Talk(kernels, manager)
        try:
            await talk.begin()
            return await story(talk)
        finally:
            talk.client.stop_channels()
            await manager.shutdown_kernel(now=True)

    return asyncio.run(tell())


def say(kernels: Kernels, *cells: str, **options: Any) -> list[str]:
    """What each cell prints, in one kernel."""

    async def story(talk: Talk) -> list[str]:
        return [await talk.run(cell) for cell in cells]

    found: list[str] = converse(kernels, story, **options)
    return found


@pytest.fixture(scope="session")
def lean_server() -> Iterator[ForkServer]:
    server = ForkServer(("json",))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def forked(lean_server: ForkServer) -> ForkedKernels:
    return ForkedKernels(lean_server)


@pytest.fixture
def ordinary() -> Iterator[OrdinaryKernels]:
    kernels = OrdinaryKernels()
    yield kernels
    kernels.close()


@pytest.fixture(params=["forked", pytest.param("ordinary")])
def kernels(request: pytest.FixtureRequest) -> Kernels:
    """Every source of kernels that isolates nothing."""
    if request.param == "forked" and not hasattr(os, "fork"):
        pytest.skip("this system cannot fork a process")
    found: Kernels = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def modules(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """Writes modules into a folder, and gives the environment in which a fork server finds them."""
    folder = tmp_path / "modules"

    def write(**sources: str) -> dict[str, str]:
        folder.mkdir(exist_ok=True)
        for name, source in sources.items():
            (folder / f"{name}.py").write_text(source)
        return {"PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))}

    return write


sys.modules["kernel_talk"] = sys.modules[__name__]  # the tests beside this file import from it
