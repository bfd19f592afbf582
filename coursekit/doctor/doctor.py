"""What this machine offers to the course, what is missing, and the one command that brings it: `course doctor`.

Rows are in three groups: what lectures and assignments need, what grading needs, what the tests need. In the folder
of a student only the first group is looked at.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Severity = Literal["ok", "optional", "needed"]
RUN, TEACH, TEST = "lectures and assignments", "grading", "tests"


@dataclass(frozen=True)
class Row:
    """One line of the report; `needed` means that its group does not work without it."""

    group: str
    name: str
    severity: Severity
    found: str
    advice: str = ""  # a sentence
    command: str = ""  # one line for a terminal in the course folder
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """All rows, and what follows from them."""

    course: str
    rows: tuple[Row, ...]

    @property
    def runs(self) -> bool:
        """Whether nothing that is needed is missing."""
        return all(row.severity != "needed" for row in self.rows)

    def as_json(self) -> dict[str, Any]:
        """The same for machines."""
        return {"course": self.course, "runs": self.runs, "rows": [asdict(row) for row in self.rows]}


def summary(report: Report) -> Iterator[str]:
    """What the rows mean, in sentences."""
    for group in dict.fromkeys(row.group for row in report.rows):
        rows = [row for row in report.rows if row.group == group]
        needed = [row.name for row in rows if row.severity == "needed"]
        verb = "does" if group == TEACH else "do"
        if needed:
            yield f"{group.capitalize()} {verb} not work on this machine yet. Needed: {', '.join(needed)}."
        elif group == RUN:
            yield "Lectures and assignments work on this machine."
    optional = sum(row.severity == "optional" for row in report.rows)
    if optional:
        yield f"Rows marked optional ({optional}) can be left as they are."
