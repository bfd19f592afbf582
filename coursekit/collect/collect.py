"""`course collect`: a source is read student by student, every attempt kept, the newest put where it is graded."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

from nbgrader.api import MissingEntry

from coursekit.collect import entries, placing, sources
from coursekit.collect.attempts import Files, History, content, fingerprint, root
from coursekit.collect.handed import HandedIn
from coursekit.collect.outcomes import DATED, FAILED, NEW, OLDER, SAME, UNKNOWN, Outcome, Report
from coursekit.collect.people import People, people_of, wrong_id
from coursekit.collect.reading import budget_of, read_files
from coursekit.collect.times import Times
from coursekit.collect.times import read as read_times
from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.grading.grade import LOCK_NAME
from coursekit.intake import receipts
from coursekit.intake.archives import Refused
from coursekit.intake.names import shown
from coursekit.lock import only_one


def due_date(course: Course, assignment: str) -> datetime | None:
    """When an assignment is due (UTC): the configuration's date, otherwise the gradebook's."""
    text = course.options.due_dates.get(assignment)
    if text is not None:
        try:
            return receipts.when(str(text))
        except ValueError as error:
            raise CourseError(f"c.Coursekit.due_dates[{assignment!r}] = {text!r}: {error}.") from error
    with course.gradebook() as book:
        try:
            found = book.find_assignment(assignment).duedate
        except MissingEntry:
            return None
    return found if isinstance(found, datetime) else None


class _Collecting:
    """One run over one assignment."""

    def __init__(self, course: Course, assignment: str, kind: str, times: Times, zone: tzinfo) -> None:
        self.course, self.assignment, self.kind, self.times, self.zone = course, assignment, kind, times, zone
        self.expected = placing.check_expected(course, assignment)
        self.due = due_date(course, assignment)
        self.max_bytes = course.options.submission_bytes
        self.placed: dict[str, datetime] = {}

    def _time(self, one: HandedIn, student: str) -> tuple[datetime, bool]:
        """When it came, and whether a course server says so; what Canvas does not call late came before it was due."""
        known = self.times.of(student)
        if known is not None:
            return known, True
        dates = [each.entry.when for each in one.files if each.entry.when is not None]
        time = max(dates, default=datetime.now(UTC).replace(tzinfo=None, microsecond=0))
        if not dates:
            one.remarks.append("The source has no date: the time of collecting counts.")
        if one.is_late:
            one.remarks.append("Canvas calls it late; the time is that of the archive.")
        elif one.is_late is False and self.due is not None and time >= self.due:
            time = self.due - timedelta(minutes=1)
            one.remarks.append("In time, says Canvas; the time itself is not known.")
        elif self.kind == "moodle":
            one.remarks.append("The time is that of the archive.")
        return time, False

    def one(self, one: HandedIn) -> Outcome:
        """Collect what one student handed in."""
        if one.person is None or one.trouble:
            return Outcome(one.who, UNKNOWN if one.person is None else FAILED, len(one.files), remarks=[one.trouble])
        student = one.person.id
        if wrong := wrong_id(student):
            return Outcome(student, FAILED, len(one.files), remarks=[f"The id {wrong}."])
        files = read_files(one, self.expected, self.max_bytes)
        outcome = Outcome(student, FAILED, len(files), remarks=one.remarks)
        if not files:
            return outcome
        history = History(self.course, self.assignment, student)
        time, is_known = self._time(one, student)
        try:
            added = history.add(files, time, is_known=is_known)
            placed = self._place(history, one)
        except Refused as error:
            one.remarks.append(f"'submitted' was left as it is: what is there {error}. Move it away, collect again.")
            return outcome
        except OSError as error:
            one.remarks.append(f"It could not be written ({error.strerror or error}). Mend that, collect again.")
            return outcome
        if placed is not None:
            self.placed[student] = placed
        self._number(outcome, history, files, added)
        return outcome

    def _place(self, history: History, one: HandedIn) -> datetime | None:
        if history.is_placed():
            return None
        if placing.keep_foreign(self.course, history, self.expected, budget_of(self.max_bytes)):
            one.remarks.append("What lay in 'submitted' before is kept as an attempt of its own.")
        return placing.place(self.course, history, self.expected)

    def _number(self, outcome: Outcome, history: History, files: Files, added: str) -> None:
        known, wanted = history.all(), fingerprint(files)
        mine = next(i for i in reversed(range(len(known))) if fingerprint(content(known[i][1])) == wanted)
        outcome.attempt, outcome.received = mine + 1, known[mine][0]
        if mine + 1 < len(known):
            outcome.state = OLDER
            outcome.remarks.append("A later attempt is the one that is graded.")
        else:
            outcome.state = {"new": NEW, "dated": DATED}.get(added, NEW if outcome.who in self.placed else SAME)

    def finish(self) -> None:
        """Write the receipts, then note what was put in its place: a run that is killed before does it again."""
        if self.placed:
            placing.write_receipts(self.course, self.assignment, self.placed)
        for student in self.placed:
            history = History(self.course, self.assignment, student)
            newest = history.newest()
            if newest is not None:
                history.notes.placed = newest[1].name
                history.remember()


def _without_twins(handed_in: Iterable[HandedIn]) -> list[HandedIn]:
    """The same list; where two things are of one student, nobody can tell which counts, and neither does."""
    everything = list(handed_in)
    by_student: dict[str, list[HandedIn]] = defaultdict(list)
    for one in everything:
        if one.person is not None:
            by_student[one.person.id.casefold()].append(one)
    for several in by_student.values():
        for one in several if len(several) > 1 else ():
            others = ", ".join(f"'{shown(other.who, 40)}'" for other in several)
            one.trouble = f"Several in the source are of this student: {others}."
    return everything


def _notes(run: _Collecting, found: Sequence[str], outcomes: Sequence[Outcome], zone: tzinfo) -> list[str]:
    notes = [*run.times.remarks, *found]
    without = [o.who for o in outcomes if o.received is not None and run.times.of(o.who) is None]
    if without and run.kind != "folder":
        name = run.kind.capitalize()
        notes.append(
            f"{len(without)} without a time in --times: they have the time of the archive, which is mostly that of "
            f"its download, not of the submission. Before you grade, give {name}'s times with --times FILE."
        )
    if zone is UTC and without and run.kind != "folder":
        notes.append("Times of the archive are taken as UTC; --zone names another time zone.")
    return notes


def collect(
    course: Course,
    assignment: str,
    source: Path,
    *,
    kind: str | None = None,
    times: Path | None = None,
    zone: tzinfo = UTC,
) -> Report:
    """Collect an assignment from a zip archive or a folder; to do it again changes nothing.

    `kind` is "canvas", "moodle" or "folder", recognised when it is None; `times` a CSV file with times of receipt;
    `zone` the time zone of times that name none. Raises CourseError when nothing can be collected.
    """
    lock = course.records_file(assignment).parent / LOCK_NAME
    with only_one(lock), entries.opened(source, zone) as found:
        people: People = people_of(course)
        if not people.by_id:
            raise CourseError("The gradebook has no students. Import them first: `course roster FILE.csv`.")
        said = read_times(times, people, assignment, zone)
        kind, handed = sources.find(found, people, said, assignment, kind)
        run = _Collecting(course, assignment, kind, said, zone)
        placing.clear_left_over(course, assignment)
        outcomes = []
        try:
            for one in _without_twins(handed.handed_in):
                outcomes.append(run.one(one))
        finally:
            run.finish()
        outcomes.sort(key=lambda outcome: (outcome.state not in (UNKNOWN, FAILED), outcome.who))
        if root(course, assignment).is_dir():
            handed.notes.append(f"Every attempt is kept in {root(course, assignment)}.")
        return Report(kind, outcomes, _notes(run, handed.notes, outcomes, zone))
