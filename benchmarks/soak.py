"""A soak: a large class, a tenth of it faulty, is graded by a grader that is killed and resumed at random moments.

python benchmarks/soak.py           1,000 submissions, 5 kills
python benchmarks/soak.py --quick   60 submissions, 2 kills: a look in a minute

Everything happens in a cage, in which processes, temporary files and open descriptors are counted before and after.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import _cage
from _common import ROOT, machine, table
from grading_plan import Goal

FULL, QUICK = (1000, 5), (60, 2)  # submissions, kills
SECONDS = 1800.0
SEED = 6
PROMISED_SECONDS = 600.0
SHOWN = 20  # of what should not be there


def soaked(n: int, kills: int, seed: int) -> dict[str, Any]:
    """What soak_inside.py saw in the cage."""
    with tempfile.TemporaryDirectory(prefix="grading-benchmark-") as name:
        inside = str(ROOT / "benchmarks" / "soak_inside.py")
        words = [sys.executable, inside, "/out/found.json", str(n), str(kills), str(seed)]
        _cage.run(words, Path(name), SECONDS, nested=True)
        found: dict[str, Any] = json.loads((Path(name) / "found.json").read_bytes())
    return found


def goals(found: dict[str, Any], kills: int) -> list[Goal]:
    """All graded, none twice, nothing left."""
    n = found["submissions"]
    healthy = sum(bool(row["healthy"]) for row in found["wrong"])
    left = [*found["left_files"], *found["gone_files"]]
    return [
        Goal("times that the grader was killed", len(found["kills"]), kills, at_least=True),
        Goal("submissions that were not graded", n - found["graded"], 0),
        Goal("submissions that were graded again though they had been, or are in the gradebook twice",
             len(found["twice"]) + found["rows"] - n, 0),
        Goal("healthy submissions without the grade that they should have", healthy, 0),
        Goal("faulty submissions without the grade that they should have", len(found["wrong"]) - healthy, 0),
        Goal("processes left by a grader that was killed or had ended", len(found["left_running"]), 0),
        Goal("temporary files left, or files of the teacher's gone", len(left), 0),
        Goal("segments of shared memory and sockets left", found["left_segments"], 0),
        Goal("descriptors that a process had open more at its end", max([0, *found["descriptors"].values()]), 2),
        Goal("seconds in all", sum(found["seconds"]), PROMISED_SECONDS),
    ]  # fmt: skip


def show(found: dict[str, Any]) -> None:
    """How the runs went, and what should not have been there."""
    ends = ["killed" if code == -9 else f"ended by itself, {code}" for code in found["codes"]]
    rows = [
        (index + 1, f"{seconds:.1f}", done, end)
        for index, (seconds, done, end) in enumerate(zip(found["seconds"], found["done"], ends, strict=True))
    ]
    n, faulty, kinds = found["submissions"], found["faulty"], found["kinds"]
    table(f"Soak: {n} submissions, {faulty} of them faulty in {kinds} ways", ["run", "s", "graded then", "end"], rows)
    descriptors = [(role, more) for role, more in sorted(found["descriptors"].items())]
    table("Descriptors open more at the end of a run than at its start", ["process", "at most"], descriptors)
    if found["wrong"]:
        wrong = [
            tuple(row[name] for name in ("student", "kind", "state", "scores", "reason")) for row in found["wrong"]
        ]
        table("Not as it should be", ["student", "submission", "state", "score", "reason"], wrong[:SHOWN])
    for name in ("twice", "left_running", "left_files", "gone_files"):
        if found[name]:
            print(f"\n{name}: {', '.join(found[name][:SHOWN])}", flush=True)
    if max(found["codes"]) > 1 or found["graded"] < n:
        print(f"\nThe grader's last words:\n{found['log']}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few submissions, to see that everything runs")
    parser.add_argument("--seed", type=int, default=SEED, help="for who is faulty and when the grader is killed")
    given = parser.parse_args()
    n, kills = QUICK if given.quick else FULL
    print(f"machine: {machine()}", flush=True)
    if problem := _cage.missing(nested=True):
        print(f"\n## Soak\n\nnot run: {problem}", flush=True)
        return 0
    found = soaked(n, kills, given.seed)
    show(found)
    promised = goals(found, kills)
    table("What was promised", ["what", "measured", "promised", "held"], [goal.row() for goal in promised])
    return 0 if all(goal.held for goal in promised) else 1


if __name__ == "__main__":
    sys.exit(main())
