"""The doctor's table for a terminal of 80 columns."""

import textwrap
from collections.abc import Iterator

from coursekit.doctor.doctor import RUN, Report, Row, summary

WIDTH = 80
_LABEL = {"ok": "ok", "optional": "optional", "needed": "NEEDED"}
_INDENT = " " * 28


def _lines(row: Row) -> Iterator[str]:
    head = f"  {_LABEL[row.severity]:<9} {row.name:<15} "
    # textwrap cuts a word only when nothing else helps: paths are kept whole as long as they fit
    yield from textwrap.wrap(row.found, WIDTH, initial_indent=head, subsequent_indent=_INDENT, break_on_hyphens=False)
    if row.advice:
        yield from textwrap.wrap(
            row.advice, WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT, break_on_hyphens=False
        )
    if row.command:  # in one piece, however long, to be copied
        yield f"      {row.command}"


def table(report: Report) -> str:
    """Every row in its group, and below what follows from them."""
    lines = [report.course] if report.course else []
    for group in dict.fromkeys(row.group for row in report.rows):
        rows = [row for row in report.rows if row.group == group]
        lines += ["", f"For {group}" + ("" if group == RUN else " (instructors only)")]
        for row in rows:
            lines += _lines(row)
    lines += ["", *(line for text in summary(report) for line in textwrap.wrap(text, WIDTH))]
    return "\n".join(lines)
