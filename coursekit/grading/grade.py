"""`course grade`: every submission of an assignment, one bad one never stopping the others.

Workers grade, this process alone writes, and whatever it has not written the next run does again.
"""

import contextlib
from collections.abc import Iterable, Iterator

from coursekit import database
from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.files import digest
from coursekit.grading import changes, environment, submissions
from coursekit.grading.assignment import prepare
from coursekit.grading.attempts import BEST, which_counts
from coursekit.grading.best import BestOf
from coursekit.grading.booking import Booking
from coursekit.grading.dispatch import Dispatcher
from coursekit.grading.progress import Progress
from coursekit.grading.records import GRADED, KERNEL_DIED, TIMED_OUT, Record, Records
from coursekit.grading.renewal import LOCK_NAME
from coursekit.grading.submissions import Submission
from coursekit.grading.writer import Writer
from coursekit.lock import only_one
from coursekit.workers.crew import Crew, hire


def was_graded(record: Record) -> bool:
    """Whether the submission could be graded at all (a wrong answer is graded; an unreadable file is not)."""
    return record["state"] in (GRADED, TIMED_OUT, KERNEL_DIED)


class _Batch:
    """One run over one assignment."""

    def __init__(self, writer: Writer, dispatcher: Dispatcher, environment: str, *, force: bool) -> None:
        self.writer, self.dispatcher, self.force = writer, dispatcher, force
        assignment = dispatcher.assignment
        self.ours = {"assignment": assignment.digest(), "environment": environment}
        self.files = {file.split("/", 1)[0] for file in assignment.files}
        rule = which_counts(writer.course.options, assignment.name)
        self.best = BestOf(writer, dispatcher, self.ours, self.files, force=force) if rule == BEST else None

    def _begin(self, student: str) -> tuple[Record, bool] | None:
        """Start a submission, or return what became of it without grading."""
        writer, assignment = self.writer, self.dispatcher.assignment
        expected = sorted(assignment.tests)
        try:
            if self.best is not None:
                several = self.best.read(student)
            else:
                submission = submissions.read(writer.course, assignment.name, student, expected, self.files)
                hashes = {"submission": submission.digest(), **self.ours}
                if not self.force and writer.is_done(student, hashes):
                    return writer.renew(student), False
        except CourseError:
            raise
        except Exception as error:  # reading can fail in every way there is, and the others are still to come
            unread = Submission(student, dict.fromkeys(expected))
            record = writer.give_up(unread, self.ours, error)
            writer.remember(record)
            return record, True
        if self.best is not None:
            return self.best.begin(several)
        self.dispatcher.start(submission, hashes)
        return None

    def run(self, students: Iterable[str]) -> Iterator[tuple[Record, bool]]:
        """Each record and whether it is new, in the order in which they are done."""
        coming = iter(students)
        more = True
        while more or self.dispatcher.waiting:
            while more and self.dispatcher.has_room():
                student = next(coming, None)
                more = student is not None
                if student is not None and (ready := self._begin(student)) is not None:
                    yield ready
            if self.dispatcher.waiting:
                for task, error in self.dispatcher.finished():
                    if self.best is None:
                        yield self.writer.finish(task, error), True
                    elif (ready := self.best.finish(task, error)) is not None:
                        yield ready


def _wanted(course: Course, name: str, students: Iterable[str]) -> list[str]:
    chosen = set(students)
    wanted = [student for student in course.students(name) if not chosen or student in chosen]
    if missing := chosen - set(wanted):
        raise CourseError(f"Nothing of {', '.join(sorted(missing))} was handed in for {name}.")
    return wanted


def grade(
    course: Course,
    name: str,
    *,
    students: Iterable[str] = (),
    force: bool = False,
    trust: bool = False,
    workers: int | None = None,
    crew: Crew | None = None,
    progress: bool = True,
) -> Iterator[tuple[Record, bool]]:
    """Grade an assignment; yields each record and whether it is new, as they are done, and keeps every one.

    A submission is skipped when nothing that its grade depends on has changed, unless `force`. Manual scores stay.
    Without a `crew` of your own, `workers` processes on this computer grade; `trust` as in `crew.hire`. Raises
    CourseError when nothing can be graded, or when somebody else is grading this course.
    """
    path = course.records_file(name)
    with contextlib.ExitStack() as stack:
        stack.enter_context(only_one(path.parent / LOCK_NAME))
        stack.enter_context(database.only_one(course.directory.db_url, course.directory.course_id))
        wanted = _wanted(course, name, students)
        assignment = prepare(course, name)
        crew = crew or stack.enter_context(hire(course, trust=trust, workers=workers))
        crew.allow(assignment.most_seconds())
        known = environment.describe(course, sandbox=crew.sandbox)
        records = Records(path)
        stack.callback(records.finish, name)
        booking = stack.enter_context(Booking(course, name))
        dispatcher = Dispatcher(crew, assignment, course.options.attempts)
        stack.callback(dispatcher.cancel)
        writer = Writer(course, assignment, booking, records)
        batch = _Batch(
            writer,
            dispatcher,
            digest(repr(sorted(known.items())).encode()),
            force=force,
        )
        with Progress(name, len(wanted), shown=progress) as bar:
            for record, is_new in batch.run(wanted):
                for text in crew.news():
                    bar.say(text)
                bar.add(record, is_new)
                yield record, is_new
        changes.conclude(path, writer.baseline, booking.snapshot, records.by_student, wanted)
