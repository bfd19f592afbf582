"""What the person at the terminal sees while submissions are graded."""

import sys
from collections import Counter
from types import TracebackType

from tqdm import tqdm

from coursekit.grading.records import STATES, Record

TERMINAL_SECONDS, FILE_SECONDS = 0.2, 30.0


def printable(text: str) -> str:
    """One line that a terminal shows as it is: what would move the cursor or hide text is spelled out."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


class Progress:
    """A bar with the submissions per second, the time left, and how many there are of each state."""

    def __init__(self, title: str, total: int, *, shown: bool = True) -> None:
        self._counts: Counter[str] = Counter()
        self._kept = 0
        seconds = TERMINAL_SECONDS if sys.stderr.isatty() else FILE_SECONDS
        self._bar = tqdm(
            total=total,
            unit="submission",
            desc=printable(title),
            disable=not shown,
            mininterval=seconds,
            maxinterval=seconds,
            dynamic_ncols=True,
            smoothing=0.05,
        )

    def add(self, record: Record, is_new: bool) -> None:
        """Count one submission; one that was graded before does not count for the speed."""
        if is_new:
            self._counts[record["state"]] += 1
        else:
            self._kept += 1
            if not self._bar.disable:
                self._bar.initial += 1
        parts = [f"{self._counts[state]} {state}" for state in STATES if self._counts[state]]
        parts += [f"{self._kept} kept"] if self._kept else []
        self._bar.set_postfix_str(", ".join(parts), refresh=False)
        self._bar.update()

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        if not self._bar.disable:
            self._bar.write(printable(text), file=sys.stderr)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.refresh()
        self._bar.close()
