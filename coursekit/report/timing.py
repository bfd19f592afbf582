"""How the grading of a class ran: time of notebooks and cells, what the machine added, how fast, in what sandbox."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coursekit.grading.records import Record
from coursekit.report.questions import LONGEST_NAME, plain

LONGEST_PAUSE_SECONDS = 300.0  # a longer one lies between two runs
UNKNOWN = "not recorded"


@dataclass(frozen=True)
class NotebookTime:
    """Seconds of one notebook of one student: in all, and the part not spent in its cells (None where nobody knows)."""

    student: str
    notebook: str
    seconds: float
    overhead: float | None


@dataclass(frozen=True)
class CellTime:
    """Seconds of one cell over the class, and how often it was stopped or ended Python."""

    notebook: str
    cell: str
    seconds: tuple[float, ...]
    stopped: int

    @property
    def median(self) -> float:
        """Seconds in the middle of the class."""
        return statistics.median(self.seconds)

    @property
    def longest(self) -> float:
        """Seconds of the slowest submission."""
        return max(self.seconds)

    @property
    def total(self) -> float:
        """Seconds of the whole class."""
        return sum(self.seconds)


@dataclass(frozen=True)
class Timing:
    """Everything the page says about how the grading ran."""

    notebooks: tuple[NotebookTime, ...] = ()
    cells: tuple[CellTime, ...] = ()
    sandboxes: tuple[tuple[str, int], ...] = ()
    warm: int = 0
    cold: int = 0
    restarts: int = 0
    per_minute: float | None = None

    @property
    def total(self) -> float:
        """Seconds of all notebooks together."""
        return sum(notebook.seconds for notebook in self.notebooks)

    @property
    def median(self) -> float | None:
        """Seconds of the notebook in the middle; None when none was run."""
        return statistics.median(notebook.seconds for notebook in self.notebooks) if self.notebooks else None

    @property
    def overhead(self) -> float | None:
        """Median of what the machine added to a notebook, in seconds; None when nobody knows."""
        known = [notebook.overhead for notebook in self.notebooks if notebook.overhead is not None]
        return statistics.median(known) if known else None

    @property
    def trusted(self) -> int:
        """Notebooks that ran without a sandbox."""
        return sum(count for kind, count in self.sandboxes if kind == "none")


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _cells_of(part: Mapping[str, Any]) -> Iterable[tuple[str, float, bool]]:
    """Name, seconds and whether it was stopped, of every cell that ran; of the graded ones where no more is known."""
    if events := part.get("events"):
        for event in events:
            if event.get("state") != "not run":
                yield str(event["cell"]), float(event["seconds"]), event["state"] not in ("ran", "raised")
    else:
        for cell in part.get("cells", []):
            if seconds := _number(cell.get("seconds")):
                yield str(cell["grade_id"]), seconds, cell.get("state") in ("timed out", "kernel died")


def per_minute(times: Iterable[float]) -> float | None:
    """Submissions per minute in the last run, from when each was done (seconds); None for fewer than three."""
    ordered = sorted(times, reverse=True)
    run = ordered[:1]
    for moment in ordered[1:]:
        if run[-1] - moment > LONGEST_PAUSE_SECONDS:
            break
        run.append(moment)
    length = run[0] - run[-1] if run else 0.0
    return 60 * (len(run) - 1) / length if len(run) >= 3 and length > 0 else None


def timing_of(records: Sequence[Record]) -> Timing:
    """How the grading of these submissions ran; what older records do not say is left out."""
    parts = [
        (record["student"], name, part)
        for record in records
        for name, part in record.get("notebooks", {}).items()
        if _number(part.get("seconds"))
    ]
    cells: dict[tuple[str, str], list[tuple[float, bool]]] = defaultdict(list)
    for _, name, part in parts:
        for cell, seconds, stopped in _cells_of(part):
            cells[name, cell].append((seconds, stopped))
    kinds = Counter(plain(part.get("sandbox") or UNKNOWN, LONGEST_NAME) for _, _, part in parts)
    warm = sum(bool(part.get("warm")) for _, _, part in parts)
    return Timing(
        notebooks=tuple(
            NotebookTime(
                plain(student, LONGEST_NAME), plain(name), float(part["seconds"]), _number(part.get("overhead_seconds"))
            )
            for student, name, part in parts
        ),
        cells=tuple(
            CellTime(
                plain(notebook, LONGEST_NAME),
                plain(cell, LONGEST_NAME),
                tuple(seconds for seconds, _ in found),
                sum(stopped for _, stopped in found),
            )
            for (notebook, cell), found in cells.items()
        ),
        sandboxes=tuple(kinds.most_common()),
        warm=warm,
        cold=sum("warm" in part for _, _, part in parts) - warm,
        restarts=sum(int(_number(part.get("restarts")) or 0) for _, _, part in parts),
        per_minute=per_minute(moment for record in records if (moment := _number(record.get("graded_at"))) is not None),
    )
