"""The process in which one grader grades one class: started by grading_runs.py, it leaves times and memory in a file.

Nothing of the benchmark is imported here, for the workers of `course grade` import this file as well. The clock starts
when the grader is imported and the course is open, so that no start-up of Python counts for anybody.
"""

import argparse
import json
import logging
import time
from pathlib import Path
from typing import Any

import psutil

OURS, STOCK = "course grade", "nbgrader"


class _Notes:
    def __init__(self) -> None:
        self.done: list[float] = []
        self.rss: list[float] = []
        self.process = psutil.Process()
        self.begun = time.perf_counter()

    def add(self) -> None:
        self.done.append(time.perf_counter() - self.begun)
        self.rss.append(self.process.memory_info().rss / 2**20)


def _trusted(course: Any) -> bool:
    """Whether the benchmark's own submissions have to be run without a sandbox, because there is none here."""
    from coursekit.errors import CourseError
    from coursekit.workers.crew import choose_sandbox

    try:
        choose_sandbox(course, trust=False)
    except CourseError:
        return True
    return False


def _kind(records: list[dict[str, Any]]) -> str:
    """How the kernels came to be and what held them, by their records; raises SystemExit where they differ."""
    notebooks = [one for record in records for one in record["notebooks"].values()]
    kinds = {f"{one['sandbox']}, {'forked' if one['warm'] else 'cold'} kernels" for one in notebooks}
    if len(kinds) != 1:
        raise SystemExit(f"not all submissions were graded in the same way: {sorted(kinds)}")
    return kinds.pop()


def _ours(root: Path, assignment: str, workers: int) -> tuple[_Notes, dict[str, Any]]:
    from coursekit.course import Course
    from coursekit.grading.grade import grade

    course, records, bad = Course(root), [], []
    trust = _trusted(course)
    notes = _Notes()
    for record, _ in grade(course, assignment, workers=workers, trust=trust, progress=False):
        notes.add()
        records = [record]  # keeping all of them would be seen in our memory
        if record["state"] != "graded":
            bad.append(f"{record['student']}: {record['state']}: {record['reason']}")
    seconds = time.perf_counter() - notes.begun
    if bad:
        raise SystemExit("not graded:\n" + "\n".join(bad))
    return notes, {"seconds": seconds, "kind": _kind(records)}


def _stock(root: Path, assignment: str) -> tuple[_Notes, dict[str, Any]]:
    from nbgrader.apps.api import NbGraderAPI

    from coursekit.course import Course

    logging.getLogger("traitlets").setLevel(logging.CRITICAL)
    course = Course(root)
    api = NbGraderAPI(coursedir=course.directory, config=course.config)
    notes = _Notes()
    for student in course.students(assignment):
        result = api.autograde(assignment, student)
        notes.add()
        if not result["success"]:
            raise SystemExit(f"{student}: {result.get('error', '')}\n{result.get('log', '')}")
    return notes, {"seconds": time.perf_counter() - notes.begun}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("grader", choices=[OURS, STOCK])
    parser.add_argument("root", type=Path)
    parser.add_argument("assignment")
    parser.add_argument("workers", type=int)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    if given.grader == OURS:
        notes, about = _ours(given.root, given.assignment, given.workers)
    else:
        notes, about = _stock(given.root, given.assignment)
    given.out.write_text(json.dumps({"done": notes.done, "rss_mib": notes.rss, "about": about}), encoding="utf-8")


if __name__ == "__main__":
    main()
