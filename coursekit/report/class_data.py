"""What the class report is made of: a mark for each question, a row for each submission, and the numbers of a class."""

import statistics
from collections import Counter
from dataclasses import dataclass, field

from coursekit.pages import duration
from coursekit.report.frequent import Frequent
from coursekit.report.questions import Question
from coursekit.report.timing import Timing


@dataclass(frozen=True)
class Mark:
    """Points of one student for one question; score None where there are none yet."""

    score: float | None
    max_score: float
    pending: bool = False
    note: str = ""

    @property
    def share(self) -> float | None:
        """Points as a share of the maximum, None where there are none."""
        return None if self.score is None or self.max_score <= 0 else self.score / self.max_score

    @property
    def level(self) -> str:
        """How well it went, in five steps, for the colour of the table cell."""
        if self.score is None:
            return "hand" if self.pending else "none"
        share = 1.0 if self.max_score <= 0 else self.score / self.max_score
        if share >= 1:
            return "full"
        steps = [(2 / 3, "high"), (1 / 3, "middle"), (0.0, "low")]
        return next((name for least, name in steps if share > least), "zero")


@dataclass(frozen=True)
class Row:
    """One submission; total and seconds are None where there are none yet."""

    student: str
    name: str
    state: str
    graded: bool
    reason: str
    next_step: str
    marks: tuple[Mark, ...]
    total: float | None
    late_seconds: float
    penalty: float
    seconds: float | None
    repairs: tuple[str, ...]
    about: str = ""
    feedback: tuple[tuple[str, str], ...] = ()  # label and address of each page
    notes: tuple[str, ...] = ()  # how late it was, which attempt counts, what to look at again

    @property
    def pending(self) -> int:
        """Number of answers that wait for a person."""
        return sum(mark.pending for mark in self.marks)

    @property
    def lateness(self) -> str:
        """How late it was, in words; empty when it was not."""
        return duration(self.late_seconds) if self.late_seconds > 0 else ""


@dataclass(frozen=True)
class ClassReport:
    """Everything the page says about one assignment."""

    assignment: str
    made: str
    max_score: float
    questions: tuple[Question, ...]
    rows: tuple[Row, ...]
    timing: Timing = field(default_factory=Timing)
    hints: tuple[Frequent, ...] = ()
    repairs: tuple[Frequent, ...] = ()

    @property
    def totals(self) -> list[float]:
        """Points of every submission that has some."""
        return [row.total for row in self.rows if row.total is not None]

    @property
    def mean(self) -> float:
        """Mean points of the submissions that have some."""
        return statistics.fmean(self.totals)

    @property
    def median(self) -> float:
        """Median points of the submissions that have some."""
        return statistics.median(self.totals)

    @property
    def ungraded(self) -> list[Row]:
        """Submissions that could not be graded, or have not been."""
        return [row for row in self.rows if not row.graded]

    @property
    def interrupted(self) -> list[Row]:
        """Submissions that were graded, but in which something was stopped."""
        return [row for row in self.rows if row.graded and row.reason]

    @property
    def waiting(self) -> list[Question]:
        """Questions with answers that wait for a person."""
        return [
            question
            for index, question in enumerate(self.questions)
            if any(row.marks[index].pending for row in self.rows)
        ]

    @property
    def states(self) -> list[tuple[str, int]]:
        """How many submissions there are of each state."""
        return Counter(row.state for row in self.rows).most_common()

    def levels(self, index: int) -> Counter[str]:
        """How many students got all, many, some or no points for question `index`, by the level of their marks."""
        return Counter(row.marks[index].level for row in self.rows)

    def mean_share(self, index: int) -> float | None:
        """Mean share of the points of question `index`, from 0; None while most answers to it wait for a person."""
        shares = [share for row in self.rows if (share := row.marks[index].share) is not None]
        waiting = sum(row.marks[index].pending for row in self.rows)
        return statistics.fmean(shares) if len(shares) > waiting else None
