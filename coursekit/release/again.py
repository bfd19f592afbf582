"""`course release`, also when submissions have been graded: what changes is said before, and done whole or not at all.

The new folder is built beside the old one with a note of what the gradebook will hold. Then the gradebook is changed in
one transaction, then the folders are exchanged. Killed in between, the note tells the next command whether to finish.
"""

import contextlib
import filecmp
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from nbformat import NotebookNode

from coursekit import database, notebooks
from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.files import replace_folder, walk_files, write_atomic
from coursekit.grading.baseline import Baseline
from coursekit.grading.booking import Booking
from coursekit.grading.gradebook import HeldGradebook, register
from coursekit.grading.records import Records
from coursekit.grading.renewal import LOCK_NAME
from coursekit.lock import only_one
from coursekit.release import release, rows, telling
from coursekit.release.differences import REMOVED, Change, compare, other_texts
from coursekit.release.markers import Marks
from coursekit.release.rows import Held

_NOTE = "note.json"


@dataclass
class Plan:
    """What a release would change, and for whom."""

    assignment: str
    held: Held
    changes: list[Change]
    others: list[str]  # files and texts that students have and the gradebook does not know

    def losses(self) -> dict[tuple[str, str], dict[str, str]]:
        """What people gave for cells whose rows go: cell -> student -> points or a comment."""
        gone = {(change.notebook, change.cell) for change in self.changes if change.kind == REMOVED}
        gone |= {(change.notebook, change.cell) for change in self.changes if _drops_a_row(change)}
        return {key: given for key, given in self.held.by_hand.items() if key in gone}


def _drops_a_row(change: Change) -> bool:
    return not set(change.before.split()) - {"code", "markdown"} <= set(change.after.split())


def _staging(course: Course, assignment: str) -> Path:
    target = course.release(assignment)
    return target.with_name(f".{target.name}.again")


def _old_notebook(path: Path) -> NotebookNode | None:
    try:
        return notebooks.loads(path.read_bytes())
    except (OSError, ValueError, AttributeError, KeyError):
        return None  # never released, or broken; it is made anew in any case


def _others(built: Path, target: Path) -> list[str]:
    """Files and texts that differ and belong to no cell that the gradebook knows, as sentences."""
    wanted, found = _names(built), _names(target) if target.is_dir() else set()
    told = []
    for name in sorted(wanted & found):
        if filecmp.cmp(built / name, target / name, shallow=False):
            continue
        if not name.endswith(".ipynb"):
            told.append(f"the file {name}")
        elif other_texts(_old_notebook(target / name), notebooks.loads((built / name).read_bytes())):
            told.append(f"texts or settings of {name}")
    told += [f"the new file {name}" for name in sorted(wanted - found)]
    return told + [f"the file {name}, which is there no longer" for name in sorted(found - wanted)]


def _names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in walk_files(folder, (".ipynb_checkpoints", "__pycache__"))}


def make_plan(course: Course, assignment: str, built: Path, tests: Mapping[str, NotebookNode], held: Held) -> Plan:
    """Compare what was built with what students and gradebook have."""
    marks, target, changes = Marks.of(course.config), course.release(assignment), list[Change]()
    for name, nb in tests.items():
        old = _old_notebook(target / f"{name}.ipynb")
        new = notebooks.loads((built / f"{name}.ipynb").read_bytes())
        changes += compare(name, held.cells.get(name, {}), nb, (old, new), marks)
    for name in sorted(held.cells.keys() - tests.keys()):
        changes += [Change(REMOVED, name, cell) for cell in held.cells[name]]
    return Plan(assignment, held, changes, _others(built, target))


def _read_held(course: Course, assignment: str) -> Held:
    with HeldGradebook(course) as book:
        return rows.held(book, assignment)


def finish_or_forget(course: Course, assignment: str) -> bool:
    """Bring to an end what an earlier release was killed in: exchange the folders if the gradebook is the new one.

    Returns whether there was something to finish. Whoever calls this holds the lock.
    """
    staging = _staging(course, assignment)
    if not staging.is_dir():
        return False
    try:
        wanted = json.loads((staging / _NOTE).read_bytes())["gradebook"]
    except (OSError, ValueError, KeyError, TypeError):
        wanted = None  # killed while it was built
    finished = wanted is not None and wanted == rows.fingerprint(_read_held(course, assignment).cells)
    built, target = staging / "new", course.release(assignment)
    if finished and built.is_dir():
        replace_folder(built, target)
    elif not finished and not target.exists():  # an exchange that was stopped by somebody else than this
        raise CourseError(f"{target} is not there, and {staging} is no whole release. Put it back from a backup.")
    for old in target.parent.glob(f".{target.name[:40]}.*.old"):
        shutil.rmtree(old)
    shutil.rmtree(staging)
    return finished


@contextlib.contextmanager
def _alone(course: Course, assignment: str) -> Iterator[None]:
    path, directory = course.records_file(assignment).parent / LOCK_NAME, course.directory
    with only_one(path), database.only_one(directory.db_url, directory.course_id):
        yield


def _check_drops(plan: Plan, drop: Iterable[str]) -> None:
    """Refuse what would throw away the work of a person, unless it was said."""
    dropped = set(drop)
    gone = {change.cell for change in plan.changes if change.kind == REMOVED or _drops_a_row(change)}
    if unknown := dropped - gone:
        raise CourseError(f"--drop {', '.join(sorted(unknown))}: no such cell is removed. Nothing was changed.")
    kept = {key: given for key, given in plan.losses().items() if key[1] not in dropped}
    if kept:
        named = " ".join(f"--drop {cell}" for _, cell in kept)
        raise CourseError(
            f"Nothing was changed, because points or comments that people gave would be lost: {telling.losses(kept)}. "
            f"Give the cell its old name back, or say {named} if they are to go."
        )


def _remember(course: Course, assignment: str, students: Iterable[str]) -> None:
    """Write down what everybody has before it changes, for the table of changes after the next grading."""
    path = course.records_file(assignment)
    records, baseline = Records(path).by_student, Baseline(path)
    with Booking(course, assignment) as booking:
        for student in students:
            baseline.keep(student, partial(booking.snapshot, student), records.get(student))


def _do(course: Course, assignment: str, tests: Mapping[str, NotebookNode], plan: Plan) -> None:
    """Change gradebook and folder; everything that can fail has been tried before."""
    staging = _staging(course, assignment)
    note = {"gradebook": rows.fingerprint(rows.after(tests))}
    if plan.changes:
        _remember(course, assignment, plan.held.students)
    write_atomic(staging / _NOTE, json.dumps(note).encode())
    with HeldGradebook(course) as book, book.at_once():
        rows.bring_to(book, assignment, tests)
    finish_or_forget(course, assignment)


def release_again(
    course: Course, assignment: str, *, again: bool, drop: Iterable[str] = (), say: Callable[[str], None] = print
) -> Path:
    """Release an assignment; when somebody was graded and cells change only with `again`, after saying what changes.

    Raises CourseError, with nothing changed, without `again`, and when points that people gave would be lost of a cell
    that is not named in `drop`.
    """
    target, staging = course.release(assignment), _staging(course, assignment)
    target.parent.mkdir(parents=True, exist_ok=True)
    with _alone(course, assignment):
        finish_or_forget(course, assignment)
        held = _read_held(course, assignment)
        if not held.students:
            if drop := list(drop):
                raise CourseError(f"--drop {', '.join(drop)}: nobody has been graded, so nothing can be lost.")
            return release.release(course, assignment)
        try:
            release.write_release(course, assignment, staging / "new")
            tests = release.graded_notebooks(course, assignment)
            plan = make_plan(course, assignment, staging / "new", tests, held)
            if plan.changes and not again:
                raise CourseError(telling.refusal(plan.assignment, plan.held, plan.changes, plan.others))
            _check_drops(plan, drop)
            if again:
                say(telling.announcement(plan.assignment, plan.held, plan.changes, plan.others, plan.losses()))
            _do(course, assignment, tests, plan)
        except Exception:
            if staging.is_dir():  # what the gradebook has been told is finished, all else forgotten
                finish_or_forget(course, assignment)
            raise
        register(course, assignment, tests)  # due dates, and nbgrader's own look at the cells
    return target
