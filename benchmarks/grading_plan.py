"""How much is graded, in full and for a quick look, and what the grading engine promises."""

from collections.abc import Mapping
from dataclasses import dataclass

from grading_course import PS4, SHORT

WORKERS = 2
NAMES = {SHORT: "short", PS4: "ps4"}


@dataclass(frozen=True)
class Plan:
    """Numbers of submissions: by `course grade`, by each peer, for scaling (and how often in turn), for growth."""

    ours: Mapping[str, int]
    stock: Mapping[str, int]
    otter: int
    scaling: Mapping[str, int]
    rounds: int
    growth: tuple[int, ...]
    memory: int
    fault_rows: tuple[int, ...] = ()  # all when empty


FULL = Plan(
    ours={SHORT: 40, PS4: 40},
    stock={SHORT: 6, PS4: 4},
    otter=5,
    scaling={SHORT: 40, PS4: 14},
    rounds=2,
    growth=(10, 30, 100, 300, 1000),
    memory=12,
)
QUICK = Plan(
    ours={SHORT: 8},
    stock={SHORT: 2},
    otter=0,
    scaling={SHORT: 8},
    rounds=1,
    growth=(5, 10, 20),
    memory=4,
    fault_rows=(1, 10, 12),
)


@dataclass(frozen=True)
class Goal:
    """A promise and what was measured."""

    what: str
    measured: float
    limit: float
    at_least: bool = False

    @property
    def held(self) -> bool:
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit

    def row(self) -> tuple[str, str, str, str]:
        bound = "at least" if self.at_least else "at most"
        return self.what, f"{self.measured:.2f}", f"{bound} {self.limit:g}", "yes" if self.held else "NO"
