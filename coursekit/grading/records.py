"""What happened to each submission, kept so that a run that was killed goes on where it stopped.

Every finished submission is one line of a journal; at the end of a run the journal becomes <assignment>.records.json.
"""

import json
import os
import zlib
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

from coursekit.errors import CourseError
from coursekit.files import drop_left_over, write_atomic

Record = dict[str, Any]

GRADED = "graded"
TIMED_OUT = "timed out"
KERNEL_DIED = "kernel died"
UNREADABLE = "unreadable"
MISSING = "missing"
FAILED = "failed"

# From harmless to grave: the state of a submission is the gravest of its notebooks.
STATES = (GRADED, TIMED_OUT, KERNEL_DIED, UNREADABLE, MISSING, FAILED)


class Shelf(MutableMapping[str, Record]):
    """Records by student, each one packed until somebody asks for it: a class of a thousand takes a few megabytes."""

    def __init__(self) -> None:
        self._packed: dict[str, bytes] = {}

    def line(self, student: str) -> bytes:
        """A student's record as one line of JSON."""
        return zlib.decompress(self._packed[student])

    def __getitem__(self, student: str) -> Record:
        record: Record = json.loads(self.line(student))
        return record

    def __setitem__(self, student: str, record: Record) -> None:
        self._packed[student] = zlib.compress(json.dumps(record, sort_keys=True).encode("ascii"), 1)

    def __delitem__(self, student: str) -> None:
        del self._packed[student]

    def __iter__(self) -> Iterator[str]:
        return iter(self._packed)

    def __len__(self) -> int:
        return len(self._packed)


class Records:
    """The records of one assignment, by student."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.journal = path.with_suffix(".journal.jsonl")
        self.by_student = Shelf()
        self._load()

    def _load(self) -> None:
        if self.path.is_file():
            try:
                for record in json.loads(self.path.read_bytes())["records"]:
                    self.by_student[record["student"]] = record
            except (ValueError, KeyError, TypeError) as error:
                raise CourseError(
                    f"{self.path} is broken ({error}). Delete it; the next `course grade` then grades everything again."
                ) from error
        for record in self._journal_lines():
            self.by_student[record["student"]] = record

    def _journal_lines(self) -> Iterator[Record]:
        if not self.journal.is_file():
            return
        with self.journal.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                try:
                    record = json.loads(line)
                except ValueError:
                    continue  # the line that was being written when the process was killed
                if isinstance(record, dict) and isinstance(record.get("student"), str):
                    yield record

    def add(self, record: Record) -> None:
        """Remember a record, on disk as well."""
        self.by_student[record["student"]] = record
        self.journal.parent.mkdir(parents=True, exist_ok=True)
        # a line that was cut off by a kill must not swallow this one
        with self.journal.open("ab") as file:
            file.write(b"\n" + self.by_student.line(record["student"]) + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def finish(self, assignment: str) -> None:
        """Write the JSON file that reports and feedback read, one record a line, then drop the journal."""
        drop_left_over(self.path.parent)
        lines = [self.by_student.line(student) for student in sorted(self.by_student)]
        start = b'{"assignment": ' + json.dumps(assignment).encode("ascii") + b', "records": [\n'
        write_atomic(self.path, start + b",\n".join(lines) + b"\n]}\n")
        self.journal.unlink(missing_ok=True)
