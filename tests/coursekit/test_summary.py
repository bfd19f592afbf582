"""The table at the terminal names who needs attention, and no text of a student moves the cursor."""

from typing import Any

import pytest

from coursekit.grading.summary import MOST_LINES, next_steps, table


def record(student: str, **parts: Any) -> dict[str, Any]:
    """A record as `course grade` keeps it; graded without remarks unless `parts` says more."""
    known = {"state": "graded", "reason": "", "next_step": "", "repairs": [], "late_seconds": 0.0}
    return {"student": student, "score": 1.0, "max_score": 2.0, "needs_manual_grade": False, **known, **parts}


@pytest.mark.parametrize("text", ["\x1b[2J\x1b]0;title\x07", "a\rb", "a\nb", "\u202ea", "\x9b31m"])
def test_no_text_of_a_student_reaches_the_terminal_as_a_command(text: str) -> None:
    records = [record(text, reason=text, next_step=text, state="unreadable"), record("anna")]
    shown = table(records)
    assert all(line.isprintable() for line in [*shown.split("\n"), *next_steps(records)])
    assert len(shown.split("\n")) == 1 + len(records) + 2


@pytest.mark.parametrize("count", [1, MOST_LINES, MOST_LINES + 1, 500])
def test_a_large_class_has_a_short_table_in_which_nobody_with_a_reason_is_missing(count: int) -> None:
    graded = [record(f"s{index}", repairs=["x"] * (index % 2)) for index in range(count)]
    stopped = [record(f"t{index}", state="timed out", reason="It was stopped.") for index in range(20)]
    lines = table([*graded, *stopped]).split("\n")
    assert len(lines) <= max(MOST_LINES, 0) + 4
    assert all(any(line.startswith(f"t{index} ") for line in lines) for index in range(20))
    assert lines[-1] == f"{count + 20} submissions: {count} graded, 20 timed out"
    assert (f"s{count - 1}" in "".join(lines)) or count + 20 > MOST_LINES
