"""The table that `course grade` prints at the end."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from coursekit.grading import remarks
from coursekit.report.questions import plain

MOST_LINES = 60  # of a larger class the table names those about whom there is something to say


def _score(record: dict[str, Any]) -> str:
    if record["score"] is None:
        return "not graded"
    text = f"{record['score']:g} / {record['max_score']:g}"
    return text + (" + by hand" if record["needs_manual_grade"] else "")


def _remark(record: dict[str, Any]) -> str:
    parts = [plain(record["reason"])] if record["reason"] else []
    parts += [plain(text) for text in remarks.brief(record)]
    if record["repairs"]:
        parts.append(f"{len(record['repairs'])} repaired.")
    return " ".join(parts)


def table(records: Sequence[dict[str, Any]], width: int = 120) -> str:
    """One line for each submission, then what the person at the terminal has to look at.

    Of a class with more than `MOST_LINES` submissions only those with a remark have a line, the gravest first.
    """
    shown = list(records)
    if len(shown) > MOST_LINES:
        shown = [record for record in records if _remark(record)]
        shown = sorted(shown, key=lambda record: not record["reason"])[:MOST_LINES]
    rows = [("student", "score", "state", "remarks")]
    rows += [(plain(record["student"]), _score(record), plain(record["state"]), _remark(record)) for record in shown]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = []
    for row in rows:
        start = "  ".join(text.ljust(size) for text, size in zip(row[:3], widths, strict=True))
        room = max(width - len(start) - 2, 20)
        remark = row[3] if len(row[3]) <= room else row[3][: room - 3] + "..."
        lines.append(f"{start}  {remark}".rstrip())
    if len(shown) < len(records):
        lines.append(f"... and {len(records) - len(shown)} more")
    counts = ", ".join(f"{count} {state}" for state, count in Counter(record["state"] for record in records).items())
    return "\n".join([*lines, "", f"{len(records)} submissions: {counts or 'none'}"])


def next_steps(records: Sequence[dict[str, Any]]) -> list[str]:
    """What to do about the submissions that could not be graded."""
    return [plain(f"{record['student']}: {record['reason']} {record['next_step']}") for record in records]
