"""What happened to each submission, kept so that a run that was killed goes on where it stopped.

Every finished submission is one line of a journal; at the end of a run the journal becomes <assignment>.records.json.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from coursekit.errors import CourseError
from coursekit.files import write_atomic

Record = dict[str, Any]

GRADED = "graded"
TIMED_OUT = "timed out"
KERNEL_DIED = "kernel died"
UNREADABLE = "unreadable"
MISSING = "missing"
FAILED = "failed"

# From harmless to grave: the state of a submission is the gravest of its notebooks.
STATES = (GRADED, TIMED_OUT, KERNEL_DIED, UNREADABLE, MISSING, FAILED)


class Records:
    """The records of one assignment, by student."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.journal = path.with_suffix(".journal.jsonl")
        self.by_student: dict[str, Record] = {}
        self._load()

    def _load(self) -> None:
        if self.path.is_file():
            try:
                stored = json.loads(self.path.read_bytes())
                self.by_student = {record["student"]: record for record in stored["records"]}
            except (ValueError, KeyError, TypeError) as error:
                raise CourseError(
                    f"{self.path} is broken ({error}). Delete it; the next `course grade` then grades everything again."
                ) from error
        for record in self._journal_lines():
            self.by_student[record["student"]] = record

    def _journal_lines(self) -> Iterator[Record]:
        if not self.journal.is_file():
            return
        for line in self.journal.read_text(encoding="utf-8", errors="replace").split("\n"):
            try:
                record = json.loads(line)
            except ValueError:
                continue  # the line that was being written when the process was killed
            if isinstance(record, dict) and "student" in record:
                yield record

    def add(self, record: Record) -> None:
        """Remember a record, on disk as well."""
        self.by_student[record["student"]] = record
        self.journal.parent.mkdir(parents=True, exist_ok=True)
        # a line that was cut off by a kill must not swallow this one
        with self.journal.open("a", encoding="utf-8") as file:
            file.write("\n" + json.dumps(record) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def finish(self, assignment: str) -> None:
        """Write the JSON file that reports and feedback read, then drop the journal."""
        records = [self.by_student[student] for student in sorted(self.by_student)]
        text = json.dumps({"assignment": assignment, "records": records}, indent=1, sort_keys=True)
        write_atomic(self.path, text.encode("utf-8"))
        self.journal.unlink(missing_ok=True)
