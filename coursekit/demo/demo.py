"""`course demo`: an example class goes through release, grading, feedback and export, and everything is checked.

The class works in a course folder of its own: the gradebook and the submissions of the real course stay untouched.
"""

import contextlib
import logging
import os
import shutil
import sys
import time
import webbrowser
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from nbgrader.utils import parse_utc

from coursekit import notebooks
from coursekit.course import CONFIG_NAME, Course, find_root
from coursekit.demo.example_class import Example, ExampleClass, Key, write_submission
from coursekit.errors import CourseError
from coursekit.export import export
from coursekit.feedback.feedback import feedback
from coursekit.grading import grade
from coursekit.grading.environment import sandbox_data, sandbox_paths
from coursekit.grading.records import Record
from coursekit.grading.worker import GRADED, TIMED_OUT
from coursekit.release import release as releases
from coursekit.report.data import booked_grades
from coursekit.report.report import write_report
from coursekit.workers.crew import Crew, hire

BUSY = (
    "A cell that should have ended was stopped: this machine is busy or slow. "
    "Close other programs and run the demo again, or raise cell_seconds in the notebook's metadata."
)
OURS = ".course-demo"  # marks a folder that a demo made and that the next one may therefore remove
COPIED_CONFIG = "course_config.py"
DUE = "2027-01-31 23:59:00 UTC"
IN_TIME = timedelta(hours=-5)
LATE = timedelta(hours=3)


@dataclass(frozen=True)
class Outcome:
    """What came of one example, and what about it is not as it should be, as sentences."""

    example: Example
    points: float
    max_points: float
    problems: list[str]
    cut_short: bool  # stopped for lack of time although it was to end by itself


class Clock:
    """Times of the steps, printed as they end."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step; a step with the same name adds up."""
        begun = time.monotonic()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - begun

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in self.seconds.items())
        return f"Time: {parts}; {sum(self.seconds.values()):.1f} s in all."


def _empty_folder(out: Path, course: Course) -> None:
    """Make `out` anew; raises CourseError rather than remove anything that a demo did not make."""
    resolved = out.resolve()
    if course.root == resolved or course.root.is_relative_to(resolved):
        raise CourseError(f"{out} contains the course itself. Choose another folder for the demo with --out.")
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise CourseError(f"{out} is not a folder. Choose another place for the demo with --out.")
    if out.is_dir():
        if any(out.iterdir()) and not (out / OURS).is_file():
            raise CourseError(f"{out} holds files that no demo has made. Empty it, or choose another one with --out.")
        shutil.rmtree(out)
    out.mkdir(parents=True)
    (out / OURS).touch()


@contextlib.contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Let the processes of the grading import what lies in the real course's folder, such as the rule about answers."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(folder), before]))
    try:
        yield
    finally:
        os.environ.pop("PYTHONPATH")
        if before is not None:
            os.environ["PYTHONPATH"] = before


def _due_dates(course: Course, assignments: Sequence[str]) -> dict[str, str]:
    known = {str(name): str(date) for name, date in course.options.due_dates.items()}
    return {**dict.fromkeys(assignments, DUE), **known}


def make_course(out: Path, course: Course, assignments: Sequence[str]) -> Course:
    """A throw-away course in `out` with the same options and the named assignments; an earlier demo there is removed.

    Raises CourseError when `out` holds anything that no demo has made, or when the options lead out of it.
    """
    _empty_folder(out, course)
    shutil.copyfile(course.root / CONFIG_NAME, out / COPIED_CONFIG)
    lines = [
        '"""The course\'s own options, but for the places and the gradebook; made by `course demo`."""',
        "from pathlib import Path",
        f"load_subconfig({COPIED_CONFIG!r})",
        "c = get_config()",
        "here = Path(__file__).resolve().parent",
        "c.CourseDirectory.root = str(here)",
        "c.CourseDirectory.db_url = f\"sqlite:///{here / 'gradebook.db'}\"",
        f"c.Coursekit.due_dates = {_due_dates(course, assignments)!r}",
        f"c.Coursekit.sandbox_paths = {[str(path) for path in sandbox_paths(course)]!r}",
        f"c.Coursekit.sandbox_data = {[str(path) for path in sandbox_data(course)]!r}",
    ]
    (out / CONFIG_NAME).write_text("\n".join(lines) + "\n", encoding="utf-8")
    made = Course(out)
    for name in assignments:
        for folder in (made.source(name), made.release(name), made.submitted(name, "x"), made.autograded(name, "x")):
            if not folder.is_relative_to(made.root):
                raise CourseError(f"{COPIED_CONFIG} leads out of the demo's folder, to {folder}. Use relative folders.")
        skip = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
        shutil.copytree(course.source(name), made.source(name), ignore=skip)
    return made


def _hand_in(course: Course, assignment: str, examples: Sequence[Example]) -> None:
    due = parse_utc(_due_dates(course, [assignment])[assignment])
    for example in examples:
        when = due + (LATE if example.expected.late else IN_TIME)
        write_submission(course.submitted(assignment, example.student), example, f"{when:%Y-%m-%d %H:%M:%S} UTC")


def _points(course: Course, assignment: str) -> dict[Key, float]:
    """Points that each test cell can give."""
    return {
        (path.stem, str(notebooks.grade_id(cell))): notebooks.max_score(cell)
        for path in releases.source_notebooks(course, assignment)
        for cell in releases.read_source(path).cells
        if notebooks.is_test(cell)
    }


def _score_problems(example: Example, scores: Mapping[Key, float], points: Mapping[Key, float]) -> Iterator[str]:
    for key in sorted(points):
        got, most = scores.get(key), points[key]
        wanted = most if key in example.expected.full else 0.0 if key in example.expected.zero else None
        if got is None:
            yield f"{key[1]} has no points in the gradebook"
        elif wanted is not None and abs(got - wanted) > 1e-9:
            yield f"{key[1]} gave {got:g} of {most:g} points, and {wanted:g} were expected"


def _record_problems(example: Example, record: Record) -> Iterator[str]:
    expected = example.expected
    if record["state"] != expected.state:
        yield f"the state is '{record['state']}' ({record['reason'] or 'no reason'}), not '{expected.state}'"
    if record["state"] != GRADED and not (record["reason"] and record["next_step"]):
        yield f"the state '{record['state']}' has no reason or no next step"
    if (record["late_seconds"] > 0) != expected.late:
        yield "it is not marked as late" if expected.late else "it is marked as late and was not"
    told = " ".join(record["repairs"])
    if expected.repaired and f"'{expected.repaired}'" not in told:
        yield f"nothing says that {expected.repaired} was repaired"
    if not expected.repaired and told:
        yield f"something was repaired: {told}"


def judge(course: Course, assignment: str, examples: Sequence[Example], records: Mapping[str, Record]) -> list[Outcome]:
    """Compare the gradebook, the records and the feedback of the example class with what was expected of each."""
    with course.gradebook() as gradebook:
        grades = booked_grades(gradebook, assignment)
    points = _points(course, assignment)
    outcomes = []
    for example in examples:
        scores = {key: part.score for key, part in grades.get(example.student, {}).items() if part.graded}
        problems = list(_score_problems(example, scores, points))
        record = records[example.student]
        problems += _record_problems(example, record)
        if not list(course.feedback(assignment, example.student).glob("*.html")):
            problems.append("there is no feedback page")
        got = sum(score for key, score in scores.items() if key in points)
        cut_short = record["state"] == TIMED_OUT != example.expected.state
        outcomes.append(Outcome(example, got, sum(points.values()), problems, cut_short))
    return outcomes


def table(outcomes: Sequence[Outcome]) -> str:
    """One line for each example: who, what they did, points, and whether all is as it should be."""
    width = max(len(outcome.example.story) for outcome in outcomes)
    lines = []
    for outcome in outcomes:
        got = f"{outcome.points:g} / {outcome.max_points:g}"
        verdict = "as expected" if not outcome.problems else "NOT AS EXPECTED"
        lines.append(f"  {outcome.example.student:8}{outcome.example.story:{width}}  {got:>11}  {verdict}")
        lines += [f"    - {problem}" for problem in outcome.problems]
    return "\n".join(lines)


def _show(page: Path) -> None:
    """Open a page in a browser when somebody sits in front of one."""
    display = sys.platform in ("win32", "darwin") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if display and sys.stdout.isatty() and not os.environ.get("CI"):
        webbrowser.open(page.resolve().as_uri())


def _demonstrate(course: Course, assignment: str, crew: Crew, clock: Clock) -> tuple[list[Outcome], Path]:
    with clock.step("release"):
        releases.release(course, assignment)
    with clock.step("example class"):
        examples = ExampleClass(course, assignment).examples()
        _hand_in(course, assignment, examples)
    print(f"{assignment}: released; {len(examples)} example students have handed in. Grading ...", flush=True)
    with clock.step("grade"):
        records = {record["student"]: record for record, _ in grade.grade(course, assignment, crew=crew)}
    with clock.step("feedback"):
        pages = list(feedback(course, assignment))
    with clock.step("report"):
        about = {example.student: example.story for example in examples}
        page = write_report(course, assignment, course.root / f"report-{assignment}.html", about=about)
    outcomes = judge(course, assignment, examples, records)
    print(
        f"\n{assignment}: {len(records)} submissions graded, {len(pages)} feedback pages\n\n{table(outcomes)}\n",
        flush=True,
    )
    return outcomes, page


def run(assignments: Sequence[str], out: Path | str, course: Course | None = None, *, open_report: bool = True) -> int:
    """Take an example class of each assignment through the whole loop in the folder `out`; 0 when all is well.

    1 when something about the class is not as it should be. `course` is the course whose assignments they are, by
    default the nearest one. Raises CourseError when `out` cannot be used or an assignment cannot be released.
    """
    logging.getLogger("alembic").setLevel(logging.WARNING)
    course = Course(find_root(Path.cwd())) if course is None else course
    clock = Clock()
    with clock.step("set-up"):
        demo = make_course(Path(out), course, assignments)
    # the example class does no harm, so the demo also runs where there is no sandbox
    with _importable(course.root), hire(demo, trust=True) as crew:
        found = [_demonstrate(demo, assignment, crew, clock) for assignment in assignments]
    with clock.step("export"):
        grades = export(demo, demo.root / "grades.csv", assignments)
    print(clock)
    print(f"Grades: {grades}")
    for _, page in found:
        print(f"Report: {page}")
    outcomes = [outcome for part, _ in found for outcome in part]
    wrong = sum(bool(outcome.problems) for outcome in outcomes)
    print(f"{wrong} of the examples did not come out as expected." if wrong else "Every example came out as expected.")
    if any(outcome.cut_short for outcome in outcomes):
        print(BUSY)
    if open_report:
        for _, page in found:
            _show(page)
    return 1 if wrong else 0
