"""`course grade` is killed at every moment, and run again: nothing is lost, nothing is there twice."""

import json
import os
import pickle
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import psutil
import pytest
from executors import InOrder
from tiny_course import PS, Class, write_course

from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.grading.grade import grade
from coursekit.grading.records import Records
from coursekit.lock import only_one
from coursekit.release.release import release
from coursekit.workers.crew import Crew, hire

HERE = Path(__file__).parent


def contents(root: Path) -> dict[str, Any]:
    """Everything that grading leaves behind, without the times that it took and names that are drawn by chance."""
    course = Course(root)
    with course.gradebook() as book:
        booked = {}
        for submission in book.assignment_submissions(PS):
            rows: list[Any] = [submission.timestamp, submission.score, submission.late_submission_penalty]
            for part in submission.notebooks:
                rows += sorted(
                    (grade.name, grade.auto_score, grade.manual_score, grade.needs_manual_grade)
                    for grade in part.grades
                )
                rows += sorted((comment.name, comment.auto_comment) for comment in part.comments)
            assert submission.student.id not in booked
            booked[submission.student.id] = rows
        booked["students"] = sorted(student.id for student in book.students)
    text = re.sub(r'"((overhead_)?seconds|graded_at)": [0-9.e+-]+', '"time": 0', course.records_file(PS).read_text())
    text = re.sub(r'"environment": "[0-9a-f]+"', '"environment": ""', text)
    folder = root / "autograded"
    files = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix not in (".log", ".lock", ".json")
    }
    return {"gradebook": booked, "records": json.loads(text), "files": files, "journals": list(folder.glob("*.jsonl"))}


class Recording(InOrder):
    """Grades with somebody else's executor and keeps what came out, by the bytes that were handed in."""

    def __init__(self, other: Crew) -> None:
        self.other, self.results = other, {}

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future = self.other.executor.submit(fn, *args, **kwargs)
        self.results[args[0]] = future.result()
        return future


@pytest.fixture(scope="module")
def template(tmp_path_factory, empty_gradebook):
    """Ada was graded and has handed in again, late; Bert is new, Carl's file is broken. And the results of all."""
    root = write_course(tmp_path_factory.mktemp("killed") / "course")
    shutil.copyfile(empty_gradebook, root / "gradebook.db")
    course = Course(root)
    release(course, PS)
    class_ = Class(course)
    class_.hand_in("ada", class_.answers(total="sum_of_all_numbers = 1"), "2026-01-01 12:00 UTC")
    with hire(course, trust=True, workers=1) as crew:
        recording = Recording(crew)
        list(grade(course, PS, crew=Crew(recording), progress=False))
        before = root.with_name("before")
        class_.hand_in("ada", class_.answers(), "2026-02-02 12:00 UTC")
        class_.hand_in("bert", class_.answers(double="def double(x):\n    return 0"))
        class_.hand_in("carl", b"{")
        shutil.copytree(root, before)
        list(grade(course, PS, crew=Crew(recording), progress=False))
    return before, root, recording.results


def test_killed_between_any_two_writes_and_run_again_nothing_is_lost_and_nothing_twice(template, tmp_path):
    before, undisturbed, results = template
    expected = contents(undisturbed)
    (tmp_path / "results").write_bytes(pickle.dumps(results))
    records = Records(Course(undisturbed).records_file(PS)).by_student
    job = {
        "template": str(before),
        "work": str(tmp_path),
        "assignment": PS,
        "results": str(tmp_path / "results"),
        "hashes": {student: record["hashes"]["submission"] for student, record in records.items()},
    }

    def killed_at(points: list[int]) -> list[dict[str, Any]]:
        (tmp_path / "job.json").write_text(json.dumps({**job, "points": points}))
        command = [sys.executable, str(HERE / "killing.py"), str(tmp_path / "job.json")]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
        return [json.loads(line) for line in done.stdout.splitlines()]

    (alone,) = killed_at([0])
    assert (alone["first"]["signal"], alone["first"]["given"]) == (0, 3)
    assert contents(Path(alone["root"])) == expected
    points = list(range(1, alone["first"]["writes"] + 1))
    assert len(points) > 30
    kept = set()
    for run in killed_at(points):
        assert run["first"]["signal"] == signal.SIGKILL, run
        assert run["second"]["given"] == 3 - len(run["kept"]), run
        assert contents(Path(run["root"])) == expected, run
        kept.add(len(run["kept"]))
        shutil.rmtree(run["root"])
    assert kept == {0, 1, 2, 3}  # the kills were spread over the whole run


def lines(path: Path) -> int:
    return path.read_bytes().count(b"}\n") if path.is_file() else 0


def test_a_real_grader_that_is_killed_again_and_again_ends_where_an_undisturbed_one_does(class_, tmp_path):
    """Moments are drawn by chance, with a seed, after a different number of submissions each time."""
    course, chance = class_.course, random.Random(0)
    for number in range(8):
        wrong = {"double": f"def double(x):\n    return 2 * x if x < {number} else 0", "total": f"{number} / 0"}
        class_.hand_in(f"student-{number}", class_.answers(**wrong if number % 2 else {}))
    other = tmp_path / "undisturbed"
    shutil.copytree(course.root, other)
    list(grade(Course(other), PS, trust=True, progress=False))
    journal = course.records_file(PS).with_suffix(".journal.jsonl")
    command = [
        sys.executable,
        "-m",
        "coursekit.cli",
        "--course",
        str(course.root),
        "grade",
        "--i-trust-the-submissions",
    ]
    output = (tmp_path / "output").open("w")
    kills = ended = 0
    for done in (0, 2, 5):
        process = psutil.Popen([*command, "--workers", "2"], stdout=output, stderr=output)
        deadline = time.monotonic() + 300
        while lines(journal) <= done and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.1))
        below = process.children(recursive=True) if process.poll() is None else []
        kills += process.poll() is None
        process.kill()
        process.wait()
        gone, alive = psutil.wait_procs(below, timeout=60)
        assert not alive
        ended += len(gone)
        before = lines(journal)
    assert kills, output.name
    assert ended  # workers and what they had started
    results = list(grade(course, PS, trust=True, progress=False))
    assert sum(not is_new for _, is_new in results) >= (before if journal.is_file() else 0)
    assert contents(course.root) == contents(other)


def test_ctrl_c_ends_all_processes_keeps_what_was_done_and_says_so(class_):
    """The terminal sends the signal to the grader and to all its workers; only the grader may heed it."""
    course = class_.course
    for number in range(4):
        hang = "import time\n\ndef double(x):\n    time.sleep(600)"
        class_.hand_in(f"student-{number}", class_.answers(**({"double": hang} if number else {})))
    source = course.source(PS) / "numbers.ipynb"
    source.write_text(source.read_text().replace('"cell_seconds": 3', '"cell_seconds": 300'))
    command = [
        sys.executable,
        "-m",
        "coursekit.cli",
        "--course",
        str(course.root),
        "grade",
        "--i-trust-the-submissions",
    ]
    journal = course.records_file(PS).with_suffix(".journal.jsonl")
    process = psutil.Popen([*command, "--workers", "2"], stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 300
    while not lines(journal) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    below = process.children(recursive=True)
    assert below
    os.killpg(process.pid, signal.SIGINT)
    told = process.communicate(timeout=120)[1]
    assert process.returncode == 1
    assert "stopped. What was done is kept" in told
    assert "Traceback" not in told
    _, alive = psutil.wait_procs(below, timeout=60)
    assert not alive
    assert list(Records(course.records_file(PS)).by_student) == ["student-0"]


def test_a_course_is_graded_by_one_process_at_a_time_and_a_killed_one_leaves_no_lock(class_, tmp_path):
    class_.hand_in("ada", b"")
    path = class_.course.records_file(PS).parent / ".course-grade.lock"
    hold = f"""
import signal, sys
from pathlib import Path
from coursekit.lock import only_one
with only_one(Path({str(path)!r})):
    print("held", flush=True)
    signal.pause()
"""
    with subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(CourseError, match=f"being graded already, by process {process.pid} "):
            list(grade(class_.course, PS, crew=Crew(InOrder()), progress=False))
        assert not class_.course.records_file(PS).exists()
        process.kill()
        process.wait()
    (record,) = [record for record, _ in grade(class_.course, PS, crew=Crew(InOrder()), progress=False)]
    assert record["state"] == "unreadable"


def test_the_lock_counts_within_one_process_too_and_is_given_back_after_an_error(tmp_path):
    path = tmp_path / "new" / "lock"
    with only_one(path), pytest.raises(CourseError, match="already"), only_one(path):
        pytest.fail("two holders")
    with pytest.raises(ValueError, match="mine"), only_one(path):
        raise ValueError("mine")
    with only_one(path):
        assert path.is_file()
