"""More and more workers: real ones, simulated ones, and two of a Dask cluster beside two of this computer's."""

import json
import logging
import statistics
import subprocess
import sys
from collections.abc import Sequence

from _common import table
from grading_course import SHORT, Class, a_class, a_copy
from grading_one import OURS
from grading_plan import WORKERS, Goal
from grading_runs import Run, run
from term_one import trusted
from term_plan import Plan
from term_simulated import simulated, stored

from coursekit.course import Course

HEADER = ["workers", "submissions", "a second", "as many as one worker", "of what so many could do, %"]
NOTE = """
A simulated worker waits as long as one real worker took for a submission, then gives a stored result: what it shows is
how many workers one process, which reads and writes for all of them, can keep busy."""
LOCAL, DASK = "this computer's pool", "a Dask cluster's"


def scaling(plan: Plan) -> list[Goal]:
    """Submissions a second with 1 and 2 real workers, with simulated ones, and with nobody who needs any time."""
    with a_class(SHORT, max(plan.real, plan.simulated_most)) as class_:
        real = {count: _real(class_, plan.real, count) for count in (1, WORKERS)}
        seconds = real[1].steady()
        rows = [_row(f"{count}, real", found, count, seconds) for count, found in real.items()]
        with stored(class_) as results:
            for count in plan.workers:
                with a_copy(class_, min(plan.simulated * count, plan.simulated_most)) as copy:
                    found = simulated(copy, results, workers=count, seconds=seconds)
                rows.append(_row(f"{count}, simulated", found, count, seconds))
            with a_copy(class_, plan.simulated_most) as copy:
                alone = simulated(copy, results, workers=0)
    rows.append(_row("the writer by itself", alone, 0, seconds))
    table(f"Throughput on the short assignment; one worker takes {seconds:.2f} s", HEADER, rows)
    print(NOTE, flush=True)
    print(f"The writer's limit is reached with about {seconds / alone.steady():.0f} workers.", flush=True)
    return []


def _real(class_: Class, n: int, workers: int) -> Run:
    with a_copy(class_, n) as copy:
        return run(OURS, copy, workers=workers)


def _row(name: str, found: Run, workers: int, seconds: float) -> tuple[object, ...]:
    rate = 1 / found.steady(max(workers, 1))
    part = f"{100 * rate * seconds / workers:.0f}" if workers else ""
    return name, len(found.done), f"{rate:.1f}", f"{rate * seconds:.1f} x", part


def dask(plan: Plan) -> list[Goal]:
    """Two workers of a Dask cluster and two of the local pool, in turn, with everything that `course grade` does."""
    times: dict[str, list[float]] = {LOCAL: [], DASK: []}
    with a_class(SHORT, plan.dask) as class_:
        for number in range(plan.rounds):
            for kind in (LOCAL, DASK) if number % 2 == 0 else (DASK, LOCAL):
                with a_copy(class_, plan.dask) as copy:
                    times[kind].append(_on_dask(copy) if kind == DASK else _command(copy, ["--workers", str(WORKERS)]))
    rows = [
        (kind, plan.dask, " ".join(f"{each:.3f}" for each in seconds), f"{statistics.median(seconds):.3f}")
        for kind, seconds in times.items()
    ]
    title = f"{WORKERS} workers on the short assignment, {plan.rounds} times in turn, start-up left out"
    table(title, ["workers", "submissions", "s each", "median"], rows)
    ratio = statistics.median(dask / local for local, dask in zip(times[LOCAL], times[DASK], strict=True))
    return [Goal("short: seconds with two Dask workers, ratio to the local pool", ratio, 1.1)]


def _on_dask(class_: Class) -> float:
    from distributed import LocalCluster

    cluster = LocalCluster(
        n_workers=WORKERS,
        threads_per_worker=1,
        processes=True,
        dashboard_address=":0",
        scheduler_port=0,
        silence_logs=logging.CRITICAL,
    )
    with cluster:
        return _command(class_, ["--dask", cluster.scheduler_address])


def _command(class_: Class, options: Sequence[str]) -> float:
    """`course grade` on a class; seconds for a submission once all workers are at work."""
    words = [sys.executable, "-m", "coursekit.cli", "--course", str(class_.root), "grade", class_.assignment, *options]
    words += ["--i-trust-the-submissions"] if trusted(Course(class_.root)) else []
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"`course grade {' '.join(options)}` failed:\n{done.stdout[-2000:]}{done.stderr[-3000:]}")
    records = json.loads(Course(class_.root).records_file(class_.assignment).read_bytes())["records"]
    graded_at = sorted(record["graded_at"] for record in records)
    return Run([at - graded_at[0] for at in graded_at], [], {}).steady(WORKERS)
