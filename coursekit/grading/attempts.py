"""Several attempts of a student where the best one counts: each is graded once and kept, then the best one is booked.

What is kept of an attempt lies beside the records, in <assignment>.attempts/STUDENT/, under the hash of what was handed
in. So nothing runs again when another attempt becomes the best one, as after an extension.
"""

import gzip
import json
import zlib
from collections.abc import Mapping
from concurrent.futures import Future
from datetime import datetime
from pathlib import Path
from typing import Any

from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.files import digest, drop_left_over, write_atomic
from coursekit.grading import submissions
from coursekit.grading.by_hand import Given, Key
from coursekit.grading.dispatch import Result
from coursekit.grading.logs import log_file
from coursekit.grading.records import Record
from coursekit.grading.submissions import Submission
from coursekit.settings import Coursekit

LAST, BEST = "last", "best"
FORMAT = "%Y-%m-%d %H:%M:%S UTC"
_BROKEN = (OSError, EOFError, ValueError, KeyError, TypeError, zlib.error)


def which_counts(options: Coursekit, assignment: str) -> str:
    """LAST or BEST, as c.Coursekit.counts says; raises CourseError for anything else."""
    found = options.counts if isinstance(options.counts, Mapping) else {"*": options.counts}
    for name, value in found.items():
        if value not in (LAST, BEST):
            where = "c.Coursekit.counts" + (f"[{name!r}]" if isinstance(options.counts, Mapping) else "")
            raise CourseError(f"{where} = {value!r} should be 'last' or 'best'.")
    return str(found.get(assignment, found.get("*", LAST)))


def collected(course: Course, assignment: str, student: str) -> list[tuple[datetime, Path]]:
    """When each attempt came, as UTC, and its folder; the earliest first."""
    from coursekit.collect.attempts import attempts

    return list(attempts(course, assignment, student))


def key_of(submission: Submission) -> str:
    """Hash of what was handed in; the same work has the same one, whenever it came."""
    return submission.digest(with_time=False)


def read_all(course: Course, assignment: str, student: str, expected: list[str], files: set[str]) -> list[Submission]:
    """Every attempt, the newest last; what lies in `submitted` is one of them, with its own receipt."""
    newest = submissions.read(course, assignment, student, expected, files)
    found = []
    for received, path in collected(course, assignment, student):
        found.append(submissions.read_folder(course, student, path.parent, (path.name,), received, expected, files))
    same = [index for index, other in enumerate(found) if key_of(other) == key_of(newest)]
    if same:
        if newest.timestamp is None:
            newest.timestamp = found[same[-1]].timestamp
        found[same[-1]] = newest
    elif not found or any(data is not None for data in newest.notebooks.values()):
        found.append(newest)
    return found


class Kept:
    """Graded attempts of one student; those of other tests or of another environment do not count."""

    def __init__(self, records: Path, student: str, ours: Mapping[str, str]) -> None:
        folder = records.parent / f"{records.name.removesuffix('.records.json')}.attempts"
        self.folder = folder / log_file(records, student).name.removesuffix(".log")
        self.ours = dict(ours)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key[:40]}.json.gz"

    def _lines(self, key: str, count: int) -> list[Any]:
        """The first lines of a file, none of what is missing, broken or outdated."""
        try:
            with gzip.open(self._path(key), "rt", encoding="utf-8") as file:
                lines = [json.loads(file.readline()) for _ in range(count)]
            return lines if lines[0]["hashes"] == {"submission": key, **self.ours} else []
        except _BROKEN:
            return []

    def points(self, key: str) -> dict[str, Any] | None:
        """Automatic points of an attempt, by notebook and cell; None when it has to be graded."""
        found = self._lines(key, 1)
        return found[0] if found else None

    def results(self, key: str) -> dict[str, Result]:
        """Notebooks and records of an attempt, as its worker returned them; raises KeyError when they are lost."""
        found = self._lines(key, 2)
        if not found:
            raise KeyError(f"{self._path(key)} is missing or broken")
        return {name: (text.encode("utf-8"), record) for name, (text, record) in found[1].items()}

    def add(self, key: str, results: Mapping[str, Result]) -> None:
        """Keep what came of an attempt."""
        drop_left_over(self.folder)
        found = {name: part["cells"] for name, (_, part) in results.items()}
        cells = {name: {cell["grade_id"]: cell["score"] for cell in part} for name, part in found.items()}
        head = {"hashes": {"submission": key, **self.ours}, "cells": cells}
        rest = {name: [data.decode("utf-8"), part] for name, (data, part) in results.items()}
        lines = "".join(f"{json.dumps(line, sort_keys=True)}\n" for line in (head, rest))
        write_atomic(self._path(key), gzip.compress(lines.encode("ascii"), 5, mtime=0))

    def keep_only(self, keys: set[str]) -> None:
        """Remove attempts that are no longer there."""
        wanted = {self._path(key) for key in keys}
        for path in self.folder.glob("*.json.gz"):
            if path not in wanted:
                path.unlink(missing_ok=True)


def score_of(cells: Mapping[str, float | None], name: str, given: Mapping[Key, Given]) -> float:
    """Points of one notebook by nbgrader's rule: a person's before automatic ones, extra credit on top of either."""
    total = 0.0
    for cell, auto in cells.items():
        by_hand = given.get((name, cell))
        points = auto if by_hand is None or by_hand.manual_score is None else by_hand.manual_score
        if points is not None:
            total += points + (by_hand.extra_credit if by_hand else 0.0)
    return total


def best_of(worths: list[Record]) -> int:
    """Place of the attempt that counts: the most points after penalties, of several that have as many the last."""
    return max(range(len(worths)), key=lambda index: (round(worths[index]["score"], 9), index))


def done(result: Result) -> Future[Result]:
    """A result in the form in which tasks hold it."""
    future: Future[Result] = Future()
    future.set_result(result)
    return future


def digest_of(attempts: list[Submission]) -> str:
    """Hash of all attempts with their times: what a record depends on where the best one counts."""
    return digest(b"best", *(attempt.digest().encode() for attempt in attempts))
