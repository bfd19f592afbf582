"""How much the benchmarks of a whole term grade, in full and for a quick look."""

from collections.abc import Mapping
from dataclasses import dataclass

from grading_course import PS4, SHORT


@dataclass(frozen=True)
class Plan:
    """Numbers of submissions: for Dask (and how often in turn), for real workers, for each simulated one and at most,
    for the writer alone, and for the term.
    """

    dask: int
    rounds: int
    real: int
    simulated: int
    simulated_most: int
    workers: tuple[int, ...]
    writer: Mapping[str, int]
    term: int


FULL = Plan(
    dask=50,
    rounds=3,
    real=40,
    simulated=24,
    simulated_most=800,
    workers=(1, 2, 4, 8, 16, 32, 64),
    writer={SHORT: 400, PS4: 200},
    term=10_000,
)
QUICK = Plan(
    dask=8,
    rounds=1,
    real=6,
    simulated=6,
    simulated_most=100,
    workers=(1, 2, 16, 64),
    writer={SHORT: 40},
    term=500,
)
