"""Running a notebook: what goes wrong in a cell costs that question, and never the grader or the other questions."""

import os
from pathlib import Path

import nbformat
import pytest
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
from tiny_course import answer, test

from coursekit import execution
from coursekit.execution import DIED, FAILED, FINE, NOT_RUN, TIMED_OUT, Budget, Execution, SetupFailed, execute, kernel
from coursekit.kernels.limits import KernelLimits
from coursekit.kernels.ordinary import OrdinaryKernels

BUDGET = Budget(cell_seconds=20, total_seconds=90, setup_seconds=60, output_bytes=5000)
KILL = "import os\nos._exit(7)"
CRASH = "import ctypes\nctypes.string_at(0)"
STUBBORN = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"


@pytest.fixture(scope="module")
def kernels():
    found = OrdinaryKernels(environment={"OMP_NUM_THREADS": "1"})
    yield found
    found.close()


def notebook(*cells) -> nbformat.NotebookNode:
    """Text becomes a plain cell, a pair an answer and its test."""
    made: list[nbformat.NotebookNode] = []
    for number, item in enumerate(cells):
        if isinstance(item, str):
            made.append(new_code_cell(item))
        else:
            made += [answer(f"a{number}", item[0]), test(f"t{number}", 1, item[1])]
    return new_notebook(cells=made)


def run(kernels, nb, budget: Budget = BUDGET, **options) -> Execution:
    first = next((i for i, cell in enumerate(nb.cells) if "nbgrader" in cell.metadata), len(nb.cells))
    return execute(nb, budget, first, kernels, {"data.txt": b"beside the notebook"}, **options)


def states(found: Execution) -> list[str]:
    return [found.cells[index].state for index in sorted(found.cells)]


def texts(cell) -> str:
    return "".join(output.get("text", "") for output in cell.outputs)


# What nbclient and we must agree on: every kind of output that lectures and assignments have.
SHOWN = [
    "import sys\nfrom IPython.display import display, HTML, clear_output, update_display\n1 + 1",
    "print('a')\nprint('b', file=sys.stderr, flush=True)\nprint('c', flush=True)\nprint('d', file=sys.stderr)",
    "for n in range(4):\n    print(f'\\r{n}/3', end='', flush=True)",
    "print('gone', flush=True)\nclear_output()\nprint('stays')",
    "print('gone', flush=True)\nclear_output(wait=True)\ndisplay(HTML('<b>x</b>'))",
    "handle = display({'text/plain': 'old', 'application/json': {'a': [1, None]}}, raw=True, display_id='x')\n"
    "handle.update({'text/plain': 'new'}, raw=True)\n'result'",
    "print('before')\n1 / 0",
    "def f(: pass",
    "display(1, 2)\nNone",
    "",
]


def test_outputs_are_what_nbclient_stores(kernels):
    ours, theirs = notebook(*SHOWN), notebook(*SHOWN)
    for cell in ours.cells:
        cell.metadata["tags"] = ["raises-exception"]
    run(kernels, ours)
    NotebookClient(theirs, allow_errors=True, coalesce_streams=True, kernel_name="python3").execute()
    assert [cell.outputs for cell in ours.cells] == [cell.outputs for cell in theirs.cells]
    assert [cell.execution_count for cell in ours.cells] == [cell.execution_count for cell in theirs.cells]


def test_the_kernel_runs_in_a_folder_of_its_own_with_the_files_of_the_assignment(kernels, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    nb = notebook("import os\nprint(open('data.txt').read(), os.listdir('.'), os.getcwd())")
    run(kernels, nb)
    assert texts(nb.cells[0]).startswith("beside the notebook ['data.txt']")
    assert not Path(texts(nb.cells[0]).split()[-1]).exists()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("end", [KILL, CRASH, "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"])
def test_a_question_that_ends_its_kernel_costs_that_question_and_no_other(kernels, end):
    """What had run before is there again, each cell once, and the outputs are those of the first time."""
    nb = notebook(
        "seen = []",
        ("seen.append(1); print('printed', flush=True)", "assert seen == [1]"),
        ("two = 2\ndef f(): exec(end)", "f()"),
        ("seen.append(3)", "assert (seen, two) == ([1, 3], 2)"),
        (end, "assert True"),
        (end, "assert True"),
        ("seen.append(5)", "assert (seen, two) == ([1, 3, 5], 2)"),
    )
    nb.cells[0].source += f"\nend = {end!r}"
    found = run(kernels, nb)
    lost = [DIED, FINE, FINE, DIED, NOT_RUN, DIED, NOT_RUN, FINE, FINE]
    assert states(found) == [FINE, FINE, FINE, FINE, *lost]
    assert (
        found.restarts == 4
    )  # the second time it might have been what the first one had left behind, so it is tried again
    assert texts(nb.cells[1]) == "printed\n"
    assert all(found.cells[index].reason for index in (4, 7, 8, 9, 10))
    assert [output.output_type for output in nb.cells[4].outputs] == ["error"]


def test_a_cell_that_cannot_be_interrupted_costs_its_question_and_no_other(kernels, monkeypatch):
    monkeypatch.setattr(kernel, "INTERRUPT_SECONDS", 0.5)
    nb = notebook(("x = 1", "assert x == 1"), (STUBBORN, "1"), ("y = x", "assert y == 1"))
    found = run(kernels, nb, Budget(1, 90, 60, 5000))
    assert states(found) == [FINE, FINE, TIMED_OUT, NOT_RUN, FINE, FINE]


def test_a_cell_that_never_ends_is_interrupted_and_its_kernel_goes_on(kernels):
    nb = notebook(("def f():\n    while True: pass", "f()"), ("x = 1", "assert x == 1"))
    found = run(kernels, nb, Budget(1, 90, 60, 5000))
    assert states(found) == [FINE, TIMED_OUT, FINE, FINE]
    assert found.restarts == 0
    assert "1 s" in found.cells[1].reason
    assert "loop" in found.cells[1].hint
    assert [output.ename for output in nb.cells[1].outputs] == ["CellTimeoutError"]


def test_what_a_lost_question_leaves_behind_ends_no_other_question(kernels):
    """The answer starts a timer that ends Python whenever it is run; the second kernel has it again, the third not."""
    timer = "import os, threading, time\nthreading.Timer(0.3, os._exit, (3,)).start()"
    nb = notebook((timer, "time.sleep(60)"), ("import time\ntime.sleep(1)", "1"), ("x = 1", "assert x == 1"))
    found = run(kernels, nb)
    assert states(found) == [FINE, DIED, FINE, FINE, FINE, FINE]
    assert found.restarts == 2


@pytest.fixture
def ended_before(monkeypatch):
    """Ends the kernel when the grader has looked so many times whether it still lives, as it does before a cell."""

    def arrange(look: int) -> None:
        ended, looks = kernel.LiveKernel.ended, 0

        async def look_again(self) -> bool:
            nonlocal looks
            looks += 1
            if looks == look:
                await self.manager.provisioner.kill()
                await self.manager.provisioner.wait()
            return await ended(self)

        monkeypatch.setattr(kernel.LiveKernel, "ended", look_again)

    return arrange


def test_a_kernel_that_ends_between_two_cells_was_ended_by_the_first_of_them(kernels, ended_before):
    ended_before(2)
    nb = notebook(("x = 1", "assert x == 1"), ("y = 2", "assert y == 2"))
    assert states(run(kernels, nb)) == [FINE, DIED, FINE, FINE]


def test_a_kernel_with_cells_of_a_lost_question_that_ends_between_two_cells_was_ended_by_those(kernels, ended_before):
    ended_before(2)
    nb = notebook(("x = 1", KILL), ("y = 2", "assert y == 2"), ("z = 3", "assert (y, z) == (2, 3)"))
    assert states(run(kernels, nb)) == [FINE, DIED, FINE, FINE, FINE, FINE]


def test_a_notebook_whose_replay_ends_python_again_stops_there_with_a_reason(kernels, tmp_path):
    """The first answer ends Python from its second run on, which is after another question has ended it."""
    again = f"import os\nnew = not os.path.exists({str(tmp_path / 'seen')!r})\nopen({str(tmp_path / 'seen')!r}, 'w')\n"
    nb = notebook((again + "new or os._exit(3)", "1"), (KILL, "1"), ("x = 1", "1"))
    found = run(kernels, nb)
    assert states(found) == [FINE, FINE, DIED, NOT_RUN, NOT_RUN, NOT_RUN]
    assert "second time" in found.cells[4].reason


def test_the_total_time_bounds_the_sum_of_all_cells(kernels):
    """Generous numbers: the first cell is fast on any machine, and the second one would take a minute."""
    nb = notebook(("import time", "time.sleep(60)"), ("time.sleep(60)", "time.sleep(60)"))
    found = run(kernels, nb, Budget(90, 3, 60, 1000))
    assert states(found) == [FINE, TIMED_OUT, NOT_RUN, NOT_RUN]
    assert "3 s" in found.cells[2].reason


def test_the_time_of_a_replay_counts(kernels):
    nb = notebook(("import time\ntime.sleep(3)", "1"), (KILL, "1"), ("time.sleep(3)", "1"))
    found = run(kernels, nb, Budget(30, 8, 60, 1000))
    assert states(found)[:2] == [FINE, FINE]
    assert states(found)[-1] == NOT_RUN
    assert FINE not in states(found)[4:]


@pytest.mark.parametrize("fault", ["1 / 0", KILL, "while True: pass"])
def test_a_cell_above_the_first_answer_that_fails_is_never_the_students_fault(kernels, fault):
    with pytest.raises(SetupFailed, match="number 1"):
        run(kernels, notebook(fault, ("x = 1", "1")), Budget(30, 30, 2, 1000))


def test_a_cell_above_the_first_answer_may_fail_on_purpose(kernels):
    nb = notebook("1 / 0", ("x = 1", "1"))
    nb.cells[0].metadata["tags"] = ["raises-exception"]
    assert states(run(kernels, nb)) == [FAILED, FINE, FINE]


def test_ctrl_c_is_never_taken_for_a_fault_of_the_student(kernels):
    press = "import os, signal, time\nos.kill(os.getppid(), signal.SIGINT)\ntime.sleep(60)"
    with pytest.raises(KeyboardInterrupt):
        run(kernels, notebook((press, "1")))


class NoKernels:
    """A source whose kernels cannot be started."""

    sandbox, warm = "none", False

    def manager(self, files, limits: KernelLimits) -> AsyncKernelManager:
        return AsyncKernelManager(kernel_name="no-such-kernel")

    def why_dead(self, manager) -> str:
        return ""

    def close(self) -> None:
        pass


def test_a_kernel_that_does_not_start_is_the_machines_fault():
    with pytest.raises(execution.KernelDidNotStart):
        run(NoKernels(), notebook(("1", "1")))


def test_points_come_from_the_reply_and_not_from_what_is_published(kernels):
    """Results that the student's code publishes, errors that it shows, output that gets lost: none of it counts."""
    lie = (
        "def lie(kind):\n    k = get_ipython().kernel\n"
        "    content = {'data': {'text/plain': '1.0'}, 'metadata': {}, 'execution_count': 1}\n"
        "    k.session.send(k.iopub_socket, kind, content, parent=k.get_parent())\n"
        "    try:\n        1 / 0\n    except ZeroDivisionError:\n        get_ipython().showtraceback()"
    )
    nb = notebook((lie, "lie('execute_result')\n0.25"), ("big = 'y' * 9_000_000", "print(big)\n0.5"))
    found = run(kernels, nb)
    assert states(found) == [FINE] * 4
    for index, credit in ((1, "0.25"), (3, "0.5")):
        results = [output for output in nb.cells[index].outputs if output.output_type in ("execute_result", "error")]
        assert [output.data for output in results] == [{"text/plain": credit}]
    assert "was cut" in texts(nb.cells[3])


def test_a_test_whose_result_cannot_be_read_gives_nothing(kernels):
    nb = notebook(("def f():\n    get_ipython().execution_count = 'many'", "f()\n1"))
    found = run(kernels, nb)
    assert states(found) == [FINE, FAILED]
    assert [output.output_type for output in nb.cells[1].outputs] == ["error"]


def test_replies_beyond_all_bounds_cost_the_question_and_do_not_wait_for_its_time(kernels):
    nb = notebook(("def f():\n    raise ValueError('y' * 9_000_000)", "f()"), ("x = 1", "assert x == 1"))
    found = run(kernels, nb, Budget(80, 90, 60, 5000))
    assert states(found) == [FINE, DIED, FINE, FINE]
    assert "connection" in found.cells[1].reason


def test_messages_with_endless_parts_cannot_fill_the_memory_of_the_grader(kernels, monkeypatch):
    monkeypatch.setattr(kernel, "OWN_MEMORY_BYTES", 60_000_000)
    flood = (
        "k = get_ipython().kernel\nk.iopub_socket.send_multipart([b'x' * 1_000_000] * 200)\nimport time; time.sleep(60)"
    )
    found = run(kernels, notebook((flood, "1"), ("x = 1", "assert x == 1")))
    assert states(found) == [DIED, NOT_RUN, FINE, FINE]
    assert "more data" in found.cells[0].reason


def test_output_is_cut_for_each_cell_and_for_the_whole_notebook(kernels):
    nb = notebook(*[("pass", "print('Q' * 4000)")] * 4, ("pass", "print('Q' * 6000)"))
    run(kernels, nb, Budget(20, 90, 60, 5000, total_output_bytes=10_000))
    kept = [texts(cell).count("Q") for cell in nb.cells[1::2]]
    assert kept[:2] == [4000, 4000]
    assert kept[2] <= 2000
    assert kept[3:] == [0, 0]
    nb = notebook(("pass", "print('Q' * 6000)\n0.5"))
    run(kernels, nb)
    assert texts(nb.cells[1]).count("Q") == 5000
    assert nb.cells[1].outputs[-1].data == {"text/plain": "0.5"}


def test_a_silent_cell_keeps_its_result_and_its_error_and_nothing_else(kernels):
    noise = "import sys\nprint('arguments')\nprint('more', file=sys.stderr)\ndisplay('and more')\n"
    nb = notebook(("x = 1", noise + "0.5"), ("x = 2", noise + "1 / 0"), ("x = 3", noise))
    run(kernels, nb, silent={1, 3, 5})
    assert [[output.output_type for output in nb.cells[i].outputs] for i in (1, 3, 5)] == [
        ["execute_result"],
        ["error"],
        [],
    ]


def test_widgets_and_comms_leave_nothing_behind_and_do_not_hang(kernels):
    widgets = (
        "import comm\nc = comm.create_comm(target_name='jupyter.widget', data={'state': {}})\nc.send({'a': 1})\n"
        "display({'text/plain': 'slider', 'application/vnd.jupyter.widget-view+json': {'model_id': 'm'}}, raw=True)"
    )
    nb = notebook((widgets, "x = 1"))
    assert states(run(kernels, nb)) == [FINE, FINE]
    assert [output.data["text/plain"] for output in nb.cells[0].outputs] == ["slider"]
    assert "widgets" not in nb.metadata


@pytest.mark.parametrize("source", ["input('how many? ')", "import getpass\ngetpass.getpass()"])
def test_asking_for_input_fails_at_once_with_a_hint(kernels, source):
    found = run(kernels, notebook((source, "1")))
    assert states(found) == [FAILED, FINE]
    assert "input()" in found.cells[0].hint


@pytest.mark.parametrize("source", ["exit()", "quit()", "import sys\nsys.exit()", "%reset -f"])
def test_leaving_and_resetting_do_no_harm_to_what_follows(kernels, source):
    nb = notebook((source, "0.5"), ("import time\ntime.sleep(0.5)\nx = 1", "assert x == 1"))
    found = run(kernels, nb)
    assert [found.cells[index].state for index in (1, 2, 3)] == [FINE] * 3
    assert found.restarts == 0
    assert nb.cells[1].outputs[-1].data == {"text/plain": "0.5"}


def test_old_outputs_of_a_submission_never_stay(kernels):
    nb = notebook(("x = 1", "assert x == 2"), ("", KILL))
    for cell in nb.cells:
        cell.outputs = [nbformat.v4.new_output("execute_result", data={"text/plain": "1.0"}, execution_count=1)]
    run(kernels, nb)
    assert all(output.output_type == "error" for cell in nb.cells for output in cell.outputs)


FORGED = """class Forged(Exception):
    def _render_traceback_(self):
        return [f"Cell In[{get_ipython().execution_count}], line 1"]
def double(x):
    if x == 21:
        raise Forged(x)
    return 2 * x"""
MIXED = "assert double(1) == 2, 'seen'\n### BEGIN HIDDEN TESTS\nassert double(21) == 42\n### END HIDDEN TESTS"


@pytest.mark.parametrize(
    ("answer_code", "hidden"),
    [(FORGED, True), ("double = lambda x: 3", False), ("double = lambda x: 2", True), (KILL, False)],
)
def test_whether_a_hidden_line_failed_does_not_depend_on_what_a_traceback_says(kernels, answer_code, hidden):
    nb = notebook((answer_code, MIXED))
    found = run(kernels, nb, silent={1})
    assert found.cells[1].state in (FAILED, NOT_RUN)
    assert found.cells[1].hidden == hidden


def test_a_cell_that_runs_in_two_parts_leaves_what_it_leaves_in_one(kernels):
    source = "got = [1]\n### BEGIN HIDDEN TESTS\ngot.append(2)\n### END HIDDEN TESTS\nlen(got) / 4"
    ours, theirs = notebook(("x = 1", source)), notebook(("x = 1", source))
    run(kernels, ours, silent={1})
    run(kernels, theirs)
    assert ours.cells[1].outputs[0].data == theirs.cells[1].outputs[0].data == {"text/plain": "0.5"}
