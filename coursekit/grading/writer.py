"""The only one that writes: notebooks, gradebook, records and logs of one assignment.

A result is stored in three steps: notebooks, then the gradebook, then the record, which says that the other two are
there. Killed in between, the next run does the submission again.
"""

import contextlib
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

from coursekit import notebooks
from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.files import drop_left_over, write_atomic
from coursekit.grading import by_hand, changes
from coursekit.grading.assignment import Assignment
from coursekit.grading.baseline import Baseline
from coursekit.grading.booking import Booking
from coursekit.grading.dispatch import Task
from coursekit.grading.logs import log_file, write_log
from coursekit.grading.records import FAILED, STATES, Record, Records
from coursekit.grading.renewal import renew
from coursekit.grading.submissions import Submission

AGAIN = "Run `course grade` again; what was graded already is kept."


class Writer:
    """What is done with results."""

    def __init__(self, course: Course, assignment: Assignment, booking: Booking, records: Records) -> None:
        self.course, self.assignment, self.booking, self.records = course, assignment, booking, records
        self.booked = booking.booked()
        self.standings = booking.standings()
        self.baseline, self.tests = Baseline(records.path), changes.hashes_of_tests(assignment.tests)

    def is_done(self, student: str, hashes: Mapping[str, str]) -> bool:
        """Whether nothing that the grade depends on has changed, and the results are still where they belong."""
        record = self.records.by_student.get(student)
        if record is None or record["state"] == FAILED or record["hashes"] != hashes:
            return False
        folder = self.course.autograded(self.assignment.name, student)
        here = all((folder / f"{name}.ipynb").is_file() for name in self.assignment.tests)
        if not here or record.get("booked") != self.booked.get(student, "not in the gradebook"):
            return False
        return self.assignment.rubrics.refresh(folder)

    def renew(self, student: str) -> Record:
        """The record of a submission that need not run again; its penalty is made anew where that has changed."""
        return renew(self.booking, self.records, self.standings, student, self._keep)

    def _keep(self, student: str) -> None:
        """Write down what the student has, before it is overwritten."""
        self.baseline.keep(student, lambda: self.booking.snapshot(student), self.records.by_student.get(student))

    def _seen(self, student: str) -> by_hand.Answers:
        """For which answers a person has given points; on disk before what tells it is overwritten."""
        known = self.records.by_student.get(student)
        if known is None:
            return {}
        found = by_hand.seen(known, self.booking.by_hand(student))
        if found != known.get("by_hand", {}):
            self.records.add(known | {"by_hand": found})
        return found

    def store(self, task: Task) -> Record:
        """Store a graded submission; raises what stands in the way."""
        results, submission = task.results(), task.submission
        folder = self.course.autograded(self.assignment.name, submission.student)
        self._keep(submission.student)
        seen = self._seen(submission.student)
        drop_left_over(folder)
        for name, (data, _) in results.items():
            write_atomic(folder / f"{name}.ipynb", self.assignment.rubrics.insert(name, data))
        if submission.timestamp is not None:
            _write_if_new(folder / "timestamp.txt", f"{submission.timestamp} UTC\n".encode())
        load = notebooks.loads if self.booking.has_own_steps else notebooks.loads_marked
        executed = {name: load(data) for name, (data, _) in results.items()}
        found = {name: record for name, (_, record) in results.items()}
        record = _combine(self.assignment, submission, found, task.hashes) | task.notes | {"tests": self.tests}
        record |= by_hand.fields(by_hand.answers(executed), seen)
        return record | self.booking.save(submission.student, executed, submission.timestamp)

    def give_up(self, submission: Submission, hashes: dict[str, str], error: Exception) -> Record:
        """Say that a submission could not be graded, also where the results of an earlier one may be."""
        record = _failed(self.assignment, submission, hashes, error)
        try:
            self._keep(submission.student)
            record["by_hand"] = self._seen(submission.student)
            self.booking.forget(submission.student)  # first: the fault may be one of this student's folder
            folder = self.course.autograded(self.assignment.name, submission.student)
            for name in self.assignment.tests:
                (folder / f"{name}.ipynb").unlink(missing_ok=True)
        except CourseError:
            raise
        except Exception as other:  # the same fault again, perhaps; the record tells both
            record["details"] += "".join(traceback.format_exception(other))
        return record

    def finish(self, task: Task, error: Exception | None) -> Record:
        """Store what came of a submission, whatever it is, and remember it."""
        try:
            if error is not None:
                raise error
            record = self.store(task)
        except CourseError:
            raise
        except Exception as fault:  # one submission must never stop the others, whatever it did
            record = self.give_up(task.submission, task.hashes, fault)
        self.remember(record, task.troubles)
        return record

    def remember(self, record: Record, troubles: Sequence[str] = ()) -> None:
        """Write the log, then the record: from then on the submission is done."""
        record["graded_at"] = round(time.time(), 1)  # for the speed in the report
        with contextlib.suppress(OSError):  # a log is not worth a grade
            write_log(log_file(self.records.path, record["student"]), record, troubles)
        self.records.add(record)


def _write_if_new(path: Path, data: bytes) -> None:
    if not path.is_file() or path.read_bytes() != data:
        write_atomic(path, data)


def _failed(assignment: Assignment, submission: Submission, hashes: dict[str, str], error: Exception) -> Record:
    return {
        "assignment": assignment.name,
        "student": submission.student,
        "state": FAILED,
        "reason": f"The grader could not grade this submission: {type(error).__name__}: {error}.",
        "next_step": AGAIN,
        "repairs": submission.remarks,
        "score": None,
        "max_score": None,
        "late_seconds": 0.0,
        "late_penalty": 0.0,
        "needs_manual_grade": False,
        "seconds": 0.0,
        "hashes": hashes,
        "notebooks": {},
        "details": "".join(traceback.format_exception(error)),
    }


def _combine(
    assignment: Assignment, submission: Submission, found: dict[str, Record], hashes: dict[str, str]
) -> Record:
    gravest = max(found.values(), key=lambda record: STATES.index(record["state"]))
    repairs = submission.remarks + [text for record in found.values() for text in record["repairs"]]
    return {
        "assignment": assignment.name,
        "student": submission.student,
        "state": gravest["state"],
        "reason": gravest["reason"],
        "next_step": gravest["next_step"],
        "repairs": repairs,
        "seconds": round(sum(record["seconds"] for record in found.values()), 3),
        "hashes": hashes,
        "notebooks": found,
    }
