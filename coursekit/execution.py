"""Run a notebook cell by cell, each with its time; what goes wrong costs that cell and is written down."""

import asyncio
import logging
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_output

# How long a kernel may take to fall silent after a cell; one that does not, after an interrupt, is of no more use.
IOPUB_SECONDS = 10

TIMED_OUT = "timed out"
DIED = "kernel died"
NOT_RUN = "not run"
FAILED = "raised"
FINE = "ran"


class KernelDidNotStart(Exception):
    """The grader could not start a kernel: the machine's fault, never the student's."""


@dataclass
class CellRun:
    """What happened to one cell: a state, a sentence where it did not simply run, and the time it took."""

    state: str
    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Budget:
    """Seconds for a cell, for all cells after the first answer, for a cell before it; bytes of output of a cell.

    `own_seconds` holds the seconds of cells that have a limit of their own, by index.
    """

    cell_seconds: float
    total_seconds: float
    setup_seconds: float
    output_bytes: int
    own_seconds: Mapping[int, float] = field(default_factory=dict)


@dataclass
class _Output:
    used: int = 0
    cut: bool = field(default=False)


class Client(NotebookClient):
    """nbclient that keeps the last reply, and cuts what a cell prints where it arrives."""

    def __init__(self, nb: NotebookNode, output_bytes: int, **options: Any) -> None:
        super().__init__(nb, **options)
        self.output_bytes = output_bytes
        self.reply: dict[str, Any] = {}
        self._sizes: dict[int, _Output] = {}
        self.on_cell_executed = self._keep_reply

    def _keep_reply(self, execute_reply: dict[str, Any], **_: Any) -> None:
        self.reply = execute_reply["content"]

    def output(
        self, outs: list[NotebookNode], msg: Any, display_id: str | None, cell_index: int
    ) -> NotebookNode | None:
        """Take an output unless the cell has used up its share; errors and short results always pass."""
        length = len(str(msg["content"]))
        declares_credit = msg["msg_type"] == "execute_result" and length < 10_000
        if msg["msg_type"] != "error" and not declares_credit:
            size = self._sizes.setdefault(cell_index, _Output())
            size.used += length
            if size.used > self.output_bytes:
                if not size.cut:
                    size.cut = True
                    note = f"\n... the rest of the output was cut after {self.output_bytes} bytes ...\n"
                    outs.append(new_output("stream", name="stdout", text=note))
                return None
        return super().output(outs, msg, display_id, cell_index)


def _seconds(value: float) -> str:
    return f"{value:.0f} s" if value >= 1 else f"{value:.1f} s"


def add_error(cell: NotebookNode, name: str, text: str) -> None:
    """Put an error into a cell's outputs, so that nbgrader scores it 0 and a reader sees why."""
    cell.outputs.append(new_output("error", ename=name, evalue=text, traceback=[f"{name}: {text}"]))


class Run:
    """One notebook in one kernel."""

    def __init__(self, nb: NotebookNode, budget: Budget, first_answer: int) -> None:
        self.nb = nb
        self.budget = budget
        self.first_answer = first_answer
        self.cells: dict[int, CellRun] = {}
        self.spent = 0.0
        self.lost: str | None = None

    def _time_for(self, index: int) -> float:
        if index < self.first_answer:
            return self.budget.setup_seconds
        own = self.budget.own_seconds.get(index, self.budget.cell_seconds)
        return min(own, self.budget.total_seconds - self.spent)

    def _lose(self, cell: NotebookNode, index: int, state: str, reason: str, seconds: float = 0.0) -> None:
        name = {TIMED_OUT: "CellTimeoutError", DIED: "KernelDied", NOT_RUN: "NotRun"}[state]
        add_error(cell, name, reason)
        self.cells[index] = CellRun(state, reason, seconds)

    async def _one(self, client: Client, cell: NotebookNode, index: int) -> None:
        if self.lost is not None:
            return self._lose(cell, index, NOT_RUN, self.lost)
        seconds = self._time_for(index)
        if seconds <= 0:
            total = _seconds(self.budget.total_seconds)
            return self._lose(cell, index, NOT_RUN, f"The notebook had used up its {total} before this cell.")
        client.timeout_func = lambda _: seconds  # type: ignore[assignment]  # fractions of a second work too
        client.reply = {}
        begun = time.monotonic()
        stopped = f"This cell was stopped after {_seconds(seconds)}; look for a loop that never ends, or does too much."
        try:
            await client.async_execute_cell(cell, index)
        except DeadKernelError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                # nbclient takes our own cancellation, which is what Ctrl-C is, for a dead kernel
                raise asyncio.CancelledError from None
            reason = "Python ended while this cell ran, for example by os._exit, a crash, or too little memory."
            self._lose(cell, index, DIED, reason, time.monotonic() - begun)
            self.lost = "Python had ended in an earlier cell, so this cell could not run."
        except CellTimeoutError:
            # the interrupt had no effect: the kernel is of no more use
            self._lose(cell, index, TIMED_OUT, stopped, time.monotonic() - begun)
            self.lost = "An earlier cell could not be stopped in time, so this cell could not run."
        else:
            self._note(client, cell, index, stopped, time.monotonic() - begun)
        if index >= self.first_answer:
            self.spent += time.monotonic() - begun

    def _note(self, client: Client, cell: NotebookNode, index: int, stopped: str, seconds: float) -> None:
        if client.reply.get("status") != "error":
            self.cells[index] = CellRun(FINE, "", seconds)
            return
        name = client.reply.get("ename", "Error")
        if name == "CellTimeoutError":
            # what the interrupted code said about the interrupt is of no use to anybody
            cell.outputs = [output for output in cell.outputs if output.output_type != "error"]
            self._lose(cell, index, TIMED_OUT, stopped, seconds)
            return
        if not any(output.output_type == "error" for output in cell.outputs):
            add_error(cell, name, str(client.reply.get("evalue", "")))
        self.cells[index] = CellRun(FAILED, f"{name}: {client.reply.get('evalue', '')}", seconds)

    async def execute(self, folder: str, environment: Mapping[str, str]) -> dict[int, CellRun]:
        """Run every code cell in a fresh kernel that starts in `folder`; never raises for what a student wrote."""
        client = Client(
            self.nb,
            self.budget.output_bytes,
            allow_errors=True,
            interrupt_on_timeout=True,
            error_on_timeout={"ename": "CellTimeoutError", "evalue": "", "traceback": []},
            raise_on_iopub_timeout=True,
            iopub_timeout=IOPUB_SECONDS,
            record_timing=False,
            store_widget_state=False,
            coalesce_streams=True,
            shutdown_kernel="immediate",
            startup_timeout=120,
            log=logging.getLogger("coursekit.kernel"),
        )
        client.reset_execution_trackers()
        # nbclient's own async_setup_kernel would take over Ctrl-C and report it as a dead kernel
        client.km = client.create_kernel_manager()
        try:
            await _start(client, folder, environment)
            for index, cell in enumerate(self.nb.cells):
                if cell.cell_type == "code" and cell.source.strip():
                    await self._one(client, cell, index)
        finally:
            if client.km is not None:
                await client._async_cleanup_kernel()
        return self.cells


async def _start(client: Client, folder: str, environment: Mapping[str, str]) -> None:
    try:
        await client.async_start_new_kernel(
            cwd=folder,
            env={**os.environ, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        await client.async_start_new_kernel_client()
    except Exception as error:  # no kernelspec, no memory, no port, a start that takes too long
        raise KernelDidNotStart(f"{type(error).__name__}: {error}") from error


def execute(
    nb: NotebookNode,
    budget: Budget,
    first_answer: int,
    folder: str,
    environment: Mapping[str, str],
    runner: Callable[[Any], Any] = asyncio.run,
) -> dict[int, CellRun]:
    """Run a notebook in place and return what happened, by cell index; raises KernelDidNotStart."""
    found: dict[int, CellRun] = runner(Run(nb, budget, first_answer).execute(folder, environment))
    return found
