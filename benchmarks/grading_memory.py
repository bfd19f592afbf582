"""What one worker costs in memory beyond what the student's code takes by itself.

Anonymous memory, counted by the kernel as Pss_Anon in /proc/PID/smaps_rollup: a page that several processes share, as a
fork server and its kernels do, counts once among them. Code that is mapped from files is left out: it lies in memory
once, whoever uses it. What the student's code takes is the same figure of a plain Python that runs the same cells. The
notebook sleeps for two seconds, so that most looks at its processes see them at rest; the median of all looks is shown.
"""

import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import psutil
from _common import table
from grading_course import ANSWER, IMPORTS, SHORT, STILL, a_class, median_private_mb
from grading_plan import WORKERS, Goal, Plan
from grading_runs import OURS, STOCK, run

ROLLUP = "smaps_rollup"
PYTHON, SERVER, KERNEL, TOTAL = "its Python", "its fork server", "kernel and watchers", "all together"
PLAIN = """
{}
halve(torch.ones(3))
print(open("/proc/self/smaps_rollup").read())
"""


def anonymous_mb(rollup: str) -> float:
    """Anonymous memory in MB (10^6 bytes) by the text of a smaps_rollup; raises SystemExit where Linux is too old."""
    for line in rollup.splitlines():
        if line.startswith("Pss_Anon:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise SystemExit("this Linux does not say how much anonymous memory a process has")


def plain_python() -> float:
    """Anonymous memory of a Python that runs the cells of the short assignment, and nothing else."""
    code = PLAIN.format("\n".join([IMPORTS[SHORT], ANSWER[SHORT].format(body="    return x / 2")]))
    return anonymous_mb(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)


def below(worker: psutil.Process) -> Iterator[tuple[str, psutil.Process]]:
    """Every process of one worker, with what it is: the fork server is the first Python below it."""
    yield PYTHON, worker
    servers: set[int] = set()
    for process in worker.children(recursive=True):
        if "bwrap" in process.name():
            yield SERVER, process
        elif not any(parent.pid in servers for parent in process.parents()):
            servers.add(process.pid)
            yield SERVER, process
        else:
            yield KERNEL, process


class Watch:
    """Looks at every worker of a grader, again and again, and keeps what it saw whenever there was a kernel."""

    def __init__(self) -> None:
        self.seen: list[dict[str, float]] = []

    def __call__(self, grader: psutil.Process) -> None:
        try:
            for worker in grader.children():
                if "spawn_main" in " ".join(worker.cmdline()):  # others look after memory, or try the sandbox
                    self._look(worker)
        except (psutil.Error, OSError):
            return  # one has ended while it was looked at: the next look will do

    def _look(self, worker: psutil.Process) -> None:
        now: dict[str, float] = defaultdict(float)
        for what, process in below(worker):
            now[what] += anonymous_mb(Path(f"/proc/{process.pid}/{ROLLUP}").read_text(encoding="ascii"))
        if KERNEL in now:
            self.seen.append({**now, TOTAL: sum(now.values())})

    def median(self, what: str) -> float:
        """In MB; raises SystemExit where nothing could be seen."""
        if not self.seen:
            raise SystemExit(
                "no worker's memory could be looked at; as an ordinary user one may not look into a sandbox"
            )
        return statistics.median(parts[what] for parts in self.seen)


def memory(plan: Plan) -> list[Goal]:
    """One worker's processes while a kernel sleeps, beside a plain Python and a kernel of nbgrader's."""
    watch, own = Watch(), plain_python()
    with a_class(STILL, plan.memory) as class_:
        found = run(OURS, class_, workers=WORKERS, watch=watch)
        ours = median_private_mb(class_)
    with a_class(SHORT, 2) as class_:
        run(STOCK, class_)
        stock = median_private_mb(class_)
    beyond = watch.median(TOTAL) - own
    rows = [
        ("the student's code in a plain Python", own),
        *((f"a worker: {what}", watch.median(what)) for what in (PYTHON, SERVER, KERNEL, TOTAL)),
        ("a worker: beyond the student's code", beyond),
        ("private to a kernel, by its own account at its end: nbgrader", stock),
        (f"private to a kernel, by its own account at its end: course grade, {found.about['kind']}", ours),
    ]
    title = f"Memory on the short assignment, median of {len(watch.seen)} looks at {WORKERS} workers"
    table(title, ["what", "MB"], [(what, f"{megabytes:.0f}") for what, megabytes in rows])
    return [
        Goal("short: MB of a worker beyond the student's code", beyond, 120),
        Goal("short: private MB of a kernel", ours, 120),
    ]
