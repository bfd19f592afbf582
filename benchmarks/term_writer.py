"""The one process that reads submissions and writes grades: its limit by itself, and over a whole term."""

import contextlib
from collections.abc import Iterator

import numpy
import term_postgres
from _common import table
from grading_course import SHORT, a_class, a_copy
from grading_plan import NAMES, Goal
from grading_runs import Run
from term_plan import Plan
from term_simulated import simulated, stored

SQLITE, POSTGRES = "SQLite", "PostgreSQL"
HEADER = ["assignment", "gradebook", "submissions", "s in all", "ms each", "ms of processor", "a second"]
NOTE = """
Nobody grades here: a submission is read, a stored result of a real worker is written into notebook, gradebook, record
and log, each of them safe from a kill. That is all that one process does for all workers together. Where its own time
on a processor is much less than the time that went by, it waited for the disk, the database, or a busy machine."""


@contextlib.contextmanager
def _gradebooks() -> Iterator[dict[str, term_postgres.Server | None]]:
    """SQLite, and a running PostgreSQL where there is one."""
    if problem := term_postgres.missing():
        print(f"\n{POSTGRES}: not run: {problem}", flush=True)
        yield {SQLITE: None}
        return
    with term_postgres.server() as server:
        yield {SQLITE: None, POSTGRES: server}


def writer(plan: Plan) -> list[Goal]:
    """As many submissions as one process can take in and put away."""
    rows, goals = [], []
    with _gradebooks() as gradebooks:
        for assignment, n in plan.writer.items():
            with a_class(assignment, n) as class_, stored(class_) as results:
                for kind, server in gradebooks.items():
                    with a_copy(class_, n) as copy:
                        url = "" if server is None else server.new_database()
                        found = simulated(copy, results, workers=0, database=url)
                    rows.append(_row(NAMES[assignment], kind, found))
                    what = f"{NAMES[assignment]}: submissions a second that the writer puts into {kind}"
                    goals.append(Goal(what, 1 / found.steady(), 50, at_least=True))
    table("The writer's own limit", HEADER, rows)
    print(NOTE, flush=True)
    return goals


def _row(name: str, kind: str, found: Run) -> tuple[object, ...]:
    seconds = found.steady()
    whole = found.about["seconds"]
    processor = Run(found.about["processor"], [], {}).steady()
    numbers = (f"{whole:.1f}", f"{1000 * seconds:.1f}", f"{1000 * processor:.1f}", f"{1 / seconds:.0f}")
    return name, kind, len(found.done), *numbers


TERM = [
    "submissions",
    "s in all",
    "ms of processor each, first half",
    "second half",
    "MB after a tenth",
    "MB at the end",
]


def term(plan: Plan) -> list[Goal]:
    """All submissions of a term in one run; time is the grader's own on a processor, whatever else the machine does."""
    n = plan.term
    with a_class(SHORT, n) as class_, stored(class_) as results:
        found = simulated(class_, results, workers=0)
    processor, tenth = numpy.array(found.about["processor"]), n // 10
    megabytes = numpy.array(found.rss_mib) * 2**20 / 1e6
    first = (processor[n // 2 - 1] - processor[tenth - 1]) / (n // 2 - tenth)
    second = (processor[-1] - processor[n // 2 - 1]) / (n - n // 2)
    slope = 1000 * numpy.polyfit(numpy.arange(tenth, n), megabytes[tenth:], 1)[0]
    row = (n, f"{found.done[-1]:.1f}", f"{1000 * first:.2f}", f"{1000 * second:.2f}")
    title = f"A term: {n} short submissions, the first tenth left out; memory: resident, of the process that writes"
    table(title, TERM, [(*row, f"{megabytes[tenth]:.0f}", f"{megabytes[-1]:.0f}")])
    return [
        Goal(f"MB that the grader takes more for each 1,000 of {n} submissions", float(slope), 2),
        Goal("processor time for one of the second half, ratio to the first", float(second / first), 1.15),
    ]
