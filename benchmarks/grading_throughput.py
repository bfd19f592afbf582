"""`course grade` beside nbgrader's autograde, through its API, and otter-grader: throughput and overhead."""

import statistics
from dataclasses import dataclass

import grading_otter
from _common import table
from grading_course import SHORT, Class, a_class, a_copy, mean_seconds_in_cells, median_private_mb
from grading_plan import NAMES, WORKERS, Goal, Plan
from grading_runs import OURS, STOCK, Run, run

HEADER = ["assignment", "grader", "submissions", "s each", "an hour", "throughput", "s in cells", "overhead, s"]
NOTE = """
One of nbgrader's or otter's submissions takes so long that only the number in the table is graded, half of nbgrader's
before ours and half after; 's each' is their median, and the throughput is computed from it, relative to nbgrader's.
Nobody's start-up counts, but in the row that says so: there ours import all modules, once for each worker.
'In cells' is measured in the kernel, imports included; the overhead is what a worker spends on a notebook beyond it;
with a worker on every core it contains what workers, kernels and the writer of the gradebook wait for each other."""


@dataclass(frozen=True)
class Graded:
    """A run, and what its notebooks say about themselves."""

    run: Run
    in_cells: float
    private_mb: float


def graded(grader: str, class_: Class, n: int, workers: int = 1) -> Graded:
    """The first n students of a class, graded in a copy that is thrown away."""
    with a_copy(class_, n) as copy:
        found = run(grader, copy, workers=workers)
        return Graded(found, mean_seconds_in_cells(copy), median_private_mb(copy))


def throughput(plan: Plan) -> list[Goal]:
    """All graders on the same submissions, in turn."""
    rows, goals = [], []
    for assignment in plan.ours:
        name = NAMES[assignment]
        stock, times, ours, alone = _in_turn(plan, assignment)
        usual, steady = statistics.median(times), ours.run.steady(WORKERS)
        rows += [
            _row(name, "nbgrader, its API", len(times), usual, usual, stock.in_cells, usual - stock.in_cells),
            _row(
                name,
                f"course grade, {WORKERS} workers, {ours.run.about['kind']}",
                len(ours.run.done),
                steady,
                usual,
                ours.in_cells,
                WORKERS * steady - ours.in_cells,
            ),
            _row(name, "the same and its start-up", len(ours.run.done), ours.run.whole, usual),
            _row(
                name,
                "course grade, 1 worker",
                len(alone.run.done),
                alone.run.steady(1),
                usual,
                alone.in_cells,
                alone.run.steady(1) - alone.in_cells,
            ),
        ]
        goals += [
            Goal(f"{name}: seconds of overhead for a notebook, 1 worker", alone.run.steady(1) - alone.in_cells, 0.5),
            Goal(f"{name}: the same, {WORKERS} workers", WORKERS * steady - ours.in_cells, 0.5),
        ]
        if assignment == SHORT:
            goals.append(Goal(f"{name}: throughput, ratio to nbgrader", usual / steady, 20, at_least=True))
            rows += _otter(name, plan.otter, usual)
    table("Throughput and overhead", HEADER, rows)
    print(NOTE, flush=True)
    return goals


def _in_turn(plan: Plan, assignment: str) -> tuple[Graded, list[float], Graded, Graded]:
    """Nbgrader, `course grade`, the same with one worker, nbgrader.

    Returns the last run of nbgrader, the seconds of all its submissions, and the two runs of `course grade`.
    """
    n = plan.ours[assignment]
    half = (plan.stock[assignment] + 1) // 2
    with a_class(assignment, n) as class_:
        before = graded(STOCK, class_, half)
        ours = graded(OURS, class_, n, WORKERS)
        alone = graded(OURS, class_, max(n // 3, 2))
        after = graded(STOCK, class_, half)
    return after, [*before.run.each(), *after.run.each()], ours, alone


def _row(
    name: str,
    grader: str,
    n: int,
    seconds: float,
    usual: float,
    in_cells: float | None = None,
    overhead: float | None = None,
) -> tuple[object, ...]:
    """A line of the table; `usual` are the seconds of nbgrader, against which all are compared."""
    rest = ["" if number is None else f"{number:.2f}" for number in (in_cells, overhead)]
    return name, grader, n, f"{seconds:.2f}", f"{3600 / seconds:.0f}", f"{usual / seconds:.1f} x", *rest


def _otter(name: str, n: int, usual: float) -> list[tuple[object, ...]]:
    if not n:
        return []
    times, about = grading_otter.seconds_per_submission(n)
    if not times:
        return [(name, f"otter-grader: not run: {about}", "", "", "", "", "", "")]
    return [_row(name, f"otter-grader {about}, its API", n, statistics.median(times), usual)]
