"""`course grade`: every submission of an assignment, one bad one never stopping the others."""

import traceback
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any

import nbformat
from tqdm import tqdm

from coursekit import gradebook, notebooks, release, submissions
from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.files import digest, write_atomic
from coursekit.markers import Marks
from coursekit.records import FAILED, GRADED, KERNEL_DIED, STATES, TIMED_OUT, Record, Records
from coursekit.submissions import Submission
from coursekit.worker import Limits, grade_notebook

AGAIN = "Run `course grade` again; what was graded already is kept."


class InOrderExecutor(Executor):
    """Runs each task when it is submitted, in this process: the simplest executor there is."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run the task now; what it raises is kept in the future, but for an interrupt, which goes through."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@dataclass(frozen=True)
class Assignment:
    """What is the same for every submission of an assignment, as bytes."""

    name: str
    releases: dict[str, bytes]
    tests: dict[str, bytes]
    files: dict[str, bytes]
    limits: Limits

    def digest(self) -> str:
        """Hash of everything on our side that a grade depends on."""
        parts = [repr(sorted(self.limits.environment.items())).encode(), self.limits.answer_rule.encode()]
        for bundle in (self.releases, self.tests, self.files):
            for name, data in sorted(bundle.items()):
                parts += [name.encode(), data]
        return digest(*parts)


@dataclass(frozen=True)
class Task:
    """One submission that the executor has been given."""

    submission: Submission
    hashes: dict[str, str]
    futures: dict[str, Future[Any]]


def limits_of(course: Course) -> Limits:
    """The course's options in the form that a worker takes."""
    options = course.options
    return Limits(
        cell_seconds=options.cell_seconds,
        total_seconds=options.total_seconds,
        setup_seconds=options.setup_seconds,
        output_bytes=options.output_bytes,
        time_factor=options.time_factor,
        answer_rule=options.answer_rule,
        import_paths=(str(course.root),),
        environment={"NBGRADER_EXECUTION": "autograde", **options.kernel_environment},
        hidden_marks=Marks.of(course.config).hidden,
    )


def prepare(course: Course, name: str) -> Assignment:
    """Register the assignment in the gradebook and collect what its workers need."""
    tests = release.graded_notebooks(course, name)
    gradebook.register(course, name, tests)
    releases = release.release_bytes(course, name)
    if missing := set(tests) - set(releases):
        raise CourseError(f"{name}: {sorted(missing)} not released yet. Run `course release {name}` first.")
    source = course.source(name)
    return Assignment(
        name=name,
        releases={notebook: data for notebook, data in releases.items() if notebook in tests},
        tests={notebook: notebooks.dumps(nb) for notebook, nb in tests.items()},
        files={path.relative_to(source).as_posix(): path.read_bytes() for path in release.other_files(course, name)},
        limits=limits_of(course),
    )


def _is_done(course: Course, assignment: Assignment, record: Record | None, hashes: dict[str, str]) -> bool:
    """Whether the record is of the same submission and the same tests, and its results are still where they belong."""
    if record is None or record["state"] == FAILED or record["hashes"] != hashes:
        return False
    folder = course.autograded(assignment.name, record["student"])
    if not all((folder / f"{name}.ipynb").is_file() for name in assignment.tests):
        return False
    with course.gradebook() as book:
        return gradebook.is_known(book, assignment.name, record["student"])


def _start(executor: Executor, assignment: Assignment, submission: Submission) -> dict[str, Future[Any]]:
    return {
        name: executor.submit(
            grade_notebook,
            submission.notebooks[name],
            assignment.releases[name],
            assignment.tests[name],
            assignment.limits,
            assignment.files,
            submission.problems.get(name, ""),
        )
        for name in sorted(assignment.tests)
    }


def _store(course: Course, assignment: Assignment, submission: Submission, graded: dict[str, bytes]) -> dict[str, Any]:
    """Notebooks first, then the gradebook: a kill in between only means that this submission is graded again."""
    folder = course.autograded(assignment.name, submission.student)
    for name, data in graded.items():
        write_atomic(folder / f"{name}.ipynb", data)
    if submission.timestamp is not None:
        write_atomic(folder / "timestamp.txt", f"{submission.timestamp} UTC\n".encode())
    executed = {name: nbformat.reads(data.decode("utf-8"), as_version=4) for name, data in graded.items()}
    gradebook.save(course, assignment.name, submission.student, executed, submission.timestamp)
    with course.gradebook() as book:
        return gradebook.scores(book, assignment.name, submission.student)


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


def _finish(course: Course, assignment: Assignment, task: Task) -> Record:
    try:
        results = {name: future.result() for name, future in task.futures.items()}
        found = {name: record for name, (_, record) in results.items()}
        record = _combine(assignment, task.submission, found, task.hashes)
        record |= _store(course, assignment, task.submission, {name: data for name, (data, _) in results.items()})
    except Exception as error:  # one submission must never stop the others, whatever it did
        return _failed(assignment, task.submission, task.hashes, error)
    return record


def grade(
    course: Course,
    name: str,
    *,
    students: Iterable[str] = (),
    again: bool = False,
    executor: Executor | None = None,
    ahead: int = 1,
    progress: bool = True,
) -> Iterator[tuple[Record, bool]]:
    """Grade an assignment; yields each record and whether it is new, and keeps every one that is done.

    A submission is skipped when nothing that its grade depends on has changed, unless `again`. Manual scores stay. At
    most `ahead` submissions are with the executor before the first is stored: 1 without an executor of your own.
    """
    assignment = prepare(course, name)
    records = Records(course.records_file(name))
    chosen = set(students)
    wanted = [student for student in course.students(name) if not chosen or student in chosen]
    if missing := chosen - set(wanted):
        raise CourseError(f"Nothing of {', '.join(sorted(missing))} was handed in for {name}.")
    ours = assignment.digest()
    used = {file.split("/", 1)[0] for file in assignment.files}
    waiting: deque[Task] = deque()
    bar = tqdm(total=len(wanted), unit="submission", desc=name, disable=not progress)

    def done(record: Record, is_new: bool) -> tuple[Record, bool]:
        bar.update()
        bar.set_postfix_str(f"{record['student']}: {record['state']}")
        if is_new:
            records.add(record)
        return record, is_new

    try:
        for student in wanted:
            submission = submissions.read(course, name, student, sorted(assignment.tests), used)
            hashes = {"submission": submission.digest(), "assignment": ours}
            if not again and _is_done(course, assignment, records.by_student.get(student), hashes):
                yield done(records.by_student[student], False)
                continue
            waiting.append(Task(submission, hashes, _start(executor or InOrderExecutor(), assignment, submission)))
            if len(waiting) >= ahead:
                yield done(_finish(course, assignment, waiting.popleft()), True)
        while waiting:
            yield done(_finish(course, assignment, waiting.popleft()), True)
    finally:
        bar.close()
        records.finish(name)


def was_graded(record: Record) -> bool:
    """Whether the submission could be graded at all (a wrong answer is graded; an unreadable file is not)."""
    return record["state"] in (GRADED, TIMED_OUT, KERNEL_DIED)
