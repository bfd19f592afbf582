"""Importing genlib against importing torch alone: fresh processes in turn, the ratio pair by pair."""

import statistics
import subprocess
import sys
from pathlib import Path

from _common import ROOT, table

PAIRS = 9
TIMER = "import time; start = time.perf_counter(); {}; print(time.perf_counter() - start)"


def genlib_modules(without: tuple[str, ...]) -> str:
    """An import of every module of genlib, but for those that draw: matplotlib and ipywidgets are theirs alone."""
    paths = sorted((ROOT / "genlib").rglob("*.py"))
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in paths]
    return "import " + ", ".join(name for name in names if name.split(".")[1:2] not in [[w] for w in without])


def seconds(statement: str) -> float:
    command = [sys.executable, "-c", TIMER.format(statement)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(ROOT)).stdout)


def main() -> None:
    core, everything = genlib_modules(without=("plot", "widgets")), genlib_modules(without=())
    for statement in ("import torch", everything):
        seconds(statement)  # once, so that every file has been read from disk
    torch_times, core_times, all_times = [], [], []
    for _ in range(PAIRS):
        torch_times.append(seconds("import torch"))
        core_times.append(seconds(core))
        all_times.append(seconds(everything))
    rows = [
        (name, f"{statistics.median(times):.2f}", f"{ratio(times, torch_times):.2f}")
        for name, times in [
            ("import torch", torch_times),
            ("all of genlib but plot and widgets", core_times),
            ("all of genlib, with matplotlib and ipywidgets", all_times),
        ]
    ]
    table(f"Import time, {PAIRS} times in turn", ["statement", "median s", "median ratio to torch"], rows)


def ratio(times: list[float], against: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(times, against, strict=True))


if __name__ == "__main__":
    main()
