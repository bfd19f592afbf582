"""The course's rule about answers: asked in a process that each worker keeps, whatever the answers look like."""

import os

import pytest
from two_questions import release

from coursekit import notebooks
from coursekit.grading import rule
from coursekit.grading.rule import RuleFailed, hits

RULE = """
import ast, os, time
def with_context(source, forbidden, *, context=""):
    tree = ast.parse(context + "\\n" + source)
    aliases = {a.asname or a.name: a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    names = {n.id for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Name)}
    return [f"{aliases[n]} is not allowed." for n in sorted(names) if aliases.get(n) in forbidden]
def plain(source, forbidden):
    print("what a rule prints is no answer")
    return [n.id for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Name) and n.id in forbidden]
def broken(source, forbidden):
    raise KeyError("the rule has a fault")
def process(source, forbidden):
    return [str(os.getpid())]
def fragile(source, forbidden):
    if "end" in source:
        os._exit(1)
    if "sleep" in source:
        time.sleep(60)
    return plain(source, forbidden)
def dead(source, forbidden):
    os._exit(1)
"""


@pytest.fixture(autouse=True)
def paths(tmp_path):
    (tmp_path / "my_rule.py").write_text(RULE)
    yield [str(tmp_path)]
    rule.close()


def answered(**sources):
    nb = release()
    for name, source in sources.items():
        notebooks.by_id(nb)[name].source = source
    return nb


def test_both_lists_of_names_count_and_cells_above_give_names_their_meaning(paths):
    nb = answered(a="import os as o\no.sep", b="o.sep; m.pi", c="o.sep")
    assert hits(nb, "my_rule:with_context", paths) == {"b": ["math is not allowed.", "os is not allowed."]}


def test_a_rule_sees_through_ipythons_syntax_and_leaves_broken_code_to_the_tests(paths):
    nb = answered(a="%matplotlib inline\nmath", b="def broken(:\n  math", c="1 +")
    assert hits(nb, "my_rule:plain", paths) == {"a": ["math"]}


@pytest.mark.parametrize("name", ["my_rule:broken", "my_rule:missing", "no_such_module:rule", "my_rule:dead"])
def test_a_rule_that_cannot_be_run_is_the_courses_fault(paths, name):
    with pytest.raises(RuleFailed, match=name):
        hits(release(), name, paths)
    assert hits(answered(a="math"), "my_rule:plain", paths) == {"a": ["math"]}


def test_without_forbidden_names_no_process_is_started(monkeypatch):
    monkeypatch.setattr(rule.subprocess, "Popen", None)
    nb = release()
    del nb.metadata["coursekit"]
    assert hits(nb, "my_rule:plain") == {}
    assert hits(release(), "") == {}


def test_all_notebooks_of_a_worker_are_asked_about_in_one_process(paths):
    first, second = (hits(release(), "my_rule:process", paths) for _ in range(2))
    assert len({pid for found in (first, second) for sentences in found.values() for pid in sentences}) == 1
    assert first["a"] != [str(os.getpid())]
    rule.close()
    assert hits(release(), "my_rule:process", paths)["a"] != first["a"]


@pytest.mark.parametrize("bad", ["end", "sleep"])
def test_an_answer_over_which_the_rule_gives_up_breaks_it_and_the_others_are_judged_by_themselves(paths, bad):
    nb = answered(a=bad, b="math", c="1")
    assert hits(nb, "my_rule:fragile", paths, seconds=10 if bad == "end" else 2) == {
        "a": [rule.UNREADABLE],
        "b": ["math"],
    }


@pytest.mark.parametrize(
    "source", ["(" * 100_000, "-" * 200_000 + "1", "x = " + "[" * 90 + "]" * 90, "a\0b", "#" * 1_000_000]
)
def test_answers_made_to_break_a_parser_do_not_break_the_rule(paths, source):
    found = hits(answered(a=source, b="math", c="1"), "my_rule:plain", paths)
    assert found.pop("b") == ["math"]
    assert found in ({}, {"a": [rule.UNREADABLE]})
