"""A whole notebook, cell by cell; a question that ends its kernel costs that question, and the others go on."""

import time
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from nbformat import NotebookNode

from coursekit import notebooks
from coursekit.execution import credit
from coursekit.execution.budget import (
    DIED,
    FAILED,
    FINE,
    NOT_RUN,
    TIMED_OUT,
    Budget,
    CellRun,
    Execution,
    SetupFailed,
)
from coursekit.execution.hints import LOOP, hint_for
from coursekit.execution.kernel import CellInterrupted, KernelDied, KernelStuck, LiveKernel
from coursekit.execution.outputs import Outputs, add_error, error_output
from coursekit.execution.parts import parts
from coursekit.kernels import Kernels
from coursekit.kernels.limits import KernelLimits

# Every question can cost a kernel once; no notebook has more questions than this.
RESTARTS = 50

_ERRORS = {TIMED_OUT: "CellTimeoutError", DIED: "KernelDied", NOT_RUN: "NotRun"}
ENDED = "Python ended while this cell ran, for example by os._exit, a crash, or too little memory."
ENDED_LATER = "Python ended after this cell had run, for example by a thread that it had started."
LOST = {
    DIED: "Python had ended in an earlier cell of this exercise, so this cell could not run.",
    TIMED_OUT: "An earlier cell of this exercise could not be stopped in time, so this cell could not run.",
}
AGAIN = (
    "Python ended once more while the cells before were run a second time, after another exercise had ended it, so "
    "this cell could not run."
)


def _seconds(value: float) -> str:
    return f"{value:.0f} s" if value >= 1 else f"{value:.1f} s"


class Run:
    """One notebook in as many kernels as it takes."""

    def __init__(
        self,
        nb: NotebookNode,
        budget: Budget,
        first_answer: int,
        kernels: Kernels,
        files: Mapping[str, bytes],
        limits: KernelLimits,
        silent: Collection[int],
        hidden_mark: str,
    ) -> None:
        self.nb, self.budget, self.first_answer = nb, budget, first_answer
        self.kernels, self.files, self.limits = kernels, files, limits
        self.silent, self.hidden_mark = silent, hidden_mark
        self.found = Execution()
        self.questions = notebooks.question_numbers(nb)
        self.kernel: LiveKernel | None = None
        self.completed: list[int] = []
        self.last: int | None = None
        self.lost: dict[int | None, str] = {}
        self.suspects = False  # the kernel holds cells of a question that ended one before
        self.strict = False  # and no other kernel may
        self.cleared: set[int | None] = set()  # questions without which a kernel was ended just the same
        self.over: str | None = None
        self.spent = 0.0
        self.printed = 0

    async def execute(self) -> Execution:
        """Run every code cell; never raises for what a student wrote."""
        try:
            for index, cell in enumerate(self.nb.cells):
                if cell.cell_type == "code":
                    cell.outputs, cell.execution_count = [], None
                    if cell.source.strip():
                        await self._one(index, cell)
        finally:
            await self._stop()
        return self.found

    def _time_for(self, index: int) -> float:
        if index < self.first_answer:
            return self.budget.setup_seconds
        own = self.budget.own_seconds.get(index, self.budget.cell_seconds)
        return min(own, self.budget.total_seconds - self.spent)

    def _set(self, index: int, state: str, reason: str, seconds: float = 0.0, hint: str = "") -> None:
        """Write down that a cell did not run through."""
        if index < self.first_answer:
            name = notebooks.grade_id(self.nb.cells[index]) or f"number {index + 1}"
            raise SetupFailed(f"the cell '{name}', above the first answer, did not run through: {reason}")
        add_error(self.nb.cells[index], _ERRORS[state], reason)
        self.found.cells[index] = CellRun(state, reason, seconds, hint)

    async def _one(self, index: int, cell: NotebookNode) -> None:
        await self._blame_the_last()
        lost = self.lost.get(self.questions[index]) if index >= self.first_answer else None
        if lost is None and self.kernel is None and self.over is None:
            await self._begin()
        if lost is not None or self.over is not None:
            return self._set(index, NOT_RUN, LOST[lost] if lost else str(self.over))
        seconds = self._time_for(index)
        if seconds <= 0:
            total = _seconds(self.budget.total_seconds)
            return self._set(index, NOT_RUN, f"The notebook had used up its {total} before this cell.", hint=LOOP)
        if not await self._in_kernel(index, cell, seconds):
            # the kernel was ended by what a lost question had left in it, for example a thread
            await self._one(index, cell)

    async def _in_kernel(self, index: int, cell: NotebookNode, seconds: float) -> bool:
        """Run the cell and write down what happened; False when it is to be run again, in a kernel without suspects."""
        assert self.kernel is not None
        room = min(self.budget.output_bytes, self.budget.total_output_bytes - self.printed)
        outputs = Outputs(max(0, room), silent=index in self.silent)
        begun = time.monotonic()
        self.last = index
        stopped = f"This cell was stopped after {_seconds(seconds)}."
        reply: dict[str, Any] | None = None
        hidden = False
        try:
            for secret, source in self._parts(index, cell):
                hidden = secret
                left = seconds - (time.monotonic() - begun)
                reply = await self.kernel.run(source, left, outputs.take, result=notebooks.is_test(cell))
                if reply.get("status") != "ok":
                    break
        except CellInterrupted:
            state, reason, hint = TIMED_OUT, stopped, LOOP
        except KernelStuck:
            state, reason, hint = TIMED_OUT, stopped, LOOP
            await self._lose(index, state)
        except KernelDied as error:
            if self.suspects:
                self._spend(index, begun)
                await self._drop_suspects()
                return False
            if self.strict:
                self.cleared.update(self.lost)
                self.strict = False
            state, reason = DIED, error.reason or ENDED
            hint = hint_for("", reason)
            await self._lose(index, state)
        taken = self._spend(index, begun)
        self.printed += outputs.used
        cell.outputs = outputs.finish()
        if reply is None:
            # what the interrupted code said about the interrupt is of no use to anybody
            cell.outputs = [output for output in cell.outputs if output.output_type not in ("error", "execute_result")]
            self._set(index, state, reason, taken, hint)
        else:
            self._note(index, cell, reply, taken)
        self.found.cells[index].hidden = hidden
        return True

    def _parts(self, index: int, cell: NotebookNode) -> Iterator[tuple[bool, str]]:
        """The cell in one part, or one with hidden lines in two; and whether there are any in a part."""
        if index not in self.silent:
            yield False, cell.source
            return
        found = parts(cell.source, self.hidden_mark)
        for number, source in enumerate(found, start=1):
            yield number == len(found), source

    def _spend(self, index: int, begun: float) -> float:
        taken = time.monotonic() - begun
        self.found.cell_seconds += taken
        self.spent += taken if index >= self.first_answer else 0.0
        return taken

    def _note(self, index: int, cell: NotebookNode, reply: dict[str, Any], taken: float) -> None:
        """Take what counts from the reply: whether the cell failed and, for a test, its result."""
        self.completed.append(index)
        count = reply.get("execution_count")
        cell.execution_count = count if isinstance(count, int) else None
        if notebooks.is_test(cell):
            cell.outputs = [output for output in cell.outputs if output.output_type not in ("error", "execute_result")]
            cell.outputs += credit.result(reply)
        if reply.get("status") == "ok" and not (notebooks.is_test(cell) and credit.is_unknown(reply)):
            self.found.cells[index] = CellRun(FINE, "", taken)
            return
        error = error_output(reply)
        if not any(output.output_type == "error" for output in cell.outputs):
            cell.outputs.append(error)
        reason = f"{error.ename}: {error.evalue}"
        if index < self.first_answer and "raises-exception" not in cell.metadata.get("tags", []):
            self._set(index, FAILED, reason)
        self.found.cells[index] = CellRun(FAILED, reason, taken, hint_for(error.ename, error.evalue))

    async def _stop(self) -> None:
        kernel, self.kernel = self.kernel, None
        if kernel is not None:
            await kernel.stop()

    async def _lose(self, index: int, state: str) -> None:
        """Give up the kernel, and the rest of the question that ended it."""
        self.lost[self.questions[index]] = state
        await self._stop()

    async def _drop_suspects(self) -> None:
        """Give up the kernel; from now on nothing of a question that ended one is run again."""
        self.strict = True
        await self._stop()

    async def _blame_the_last(self) -> None:
        """A kernel that has ended between two cells was ended by the one that ran last."""
        index = self.last
        if self.kernel is None or index is None or not await self.kernel.ended():
            return
        if self.suspects:
            return await self._drop_suspects()
        await self._lose(index, DIED)
        self.completed = [other for other in self.completed if other != index]
        cell, taken = self.nb.cells[index], self.found.cells[index].seconds
        cell.outputs = [output for output in cell.outputs if output.output_type != "execute_result"]
        self._set(index, DIED, ENDED_LATER, taken)

    async def _begin(self) -> None:
        """A fresh kernel, in the state in which the last one was before the question that ended it.

        What had run of that question is run again as well, since later questions may use it, but only once.
        """
        again = self.last is not None
        if again and self.found.restarts >= RESTARTS:
            self.over = AGAIN
            return
        begun = time.monotonic()
        self.kernel = LiveKernel(self.kernels, self.files, self.limits, self.budget.message_bytes)
        await self.kernel.start()
        if not again:
            return
        self.found.restarts += 1
        self.spent += time.monotonic() - begun
        suspected = self.lost.keys() - self.cleared
        suspects = {index for index in self.completed if self.questions[index] in suspected}
        self.suspects = bool(suspects) and not self.strict
        for index in [index for index in self.completed if not (self.strict and index in suspects)]:
            if not await self._replay(index):
                return

    async def _replay(self, index: int) -> bool:
        """Run a cell once more for what it leaves behind, and say whether the kernel lives.

        Its output is dropped; its time counts.
        """
        assert self.kernel is not None
        seconds = min(self._time_for(index), self.budget.total_seconds - self.spent)
        if seconds <= 0:
            return True
        begun = time.monotonic()
        alive = True
        try:
            await self.kernel.run(self.nb.cells[index].source, seconds, lambda _: None)
        except CellInterrupted:
            pass  # slower than before; the cells that need it will say so
        except (KernelStuck, KernelDied):
            alive = False
        self.spent += time.monotonic() - begun
        self.found.cell_seconds += time.monotonic() - begun
        if not alive and self.suspects:
            await self._drop_suspects()
            await self._begin()
        elif not alive:
            await self._stop()
            self.over = AGAIN
        return alive
