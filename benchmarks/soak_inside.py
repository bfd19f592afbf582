"""Runs in the cage: a class is graded by `course grade`, which is killed at random moments and resumed.

Usage: soak_inside.py /out/found.json SUBMISSIONS KILLS SEED
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import soak_traces as traces
from soak_class import NB, PS, Student, make_class

from coursekit.course import Course
from coursekit.grading.records import Records

HOME = Path("/home/teacher")
ROOT = HOME / "course"
WORKERS = 2
LOOK_SECONDS = 0.1
SECONDS = 1500.0  # for one run: what takes longer has come to a halt
KNOWN = {f"{NB}.ipynb", "timestamp.txt", f"{PS}.records.json", ".course-grade.lock"}


@dataclass
class Soak:
    """What was seen while the class was graded."""

    kills: list[float] = field(default_factory=list)
    left_running: list[str] = field(default_factory=list)
    done: list[int] = field(default_factory=list)  # submissions in the journal at the end of each run
    codes: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    descriptors: dict[str, int] = field(
        default_factory=dict
    )  # the most that a process of this role had more at its end


def journal(course: Course) -> Path:
    return Records(course.records_file(PS)).journal


def lines(path: Path) -> list[dict[str, Any]]:
    """Whole lines of the journal; the last may have been cut off by a kill."""
    found = []
    for line in path.read_bytes().splitlines() if path.is_file() else []:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def grade(soak: Soak, path: Path, kill_at: int | None, delay: float) -> None:
    """`course grade`; killed `delay` seconds after the journal has the line `kill_at`."""
    begun, before = time.monotonic(), len(lines(path))
    command = [sys.executable, "-m", "coursekit.cli", "--course", str(ROOT), "grade", PS, "--workers", str(WORKERS)]
    with (HOME / "grade.log").open("ab") as log:
        process = psutil.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT, env=environment())
    descriptors, size, count = traces.Descriptors(), -1, 0
    while process.poll() is None:
        if time.monotonic() - begun > SECONDS:
            process.kill()
            raise SystemExit(f"`course grade` was not done after {SECONDS:.0f} s")
        if path.is_file() and path.stat().st_size != size:
            size, count = path.stat().st_size, path.read_bytes().count(b"}\n")
        if count > before:  # the workers are there
            descriptors.look(process)
        if kill_at is not None and count >= kill_at:
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
            soak.kills.append(time.monotonic() - begun)
            break
        time.sleep(LOOK_SECONDS)
    soak.codes.append(process.wait())
    soak.seconds.append(time.monotonic() - begun)
    soak.done.append(len(lines(path)))
    soak.left_running += traces.outliving()
    for role, more in descriptors.growth().items():
        soak.descriptors[role] = max(more, soak.descriptors.get(role, more))


def environment() -> dict[str, str]:
    return {**os.environ, "TOKEN": "of the teacher"}


def moments(n: int, kills: int, chance: random.Random) -> list[tuple[int, float]]:
    """After how many submissions, and how many seconds later; the first comes while workers start, before any."""
    counts = sorted(chance.sample(range(1, max(n - 2 * WORKERS, kills + 1)), kills))
    return [
        (0 if index == 0 else count, chance.uniform(0, 8 if index == 0 else 1)) for index, count in enumerate(counts)
    ]


def booked(course: Course) -> dict[str, list[float]]:
    """Scores of everything that the gradebook has of each student."""
    found: dict[str, list[float]] = {}
    with course.gradebook() as book:
        for submission in book.assignment_submissions(PS):
            found.setdefault(submission.student.id, []).append(float(submission.score))
    return found


def twice(before: list[dict[str, Any]], final: dict[str, dict[str, Any]]) -> list[str]:
    """Students who were graded again although the journal had them when the grader was killed for the last time."""
    counts = Counter(line["student"] for line in before)
    found = {student for student, count in counts.items() if count > 1}
    found |= {line["student"] for line in before if line["graded_at"] != final[line["student"]]["graded_at"]}
    return sorted(found)


def wrong(
    students: dict[str, Student], final: dict[str, dict[str, Any]], scores: dict[str, list[float]]
) -> list[dict[str, Any]]:
    """Kind, state, scores and reason of all whose grade is not the one that they should have."""
    found = []
    for name, student in students.items():
        record, score = final.get(name, {}), scores.get(name, [])
        points = score if student.outcome.points is None else [student.outcome.points]
        states = (student.outcome.state, student.outcome.or_state)
        if record.get("state") not in states or score != points:
            found.append(
                {
                    "student": name,
                    "healthy": student.healthy,
                    "kind": student.kind,
                    "state": record.get("state"),
                    "scores": score,
                    "reason": record.get("reason", ""),
                }
            )
    return found


def main(out: Path, n: int, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    students = make_class(ROOT, n, chance)
    course, soak = Course(ROOT), Soak()
    (HOME / "grades.txt").write_text("precious")
    path = journal(course)
    (HOME / "grade.log").touch()
    files, segments = traces.files(HOME, ROOT), traces.segments()
    for count, delay in moments(n, kills, chance):
        grade(soak, path, count, delay)
    before = lines(path)
    grade(soak, path, None, 0.0)
    final = Records(course.records_file(PS)).by_student
    scores = booked(course)
    log = (HOME / "grade.log").read_text(encoding="utf-8", errors="replace")
    found = {
        "log": log[-3000:],
        "seconds": soak.seconds,
        "kills": soak.kills,
        "codes": soak.codes,
        "done": [*soak.done[:-1], len(final)],  # the last run puts the journal away
        "submissions": len(students),
        "faulty": sum(not student.healthy for student in students.values()),
        "kinds": len({student.kind for student in students.values() if not student.healthy}),
        "graded": len(final.keys() & scores.keys()),
        "rows": sum(map(len, scores.values())),
        "kept": len(before),
        "twice": twice(before, dict(final)),
        "wrong": wrong(students, dict(final), scores),
        "left_running": soak.left_running,
        "left_files": sorted(traces.files(HOME, ROOT) - files) + traces.partial(ROOT, KNOWN),
        "gone_files": sorted(files - traces.files(HOME, ROOT)),
        "left_segments": traces.segments() - segments,
        "descriptors": soak.descriptors,
    }
    out.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
