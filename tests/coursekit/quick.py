"""Grades the tiny course without kernels: every cell is run by `exec` in this process, then judged as always."""

import ast
import io
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from executors import InOrder
from nbformat import NotebookNode
from nbformat.v4 import new_output

from coursekit import notebooks
from coursekit.course import Course
from coursekit.grading import grade as grading
from coursekit.grading import judgement, worker
from coursekit.grading.records import GRADED
from coursekit.grading.worker import Limits, Record, insert_tests
from coursekit.intake import Unreadable, rebuild
from coursekit.workers.crew import Crew


def _run(cell: NotebookNode, names: dict[str, Any]) -> None:
    """Run one code cell; the value of its last line becomes a result, an exception an error."""
    tree = ast.parse(cell.source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    try:
        exec(compile(tree, "cell", "exec"), names)
        value = None if last is None else eval(compile(ast.Expression(last.value), "cell", "eval"), names)
        cell.outputs = [] if value is None else [new_output("execute_result", {"text/plain": repr(value)})]
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        cell.outputs = [new_output("error", ename=type(error).__name__, evalue=str(error), traceback=[text])]


def _grade(
    submission: bytes | None,
    release: bytes,
    tests: bytes,
    limits: Limits,
    files: Mapping[str, bytes] | None = None,
    problem: str = "",
) -> tuple[bytes, dict[str, Any]]:
    """What grade_notebook gives, for submissions that can be trusted."""
    released, with_tests = notebooks.loads(release), notebooks.loads(tests)
    try:
        nb, repairs = rebuild(submission or b"", released)
    except Unreadable:
        return worker.grade_notebook(submission, release, tests, limits, files, problem)
    insert_tests(nb, with_tests)
    names: dict[str, Any] = {"open": lambda name: io.StringIO((files or {})[name].decode())}
    for cell in nb.cells:
        if cell.cell_type == "code":
            _run(cell, names)
    found = worker.judge_all(nb, released, {}, limits.hidden_marks)
    judgement.explain(nb, found, {}, {})
    record = Record(GRADED, "", "", repairs, seconds=0.0, cells=[verdict.to_dict() for verdict in found])
    return notebooks.dumps(nb), record.to_dict()


class Quick(InOrder):
    """An executor of such gradings; `before` is called with the number of each."""

    def __init__(self, before: Callable[[int], None] = lambda _: None) -> None:
        self.before, self.count = before, 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Grade now, without kernels."""
        self.count += 1
        self.before(self.count)
        return super().submit(_grade, *args, **kwargs)


def grade(course: Course, name: str, **options: Any) -> dict[str, dict[str, Any]]:
    """Grade everybody; returns the records by student."""
    options.setdefault("crew", Crew(Quick()))
    return {record["student"]: record for record, _ in grading.grade(course, name, progress=False, **options)}
