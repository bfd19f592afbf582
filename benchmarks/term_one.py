"""The process in which one class is graded by workers that only wait; it leaves times and memory in a file.

term_one.py record ROOT ASSIGNMENT RESULTS                        grade the only student, and store what comes out
term_one.py grade ROOT ASSIGNMENT RESULTS WORKERS SECONDS OUT     WORKERS 0: without any wait, nor any thread
"""

import json
import pickle
import sys
import time
from pathlib import Path

import psutil
from term_waiting import AtOnce, Recording, Waiting

from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.grading.grade import grade
from coursekit.workers.crew import Crew, choose_sandbox, hire


def trusted(course: Course) -> bool:
    """Whether the benchmark's own submissions have to be run without a sandbox, because there is none here."""
    try:
        choose_sandbox(course, trust=False)
    except CourseError:
        return True
    return False


def record(root: Path, assignment: str, file: Path) -> None:
    """Grade one submission with a real worker."""
    course = Course(root)
    with hire(course, trust=trusted(course), workers=1) as crew:
        recording = Recording(crew.executor)
        ((found, _),) = grade(course, assignment, crew=Crew(recording), progress=False)
    if found["state"] != "graded":
        raise SystemExit(f"{found['state']}: {found['reason']}")
    file.write_bytes(pickle.dumps(recording.results))


def simulate(root: Path, assignment: str, file: Path, workers: int, seconds: float, out: Path) -> None:
    """Grade all submissions with workers that wait."""
    course, results = Course(root), pickle.loads(file.read_bytes())
    executor = Waiting(workers, seconds, results) if workers else AtOnce(results)
    process, done, rss, processor, bad = psutil.Process(), [], [], [], 0
    begun = time.perf_counter()
    with Crew(executor, ahead=max(2 * workers, 1)) as crew:
        for found, is_new in grade(course, assignment, crew=crew, progress=False):
            done.append(time.perf_counter() - begun)
            rss.append(process.memory_info().rss / 2**20)
            processor.append(time.process_time())
            bad += found["state"] != "graded" or not is_new
    about = {"seconds": time.perf_counter() - begun, "processor": processor}
    if bad:
        raise SystemExit(f"{bad} submissions were not graded")
    out.write_text(json.dumps({"done": done, "rss_mib": rss, "about": about}), encoding="utf-8")


def main() -> None:
    what, root, assignment, file, *rest = sys.argv[1:]
    if what == "record":
        record(Path(root), assignment, Path(file))
    else:
        simulate(Path(root), assignment, Path(file), int(rest[0]), float(rest[1]), Path(rest[2]))


if __name__ == "__main__":
    main()
