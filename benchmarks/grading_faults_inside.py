"""Runs in the cage: stock nbgrader meets one faulty submission after another, each between two healthy ones.

Usage: grading_faults_inside.py /out/found.json [row ...]. Every batch runs in a forked process with its own copy of the
course, as `nbgrader autograde ps` would run it, and what it left in the gradebook is read afterwards.
"""

import contextlib
import copy
import json
import logging
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
from grading_fault_answers import TEST_DOUBLE, TEST_SQUARE
from grading_fault_rows import ENDLESS_SECONDS, FAULTS, POINTS, Fault, answers
from nbformat.v4 import new_code_cell, new_notebook
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.converters import Autograde, GenerateAssignment
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

HOME = Path("/home/teacher")
ROOT = HOME / "course"  # where every batch finds its course
SECONDS = 60.0
LINGER = 0.3  # for what a submission left running
HEALTHY, FAULTY = ("ada", "zoe"), "mallory"


def course() -> tuple[CourseDirectory, Config]:
    config = Config()
    config.CourseDirectory.root, config.CourseDirectory.course_id = str(ROOT), "c"
    config.ExecutePreprocessor.timeout = ENDLESS_SECONDS
    config.Execute.timeout = ENDLESS_SECONDS
    return CourseDirectory(config=config, assignment_id="ps", student_id="*"), config


def source() -> Any:
    def mark(grade_id: str, **options: Any) -> dict[str, Any]:
        plain = {"grade": False, "solution": False, "locked": False, "task": False, "schema_version": 3}
        return {"nbgrader": {**plain, "grade_id": grade_id, **options}}

    def test(name: str, code: str) -> Any:
        return new_code_cell(code, metadata=mark(name, grade=True, locked=True, points=POINTS[name]))

    def answer(name: str) -> Any:
        body = "### BEGIN SOLUTION\nreturn {}\n### END SOLUTION".format("2 * x" if name == "double" else "x * x")
        code = f"def {name}(x):\n    " + body.replace("\n", "\n    ")
        return new_code_cell(code, metadata=mark(name, solution=True))

    cells = [answer("double"), test("test_double", TEST_DOUBLE), answer("square"), test("test_square", TEST_SQUARE)]
    nb = new_notebook(cells=cells)
    nb.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return nb


def make_course() -> None:
    folder = ROOT / "source" / "ps"
    folder.mkdir(parents=True)
    nbformat.write(source(), folder / "nb.ipynb")
    directory, config = course()
    GenerateAssignment(coursedir=directory, config=config, create_assignment=True).start()


def hand_in(student: str, made: Any) -> None:
    data = made if isinstance(made, bytes) else json.dumps(made).encode()
    (ROOT / "submitted" / student / "ps" / "nb.ipynb").write_bytes(data)


def submit(fault: Fault) -> None:
    release = json.loads((ROOT / "release" / "ps" / "nb.ipynb").read_text())
    for student in (*HEALTHY, FAULTY):
        (ROOT / "submitted" / student / "ps").mkdir(parents=True)
    for student in HEALTHY:
        hand_in(student, answers()(copy.deepcopy(release), ROOT / "submitted" / student / "ps"))
    made = fault.make(copy.deepcopy(release), ROOT / "submitted" / FAULTY / "ps")
    if made is not None:
        hand_in(FAULTY, made)


def batch() -> None:
    """What `nbgrader autograde ps` does; never returns."""
    code = 0
    try:
        directory, config = course()
        Autograde(coursedir=directory, config=config).start()
    except BaseException:  # whatever stops the batch is what is looked for here
        code = 1
    os._exit(code)


def wait(pid: int) -> str:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            died = os.WIFSIGNALED(status)
            return "the grader was killed" if died else "the batch failed" if os.WEXITSTATUS(status) else ""
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return f"the batch was not done after {SECONDS:.0f} s"


def score(student: str) -> str:
    """What the gradebook holds about a student."""
    with Gradebook(f"sqlite:///{ROOT}/gradebook.db", "c") as book:
        try:
            submission = book.find_submission("ps", student)
        except MissingEntry:
            return "not in the gradebook"
        text = f"{submission.score:g} of 5"
        return text + (", needs manual grading" if submission.needs_manual_grade else "")


def meet(fault: Fault) -> str:
    """One faulty submission between two healthy ones; what came of it, in words."""
    shutil.rmtree(ROOT, ignore_errors=True)
    shutil.copytree(HOME / "template", ROOT)
    (HOME / "grades.txt").write_text("precious")
    submit(fault)
    pid = os.fork()
    if pid == 0:
        batch()
    ended = wait(pid)
    time.sleep(LINGER)
    end_everything_else()
    parts = [score(FAULTY), fault.look(ROOT), ended]
    parts += [f"{student}, healthy: {found}" for student in HEALTHY if (found := score(student)) != "5 of 5"]
    return "; ".join(part for part in parts if part)


def end_everything_else() -> None:
    """Kill what detached itself: in the cage every other process is one that a submission left behind."""
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) not in (1, 2, os.getpid(), os.getppid()):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(int(name), signal.SIGKILL)


def main(out: Path, rows: list[int]) -> None:
    logging.disable(logging.CRITICAL)
    os.environ["TOKEN"] = "of the teacher"
    make_course()
    ROOT.rename(HOME / "template")
    found = [[fault.row, fault.what, meet(fault)] for fault in FAULTS if not rows or fault.row in rows]
    out.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(text) for text in sys.argv[2:]])
