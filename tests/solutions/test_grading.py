"""A misconception and an alternative of every assignment go through release, grading and feedback as a class does."""

from pathlib import Path

import pytest

from coursekit.course import Course
from coursekit.demo.demo import run
from coursekit.demo.example_class import ExampleClass

ROOT = Path(__file__).resolve().parents[2]
KINDS = ("right in another way", "a misconception")


@pytest.mark.parametrize("assignment", Course(ROOT).assignments())
def test_a_variant_of_each_kind_gets_its_points_from_the_whole_of_grading(assignment, tmp_path, monkeypatch, capsys):
    everybody = ExampleClass.examples

    def one_of_each_kind(self):
        examples = everybody(self)
        return [next(example for example in examples if example.story.startswith(kind)) for kind in KINDS]

    monkeypatch.setattr(ExampleClass, "examples", one_of_each_kind)
    status = run([assignment], tmp_path / "demo", Course(ROOT), open_report=False)
    assert status == 0, capsys.readouterr().out
