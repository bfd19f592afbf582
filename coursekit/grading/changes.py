"""Whose score a regrade changed, in which cell and why, by comparing what was before with what is now.

Every regrade of somebody who had a score is kept in <assignment>.changes.json, the newest last.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from coursekit import notebooks
from coursekit.errors import CourseError
from coursekit.files import digest, write_atomic
from coursekit.grading.baseline import Baseline, Snapshot, state
from coursekit.grading.records import FAILED, Record

LATE = "late penalty"
Row = dict[str, Any]

TEST = "the test changed"
OTHER = "another part of the assignment changed"
ASSIGNMENT = "the test or another part of the assignment changed"
SUBMISSION = "the submission changed"
ENVIRONMENT = "the environment changed"
BY_HAND = "a person gave other points"
NEW_CELL = "the cell is new"
GONE = "the cell was removed"
FAILED_NOW = "it could not be graded this time"
FAILED_BEFORE = "it could not be graded before"
UNKNOWN = "nothing is known of the grading before"
CHANCE = "nothing that a grade depends on changed: the answer or the test depends on chance or time"


def hashes_of_tests(tests: Mapping[str, bytes]) -> dict[str, str]:
    """A short hash of source and points of every graded cell, by "notebook/cell"."""
    return {
        f"{name}/{cell_name}": digest(cell.source.encode(), repr(notebooks.max_score(cell)).encode())[:12]
        for name, data in tests.items()
        for cell_name, cell in notebooks.by_id(notebooks.loads(data)).items()
        if notebooks.is_graded(cell)
    }


def _cells(booked: Snapshot | None) -> dict[tuple[str, str], list[Any]]:
    return {(cell[0], cell[1]): cell[2:] for cell in (booked or {}).get("cells", ())}


def points(cell: list[Any] | None) -> float | None:
    """The points that count: a person's before automatic ones, None where there are neither."""
    if cell is None:
        return None
    auto, manual, extra, _ = cell
    counted = auto if manual is None else manual
    return None if counted is None else float(counted) + float(extra or 0.0)


def total(booked: Snapshot | None) -> float | None:
    """The score of a submission as nbgrader counts it; None where nothing of it has points."""
    counted = [value for cell in _cells(booked).values() if (value := points(cell)) is not None]
    return max(0.0, sum(counted) - booked["penalty"]) if counted and booked else None


def _why(key: str, before: Record, after: Record) -> str:
    """What differs in what the automatic points of a cell depend on."""
    old, new = before["hashes"], after["hashes"]
    if not old:
        return UNKNOWN
    found = [SUBMISSION] if old.get("submission") != new.get("submission") else []
    if old.get("assignment") != new.get("assignment"):
        first, second = before["tests"].get(key), after["tests"].get(key)
        found.append(ASSIGNMENT if first is None or second is None else OTHER if first == second else TEST)
    if old.get("environment") != new.get("environment"):
        found.append(ENVIRONMENT)
    return "; ".join(found) or CHANCE


def _cause(key: tuple[str, str], old: list[Any] | None, new: list[Any] | None, before: Record, after: Record) -> str:
    if old is None or new is None:
        return NEW_CELL if old is None else GONE
    if old[1:3] != new[1:3]:
        return BY_HAND
    for record, text in ((after, FAILED_NOW), (before, FAILED_BEFORE)):
        if record["state"][0] == FAILED:
            return text
    return _why("/".join(key), before, after)


def _verdict(record: Record, key: tuple[str, str]) -> list[str]:
    found: list[str] = record["verdicts"].get("/".join(key), ["", ""])
    return record["state"] if record["state"][0] == FAILED else found


def _cell_rows(before: Record, after: Record) -> Iterator[Row]:
    first, second = _cells(before["booked"]), _cells(after["booked"])
    for key in sorted(first.keys() | second.keys()):
        old, new = first.get(key), second.get(key)
        if points(old) == points(new):
            continue
        was, now = _verdict(before, key), _verdict(after, key)
        yield {
            "notebook": key[0],
            "cell": key[1],
            "before": points(old),
            "max_before": None if old is None else old[3],
            "after": points(new),
            "max_after": None if new is None else new[3],
            "why": _cause(key, old, new, before, after),
            "verdict_before": was[0],
            "reason_before": was[1],
            "verdict_after": now[0],
            "reason_after": now[1],
        }


def _late_rows(before: Record, after: Record) -> Iterator[Row]:
    old, new = before["booked"] or {}, after["booked"] or {}
    first, second = old.get("penalty", 0.0), new.get("penalty", 0.0)
    if first == second:
        return
    hours = [f"{record['late_seconds'] / 3600:.1f} h late" for record in (before, after)]
    why = "late penalty changed"
    if hours[0] == hours[1]:
        why += ", because the points or the policy did"
    yield {
        "notebook": "",
        "cell": LATE,
        "before": -first,
        "max_before": None,
        "after": -second,
        "max_after": None,
        "why": why,
        "verdict_before": hours[0],
        "reason_before": "",
        "verdict_after": hours[1],
        "reason_after": "",
    }


def compare(before: Record, after: Record) -> Record:
    """One student's changes: totals, a row for each cell whose points differ, and how many points by hand stayed."""
    first, second = _cells(before["booked"]), _cells(after["booked"])
    kept = [key for key, cell in first.items() if cell[1] is not None and second.get(key, [None] * 4)[1] == cell[1]]
    return {
        "student": before["student"],
        "before": total(before["booked"]),
        "after": total(after["booked"]),
        "rows": [*_cell_rows(before, after), *_late_rows(before, after)],
        "by_hand": [[*key, first[key][1]] for key in sorted(kept)],
    }


def history_file(records: Path) -> Path:
    """Where the regrades of an assignment are kept."""
    return records.with_name(records.name.removesuffix(".records.json") + ".changes.json")


def history(records: Path) -> list[Record]:
    """Every regrade of an assignment, the oldest first; raises CourseError when the file is broken."""
    path = history_file(records)
    if not path.is_file():
        return []
    try:
        runs: list[Record] = json.loads(path.read_bytes())["runs"]
        return runs
    except (ValueError, KeyError, TypeError) as error:
        raise CourseError(f"{path} is broken ({error}). Put it aside; the next regrade begins a new one.") from error


def conclude(
    records: Path,
    baseline: Baseline,
    snapshot: Callable[[str], Snapshot | None],
    by_student: Mapping[str, Record],
    students: Iterable[str],
) -> None:
    """Write down what a complete run over `students` changed, then let go of what was before it.

    Killed in between, the next run writes the same regrade once more, in the place of the first.
    """
    done = [student for student in students if student in baseline.by_student]
    if not done:
        return
    compared = (
        compare(baseline.by_student[student], state(student, snapshot(student), by_student.get(student)))
        for student in done
    )
    told = [found for found in compared if found["rows"] or found["by_hand"]]
    run = {
        "run": baseline.run,
        "when": f"{datetime.now().astimezone():%Y-%m-%d %H:%M}",
        "graded": len(done),
        "waiting": sorted(set(baseline.by_student) - set(done)),
        "students": told,
    }
    runs = [known for known in history(records) if known["run"] != baseline.run]
    write_atomic(history_file(records), json.dumps({"runs": [*runs, run]}, indent=1).encode("ascii") + b"\n")
    baseline.drop(done)
