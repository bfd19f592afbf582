"""A notebook with two questions, for tests of what is said of a whole question."""

import nbformat
from nbgrader.utils import compute_checksum
from tiny_course import answer, mark, test


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
