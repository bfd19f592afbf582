"""Executes a solution notebook once and forks before each answer cell; each child runs one variant of that answer.

    python -m coursekit.bridges.variant_runner JOB.json

The job: {"cells": [{"grade_id", "source"}], "variants": [{"name", "answer", "code", "stop"}], "children", "seconds",
"out"}. A record is {"cells": {index: {"outputs", "seconds"}}, "observed", "problem"}, written to out/solution.json and
out/NAME.json. Without variants nothing forks. This is for notebooks of the course's own people: nothing is isolated.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

Outputs = list[dict[str, Any]]
CLOCK_FACTOR = 5
LIMITS: dict[int, tuple[int, str]] = {}  # signal -> limit in units of the job's seconds; empty where nothing can fork
if hasattr(os, "fork"):
    LIMITS = {signal.SIGPROF: (1, "of computing"), signal.SIGALRM: (CLOCK_FACTOR, "by the clock")}


class _Stream:
    """A text stream that becomes stream outputs of the cell that writes to it."""

    encoding = "utf-8"

    def __init__(self, name: str, outputs: Outputs) -> None:
        self.name, self.outputs = name, outputs

    def write(self, text: str) -> int:
        last = self.outputs[-1] if self.outputs else {}
        if last.get("output_type") == "stream" and last["name"] == self.name:
            last["text"] += text
        elif text:
            self.outputs.append({"output_type": "stream", "name": self.name, "text": text})
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""

    def isatty(self) -> bool:
        return False


class _ResultHook(DisplayHook):
    def write_output_prompt(self) -> None:
        """A notebook has no prompt among its outputs."""

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        _outputs(self.shell).append(
            {
                "output_type": "execute_result",
                "data": dict(format_dict),
                "metadata": dict(md_dict or {}),
                "execution_count": self.prompt_count,
            }
        )

    def finish_displayhook(self) -> None:
        """No blank line after a result."""


class _Publisher(DisplayPublisher):
    def publish(self, data: Any, metadata: Any = None, source: Any = None, **kwargs: Any) -> None:
        _outputs(self.shell).append(
            {"output_type": "display_data", "data": dict(data), "metadata": dict(metadata or {})}
        )


class Shell(InteractiveShell):
    """An IPython shell whose cells leave nbformat outputs, as a kernel's do."""

    outputs: Outputs

    def _showtraceback(self, etype: Any, evalue: Any, stb: list[str]) -> None:
        self.outputs.append(
            {"output_type": "error", "ename": etype.__name__, "evalue": str(evalue), "traceback": list(stb)}
        )

    def run(self, source: str) -> dict[str, Any]:
        """Run one cell; its outputs and the seconds it took. An exception is an output like any other."""
        self.outputs = []
        started = time.perf_counter()
        out, err = _Stream("stdout", self.outputs), _Stream("stderr", self.outputs)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            self.run_cell(source, store_history=True)
        return {"outputs": self.outputs, "seconds": round(time.perf_counter() - started, 3)}


def _outputs(shell: Any) -> Outputs:
    """Where the cell that runs now leaves its outputs; IPython types the shell of its helpers as optional."""
    outputs: Outputs = shell.outputs
    return outputs


def new_shell() -> Shell:
    """A shell without history files, colours or threads of its own (a thread would not survive a fork)."""
    settings = Config()
    settings.HistoryManager.enabled = False
    settings.HistoryManager.hist_file = ":memory:"
    settings.InteractiveShell.colors = "nocolor"
    shell: Shell = Shell.instance(config=settings, displayhook_class=_ResultHook, display_pub_class=_Publisher)
    shell.outputs = []
    return shell


class Runner:
    """The parent: executes the cells in order, and starts a child for each variant where its answer cell comes."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.job = job
        self.out = Path(job["out"])
        self.shell = new_shell()
        self.children: dict[int, str] = {}

    def run(self) -> None:
        """Execute everything; returns when the last child has ended."""
        record: dict[int, Any] = {}
        for index, cell in enumerate(self.job["cells"]):
            for variant in self.job["variants"]:
                if variant["answer"] == cell["grade_id"]:
                    self._start(variant, index)
            if cell["source"] is not None:
                record[index] = self.shell.run(cell["source"])
        self._write("solution", record)
        while self.children:
            self._wait()

    def _start(self, variant: dict[str, Any], index: int) -> None:
        while len(self.children) >= self.job["children"]:
            self._wait()
        pid = os.fork()
        if pid:
            self.children[pid] = variant["name"]
            return
        status = 1
        try:
            for number in LIMITS:
                signal.signal(number, signal.SIG_DFL)  # the default action ends the process, whatever it does
            # computing time, because a busy machine is no fault of the variant; the clock only for one that waits
            signal.setitimer(signal.ITIMER_PROF, self.job["seconds"])
            signal.setitimer(signal.ITIMER_REAL, CLOCK_FACTOR * self.job["seconds"])
            self._write(variant["name"], dict(self._execute_variant(variant, index)))
            status = 0
        finally:
            os._exit(status)  # without the parent's clean-up

    def _execute_variant(self, variant: dict[str, Any], index: int) -> Iterator[tuple[int, Any]]:
        yield index, self.shell.run(variant["code"])
        for later in range(index + 1, variant["stop"] + 1):
            source = self.job["cells"][later]["source"]
            if source is not None:
                yield later, self.shell.run(source)

    def _wait(self) -> None:
        pid, status = os.wait()
        name = self.children.pop(pid)
        code = os.waitstatus_to_exitcode(status)
        if -code in LIMITS:
            factor, what = LIMITS[-code]
            self._write(name, {}, f"was stopped after {factor * self.job['seconds']:g} seconds {what}")
        elif code:
            self._write(name, {}, f"ended with {'signal' if code < 0 else 'exit status'} {abs(code)}")

    def _write(self, name: str, cells: dict[int, Any], problem: str | None = None) -> None:
        content = {"cells": cells, "observed": self._observed(), "problem": problem}
        (self.out / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")

    def _observed(self) -> dict[str, Any]:
        """What the visible checks saw: any object of the notebook with a dictionary called `observed`."""
        found: dict[str, Any] = {}
        for value in list(self.shell.user_ns.values()):
            observed = getattr(value, "observed", None)
            if isinstance(observed, dict):
                found |= observed
        return found


def main() -> int:
    """Run the job that the command line names."""
    Runner(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
