"""The grading engine beside its peers: throughput, overhead, scaling, growth, memory, and what stock nbgrader suffers.

python benchmarks/grading.py                     everything: some twenty minutes on two cores
python benchmarks/grading.py --quick [PART ...]  a look at each part in a minute or two; its figures mean little
"""

import argparse
import sys

from _common import machine, table
from grading_faults import faults
from grading_growth import growth, scaling
from grading_memory import memory
from grading_plan import FULL, QUICK
from grading_throughput import throughput

PARTS = {"throughput": throughput, "scaling": scaling, "growth": growth, "memory": memory, "faults": faults}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)}; all when left out")
    parser.add_argument("--quick", action="store_true", help="few submissions, to see that everything runs")
    given = parser.parse_args()
    if unknown := sorted(set(given.parts) - set(PARTS)):
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    print(f"machine: {machine()}", flush=True)
    goals = [goal for name in given.parts or PARTS for goal in PARTS[name](QUICK if given.quick else FULL)]
    if goals:
        table("What was promised", ["what", "measured", "promised", "held"], [goal.row() for goal in goals])
    return 0 if given.quick or all(goal.held for goal in goals) else 1


if __name__ == "__main__":
    sys.exit(main())
