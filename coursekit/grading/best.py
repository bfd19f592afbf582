"""Grades every attempt of a student and books the best one, late penalties taken off."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from coursekit.errors import CourseError
from coursekit.grading import attempts
from coursekit.grading.attempts import Kept
from coursekit.grading.by_hand import Given, Key
from coursekit.grading.dispatch import Dispatcher, Task
from coursekit.grading.records import Record
from coursekit.grading.submissions import Submission
from coursekit.grading.writer import Writer

Ready = tuple[Record, bool]  # a record, and whether it is new


@dataclass
class _Student:
    """The attempts of one student, those that are being graded, and what went wrong with them."""

    attempts: list[Submission]
    keys: list[str]
    hashes: dict[str, str]
    kept: Kept
    waiting: set[str] = field(default_factory=set)
    has_run: bool = False
    error: Exception | None = None
    troubles: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.attempts[-1].student


class BestOf:
    """The attempts of an assignment's students, from reading to booking."""

    def __init__(
        self, writer: Writer, dispatcher: Dispatcher, ours: dict[str, str], files: set[str], *, force: bool
    ) -> None:
        self.writer, self.dispatcher, self.ours, self.files, self.force = writer, dispatcher, ours, files, force
        self._students: dict[str, _Student] = {}

    def read(self, name: str) -> _Student:
        """Everything that a student has handed in; raises what reading raises."""
        course, assignment = self.writer.course, self.dispatcher.assignment
        found = attempts.read_all(course, assignment.name, name, sorted(assignment.tests), self.files)
        keys = [attempts.key_of(attempt) for attempt in found]
        kept = Kept(self.writer.records.path, name, self.ours)
        return _Student(found, keys, {"submission": attempts.digest_of(found), **self.ours}, kept)

    def begin(self, student: _Student) -> Ready | None:
        """Start the attempts that have no result yet; where all have one, the record."""
        missing = {
            key: attempt
            for key, attempt in zip(student.keys, student.attempts, strict=True)
            if self.force or student.kept.points(key) is None
        }
        if not missing:
            return self._settle(student)
        student.waiting, student.has_run = set(missing), True
        self._students[student.name] = student
        for key, attempt in missing.items():
            self.dispatcher.start(attempt, {"submission": key, **self.ours})
        return None

    def finish(self, task: Task, error: Exception | None) -> Ready | None:
        """Keep what came of an attempt; after the last one of its student the record."""
        student, key = self._students[task.submission.student], task.hashes["submission"]
        try:
            if error is not None:
                raise error
            student.kept.add(key, task.results())
        except Exception as fault:  # one attempt must never stop the others, whatever it did
            student.error = fault
        student.waiting.discard(key)
        student.troubles += task.troubles
        if student.waiting:
            return None
        del self._students[student.name]
        if student.error is None:
            return self._settle(student)
        return self._give_up(student, student.error)

    def _give_up(self, student: _Student, error: Exception) -> Ready:
        record = self.writer.give_up(student.attempts[-1], student.hashes, error)
        self.writer.remember(record, student.troubles)
        return record, True

    def _settle(self, student: _Student) -> Ready:
        """Book the best attempt, unless it is booked already."""
        try:
            given = self.writer.booking.by_hand(student.name)
            listed = self._listed(student, given)
            place = next(index for index, row in enumerate(listed) if row["counts"])
            if not self._is_booked(student, listed[place]["key"]):
                return self._book(student, place, listed), True
            record = self.writer.renew(student.name)
            if record.get("attempts") != listed:
                record = record | {"attempts": listed}
                self.writer.records.add(record)
            return record, False
        except CourseError:
            raise
        except Exception as fault:  # such as a plugin for penalties that fails
            return self._give_up(student, fault)

    def _listed(self, student: _Student, given: Mapping[Key, Given]) -> list[Record]:
        """What a record says of each attempt: time, points and penalty, and whether it counts."""
        rows = []
        for key, attempt in zip(student.keys, student.attempts, strict=True):
            head = student.kept.points(key)
            if head is None:
                raise OSError(f"what came of an attempt cannot be read again from {student.kept.folder}")
            scores = {name: attempts.score_of(cells, name, given) for name, cells in head["cells"].items()}
            rows.append({"key": key, **self._time(attempt), **self._worth(student.name, scores, attempt)})
        best = attempts.best_of(rows)
        return [{**row, "counts": index == best} for index, row in enumerate(rows)]

    def _time(self, attempt: Submission) -> Record:
        return {"received": f"{attempt.timestamp:{attempts.FORMAT}}" if attempt.timestamp else None}

    def _worth(self, name: str, scores: Mapping[str, float], attempt: Submission) -> Record:
        lateness, standing = self.writer.booking.lateness, self.writer.standings.get(name)
        extension = lateness.extension(name, standing.extension if standing else None)
        seconds = lateness.seconds(attempt.timestamp, extension)
        penalty = sum(lateness.penalty(name, score, seconds) or 0.0 for score in scores.values())
        total = sum(scores.values())
        return {
            "score": max(0.0, total - (penalty if lateness.applies else 0.0)),
            "late_seconds": seconds,
            "late_penalty": penalty if lateness.applies else 0.0,
        }

    def _is_booked(self, student: _Student, key: str) -> bool:
        if student.has_run or not self.writer.is_done(student.name, student.hashes):
            return False
        known = self.writer.records.by_student[student.name].get("attempts", [])
        return any(row["counts"] and row["key"] == key for row in known)

    def _book(self, student: _Student, place: int, listed: list[Record]) -> Record:
        results = student.kept.results(student.keys[place])
        task = Task(student.attempts[place], student.hashes)
        task.futures = {name: attempts.done(result) for name, result in results.items()}
        task.troubles, task.notes = student.troubles, {"attempts": listed}
        student.kept.keep_only(set(student.keys))
        return self.writer.finish(task, None)
