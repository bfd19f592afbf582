"""A cluster of real processes grades as the local workers do, whatever becomes of its workers."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from distributed import Client, LocalCluster
from tiny_course import PS, Class

from coursekit import cli
from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.grading import environment
from coursekit.grading.grade import grade
from coursekit.grading.logs import log_file
from coursekit.grading.records import Records
from coursekit.grading.worker import grade_notebook
from coursekit.workers import board, cluster, cluster_executor, outcomes
from coursekit.workers.board import LEASE_SECONDS, Lease
from coursekit.workers.cluster import hire_cluster
from coursekit.workers.cluster_executor import ClusterWorkers
from coursekit.workers.cluster_process import CoursePlugin
from coursekit.workers.crew import hire
from coursekit.workers.luggage import pack
from coursekit.workers.opened import Machine, difference
from coursekit.workers.pool import WorkerLost, WorkerStuck
from coursekit.workers.unpacking import unpack

SLOW = "import time\n\ndef double(x):\n    time.sleep(0.8)\n    return 2 * x"
HANG = "import time\n\ndef double(x):\n    time.sleep(600)"


@pytest.fixture(scope="module")
def local() -> Iterator[LocalCluster]:
    """A cluster that begins with one worker process; the first test that wants two adds one."""
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0") as found:
        yield found


@pytest.fixture
def two(local: LocalCluster) -> LocalCluster:
    """The same with two workers, whatever earlier tests have done to them."""
    local.scale(2)
    until(lambda: len(pids(local)) == 2)
    return local


def until(condition: Callable[[], Any], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to pass"
        time.sleep(0.05)


def pids(local: LocalCluster) -> dict[str, int]:
    """The worker processes by address."""
    with Client(local.scheduler_address, set_as_default=False) as client:
        found: dict[str, int] = client.run(os.getpid, on_error="ignore")
        return found


def without_times(course: Course) -> Any:
    """Records, notebooks and points, without the times that were taken."""
    text = re.sub(r'"((overhead_)?seconds|graded_at)": [0-9.e+-]+', '"time": 0', course.records_file(PS).read_text())
    folder = course.root / "autograded"
    files = {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.ipynb"))}
    with course.gradebook() as book:
        points = {
            submission.student.id: sorted((g.name, g.auto_score, g.needs_manual_grade) for g in part.grades)
            for submission in book.assignment_submissions(PS)
            for part in submission.notebooks
        }
    return text, files, points


def test_the_same_records_notebooks_and_points_as_from_local_workers(class_: Class, two, tmp_path):
    """Right and wrong answers, a rule, a crash, no JSON, and a module of the course that workers have only as bytes.

    Grading on the cluster what was graded here finds that nothing has changed, for the environment is the same.
    """
    course = class_.course
    (course.root / "own").mkdir()
    (course.root / "own" / "numbers.py").write_text("TWO = 2\n")
    with (course.root / "nbgrader_config.py").open("a") as file:
        file.write('c.Coursekit.sandbox_paths = ["own"]\n')
    course = class_.course = Course(course.root)
    class_.hand_in("own", class_.answers(double="from own.numbers import TWO\n\ndef double(x):\n    return TWO * x"))
    class_.hand_in("late", class_.answers(total="sum_of_all_numbers = 1"), "2026-02-02 12:00 UTC")
    class_.hand_in("forbidden", class_.answers(square="def square(x):\n    return pow(x, 2)"))
    class_.hand_in("crash", class_.answers(square="import os\n\ndef square(x):\n    os._exit(3)"))
    class_.hand_in("no json", b"{")
    other = Course(shutil.copytree(course.root, tmp_path / "other"))
    with hire(other, workers=1, trust=True) as crew:
        here = [record["state"] for record, _ in grade(other, PS, crew=crew, progress=False)]
    with hire_cluster(course, two.scheduler_address, trust=True) as crew:
        there = [record["state"] for record, _ in grade(course, PS, crew=crew, progress=False)]
        assert not any(is_new for _, is_new in grade(other, PS, crew=crew, progress=False))
    assert Counter(there) == Counter(here) == {"graded": 3, "kernel died": 1, "unreadable": 1}
    assert without_times(course) == without_times(other)
    records = Records(course.records_file(PS)).by_student
    assert {records[name]["score"] for name in ("own", "forbidden", "late")} == {8.0, 5.0, 0.0}
    assert_nothing_left(two, crew.executor)


def assert_nothing_left(local: LocalCluster, workers: Any) -> None:
    """No task, no note of the run, no kernel below a worker, and no file."""
    with Client(local.scheduler_address, set_as_default=False) as client:
        assert not any(client.processing().values())
        assert client.get_metadata([workers.run], None) is None
        running = client.run(os.getpid)
        folders = client.run(lambda dask_worker: os.listdir(dask_worker.local_directory))
    assert not [name for names in folders.values() for name in names if name.startswith("course-")]
    below = [child for pid in running.values() for child in psutil.Process(pid).children(recursive=True)]
    _, alive = psutil.wait_procs(below, timeout=10)
    assert not [child for child in alive if "tracker" not in " ".join(child.cmdline())]


def test_workers_killed_in_the_middle_cost_a_recorded_attempt_and_those_that_come_later_are_used(class_: Class, two):
    """SIGKILL ends both while each grades. Nothing is graded twice: every task was begun exactly once."""
    course = class_.course
    for number in range(6):
        class_.hand_in(f"student-{number}", class_.answers(double=SLOW))
    first = pids(two)
    with hire_cluster(course, two.scheduler_address, trust=True) as crew:
        workers = crew.executor
        until(lambda: workers.ready == 2)

        def kill() -> None:
            until(lambda: set((workers.board.read("begun") or {}).values()) == set(first))
            for pid in first.values():
                os.kill(pid, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        found = [record for record, is_new in grade(course, PS, crew=crew, progress=False) if is_new]
        killer.join()
        begun = workers.board.read("begun")
    assert Counter(record["student"] for record in found) == {f"student-{number}": 1 for number in range(6)}
    assert {(record["state"], record["score"]) for record in found} == {("graded", 8.0)}
    path = course.records_file(PS)
    told = [log_file(path, record["student"]).read_text() for record in found]
    lost = [text for text in told if "attempt 1: WorkerLost: the worker tcp://" in text]
    assert len(lost) >= 2
    assert len(begun) == 6 + sum(text.count(": WorkerLost: ") for text in told)
    assert set(begun.values()) - set(first)


def test_a_worker_that_differs_is_not_used_and_the_others_are(class_: Class, two, tmp_path):
    """One of two processes has a package that is not installed here."""
    course = class_.course
    for number in range(4):
        class_.hand_in(f"student-{number}", b"1")
    (tmp_path / "thing-1.0.dist-info").mkdir()
    odd, even = sorted(pids(two))
    with Client(two.scheduler_address, set_as_default=False) as client:
        client.run(exec, f"import sys; sys.path.append({str(tmp_path)!r})", workers=[odd])
    try:
        with hire_cluster(course, two.scheduler_address, trust=True) as crew:
            assert len(list(grade(course, PS, crew=crew, progress=False))) == 4
            until(lambda: crew.executor.about)
            ((text,),) = crew.executor.about
            begun = crew.executor.board.read("begun")
    finally:
        shutil.rmtree(tmp_path / "thing-1.0.dist-info")
    assert set(begun.values()) == {even}
    assert text.startswith(
        f"The worker {odd} is not used: other packages are installed there: thing 1.0 (none at home)"
    )


def test_a_worker_without_coursekit_is_not_used_and_where_no_other_is_left_it_is_said(class_: Class, two, monkeypatch):
    monkeypatch.setattr(cluster_executor, "SETTLE_SECONDS", 0.1)
    monkeypatch.setattr(cluster_executor, "SILENT_SECONDS", 0.1)
    lose = "import sys; sys.modules['coursekit.workers.cluster_process'] = None"
    odd, even = sorted(pids(two))
    with Client(two.scheduler_address, set_as_default=False) as client:
        try:
            client.run(exec, lose, workers=[odd])
            with hire_cluster(class_.course, two.scheduler_address, trust=True) as crew:
                assert "must be installed" in " ".join(crew.news())
                crew.executor.submit(grade_notebook, None, *released(class_), None).result(60)
                assert set(crew.executor.board.read("begun").values()) == {even}
            client.run(exec, lose, workers=[even])
            with pytest.raises(CourseError, match=r"No worker of the cluster.*must be installed"):
                hire_cluster(class_.course, two.scheduler_address, trust=True)
        finally:
            client.run(exec, "import sys; sys.modules.pop('coursekit.workers.cluster_process', None)")


def released(class_: Class) -> tuple[bytes, bytes]:
    """The notebook as it was released, in the place of both that a worker wants."""
    source = class_.course.release(PS).joinpath("numbers.ipynb").read_bytes()
    return source, source


def test_a_run_that_was_given_up_makes_room_for_the_next_one_and_another_course_waits(class_: Class, two, tmp_path):
    """After a kill -9 nobody has closed the workers; what is graded for others is not disturbed."""
    other = Course(shutil.copytree(class_.course.root, tmp_path / "other"))
    killed = hire_cluster(class_.course, two.scheduler_address, trust=True).executor
    killed._closed.set()  # nothing more is heard of it
    with hire_cluster(class_.course, two.scheduler_address, trust=True) as crew:
        found: list[Any] = []
        second = threading.Thread(target=lambda: found.append(hire_cluster(other, two.scheduler_address, trust=True)))
        second.start()
        until(lambda: waiting(two, crew.executor.run))
        crew.executor.submit(grade_notebook, None, *released(class_), None).result(60)
        assert not found
    second.join(60)
    with found[0] as crew:
        crew.executor.submit(grade_notebook, None, *released(class_), None).result(60)
    killed.client.close()


def waiting(local: LocalCluster, but: str) -> bool:
    """Whether a worker has said to another run than this one that it waits."""
    metadata = local.scheduler.task_metadata
    return any("waits for the end" in str(note) for run, note in list(metadata.items()) if run != but)


class Note:
    """A board with one note."""

    note: Any = 1

    def read(self, *keys: str) -> Any:
        if isinstance(self.note, OSError):
            raise self.note
        return self.note

    def write(self, *keys: str, note: Any) -> None:
        raise AssertionError


def test_a_worker_stays_as_long_as_the_one_who_grades_gives_signs_of_life(monkeypatch):
    """A note that changes, a scheduler away for a while, a note that stays the same for too long, one taken away."""
    now = [1000.0]
    monkeypatch.setattr(board.time, "monotonic", lambda: now[0])
    found = Note()
    lease = Lease(found)
    for found.note in (1, 2, OSError("away"), 3, 3, 3):
        assert lease.holds()
        now[0] += LEASE_SECONDS / 2.5
    assert not lease.holds()
    for found.note, holds in ((1, True), (None, False)):
        assert Lease(found).holds() is holds
    found.note = OSError("away")
    lease = Lease(found)
    assert lease.holds()
    now[0] += LEASE_SECONDS * 1.1
    assert not lease.holds()


def test_where_every_worker_differs_nothing_is_graded_and_the_reason_is_said(class_: Class, two, monkeypatch):
    here = Machine.here()
    monkeypatch.setattr(Machine, "here", classmethod(lambda _: replace(here, python="CPython 9.9.9 abacus")))
    with pytest.raises(CourseError, match=r"(?s)No worker of the cluster can be used.*CPython 9\.9\.9 abacus"):
        hire_cluster(class_.course, two.scheduler_address, trust=True)


def test_a_task_beyond_all_bounds_ends_its_worker_and_is_not_given_to_another(class_: Class, two):
    before = pids(two)
    with hire_cluster(class_.course, two.scheduler_address, trust=True) as crew:
        workers = crew.executor
        workers.task_seconds = 0.5
        with pytest.raises(WorkerStuck, match=r"longer than 0 s|longer than 1 s"):
            workers.submit(time.sleep, 600).result(60)
        (address,) = set(workers.board.read("begun").values())
        psutil.wait_procs([psutil.Process(before[address])], timeout=60)
        workers.task_seconds = 60.0
        data, record = workers.submit(grade_notebook, None, *released(class_), None).result(60)
        assert (type(data), record["state"]) == (bytes, "missing")
        assert set(workers.board.read("begun").values()) - {address}
    assert not psutil.pid_exists(before[address])


def test_a_connection_that_breaks_costs_the_tasks_that_were_under_way_and_the_next_ones_are_done(class_: Class, two):
    with hire_cluster(class_.course, two.scheduler_address, trust=True) as crew:
        workers = crew.executor
        future = workers.submit(time.sleep, 1)
        until(lambda: workers.board.read("begun"))
        workers.client.loop.add_callback(workers.client.scheduler_comm.comm.abort)
        with pytest.raises(WorkerLost):
            future.result(60)
        assert workers.submit(grade_notebook, None, *released(class_), None).result(60)[1]["state"] == "missing"


def test_ctrl_c_leaves_neither_a_task_nor_a_kernel_on_the_cluster(class_: Class, two):
    course = class_.course
    source = course.source(PS) / "numbers.ipynb"
    source.write_text(source.read_text().replace('"cell_seconds": 3', '"cell_seconds": 300'))
    for number in range(3):
        class_.hand_in(f"student-{number}", class_.answers(double=HANG))
    command = [sys.executable, "-m", "coursekit.cli", "--course", str(course.root), "grade", "--dask"]
    command += [two.scheduler_address, "--i-trust-the-submissions"]
    process = psutil.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    with Client(two.scheduler_address, set_as_default=False) as client:
        until(lambda: sum(map(len, client.processing().values())) >= 2)
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert "stopped. What was done is kept" in told
    assert "Traceback" not in told
    with Client(two.scheduler_address, set_as_default=False) as client:
        assert not any(client.processing().values())
        for pid in client.run(os.getpid).values():
            _, alive = psutil.wait_procs(psutil.Process(pid).children(recursive=True), timeout=10)
            assert not [child for child in alive if "tracker" not in " ".join(child.cmdline())]


# Without a worker


@pytest.fixture(scope="module")
def empty() -> Iterator[LocalCluster]:
    """A scheduler in this process, to whom no worker comes."""
    with LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as found:
        yield found


def test_a_scheduler_that_cannot_be_reached_is_said_with_what_to_do(class_: Class, monkeypatch, capsys):
    """Nobody listens, the address is none, and somebody listens who never says a word."""
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.5)
    monkeypatch.setattr(cluster, "ANSWER_SECONDS", 0.5)
    class_.hand_in("ada", b"1")
    with socket.create_server(("127.0.0.1", 0)) as mute:
        for address in ("tcp://127.0.0.1:9", "nonsense://:::", f"tcp://127.0.0.1:{mute.getsockname()[1]}"):
            assert cli.main(["--course", str(class_.course.root), "grade", "--dask", address]) == 1
            told = capsys.readouterr().err
            assert f"There is no dask scheduler at '{address}'" in told
            assert "dask scheduler`" in told
    assert cli.main(["--course", str(class_.course.root), "grade", "--dask", "x:1", "--workers", "2"]) == 1
    assert "Leave one of both out" in capsys.readouterr().err


def test_without_dask_the_extra_is_named(class_: Class, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(CourseError, match=r"\[teach,cluster\]"):
        hire_cluster(class_.course, "tcp://127.0.0.1:9")


def test_a_cluster_without_workers_is_not_waited_for_for_ever(class_: Class, empty):
    with (class_.course.root / "nbgrader_config.py").open("a") as file:
        file.write("c.Coursekit.cluster_seconds = 0.3\n")
    with pytest.raises(CourseError, match=r"no worker that can be used.*dask worker ADDRESS"):
        hire_cluster(Course(class_.course.root), empty.scheduler_address)


def task_without_worker(class_: Class, client: Client, patience: float) -> tuple[ClusterWorkers, Any]:
    errand = cluster.errand_of(class_.course, trust=True)
    workers = ClusterWorkers(client, CoursePlugin(errand), "coursekit-test", patience=patience)
    workers._register()
    workers._watcher.start()
    return workers, workers.submit(len, b"")


def test_tasks_do_not_wait_for_ever_for_a_worker_or_a_scheduler_that_has_gone(class_: Class, empty, monkeypatch):
    monkeypatch.setattr(cluster_executor, "LOOK_SECONDS", 0.05)
    with Client(empty.scheduler_address, set_as_default=False) as client:
        workers, future = task_without_worker(class_, client, patience=0.3)
        with pytest.raises(CourseError, match="no worker that can be used"):
            future.result(60)
        with pytest.raises(CourseError):
            workers.submit(len, b"")
        workers.shutdown(cancel_futures=True)
    with LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as doomed:
        client = Client(doomed.scheduler_address, set_as_default=False, timeout=0.5)
        workers, future = task_without_worker(class_, client, patience=600)
    with pytest.raises((CourseError, WorkerLost)):
        future.result(60)
    until(lambda: workers._broken is not None, 60)
    with pytest.raises(CourseError, match=r"was lost.*what was graded is kept"):
        workers.submit(len, b"")
    workers.shutdown(cancel_futures=True)


# What is sent


@pytest.mark.parametrize(
    "result", [None, b"", (b"", {}), (b"", b"1"), (b"", b"{"), (b"", b"{}", 1), [b"", b"{}"], ("", b"{}")]
)
def test_a_result_that_is_no_notebook_with_a_record_is_refused(result):
    with pytest.raises(WorkerLost, match="a notebook and its record were expected"):
        outcomes.taken(result)
    assert outcomes.taken((b"nb", b'{"state": "graded"}')) == (b"nb", {"state": "graded"})


def test_modules_arrive_as_they_are_or_not_at_all(class_: Class, tmp_path):
    """What notebooks may import and what the rule needs, for a rule in a package too; a changed byte is noticed."""
    root = class_.course.root
    for name in (
        "own/a.py",
        "own/deep/b.py",
        "own/__pycache__/a.pyc",
        "tools/rule.py",
        "tools/more.py",
        "tools/.git/x",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    with (root / "nbgrader_config.py").open("a") as file:
        file.write('c.Coursekit.sandbox_paths = ["own"]\nc.Coursekit.answer_rule = "tools.rule:f"\n')
    course = Course(root)
    luggage = pack(course)
    found = unpack(luggage, tmp_path / "there")
    (own,) = found.shown
    assert environment.sources([own]) == environment.sources([root / "own"])
    rule = Path(found.import_paths[0])
    assert sorted(path.name for path in rule.rglob("*.py")) == ["more.py", "rule.py"]
    assert not list(Path(tmp_path / "there").rglob("*.pyc"))
    assert str(own.parent) in found.import_paths
    assert not any(path.is_relative_to(own.parent.parent) for path in map(Path, found.import_paths[:1]))
    broken = replace(luggage, archive=luggage.archive[:-1] + b"x")
    with pytest.raises(OSError, match="did not arrive"):
        unpack(broken, tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()


def test_modules_that_are_too_large_to_be_sent_are_refused(class_: Class, monkeypatch):
    monkeypatch.setattr("coursekit.workers.luggage.MOST_BYTES", 10)
    with pytest.raises(CourseError, match="sandbox_data"):
        pack(class_.course)


def test_every_difference_between_two_computers_is_named_and_none_is_invented():
    home = Machine("CPython 3.11.1 x86_64", "a", ("a-b-1.0", "torch-2.8"))
    assert difference(home, home) == ""
    assert "CPython 3.12.1" in difference(home, replace(home, python="CPython 3.12.1 x86_64"))
    assert "torch 2.9 (2.8 at home)" in difference(home, replace(home, packages=("a-b-1.0", "torch-2.9")))
    assert "a-b is missing (1.0 at home)" in difference(home, replace(home, packages=("torch-2.8",)))
    assert "files of coursekit" in difference(home, replace(home, coursekit="b"))
