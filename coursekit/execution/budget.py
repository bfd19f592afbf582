"""What a notebook may take, what happened to each of its cells, and the faults that are nobody's answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field

TIMED_OUT = "timed out"
DIED = "kernel died"
NOT_RUN = "not run"
FAILED = "raised"
FINE = "ran"


class KernelDidNotStart(Exception):
    """The grader could not start a kernel: the machine's fault, never the student's."""


class SetupFailed(KernelDidNotStart):
    """A cell above the first answer did not run through: the fault of the course or of the machine."""


@dataclass(frozen=True)
class Budget:
    """Seconds for a cell, for all cells after the first answer, for a cell before it; bytes of output.

    `output_bytes` bounds one cell, `total_output_bytes` all cells together; `own_seconds` holds the seconds of cells
    that have a limit of their own, by index.
    """

    cell_seconds: float
    total_seconds: float
    setup_seconds: float
    output_bytes: int
    own_seconds: Mapping[int, float] = field(default_factory=dict)
    total_output_bytes: int = 5_000_000

    @property
    def message_bytes(self) -> int:
        """Size of the largest message that is taken from a kernel; a longer one never enters our memory."""
        return 4_000_000 + 2 * self.output_bytes


@dataclass
class CellRun:
    """What happened to one cell: a state, a sentence where it did not simply run, and the time it took.

    `hint` is advice that a student may read; it never quotes what the cell contained. `hidden` says that what ended
    the cell arose after the first line of its hidden tests was sent to the kernel.
    """

    state: str
    reason: str = ""
    seconds: float = 0.0
    hint: str = ""
    hidden: bool = False


@dataclass
class Execution:
    """What happened to a notebook: its cells by index, how often a fresh kernel was needed, seconds spent in cells."""

    cells: dict[int, CellRun] = field(default_factory=dict)
    restarts: int = 0
    cell_seconds: float = 0.0
