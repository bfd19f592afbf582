"""What each student had before a regrade, on disk before anything of it is overwritten.

One line of JSON for each student; who has one already keeps it, so what a killed run began and a later one ends is
compared with what there was before the first. Once the changes have been written down, the lines go.
"""

import json
import os
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from coursekit.files import write_atomic
from coursekit.grading.records import Record, Shelf

Snapshot = dict[str, Any]  # what Booking.snapshot gives: points of every cell, penalty and lateness


def state(student: str, booked: Snapshot | None, record: Record | None) -> Record:
    """What there is of a student, from the gradebook and from the record, reduced to what is compared."""
    known: Record = record or {}
    verdicts = {
        f"{name}/{cell['grade_id']}": [cell["state"], cell["reason"]]
        for name, notebook in known.get("notebooks", {}).items()
        for cell in notebook.get("cells", ())
    }
    return {
        "student": student,
        "booked": booked,
        "hashes": known.get("hashes", {}),
        "tests": known.get("tests", {}),
        "late_seconds": known.get("late_seconds", (booked or {}).get("late_seconds", 0.0)),
        "state": [known.get("state", ""), known.get("reason", "")],
        "verdicts": verdicts,
    }


class Baseline:
    """The states before a regrade that is not complete, by student; `run` names the regrade."""

    def __init__(self, records: Path) -> None:
        self.path = records.with_name(records.name.removesuffix(".records.json") + ".before.jsonl")
        self.run = ""
        self.by_student = Shelf()
        for line in self._lines():
            if "run" in line:
                self.run = str(line["run"])
            elif isinstance(line.get("student"), str) and line["student"] not in self.by_student:
                self.by_student[line["student"]] = line

    def _lines(self) -> Iterator[Record]:
        if not self.path.is_file():
            return
        with self.path.open(encoding="utf-8", errors="replace") as file:
            for text in file:
                try:
                    line = json.loads(text)
                except ValueError:
                    continue  # the line that was being written when the process was killed
                if isinstance(line, dict):
                    yield line

    def keep(self, student: str, booked: Callable[[], Snapshot | None], record: Record | None) -> None:
        """Write down what a student has, unless that was done or there is nothing; only then is it overwritten."""
        if student in self.by_student:
            return
        found = booked()
        if found is None and record is None:
            return
        self.by_student[student] = state(student, found, record)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            if not self.run:
                self.run = uuid.uuid4().hex
                file.write(json.dumps({"run": self.run}).encode("ascii") + b"\n")
            # a line that was cut off by a kill must not swallow this one
            file.write(b"\n" + self.by_student.line(student) + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def drop(self, students: Iterable[str]) -> None:
        """Forget those whose changes have been written down; what is left belongs to another regrade."""
        for student in students:
            del self.by_student[student]
        self.run = uuid.uuid4().hex if self.by_student else ""
        if not self.by_student:
            self.path.unlink(missing_ok=True)
            return
        lines = [self.by_student.line(student) for student in self.by_student]
        write_atomic(self.path, b"\n".join([json.dumps({"run": self.run}).encode("ascii"), *lines]) + b"\n")
