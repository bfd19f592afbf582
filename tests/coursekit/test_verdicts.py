"""From outputs to points: nbgrader's rules without its accidents."""

import math

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbgrader.utils import determine_grade
from tiny_course import TEST_DOUBLE, mark, test

from coursekit.execution import CellRun
from coursekit.grading import verdicts
from coursekit.grading.verdicts import judge

MARKS = ("BEGIN HIDDEN TESTS", "END HIDDEN TESTS")
RELEASED = test("t", 2, TEST_DOUBLE.split("\n", 1)[0])


def result(text: str):
    return nbformat.v4.new_output("execute_result", data={"text/plain": text}, execution_count=1)


def stream(name: str, text: str = "words"):
    return nbformat.v4.new_output("stream", name=name, text=text)


def error(line: int, name: str = "AssertionError", value: str = "the message"):
    trace = ["-----", f"\x1b[0;31m{name}\x1b[0m Traceback", f"Cell \x1b[0;32mIn[5], line {line}\x1b[0m\n----> {line}"]
    return nbformat.v4.new_output("error", ename=name, evalue=value, traceback=trace)


def ran(*outputs, source: str = TEST_DOUBLE):
    cell = test("t", 2, source)
    cell.execution_count = 5
    cell.outputs = list(outputs)
    return cell


def score(*outputs) -> float:
    """Our score, after nbgrader has agreed with it."""
    cell = ran(*outputs)
    verdict = judge(cell, RELEASED, None, MARKS)
    assert determine_grade(cell) == (verdict.score, 2)
    return verdict.score


@given(st.floats())
def test_partial_credit_is_finite_and_within_the_points(value):
    expected = min(max(value, 0.0), 2.0) if math.isfinite(value) else 0.0
    assert score(result(repr(value))) == expected


@pytest.mark.parametrize("text", ["'done'", "None", "tensor(1.)", ""])
def test_a_result_that_is_no_number_is_full_credit_as_in_nbgrader(text):
    assert score(result(text)) == 2


@pytest.mark.parametrize("text", ["tensor(nan)", "np.float64(-inf)", "array(nan)", "tensor(inf, grad_fn=<X>)"])
def test_a_number_that_is_not_finite_is_no_credit_in_whatever_it_is_wrapped(text):
    assert score(result(text)) == 0


def test_advice_about_a_run_is_shown_where_points_were_lost_also_for_a_hidden_test():
    run = CellRun("raised", "RuntimeError", 0.1, "Take the device from get_device().", hidden=True)
    hidden = judge(ran(error(4, "RuntimeError", "secret")), RELEASED, run, MARKS)
    assert (hidden.state, hidden.hint) == (verdicts.HIDDEN, run.hint)
    assert judge(ran(), RELEASED, run, MARKS).hint == ""


def test_stderr_never_costs_points():
    assert score(stream("stderr", "UserWarning: slow")) == 2
    assert score(stream("stderr"), result("0.5"), stream("stderr")) == 0.5


def test_an_error_beats_every_result_and_the_last_result_beats_the_others():
    assert score(result("2.0"), error(1)) == 0
    assert score(result("2.0"), result("0.25")) == 0.25
    assert score() == 2


def test_a_visible_check_shows_its_message_and_a_hidden_one_does_not():
    visible = judge(ran(error(1, value="did you square it?")), RELEASED, None, MARKS)
    assert (visible.state, visible.hint) == (verdicts.VISIBLE, "did you square it?")
    for line in (3, 4, 99):
        hidden = judge(ran(error(line, value="the secret of double")), RELEASED, None, MARKS)
        assert hidden.state == verdicts.HIDDEN
        assert "secret" not in hidden.reason + hidden.hint


def test_an_exception_in_a_hidden_test_shows_its_class_only_when_it_is_pythons_own():
    verdict = judge(ran(error(4, "ZeroDivisionError", "21")), RELEASED, None, MARKS)
    assert "ZeroDivisionError" in verdict.reason
    verdict = judge(ran(error(4, "Input_was_21", "21")), RELEASED, None, MARKS)
    assert "21" not in verdict.reason + verdict.hint


def test_lines_between_two_hidden_regions_are_visible():
    source = "\n".join(["### BEGIN HIDDEN TESTS", "1", "### END HIDDEN TESTS", "visible", *TEST_DOUBLE.split("\n")[1:]])
    hidden = [verdicts.is_hidden_line(source, line, MARKS) for line in range(1, 9)]
    assert hidden == [True, True, False, False, True, True, True, False]


def test_written_answers_wait_for_a_person_unless_they_are_empty():
    cell = nbformat.v4.new_markdown_cell("text", metadata=mark("essay", grade=True, solution=True, points=4))
    assert judge(cell, cell, None, MARKS).score is None
    from nbgrader.utils import compute_checksum

    cell.metadata["nbgrader"]["checksum"] = compute_checksum(cell)
    assert judge(cell, cell, None, MARKS).score == 0
