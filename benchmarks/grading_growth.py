"""How the time grows with the submissions, whether the grader's memory does, and what a second worker brings."""

import statistics

from _common import table
from grading_course import CHEAP, a_class, a_copy
from grading_plan import NAMES, WORKERS, Goal, Plan
from grading_runs import OURS, Run, run

SCALING = ["assignment", "submissions", "1 worker, s each", "2 workers, s each", "of twice the throughput, %"]
GROWTH = ["submissions", "s in all", "s each", "s each, last quarter", "s again", "MiB after a tenth", "MiB at the end"]


def scaling(plan: Plan) -> list[Goal]:
    """One worker and two, in turn."""
    rows, goals = [], []
    for assignment, n in plan.scaling.items():
        pairs = []
        with a_class(assignment, n) as class_:
            for _ in range(plan.rounds):
                pair = []
                for workers in (1, 2):
                    with a_copy(class_, n) as copy:
                        pair.append(run(OURS, copy, workers=workers).steady(workers))
                pairs.append(pair)
        percent = statistics.median(100 * one / (2 * two) for one, two in pairs)
        seconds = [statistics.median(times) for times in zip(*pairs, strict=True)]
        rows.append((NAMES[assignment], n, *(f"{each:.2f}" for each in seconds), f"{percent:.0f}"))
        goals.append(Goal(f"{NAMES[assignment]}: % of twice the throughput, two workers", percent, 85, at_least=True))
    table(f"Scaling, {plan.rounds} times in turn, start-up left out", SCALING, rows)
    return goals


def growth(plan: Plan) -> list[Goal]:
    """More and more submissions of a notebook that imports nothing, and the same once more, unchanged."""
    rows, runs = [], []
    with a_class(CHEAP, max(plan.growth)) as class_:
        for n in plan.growth:
            with a_copy(class_, n) as copy:
                runs.append(run(OURS, copy, workers=WORKERS))
                again = run(OURS, copy, workers=WORKERS)
            rows.append(_row(runs[-1], again))
    title = "Growth, a notebook that imports nothing; memory: resident, of the process that writes the gradebook"
    table(title, GROWTH, rows)
    middle, last = runs[len(runs) // 2], runs[-1]
    ratio = last.steady(WORKERS) / middle.steady(WORKERS)
    return [
        Goal(f"s each of {len(last.done)} submissions, ratio to those of {len(middle.done)}", ratio, 1.15),
        Goal(f"MiB that the grader takes more at the end of {len(last.done)}", _tenth(last)[1] - _tenth(last)[0], 20),
    ]


def _tenth(found: Run) -> tuple[float, float]:
    """Resident memory after a tenth of the submissions, when all is loaded, and after the last."""
    return found.rss_mib[len(found.done) // 10], found.rss_mib[-1]


def _row(first: Run, again: Run) -> tuple[object, ...]:
    late = first.done[len(first.done) * 3 // 4 - 1 :]
    times = (first.about["seconds"], first.steady(WORKERS), (late[-1] - late[0]) / (len(late) - 1))
    return (
        len(first.done),
        *(f"{seconds:.{digits}f}" for seconds, digits in zip(times, (1, 3, 3), strict=True)),
        f"{again.about['seconds']:.1f}",
        *(f"{mib:.0f}" for mib in _tenth(first)),
    )
