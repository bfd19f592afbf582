"""A class graded by one grader in a process of its own, grading_one.py, from which come times and memory."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from _common import ROOT
from grading_course import Class
from grading_one import OURS, STOCK

__all__ = ["OURS", "STOCK", "Run", "run"]

PROGRAM = ROOT / "benchmarks" / "grading_one.py"
SECONDS = 3600.0  # nothing here takes nearly so long; what does has come to a halt


@dataclass(frozen=True)
class Run:
    """When each submission was done, in seconds from the start; memory then; and what the grader says about itself."""

    done: list[float]
    rss_mib: list[float]
    about: dict[str, Any]

    def steady(self, workers: int = 1) -> float:
        """Seconds for a submission once every worker is at work: without the first quarter, which waits for imports."""
        first = min(max(2 * workers, len(self.done) // 4), len(self.done) - 1)
        return (self.done[-1] - self.done[first - 1]) / (len(self.done) - first)

    def each(self) -> list[float]:
        """Seconds of each submission of a grader that takes one after another."""
        return [end - begun for begun, end in zip([0.0, *self.done], self.done, strict=False)]

    @property
    def whole(self) -> float:
        """Seconds for a submission with everything: workers and fork servers that start, and the end of the run."""
        return self.about["seconds"] / len(self.done)


def run(grader: str, class_: Class, *, workers: int = 1, watch: Callable[[psutil.Process], None] | None = None) -> Run:
    """Grade the class; `watch` is called with the process again and again while it runs."""
    with tempfile.TemporaryDirectory(prefix="grading-benchmark-") as folder:
        out, log = Path(folder) / "out.json", Path(folder) / "log.txt"
        command = [sys.executable, str(PROGRAM), grader, str(class_.root), class_.assignment, str(workers), str(out)]
        with log.open("wb") as file:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT)
            try:
                while watch is not None and process.poll() is None:
                    watch(psutil.Process(process.pid))
                    time.sleep(0.1)
                process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                raise SystemExit(f"{grader} was not done after {SECONDS:.0f} s") from None
            finally:
                process.kill()
                process.wait()
        if process.returncode:
            raise SystemExit(f"{grader} failed:\n{log.read_text(encoding='utf-8', errors='replace')[-3000:]}")
        found = json.loads(out.read_bytes())
    return Run(found["done"], found["rss_mib"], found["about"])
