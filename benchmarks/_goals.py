"""Goals: what was claimed, what was measured, and whether the one holds for the other."""

from collections.abc import Sequence
from dataclasses import dataclass

from _common import table


@dataclass(frozen=True)
class Goal:
    """A claim about one measured number."""

    what: str
    measured: float
    limit: float
    at_least: bool = False

    @property
    def held(self) -> bool:
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit

    def row(self) -> tuple[str, str, str, str]:
        bound = "at least" if self.at_least else "at most"
        return self.what, f"{self.measured:.3g}", f"{bound} {self.limit:g}", "yes" if self.held else "NO"


def checked(goals: Sequence[Goal]) -> int:
    """Print the goals; 1 when one was missed, the exit code of a benchmark."""
    table("What was claimed", ["what", "measured", "claimed", "held"], [goal.row() for goal in goals])
    return 0 if all(goal.held for goal in goals) else 1
