"""A class graded by workers that only wait, in a process of its own, from which come times and memory."""

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from _common import ROOT
from grading_course import Class, a_copy
from grading_runs import Run

PROGRAM = ROOT / "benchmarks" / "term_one.py"
SECONDS = 1800.0


def _one(*words: object) -> None:
    command = [sys.executable, str(PROGRAM), *map(str, words)]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        raise SystemExit(f"{words[0]} was not done after {SECONDS:.0f} s") from None
    if done.returncode:
        raise SystemExit(f"{words[0]} failed:\n{done.stdout[-2000:]}{done.stderr[-3000:]}")


@contextlib.contextmanager
def stored(class_: Class) -> Iterator[Path]:
    """A file with what a real worker made of the class's first submission; removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="grading-benchmark-") as folder, a_copy(class_, 1) as copy:
        results = Path(folder) / "results.pickle"
        _one("record", copy.root, copy.assignment, results)
        yield results


def simulated(class_: Class, results: Path, *, workers: int, seconds: float = 0.0, database: str = "") -> Run:
    """Grade the class with so many workers that wait so long; without workers nobody waits.

    `database` is the address of the gradebook, by default a file in the course.
    """
    if database:
        with (class_.root / "nbgrader_config.py").open("a", encoding="utf-8") as file:
            file.write(f"c.CourseDirectory.db_url = {database!r}\n")
    with tempfile.TemporaryDirectory(prefix="grading-benchmark-") as folder:
        out = Path(folder) / "out.json"
        _one("grade", class_.root, class_.assignment, results, workers, seconds, out)
        found = json.loads(out.read_bytes())
    return Run(found["done"], found["rss_mib"], found["about"])
