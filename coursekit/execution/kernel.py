"""One live kernel, spoken to over jupyter_client's own messages: start, run a cell, stop.

nbclient waits in steps of fractions of a second where this waits for what it needs, keeps every byte that arrives, and
reads whether a cell failed from what the kernel publishes. Here the reply counts, and everything has a bound.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import psutil
from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.manager import AsyncKernelManager

from coursekit.execution import connections, credit, messages
from coursekit.execution.budget import KernelDidNotStart
from coursekit.execution.messages import Message
from coursekit.kernels import Kernels
from coursekit.kernels.limits import KernelLimits

START_SECONDS = 120.0
LOOK_SECONDS = 0.05  # between two looks at whether the kernel lives
INTERRUPT_SECONDS = 3.0  # a cell that does not end after an interrupt; its kernel is of no more use
SILENCE_SECONDS = 5.0  # for output that is still on its way when a cell has ended
KILL_SECONDS = 5.0
FAREWELL_SECONDS = 4.0  # for a busy machine to tell that a kernel has ended whose connection is gone

# More than this much new memory in our own process means that a kernel goes round the bounds of its messages, for
# example with one that has endless parts.
OWN_MEMORY_BYTES = 300_000_000

# exit() and quit() ask a person's frontend to end the kernel, and end it a little later; here they are to do nothing.
NO_EXIT = "get_ipython().ask_exit = lambda: None"


class KernelDied(Exception):
    """The kernel ended, or does not answer any more; `reason` is a sentence where somebody knows one."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason


class KernelStuck(Exception):
    """A cell took too long and could not be interrupted."""


class CellInterrupted(Exception):
    """A cell took too long and was interrupted; the kernel goes on."""


BROKEN = "This cell broke Python's connection to the grader, for example by an error message beyond all bounds."
TOO_MUCH = "This cell sent more data than the grader takes, so Python was ended; print and display less."


class LiveKernel:
    """A kernel between `start` and `stop`; after an exception other than CellInterrupted it can only be stopped."""

    def __init__(self, kernels: Kernels, files: Mapping[str, bytes], limits: KernelLimits, message_bytes: int) -> None:
        self.kernels = kernels
        self.manager: AsyncKernelManager = kernels.manager(files, limits)
        self.context = connections.bounded_context(message_bytes)
        # the manager's own connection would otherwise take messages of any size
        self.manager.context = self.context
        self.client: AsyncKernelClient | None = None
        self.shell: Any = None
        self.own_memory = psutil.Process().memory_info().rss
        self._tasks: list[asyncio.Task[None]] = []
        self._gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._expect("")

    def _expect(self, request: str, take: Callable[[Message], None] = lambda _: None) -> None:
        """From now on only messages that answer this request matter."""
        self._request, self._take = request, take
        self._reply: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._idle = asyncio.Event()
        self._probe, self._probed = request, asyncio.Event()

    async def start(self, seconds: float = START_SECONDS) -> None:
        """Start the kernel and wait until it answers on both channels; raises KernelDidNotStart."""
        try:
            async with asyncio.timeout(seconds):
                await self.manager.start_kernel()
                self.client = self.manager.client(context=self.context)
                self.shell = self.client.connect_shell(identity=self.client.session.bsession)
                self._spawn(self._replies(), self._published(), self._watch())
                self._expect(self._ask("kernel_info_request", {}))
                await self._first(self._reply)
                while not await self._output_is_through(0.02):
                    pass  # a subscription takes a moment to reach the kernel
                self._ask("execute_request", {"code": NO_EXIT, "silent": True, "store_history": False})
        except Exception as error:  # no kernelspec, no memory, no port, a start that takes too long
            raise KernelDidNotStart(f"{type(error).__name__}: {error}") from error

    def _ask(self, kind: str, content: dict[str, Any]) -> str:
        """Send a request and return its id.

        The client's own methods send past asyncio, which then can miss that an answer has arrived.
        """
        assert self.client is not None
        message = self.client.session.msg(kind, content)
        self.shell.send_multipart(self.client.session.serialize(message))
        return str(message["header"]["msg_id"])

    def _spawn(self, *work: Coroutine[Any, Any, None]) -> None:
        self._tasks += [asyncio.create_task(each) for each in work]

    async def _replies(self) -> None:
        """Listen to replies until the connection breaks; a kernel that lives breaks it by a reply beyond all bounds.

        One that was ended breaks it too, a moment before it is known to have ended, and why.
        """
        await connections.listen(self.shell, self._hear(self._on_shell))
        await asyncio.wait({self._gone}, timeout=FAREWELL_SECONDS)
        if not self._gone.done():
            self._gone.set_result(BROKEN)

    async def _published(self) -> None:
        """Listen to output; a message beyond all bounds breaks the connection, and what came with it is lost."""
        assert self.client is not None
        while True:
            socket = self.client.connect_iopub()
            try:
                await connections.listen(socket, self._hear(self._on_iopub))
            finally:
                socket.close(0)
            await asyncio.sleep(LOOK_SECONDS)
            if await self.manager.is_alive():
                self._take(Message(messages.LOST, self._request, {}, 0))

    def _hear(self, handle: Callable[[Message], None]) -> Callable[[list[bytes]], None]:
        """What to do with the frames of a message that may be none."""
        assert self.client is not None
        session = self.client.session

        def take(frames: list[bytes]) -> None:
            message = messages.read(session, frames, self._request)
            if message is not None:
                handle(message)

        return take

    def _on_shell(self, message: Message) -> None:
        if message.parent == self._request and message.kind.endswith("_reply") and not self._reply.done():
            self._reply.set_result(message.content)

    def _on_iopub(self, message: Message) -> None:
        if message.parent == self._probe:
            self._probed.set()
        if message.parent != self._request:
            return
        if message.kind == "status":
            if message.content.get("execution_state") == "idle":
                self._idle.set()
        elif not message.kind.startswith("comm"):
            self._take(message)

    async def _watch(self) -> None:
        process = psutil.Process()
        while not self._gone.done():
            if not await self.manager.is_alive():
                self._gone.set_result("")
            elif process.memory_info().rss > self.own_memory + OWN_MEMORY_BYTES:
                self._gone.set_result(TOO_MUCH)
            await asyncio.sleep(LOOK_SECONDS)

    async def _first(self, wanted: asyncio.Future[Any], seconds: float | None = None) -> bool:
        """Wait until the future is done, which gives True, or the time is over; raises KernelDied."""
        await asyncio.wait({wanted, self._gone}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if not wanted.done() and self._gone.done():
            await asyncio.sleep(LOOK_SECONDS)  # for a last message that is on its way
            if not wanted.done():
                raise KernelDied(self._gone.result() or self.kernels.why_dead(self.manager))
        return wanted.done()

    async def _output_is_through(self, seconds: float) -> bool:
        """Ask for a sign of life; it comes on iopub behind everything that was published before. Raises KernelDied."""
        if self._gone.done():
            raise KernelDied
        self._probed.clear()
        self._probe = self._ask("kernel_info_request", {})
        return await connections.within(self._probed, seconds)

    async def _last_output(self) -> None:
        """Wait for the output that a cell has sent before it ended; whatever was lost on the way is not waited for."""
        end = asyncio.get_running_loop().time() + SILENCE_SECONDS
        while not await connections.within(self._idle, 0.2) and not self._gone.done():
            if await self._output_is_through(0.2) or asyncio.get_running_loop().time() > end:
                return

    async def ended(self) -> bool:
        """Whether the kernel has ended by itself."""
        return self._gone.done() or not await self.manager.is_alive()

    async def run(
        self, source: str, seconds: float, take: Callable[[Message], None], *, result: bool = False
    ) -> dict[str, Any]:
        """Run a cell and return the content of its reply, with its result when asked for; `take` gets its output.

        Raises CellInterrupted, KernelStuck or KernelDied.
        """
        request = {
            "code": source,
            "silent": False,
            "store_history": True,
            "allow_stdin": False,
            "stop_on_error": False,
            "user_expressions": credit.RESULT if result else {},
        }
        self._expect(self._ask("execute_request", request), take)
        if not await self._first(self._reply, seconds):
            await self._interrupt()
            await self._last_output()
            raise CellInterrupted
        await self._last_output()
        return self._reply.result()

    async def _interrupt(self) -> None:
        """Interrupt the cell, more than once: code may catch the first one."""
        end = asyncio.get_running_loop().time() + INTERRUPT_SECONDS
        while asyncio.get_running_loop().time() < end:
            await self.manager.interrupt_kernel()
            if await self._first(self._reply, INTERRUPT_SECONDS / 5):
                return
        raise KernelStuck

    async def stop(self) -> None:
        """End the kernel with everything that it started, and forget what belongs to it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        provisioner = self.manager.provisioner
        try:
            if provisioner is not None and provisioner.has_process:
                await provisioner.kill()
                async with asyncio.timeout(KILL_SECONDS):
                    while await provisioner.poll() is None:
                        await asyncio.sleep(0.002)
                await provisioner.wait()
        finally:
            await self.manager.cleanup_resources()
            self.context.destroy(linger=0)
