"""The table that `course collect` prints at the end."""

from collections import Counter

from coursekit.collect.outcomes import FAILED, UNKNOWN, Outcome, Report
from coursekit.intake.names import shown

MOST_LINES = 60  # of a larger class the table names those about whom there is something to say


def _cells(outcome: Outcome) -> tuple[str, ...]:
    received = "" if outcome.received is None else f"{outcome.received:%Y-%m-%d %H:%M} UTC"
    attempt = str(outcome.attempt) if outcome.attempt else ""
    return (
        shown(outcome.who, 40),
        str(outcome.files),
        received,
        attempt,
        outcome.state,
        " ".join(outcome.remarks),
    )


def table(report: Report) -> str:
    """One line for each submission; of a large class one for each with a remark, those not collected first."""
    shown_ones = report.outcomes
    if len(shown_ones) > MOST_LINES:
        grave = (FAILED, UNKNOWN)
        shown_ones = [each for each in shown_ones if each.remarks or each.state in grave][:MOST_LINES]
    rows = [("student", "files", "received", "attempt", "state", "remarks"), *map(_cells, shown_ones)]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = [
        "  ".join([*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[5]]).rstrip()
        for row in rows
    ]
    if len(shown_ones) < len(report.outcomes):
        lines.append(f"... and {len(report.outcomes) - len(shown_ones)} more")
    counts = Counter(outcome.state for outcome in report.outcomes)
    total = ", ".join(f"{count} {state}" for state, count in counts.items()) or "none"
    return "\n".join([*lines, "", f"{len(report.outcomes)} submissions from {report.kind}: {total}"])
