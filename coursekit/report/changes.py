"""The changes of regrades for people: sentences, a page and a table."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coursekit.course import Course
from coursekit.files import write_atomic
from coursekit.grading import changes
from coursekit.grading.records import Record
from coursekit.outline import counted
from coursekit.pages import environment, points
from coursekit.report.questions import plain

_COLUMNS = (
    "regraded",
    "student",
    "notebook",
    "question",
    "points_before",
    "of_before",
    "points_after",
    "of_after",
    "why",
    "verdict_before",
    "verdict_after",
    "reason_before",
    "reason_after",
    "score_before",
    "score_after",
)
_LINES = 20  # students about whom the terminal says something; the page has all


def _shown(value: float | None) -> str:
    return "not graded" if value is None else points(value)


def changed(run: Record) -> list[Record]:
    """Students with at least one changed row."""
    return [student for student in run["students"] if student["rows"]]


def summary(run: Record) -> str:
    """One regrade in a sentence or two."""
    found = changed(run)
    both = [student for student in found if None not in (student["before"], student["after"])]
    up = sum(student["after"] > student["before"] for student in both)
    down = sum(student["after"] < student["before"] for student in both)
    text = f"{counted(run['graded'], 'student')} who had a score before: "
    other = len(found) - up - down
    text += f"{up} now higher, {down} lower, {other} otherwise changed" if found else "no score has changed"
    by_hand = sum(len(student["by_hand"]) for student in run["students"])
    text += f"; {by_hand} given by hand untouched." if by_hand else "."
    if run["waiting"]:
        text += f" Not graded again yet: {', '.join(plain(name, 60) for name in run['waiting'][:12])}."
    return text


def lines(run: Record) -> list[str]:
    """A line for each student whose points changed, and why."""
    told = []
    for student in changed(run)[:_LINES]:
        parts = [
            f"{plain(row['cell'], 60)} {_shown(row['before'])} -> {_shown(row['after'])} ({row['why']})"
            for row in student["rows"]
        ]
        scores = f"{_shown(student['before'])} -> {_shown(student['after'])}"
        told.append(f"{plain(student['student'], 60)}: {scores}: {', '.join(parts)}")
    rest = len(changed(run)) - len(told)
    return told + ([f"... and {rest} more; the page has all of them."] if rest else [])


def causes(run: Record) -> list[tuple[str, int]]:
    """How many rows have which cause, the most frequent first."""
    return Counter(row["why"] for student in run["students"] for row in student["rows"]).most_common()


def _safe(value: Any) -> Any:
    """Text that a spreadsheet takes for text, whatever it begins with."""
    if not isinstance(value, str):
        return "" if value is None else value
    text = plain(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def table(runs: Sequence[Record]) -> str:
    """Every changed row of every regrade as CSV, the newest first."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for run in reversed(runs):
        for student in run["students"]:
            for row in student["rows"]:
                values = [run["when"], student["student"], row["notebook"], row["cell"]]
                values += [row["before"], row["max_before"], row["after"], row["max_after"], row["why"]]
                values += [row[f"{what}_{when}"] for what in ("verdict", "reason") for when in ("before", "after")]
                writer.writerow([_safe(value) for value in (*values, student["before"], student["after"])])
    return out.getvalue()


def page(assignment: str, runs: Sequence[Record]) -> str:
    """The page; everything that came from a student is escaped."""
    template = environment().get_template("changes.html.j2")
    shown = [
        {"run": run, "summary": summary(run), "causes": causes(run), "changed": changed(run)} for run in reversed(runs)
    ]
    return template.render(assignment=assignment, runs=shown, number=_shown, plain=plain)


def write_changes(course: Course, assignment: str) -> tuple[Record, Path] | None:
    """Write page and table beside the report; returns the last regrade and the page, None when there was none."""
    runs = changes.history(course.records_file(assignment))
    if not runs:
        return None
    path = course.root / f"changes-{assignment}.html"
    write_atomic(path, page(assignment, runs).encode("utf-8"))
    write_atomic(path.with_suffix(".csv"), table(runs).encode("utf-8"))
    return runs[-1], path
