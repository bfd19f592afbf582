"""A whole term: more workers, a Dask cluster, the limit of the process that writes, and ten thousand submissions.

python benchmarks/term_throughput.py                     everything: some ten minutes on two cores
python benchmarks/term_throughput.py --quick [PART ...]  a look at each part; its figures mean little
"""

import sys

from _parts import run_parts
from term_plan import FULL, QUICK
from term_workers import dask, scaling
from term_writer import term, writer

PARTS = {"dask": dask, "scaling": scaling, "writer": writer, "term": term}


if __name__ == "__main__":
    sys.exit(run_parts(__doc__, PARTS, FULL, QUICK))
