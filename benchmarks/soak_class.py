"""The class of the soak: healthy students with different answers, every tenth one faulty, in a seeded order."""

import copy
import json
import random
from dataclasses import dataclass
from pathlib import Path

import nbformat
from grading_fault_rows import Fault, answers
from grading_faults_inside import source
from soak_faults import ALL, FIRST_ONLY, FULL, GRADED, SECOND_ONLY, Outcome, expected

from coursekit.course import Course
from coursekit.release.release import release

PS, NB = "ps", "nb"
FAULTY_PART = 0.1
CONFIG = """c = get_config()
c.CourseDirectory.course_id = "soak"
c.Coursekit.preload = ["numpy", "numpy.testing"]
c.Coursekit.cell_seconds = 4
c.Coursekit.total_seconds = 20
c.Coursekit.memory_bytes = 300_000_000
c.Coursekit.processes = 40
c.Coursekit.disk_bytes = 20_000_000
"""
# What healthy students hand in, and the grades that they should have.
HEALTHY = (
    (answers(), FULL),
    (answers(double="def double(x):\n    return x"), SECOND_ONLY),
    (answers(square="def square(x):\n    return x * x if x < 6 else 0"), Outcome(GRADED, 3.5)),
    (answers(square="def square(x):\n    return 2 * x"), FIRST_ONLY),
)


@dataclass(frozen=True)
class Student:
    """One who hands in: the kind of submission, in words, and what right grading makes of it."""

    kind: str
    healthy: bool
    outcome: Outcome


def drawn(n: int, chance: random.Random) -> list[Fault | None]:
    """For each of n students the fault, or None; every kind of fault comes once before one comes again."""
    faulty: list[Fault] = []
    while len(faulty) < round(FAULTY_PART * n):
        faulty += chance.sample(ALL, len(ALL))
    places = set(chance.sample(range(n), round(FAULTY_PART * n)))
    coming = iter(faulty)
    return [next(coming) if index in places else None for index in range(n)]


def make_class(root: Path, n: int, chance: random.Random) -> dict[str, Student]:
    """A course in which n students have handed in, and what is to come of each."""
    folder = root / "source" / PS
    folder.mkdir(parents=True)
    (root / "nbgrader_config.py").write_text(CONFIG, encoding="utf-8")
    nbformat.write(source(), folder / f"{NB}.ipynb")
    course = Course(root)
    release(course, PS)
    given = json.loads((course.release(PS) / f"{NB}.ipynb").read_text(encoding="utf-8"))
    students = {}
    for index, fault in enumerate(drawn(n, chance)):
        name = f"student-{index:04d}"
        folder = course.submitted(PS, name)
        folder.mkdir(parents=True)
        make, outcome = HEALTHY[index % len(HEALTHY)] if fault is None else (fault.make, expected(fault))
        made = make(copy.deepcopy(given), folder)
        if made is not None:
            data = made if isinstance(made, bytes) else json.dumps(made).encode()
            (folder / f"{NB}.ipynb").write_bytes(data)
        kind = f"healthy, {outcome.points:g} points" if fault is None else f"{fault.row} {fault.what}"
        students[name] = Student(kind, fault is None, outcome)
    return students
