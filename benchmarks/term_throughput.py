"""A whole term: more workers, a Dask cluster, the limit of the process that writes, and ten thousand submissions.

python benchmarks/term_throughput.py                     everything: some ten minutes on two cores
python benchmarks/term_throughput.py --quick [PART ...]  a look at each part; its figures mean little
"""

import argparse
import sys

from _common import machine, table
from term_plan import FULL, QUICK
from term_workers import dask, scaling
from term_writer import term, writer

PARTS = {"dask": dask, "scaling": scaling, "writer": writer, "term": term}


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
