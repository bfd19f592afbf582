"""A test cell with hidden lines runs in two parts, and which of them failed says what a student may read."""

import pytest

from coursekit.execution.parts import parts

MARK = "### BEGIN HIDDEN TESTS"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a = 1", ["a = 1"]),
        (
            f"a = 1\n{MARK}\nb = 2\n### END HIDDEN TESTS\na + b",
            ["a = 1", f"{MARK}\nb = 2\n### END HIDDEN TESTS\na + b"],
        ),
        (f"{MARK}\nb = 2", [f"{MARK}\nb = 2"]),
        (f"# only words\n{MARK}\nb = 2", [f"{MARK}\nb = 2"]),
        (f"a = 1\n{MARK}\n# only words", ["a = 1"]),
        (f"if True:\n    a = 1\n    {MARK}\n    b = 2", [f"if True:\n    a = 1\n    {MARK}\n    b = 2"]),
        (f"for x in y:\n{MARK}\n    b = 2", [f"for x in y:\n{MARK}\n    b = 2"]),
        (f"%time a = 1\n{MARK}\nb = 2", [f"%time a = 1\n{MARK}\nb = 2"]),
    ],
)
def test_a_cell_is_cut_at_its_first_hidden_line_where_both_parts_are_whole(source: str, expected: list[str]) -> None:
    assert parts(source, MARK) == expected
