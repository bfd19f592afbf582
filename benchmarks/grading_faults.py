"""Stock nbgrader's column of the table of faults: measured for the harmless rows, quoted for the others."""

import json
import sys
import tempfile
from pathlib import Path

import _cage
from _common import ROOT, table
from grading_plan import Goal, Plan

SECONDS = 600.0

# What cannot be tried without risk, or needs what the cage does not have; "(read)": read in nbgrader's code.
QUOTED = (
    (19, "slow but finite", "30 s a cell, no total limit"),
    (22, "fork bomb", "the host goes down (read)"),
    (23, "allocates 100 GB", "the host runs out of memory (read)"),
    (24, "prints 10 GB", "the grader itself runs out of memory (read)"),
    (25, "fills the disk", "the host's disk is full (read)"),
    (27, "opens a network connection", "works"),
    (31, "hands the grader a pickle", "runs in the grader if it loads it"),
    (32, "uses shared files in /tmp, a fixed port", "students collide"),
    (34, "displays widgets", "may hang"),
    (35, "asks for CUDA on a CPU grader", "error, 0"),
    (36, "is nondeterministic", "flaky grade"),
    (39, "import antigravity, plt.show() with a GUI backend", "acts on the host, or hangs"),
    (40, "has unicode, spaces or a very long name in its file names", "logs and exports break"),
    (42, "hard-codes the answers of the visible tests", "passes visible tests"),
    (43, "is graded again after an earlier failure", "old score stays in the database (read)"),
    (44, "a thousand of them, and the machine is switched off half way", "start again"),
    (46, "calls torch.set_num_threads(8)", "slows the others down; breaks a later fork"),
)


def faults(plan: Plan) -> list[Goal]:
    """Print the table of what came of each submission, and of its healthy neighbours where that is not 5 of 5."""
    if problem := _cage.missing():
        print(f"\n## Faults\n\nnot run: {problem}", flush=True)
        return []
    with tempfile.TemporaryDirectory(prefix="grading-benchmark-") as name:
        inside = str(ROOT / "benchmarks" / "grading_faults_inside.py")
        _cage.run([sys.executable, inside, "/out/found.json", *map(str, plan.fault_rows)], Path(name), SECONDS)
        found = json.loads((Path(name) / "found.json").read_bytes())
    cells = [(row, what, came, "measured") for row, what, came in found]
    cells += [(*quote, "quoted") for quote in QUOTED if not plan.fault_rows]
    header = ["row", "the submission", "what came of it in stock nbgrader 0.9.6", "how it is known"]
    title = "Faulty submissions, each between two healthy ones in a batch of its own; a right one has 5 of 5 points"
    table(title, header, sorted(cells, key=lambda cell: cell[0]))
    return []
