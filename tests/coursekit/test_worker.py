"""What a worker says about whole questions, without a kernel: the cells' outputs are given."""

import copy

import nbformat
import pytest
from nbgrader.utils import compute_checksum
from tiny_course import answer, mark, test

from coursekit import execution, notebooks, rule
from coursekit.execution import CellRun
from coursekit.rule import RuleFailed, hits
from coursekit.worker import Limits, budget_of, grade_notebook

RULE = """
import ast
def with_context(source, forbidden, *, context=""):
    tree = ast.parse(context + "\\n" + source)
    aliases = {a.asname or a.name: a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    names = {n.id for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Name)}
    return [f"{aliases[n]} is not allowed." for n in sorted(names) if aliases.get(n) in forbidden]
def plain(source, forbidden):
    return [n.id for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Name) and n.id in forbidden]
def broken(source, forbidden):
    raise KeyError("the rule has a fault")
"""


def locked(grade_id: str, source: str):
    return nbformat.v4.new_code_cell(source, metadata=mark(grade_id, locked=True))


def release():
    """Question 1 has two answers, a check without points and two tests; question 2 an answer and a test."""
    cells = [
        nbformat.v4.new_code_cell("import math as m"),
        answer("a", "raise NotImplementedError()"),
        answer("b", "raise NotImplementedError()"),
        locked("check", "check(a, b)"),
        test("t1", 1, "1"),
        test("t2", 2, "2"),
        locked("given", "show(c)"),
        answer("c", "raise NotImplementedError()"),
        test("t3", 3, "3"),
    ]
    nb = nbformat.v4.new_notebook(cells=cells)
    for index, cell in enumerate(nb.cells):
        cell["id"] = f"c{index}"
        if "nbgrader" in cell.metadata:
            cell.metadata["nbgrader"]["checksum"] = compute_checksum(cell)
    nb.metadata["coursekit"] = {"forbidden": {"*": ["math"], "b": ["os"]}, "cell_seconds": 3, "total_seconds": -1}
    return nb


def graded(monkeypatch, answers: dict[str, str], failing: dict[str, str], answer_rule: str = "", paths=()):
    """The record of a submission whose cells named in `failing` raise an assertion with that message."""

    def execute(nb, budget, first_answer, folder, environment):
        assert first_answer == 1
        for name, cell in notebooks.by_id(nb).items():
            if name in failing:
                trace = [f"AssertionError: {failing[name]}"]
                cell.outputs = [
                    nbformat.v4.new_output("error", ename="AssertionError", evalue=failing[name], traceback=trace)
                ]
        return {index: CellRun(execution.FINE) for index in range(len(nb.cells))}

    monkeypatch.setattr(execution, "execute", execute)
    released, submitted = release(), release()
    for name, source in answers.items():
        notebooks.by_id(submitted)[name].source = source
    data = [notebooks.dumps(nb) for nb in (submitted, released, released)]
    _, record = grade_notebook(*data, Limits(answer_rule=answer_rule, import_paths=paths))
    return {cell["grade_id"]: cell for cell in record["cells"]}


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


def test_both_lists_of_names_count_and_cells_above_give_names_their_meaning(tmp_path):
    (tmp_path / "my_rule.py").write_text(RULE)
    nb = release()
    sources = {"a": "import os as o\no.sep", "b": "o.sep; m.pi", "c": "o.sep"}
    for name, source in sources.items():
        notebooks.by_id(nb)[name].source = source
    assert hits(nb, "my_rule:with_context", [str(tmp_path)]) == {"b": ["math is not allowed.", "os is not allowed."]}


def test_a_rule_sees_through_ipythons_syntax_and_leaves_broken_code_to_the_tests(tmp_path):
    (tmp_path / "my_rule.py").write_text(RULE)
    nb = release()
    for name, source in {"a": "%matplotlib inline\nmath", "b": "def broken(:\n  math", "c": "1 +"}.items():
        notebooks.by_id(nb)[name].source = source
    assert hits(nb, "my_rule:plain", [str(tmp_path)]) == {"a": ["math"]}


@pytest.mark.parametrize("name", ["my_rule:broken", "my_rule:missing", "no_such_module:rule"])
def test_a_rule_that_cannot_be_run_is_the_courses_fault(tmp_path, name):
    (tmp_path / "my_rule.py").write_text(RULE)
    with pytest.raises(RuleFailed, match=name.split(":")[0]):
        hits(release(), name, [str(tmp_path)])


def test_without_forbidden_names_no_process_is_started(monkeypatch):
    monkeypatch.setattr(rule.subprocess, "run", None)
    nb = release()
    del nb.metadata["coursekit"]
    assert hits(nb, "my_rule:plain") == {}
    assert hits(release(), "") == {}


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
