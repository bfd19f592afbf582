"""Local workers: what dies costs its own task, comes back, and ends with whoever started it."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import wait
from pathlib import Path

import psutil
import pytest

from coursekit.errors import CourseError
from coursekit.workers.pool import LocalWorkers, Recipe, WorkerLost, WorkersDidNotOpen, WorkerStuck

_opened: list[str] = []


def opened(text: str) -> str:
    """Stands for opening kernels; returns what a worker says about itself."""
    _opened.append(text)
    return f"{text} in {os.getpid()}"


def fails(marker: str, times: int) -> str:
    """Opens at the attempt after `times`; each attempt leaves a line."""
    with open(marker, "a") as file:
        file.write("x\n")
    if Path(marker).read_text().count("x") <= times:
        raise OSError("no space left")
    return "at last"


def refuses() -> None:
    """What the sandbox does where there is none."""
    with open(os.environ["REFUSED"], "a") as file:
        file.write("x\n")
    raise CourseError("There is no sandbox.")


def closed(marker: str = "") -> None:
    """Leaves a sign that the worker was closed."""
    Path(os.environ["CLOSED"]).write_text("closed")


def work(what: str) -> tuple[str, int]:
    """What a task can do: well, or one of the ways to go wrong."""
    if what == "raise":
        raise ValueError("mine")
    if what == "unpicklable":
        raise Unpicklable("my", "own")
    if what == "broken pipe":
        raise BrokenPipeError("the machine's")
    if what == "exit":
        os._exit(3)
    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "hang":
        time.sleep(600)
    if what == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(1)
    return what, os.getpid()


class Unpicklable(Exception):
    """Cannot be made again from its arguments."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} {two}")


RECIPE = Recipe(opened, ("ready",), spoilt=(BrokenPipeError,))


def test_a_task_that_ends_its_worker_costs_itself_and_no_other():
    """Of forty tasks every fifth ends its process; the other thirty-two come back with their own results."""
    with LocalWorkers(2, RECIPE) as workers:
        names = [("exit" if number % 10 else "kill") if number % 5 == 0 else f"task {number}" for number in range(40)]
        futures = [workers.submit(work, name) for name in names]
        wait(futures)
        for name, future in zip(names, futures, strict=True):
            if name in ("exit", "kill"):
                assert isinstance(future.exception(), WorkerLost)
                assert ("exit status 3" if name == "exit" else "signal 9") in str(future.exception())
            else:
                assert future.result()[0] == name
        assert len(workers.about) in (9, 10)  # two workers, eight of which were replaced, perhaps not the last one
        assert all(about.startswith("ready in") for about in workers.about)


def test_exceptions_of_a_task_arrive_and_leave_the_worker_as_it_is_unless_they_spoil_it():
    with LocalWorkers(1, RECIPE) as workers:
        _, first = workers.submit(work, "well").result()
        with pytest.raises(ValueError, match="mine") as raised:
            workers.submit(work, "raise").result()
        assert "in work" in "".join(raised.value.__notes__)
        with pytest.raises(RuntimeError, match="Unpicklable: my own"):
            workers.submit(work, "unpicklable").result()
        assert workers.submit(work, "well").result() == ("well", first)
        with pytest.raises(BrokenPipeError):
            workers.submit(work, "broken pipe").result()
        assert workers.submit(work, "well").result()[1] != first
    assert not psutil.pid_exists(first)


@pytest.mark.parametrize("what", ["hang", "stubborn"])
def test_a_task_beyond_all_bounds_is_ended_with_its_worker(what, monkeypatch):
    monkeypatch.setattr("coursekit.workers.pool.STOP_SECONDS", 1.0)
    with LocalWorkers(1, RECIPE) as workers:
        _, first = workers.submit(work, "well").result()
        workers.task_seconds = 0.5
        with pytest.raises(WorkerStuck):
            workers.submit(work, what).result()
        workers.task_seconds = None
        assert workers.submit(work, "well").result()[1] != first
    assert not psutil.pid_exists(first)


def test_no_more_workers_than_tasks_are_started():
    with LocalWorkers(8, RECIPE) as workers:
        assert workers.submit(work, "one").result()[0] == "one"
        assert workers.submit(work, "two").result()[0] == "two"
        assert len(workers.about) == 1


def test_a_worker_that_cannot_be_opened_is_tried_again_and_then_nothing_is_left_waiting(tmp_path):
    marker = str(tmp_path / "attempts")
    with LocalWorkers(1, Recipe(fails, (marker, 1)), attempts=2) as workers:
        assert workers.submit(work, "well").result()[0] == "well"
    marker = str(tmp_path / "more attempts")
    with LocalWorkers(1, Recipe(fails, (marker, 5)), attempts=2) as workers:
        futures = [workers.submit(work, "well") for _ in range(3)]
        for future in futures:
            with pytest.raises(WorkersDidNotOpen, match="no space left"):
                future.result()
        with pytest.raises(WorkersDidNotOpen):
            workers.submit(work, "well")
    assert Path(marker).read_text().count("x") == 2


def test_what_only_the_instructor_can_put_right_is_tried_once_and_said_in_his_words(tmp_path, monkeypatch):
    monkeypatch.setenv("REFUSED", str(tmp_path / "refused"))
    with LocalWorkers(1, Recipe(refuses), attempts=3) as workers:
        future = workers.submit(work, "well")
        with pytest.raises(CourseError, match=r"There is no sandbox\."):
            future.result()
    assert (tmp_path / "refused").read_text().count("x") == 1


def test_an_end_with_cancelling_stops_what_runs_and_drops_what_waits(tmp_path, monkeypatch):
    monkeypatch.setenv("CLOSED", str(tmp_path / "closed"))
    workers = LocalWorkers(1, Recipe(opened, ("ready",), close=closed))
    workers.submit(work, "well").result()
    running, waiting = workers.submit(work, "hang"), workers.submit(work, "well")
    while not running.running():
        time.sleep(0.01)
    workers.shutdown(cancel_futures=True)
    assert isinstance(running.exception(), WorkerLost)
    assert waiting.cancelled() or isinstance(waiting.exception(), WorkerLost)
    assert (tmp_path / "closed").read_text() == "closed"
    with pytest.raises(RuntimeError, match="shut down"):
        workers.submit(work, "well")
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("worker lane")]


def test_workers_end_when_their_parent_is_killed_also_in_the_middle_of_a_task(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from coursekit.workers.pool import LocalWorkers, Recipe
from test_pool import opened, work, closed

if __name__ == "__main__":
    workers = LocalWorkers(2, Recipe(opened, ("ready",), close=closed))
    pids = sorted({{workers.submit(work, "well").result()[1]}})
    futures = [workers.submit(work, "hang") for _ in range(2)]
    while len(workers.about) < 2 or not all(future.running() for future in futures):
        pass
    print(*[about.split()[-1] for about in workers.about], flush=True)
    futures[0].result()
""")
    environment = {**os.environ, "CLOSED": str(tmp_path / "closed")}
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=environment) as parent:
        assert parent.stdout is not None
        processes = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
        assert len(processes) == 2
        parent.kill()
        parent.wait()
    _, alive = psutil.wait_procs(processes, timeout=60)
    assert not alive
    assert (tmp_path / "closed").read_text() == "closed"
