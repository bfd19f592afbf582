"""What became of each submission that `course collect` found, and what there is to say about all."""

from dataclasses import dataclass, field
from datetime import datetime

NEW, DATED, SAME, OLDER, UNKNOWN, FAILED = "collected", "new time", "unchanged", "older", "not known", "not collected"


@dataclass
class Outcome:
    """What became of one student's submission."""

    who: str  # the student's id, or what the source says of somebody whom nobody knows
    state: str
    files: int = 0
    received: datetime | None = None  # UTC, without a zone
    attempt: int = 0  # its number among the student's attempts, from 1
    remarks: list[str] = field(default_factory=list)


@dataclass
class Report:
    """What `course collect` has to say."""

    kind: str
    outcomes: list[Outcome]
    notes: list[str]

    def is_fine(self) -> bool:
        """Whether everything that is somebody's was collected."""
        return not any(outcome.state in (UNKNOWN, FAILED) for outcome in self.outcomes)
