"""What a worker says about whole questions, without a kernel: the cells' outputs are given."""

import copy
import json
import math

import nbformat
import pytest
from tiny_course import TEST_DOUBLE
from two_questions import release

from coursekit import execution, notebooks
from coursekit.execution import CellRun, Execution
from coursekit.grading import worker
from coursekit.grading.allowances import Limits, budget_of, kernel_limits_of
from coursekit.grading.worker import close_worker, grade_notebook, use_kernels

RULE = """
import ast
def with_context(source, forbidden, *, context=""):
    tree = ast.parse(context + "\\n" + source)
    aliases = {a.asname or a.name: a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    names = {n.id for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Name)}
    return [f"{aliases[n]} is not allowed." for n in sorted(names) if aliases.get(n) in forbidden]
"""


class Kernels:
    """Kernels that nobody starts, for what `execute` would do is given."""

    sandbox, warm, closed = "a box", True, False

    def manager(self, files, limits):
        raise AssertionError

    def why_dead(self, manager):
        return ""

    def close(self):
        self.closed = True


@pytest.fixture(autouse=True)
def kernels():
    found = Kernels()
    use_kernels(found)
    yield found
    close_worker()


def recorded(
    monkeypatch, answers: dict[str, str], failing: dict[str, str], answer_rule: str = "", paths=(), **runs: CellRun
):
    """The record of a submission whose cells named in `failing` raise an assertion with that message."""

    def execute(nb, budget, first_answer, kernels, files, *, limits, silent, hidden_mark):
        assert first_answer == 1
        assert kernels.sandbox == "a box"
        for name, cell in notebooks.by_id(nb).items():
            if name in failing:
                trace = [f"AssertionError: {failing[name]}"]
                cell.outputs = [
                    nbformat.v4.new_output("error", ename="AssertionError", evalue=failing[name], traceback=trace)
                ]
        names = [notebooks.grade_id(cell) for cell in nb.cells]
        return Execution(
            {i: runs.get(str(name), CellRun(execution.FINE, hidden=name in failing)) for i, name in enumerate(names)},
            2,
            0.0,
        )

    monkeypatch.setattr(execution, "execute", execute)
    released, submitted = release(), release()
    for name, source in answers.items():
        notebooks.by_id(submitted)[name].source = source
    data = [notebooks.dumps(nb) for nb in (submitted, released, released)]
    _, record = grade_notebook(*data, Limits(answer_rule=answer_rule, import_paths=paths))
    return record


def graded(*arguments, **options):
    """The verdicts in such a record, by name."""
    return {cell["grade_id"]: cell for cell in recorded(*arguments, **options)["cells"]}


def test_a_check_without_points_gives_its_hint_to_the_tests_that_lost_points_in_its_question(monkeypatch):
    cells = graded(monkeypatch, {"a": "x", "b": "y", "c": "z"}, {"check": "mind the 1/2", "t2": "", "t3": "other"})
    assert [cells[name]["score"] for name in ("t1", "t2", "t3")] == [1, 0, 0]
    assert [cells[name]["hint"] for name in ("t1", "t3")] == ["", "other"]
    assert cells["t2"]["hint"] != ""
    cells = graded(monkeypatch, {"a": "x", "b": "y", "c": "z"}, {"check": "mind the 1/2", "given": "late", "t3": "w"})
    assert cells["t3"]["hint"] == "w"


def test_an_exercise_that_was_left_empty_is_called_so_and_a_half_filled_one_is_not(monkeypatch):
    cells = graded(monkeypatch, {"a": "x"}, {"t1": "bad", "t2": "bad", "t3": "bad"})
    assert [cells[name]["state"] for name in ("t1", "t2", "t3")] == ["raised", "raised", "no answer"]


def test_a_forbidden_name_in_any_answer_costs_its_whole_question_and_no_other(monkeypatch, tmp_path):
    (tmp_path / "my_rule.py").write_text(RULE)
    options = {"answer_rule": "my_rule:with_context", "paths": (str(tmp_path),)}
    cells = graded(monkeypatch, {"a": "m.sqrt(2)", "b": "1", "c": "2"}, {}, **options)
    assert [cells[name]["score"] for name in ("t1", "t2", "t3")] == [0, 0, 3]
    assert cells["t1"]["state"] == "forbidden"
    assert "math is not allowed." in cells["t1"]["reason"]


def test_budgets_come_from_the_notebook_where_they_make_sense_otherwise_from_the_course():
    budget = budget_of(release(), Limits(cell_seconds=7, total_seconds=70))
    assert (budget.cell_seconds, budget.total_seconds) == (3, 70)
    budget = budget_of(release(), Limits(cell_seconds=7, total_seconds=70, time_factor=2))
    assert (budget.cell_seconds, budget.total_seconds) == (6, 140)


def test_a_cell_may_have_a_limit_of_its_own():
    nb = release()
    assert not budget_of(nb, Limits()).own_seconds
    nb.cells[1].metadata["coursekit"] = {"seconds": 20}
    assert budget_of(nb, Limits(time_factor=2)).own_seconds == {1: 40}


def test_what_a_worker_gets_is_not_changed_by_it():
    nb = release()
    before = copy.deepcopy(nb)
    assert [question.tests for question in notebooks.questions(nb)] == [["t1", "t2"], ["t3"]]
    assert [question.checks for question in notebooks.questions(nb)] == [["check", "given"], []]
    assert nb == before


def test_one_submission_after_the_other_gets_what_it_gets_alone(monkeypatch):
    """What is the same for all of them is read once; whatever a submission is, the next one finds it unchanged."""
    data = notebooks.dumps(release())
    hopeless = [(None, ""), (b"{", ""), (None, "nobody can open it")]
    alone = [grade_notebook(submission, data, data, Limits(), None, problem) for submission, problem in hopeless]
    first = graded(monkeypatch, {"a": "x"}, {"t1": "bad"})
    again = [grade_notebook(submission, data, data, Limits(), None, problem) for submission, problem in hopeless]
    assert again == alone
    assert graded(monkeypatch, {"a": "x"}, {"t1": "bad"}) == first


def test_kernel_limits_come_from_the_notebook_where_they_make_sense_otherwise_from_the_course():
    nb = release()
    nb.metadata["coursekit"] |= {"memory_bytes": 5e8, "processes": "many", "disk_bytes": True, "cpu_seconds": math.inf}
    limits = kernel_limits_of(nb, Limits(memory_bytes=7, processes=9, disk_bytes=11, cpu_seconds=5000))
    assert (limits.memory_bytes, limits.processes, limits.disk_bytes, limits.cpu_seconds) == (500_000_000, 9, 11, 5000)
    nb.metadata["coursekit"]["cpu_seconds"] = 30
    assert kernel_limits_of(nb, Limits()).cpu_seconds == 30


def test_processor_time_never_ends_a_notebook_that_is_within_its_time_by_the_clock():
    nb = release()
    nb.metadata["coursekit"]["total_seconds"] = 9000
    budget = budget_of(nb, Limits())
    assert kernel_limits_of(nb, Limits()).cpu_seconds > budget.total_seconds + budget.setup_seconds


def test_a_record_tells_how_the_notebook_was_run(monkeypatch):
    loop = CellRun(execution.TIMED_OUT, "Stopped.", 3.0, "Look for a loop.")
    record = recorded(monkeypatch, {"a": "x", "b": "y", "c": "z"}, {"t2": "no"}, t2=loop, check=loop)
    assert (record["sandbox"], record["warm"], record["restarts"]) == ("a box", True, 2)
    assert record["hints"] == ["Look for a loop."]
    assert 0 < record["overhead_seconds"] <= record["seconds"]
    assert [event["cell"] for event in record["events"]] == [
        "number 1",
        "a",
        "b",
        "check",
        "t1",
        "t2",
        "given",
        "c",
        "t3",
    ]
    assert (record["state"], record["reason"]) == ("timed out", "In the cell 'check': Stopped.")
    assert json.loads(json.dumps(record)) == record


def test_advice_about_an_answer_reaches_the_tests_that_lost_points_in_its_question(monkeypatch):
    asked = CellRun(execution.FAILED, "raised", 0.1, "Nobody can answer.")
    cells = graded(monkeypatch, {"a": "x", "b": "y", "c": "z"}, {"t2": "no", "t3": "other"}, a=asked)
    assert cells["t2"]["hint"].startswith("Nobody can answer.")
    assert (cells["t1"]["hint"], cells["t3"]["hint"]) == ("", "other")


def test_output_of_cells_with_hidden_tests_is_dropped_and_of_no_others(monkeypatch):
    """A student's function could print what it is called with."""
    found = []

    def execute(nb, budget, first_answer, kernels, files, *, limits, silent, hidden_mark):
        found.append({notebooks.grade_id(nb.cells[index]) for index in silent})
        return Execution()

    monkeypatch.setattr(execution, "execute", execute)
    released, with_tests = release(), release()
    notebooks.by_id(with_tests)["t2"].source = TEST_DOUBLE
    submitted = release()
    notebooks.by_id(submitted)["a"].source = "print('mine')"
    notebooks.by_id(submitted)["t1"].source = "print('changed')"
    grade_notebook(*[notebooks.dumps(nb) for nb in (submitted, released, with_tests)], Limits())
    assert found == [{"t2"}]


def test_a_worker_closes_its_kernels_and_without_any_says_what_to_do(kernels):
    other = Kernels()
    use_kernels(other)
    assert kernels.closed
    close_worker()
    assert other.closed
    data = notebooks.dumps(release())
    with pytest.raises(RuntimeError, match="open_worker"):
        grade_notebook(data, data, data, Limits())
    _, record = grade_notebook(b"", data, data, Limits())  # nothing is run for what cannot be read
    assert record["state"] == worker.UNREADABLE
