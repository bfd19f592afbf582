"""The grading engine beside its peers: throughput, overhead, scaling, growth, memory, and what stock nbgrader suffers.

python benchmarks/grading.py                     everything: some twenty minutes on two cores
python benchmarks/grading.py --quick [PART ...]  a look at each part in a minute or two; its figures mean little
"""

import sys

from _parts import run_parts
from grading_faults import faults
from grading_growth import growth, scaling
from grading_memory import memory
from grading_plan import FULL, QUICK
from grading_throughput import throughput

PARTS = {"throughput": throughput, "scaling": scaling, "growth": growth, "memory": memory, "faults": faults}


if __name__ == "__main__":
    sys.exit(run_parts(__doc__, PARTS, FULL, QUICK))
