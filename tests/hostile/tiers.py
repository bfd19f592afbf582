"""What the kinds of sandbox do about each row of the list of faults: the table in docs/sandbox.md, kept by tests.

The other rows are about notebooks, tests, times and output, which are dealt with outside the sandbox.
"""

from dataclasses import dataclass, field

from expected import DIED, EXPECTED, GRADED, HOLD_THEMSELVES_UP
from hostile_course import FULL

TIERS = ("bubblewrap", "namespaces", "landlock")
HOLDS = "holds"
NOTHING_LOST: dict[str, float] = {}


@dataclass(frozen=True)
class Row:
    """A row of the list, or a kind of attack that it does not have; `students` are patterns of those who try it.

    `less` says for a tier what it does otherwise than bubblewrap.
    """

    number: str
    says: str
    students: tuple[str, ...]
    less: dict[str, str] = field(default_factory=dict)


ROWS = (
    Row("4", "a detached process updates the gradebook", ("04-*",)),
    Row("5", "a detached process holds the gradebook's lock", ("05-*",)),
    Row("6", "reads hidden tests from the gradebook or the solutions", ("06-*",)),
    Row("20", "ends Python, or crashes it", ("20a-*",)),
    Row(
        "22",
        "fork bomb",
        ("22*",),
        {"landlock": "holds, but ends the notebook, a moment after there are too many processes"},
    ),
    Row("23", "takes 100 GB of memory", ("23*",)),
    Row(
        "25",
        "fills the disk",
        ("25-*",),
        {"landlock": "holds, but ends the notebook, a moment after its files have become too large or too many"},
    ),
    Row("26", "kills its parent", ("26-*",)),
    Row("27", "opens a network connection", ("27-*",), {"landlock": "holds; 127.0.0.1 does not work either"}),
    Row("28", "removes files", ("28-*",)),
    Row("29", "reads secrets from the environment", ("29-*",)),
    Row("30", "brings its own library", ("30-*",)),
    Row(
        "32",
        "uses shared files in /tmp, a fixed port",
        ("32*",),
        {"landlock": "holds, for /tmp, /dev/shm and ports are refused; the notebook has its own TMPDIR"},
    ),
    Row("39", "opens windows", ("39-*",)),
    Row("46", "takes all threads", ("46-*",)),
    Row(
        "-",
        "looks into the memory and the files of other processes",
        ("50-*",),
        {"landlock": "memory and files are refused; command lines, and how many files are open, can be seen"},
    ),
    Row(
        "-",
        "fills or changes the folder that it shares with the grader",
        ("53-*", "54-*", "55-*"),
        {"landlock": "holds, but ends the notebook; it can replace its own sockets, and nobody else's"},
    ),
    Row("-", "outlives its kernel", ("59-*",)),
    Row("-", "takes more rights", ("60-*",)),
    Row("-", "changes the library for those who come after", ("61-*",)),
)

# Where a tier takes other points than bubblewrap does, with the state; None stands for any state and for any points.
OTHERWISE: dict[str, dict[str, tuple[str | None, dict[str, float] | None]]] = {
    "bubblewrap": {},
    "namespaces": {},
    "landlock": {
        "22b-shell-bomb": (None, None),
        "22c-thread-bomb": (None, None),
        "23g-segments": (GRADED, NOTHING_LOST),  # there are no segments to take
        "25-fills-the-disk": (DIED, {"test_norm": 0.0}),
        "26-kills-the-grader": (GRADED, NOTHING_LOST),  # in a namespace it hits itself
        "53-floods-the-shared-folder": (DIED, {"test_double": 0.0}),
        "54-swaps-its-sockets": (None, None),  # it depends on which of its sockets the grader opens before or after
    },
}
# What an attack gets in a tier although it should not: the beginning of each line.
LOOT: dict[str, dict[str, tuple[str, ...]]] = {"landlock": {"50-opens-memory": ("fd",)}}

HARMLESS = {"23g-segments", "26-kills-the-grader"}  # who only loses less than in a namespace


def expected(tier: str, student: str) -> tuple[str | None, dict[str, float] | None]:
    """State and points of the test cells of a hostile student; None for any."""
    if student in HOLD_THEMSELVES_UP:
        return None, None
    state, lost = OTHERWISE[tier].get(student) or EXPECTED.get(student, (GRADED, NOTHING_LOST))
    return state, None if lost is None else {**FULL, **lost}


def table() -> list[str]:
    """The table of docs/sandbox.md, line by line."""
    lines = [f"| row | the submission | {' | '.join(TIERS)} |", f"|---|---|{'---|' * len(TIERS)}"]
    for row in ROWS:
        words = " | ".join(row.less.get(tier, HOLDS) for tier in TIERS)
        lines.append(f"| {row.number} | {row.says} | {words} |")
    return lines
