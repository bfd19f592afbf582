"""A process that grades with results from a file, forks, and kills its forks between any two writes.

    python killing.py JOB      (JOB: JSON with "template", "work", "assignment", "results", "hashes", "points")

With "database", a database's name, and "address", the URL with {} for a name, each point has a copy of that database.
One line of JSON comes out for each point: how often it wrote, how it ended, and what a second run did. Python and
nbgrader are imported, and the report's pictures drawn, once, so that a kill costs half a second and every point
between two writes can be tried.
"""

import contextlib
import json
import os
import pickle
import shutil
import signal
import sys
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import sqlalchemy

from coursekit import cli
from coursekit.commands import grade as command
from coursekit.course import Course
from coursekit.grading import environment
from coursekit.grading.records import Records
from coursekit.report import report
from coursekit.workers.crew import Crew

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Replay(Executor):
    """Gives the results that real workers gave, and counts them."""

    def __init__(self, results: dict[bytes | None, Any]) -> None:
        self.results = results
        self.given = 0

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.given += 1
        future: Future[Any] = Future()
        future.set_result(self.results[args[0]])
        return future


class Writes:
    """Counts the writes of this process below a folder, and kills it before one of them."""

    def __init__(self, folder: Path, fatal: int) -> None:
        self.folder, self.fatal, self.count = str(folder), fatal, 0
        self.log: list[str] = []
        sys.addaudithook(self.hear)
        sqlalchemy.event.listen(sqlalchemy.Engine, "commit", lambda connection: self.add("commit"))

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        opened = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING
        if opened or event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod"):
            self.add(arguments[0])

    def add(self, what: Any) -> None:
        if what != "commit" and not str(what).startswith(self.folder):
            return
        self.count += 1
        self.log.append(str(what))
        if self.count == self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)


def grade(root: Path, replay: Replay) -> int:
    """`course grade` in this process, and what it returns."""
    command.hire = lambda *_, **__: Crew(replay, ahead=2)  # type: ignore[attr-defined]
    return cli.main(["--course", str(root), "grade"])


def warm_up(root: Path, results: dict[bytes | None, Any]) -> None:
    """Grade once, so that the forks find everything imported, compiled and drawn."""
    drawn, draw = [], report.pictures_of
    report.pictures_of = lambda found: drawn.append(draw(found)) or drawn[-1]  # type: ignore[func-returns-value]
    with open(os.devnull, "w") as null, contextlib.redirect_stdout(null), contextlib.redirect_stderr(null):
        grade(root, Replay(results))
    report.pictures_of = lambda _: drawn[-1]


def run(root: Path, results: dict[bytes | None, Any], fatal: int, note: Path) -> None:
    """`course grade` in this process; leaves the number of results that it asked for, and of its writes."""
    replay, writes = Replay(results), Writes(root, fatal)
    status = grade(root, replay)
    told = {"status": status, "given": replay.given, "writes": writes.count, "log": writes.log}
    note.write_text(json.dumps(told))


def forked(root: Path, results: dict[bytes | None, Any], fatal: int, work: Path) -> dict[str, Any]:
    """Run in a fork, and say how it ended."""
    note = work / "note.json"
    note.unlink(missing_ok=True)
    pid = os.fork()
    if pid == 0:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        try:
            run(root, results, fatal, note)
        finally:
            os._exit(0)
    _, status = os.waitpid(pid, 0)
    found = json.loads(note.read_text()) if note.exists() else {}
    return {**found, "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0}


def done(root: Path, assignment: str, hashes: dict[str, str]) -> list[str]:
    """Students of whom the records say that what they handed in last was graded."""
    records = Records(Course(root).records_file(assignment)).by_student
    return [student for student, record in records.items() if record["hashes"]["submission"] == hashes[student]]


def own_database(root: Path, job: dict[str, Any], name: str) -> None:
    """A copy of the gradebook, on the same PostgreSQL server, and its address in the copied course."""
    engine = sqlalchemy.create_engine(job["address"].format("postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {job['database']}")
    engine.dispose()
    with (root / "nbgrader_config.py").open("a") as file:
        file.write(f"c.CourseDirectory.db_url = {job['address'].format(name)!r}\n")


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text())
    work, results = Path(job["work"]), pickle.loads(Path(job["results"]).read_bytes())
    environment.describe(Course(job["template"]), sandbox="")  # what it remembers must be the same in all forks
    if "database" not in job:  # a connection to a server does not survive a fork
        warm_up(Path(shutil.copytree(job["template"], work / "warm", symlinks=True, dirs_exist_ok=True)), results)
    for point in job["points"]:
        root = work / f"point-{point}"
        shutil.copytree(job["template"], root, symlinks=True)
        if "database" in job:
            own_database(root, job, f"killed_{job['database']}_{point}")
        first = forked(root, results, point, work)
        kept = done(root, job["assignment"], job["hashes"])
        attempts = len(list(root.glob("autograded/*.attempts/*/*.json.gz")))
        second = forked(root, results, 0, work) if first["signal"] else {}
        told = {"point": point, "first": first, "second": second, "kept": kept, "attempts": attempts, "root": str(root)}
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
