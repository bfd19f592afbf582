"""Runs in the cage: makes the course, hands in, lets `course grade` do its work, and packs up what came of it.

python driver.py '{"hostile": true, "options": [...]}'
"""

import fnmatch
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from dataclasses import dataclass, field
from typing import Any

import answers
import broken_files
import nbformat
from hostile_course import HEALTHY, NB, PS, answered, write_course
from scene import HOME, SECRET, Scene, processes

from coursekit.course import Course
from coursekit.feedback.feedback import feedback
from coursekit.release.release import release

ROOT = HOME / "course"
RECEIVED = "2026-02-02 12:00 UTC"  # two days late


@dataclass(frozen=True)
class Scenario:
    """What happens in one cage: who hands in beside the healthy students (patterns of names), and how is graded."""

    hostile: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    healthy: bool = True
    feedback: bool = False  # whether the feedback pages are written as well
    story: str = ""


def chosen(names: list[str], patterns: list[str]) -> list[str]:
    """The names that match one of the patterns."""
    return [name for name in names if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]


def hand_in(course: Course, patterns: list[str], *, healthy: bool) -> None:
    """The healthy students, and those of the hostile ones that match."""
    given = nbformat.read(course.release(PS) / f"{NB}.ipynb", as_version=4)

    def desk(name: str) -> broken_files.Desk:
        return broken_files.Desk(course.submitted(PS, name), given, course.source(PS))

    for name, different in HEALTHY.items() if healthy else ():
        desk(name).put(answered(given, **different))
    attacks = answers.all_attacks()
    for name in chosen(list(attacks), patterns):
        desk(name).put(answered(given, **attacks[name].answers))
    for name in chosen(list(broken_files.HANDED_IN), patterns):
        broken_files.HANDED_IN[name](desk(name))
    receipts = "".join(f"{name},{PS},{RECEIVED}\n" for name in broken_files.RECEIVED_LATE)
    (course.submitted(PS, "x").parent.parent / "receipts.csv").write_text(f"student,assignment,received\n{receipts}")


def grade(*options: str, kill_after: int | None = None) -> dict[str, Any]:
    """`course grade` in a process of its own; with `kill_after` it is killed once so many submissions are recorded."""
    begun = time.monotonic()
    with (ROOT / "grade.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "coursekit.cli", "--course", str(ROOT), "grade", PS, *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "COURSE_SECRET": SECRET},
            cwd=ROOT,
            start_new_session=True,
        )
        while kill_after is not None and process.poll() is None:
            if len(journal()) >= kill_after:
                process.kill()
            time.sleep(0.02)
        code = process.wait()
    return {"code": code, "seconds": time.monotonic() - begun}


def journal() -> list[str]:
    """Students of whom the grader has written down that it is done with them."""
    lines: list[str] = []
    for path in (ROOT / "autograded").glob(f"{PS}*.jsonl"):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                lines.append(json.loads(line)["student"])
            except (ValueError, TypeError, KeyError):
                continue
    return lines


def gradebook(course: Course) -> dict[str, dict[str, Any]]:
    """What the gradebook says of every submission: total, and the parts of each cell."""
    found: dict[str, dict[str, Any]] = {}
    with course.gradebook() as book:
        for submission in book.assignment_submissions(PS):
            cells = {
                grade.name: [grade.auto_score, grade.manual_score, grade.extra_credit, grade.needs_manual_grade]
                for notebook in submission.notebooks
                for grade in notebook.grades
            }
            found[submission.student.id] = {
                "score": submission.score,
                "late": submission.total_seconds_late,
                "needs_manual_grade": submission.needs_manual_grade,
                "cells": cells,
            }
    return found


def records(course: Course) -> dict[str, Any]:
    """What the grader has written down about every submission, while it has not been killed."""
    path = course.records_file(PS)
    stored = json.loads(path.read_text(encoding="utf-8"))["records"] if path.is_file() else []
    return {record["student"]: record for record in stored}


def snapshot(course: Course) -> dict[str, Any]:
    """Records, gradebook, and when each graded notebook was written."""
    written = {path.parent.parent.name: path.stat().st_mtime_ns for path in (ROOT / "autograded").glob("*/*/*.ipynb")}
    return {"records": records(course), "gradebook": gradebook(course), "journal": journal(), "written": written}


def story_plain(course: Course, scenario: Scenario) -> list[dict[str, Any]]:
    """Graded once."""
    return [grade(*scenario.options)]


def story_killed(course: Course, scenario: Scenario) -> list[dict[str, Any]]:
    """Killed several times, with what was there each time, then left to finish, then run once more for nothing."""
    runs = []
    for kill_after in (1, 5, None, None):
        runs.append(grade(*scenario.options, kill_after=kill_after))
        runs[-1] |= {"left": outlived(), **snapshot(course)}
    return runs


def outlived() -> list[str]:
    """Processes of the grader that are still there some seconds after it was killed."""
    end = time.monotonic() + 15
    while True:
        found = [command for pid, _, command, _ in processes() if pid != os.getpid() and "3600" not in command]
        if not found or time.monotonic() > end:
            return found
        time.sleep(0.1)


def story_again(course: Course, scenario: Scenario) -> list[dict[str, Any]]:
    """Three rounds: what was broken is mended, what was good is broken, and one cannot be stored in the second."""
    given = nbformat.read(course.release(PS) / f"{NB}.ipynb", as_version=4)
    good = nbformat.writes(answered(given)).encode()
    worse = nbformat.writes(answered(given, double="def double(x):\n    return 0")).encode()
    rounds = [
        {"mends": b"{", "breaks": good, "machine": good},
        {"mends": good, "breaks": b"", "machine": worse},
        {"mends": good, "breaks": good, "machine": worse},
    ]
    runs = []
    blocked = course.autograded(PS, "machine")
    for number, handed_in in enumerate(rounds):
        for name, data in handed_in.items():
            broken_files.Desk(course.submitted(PS, name), given, course.source(PS)).put(data)
        if number == 1:  # the disk has something else in the place of this student's folder
            shutil.rmtree(blocked)
            blocked.write_text("in the way")
        elif blocked.is_file():
            blocked.unlink()
        runs.append(grade(*scenario.options) | snapshot(course))
    return runs


STORIES = {"": story_plain, "killed": story_killed, "again": story_again}


def pack(course: Course, facts: dict[str, Any]) -> None:
    """The result file: facts, the gradebook's numbers, records, graded notebooks, the grader's own words."""
    (HOME / "facts.json").write_text(json.dumps(facts))
    with tarfile.open(HOME / "result.tar", "w") as archive:
        archive.add(HOME / "facts.json", "facts.json")
        for name in ("autograded", "feedback", "grade.log"):
            if (ROOT / name).exists():
                archive.add(ROOT / name, name)


def main() -> None:
    """One scenario."""
    scenario = Scenario(**json.loads(sys.argv[1]))
    begun = time.monotonic()
    course = Course(write_course(ROOT))
    release(course, PS)
    hand_in(course, scenario.hostile, healthy=scenario.healthy)
    scene = Scene()
    facts: dict[str, Any] = {"prepared": time.monotonic() - begun}
    facts["runs"] = STORIES[scenario.story](course, scenario)
    facts |= scene.facts()
    facts["gradebook"] = gradebook(course)
    if scenario.feedback:
        list(feedback(course, PS, progress=False))
    facts["seconds"] = time.monotonic() - begun
    pack(course, facts)


if __name__ == "__main__":
    main()
