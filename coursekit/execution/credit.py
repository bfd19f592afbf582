"""The result of a test cell, as the reply to its request tells it."""

from collections.abc import Mapping
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_output

# Evaluated in the kernel after a cell: the cell's result, if it has one. It comes with the reply; what a cell publishes
# could be lost or made up.
RESULT = {"result": "_oh.get(get_ipython().execution_count - 1)"}
LONGEST = 10_000


def is_unknown(reply: Mapping[str, Any]) -> bool:
    """Whether the result of a test that ran through cannot be read, which only the student's own code can cause."""
    expressions = reply.get("user_expressions")
    found = expressions.get("result") if isinstance(expressions, dict) else None
    return not isinstance(found, dict) or found.get("status") != "ok" or not isinstance(found.get("data"), dict)


def result(reply: Mapping[str, Any]) -> list[NotebookNode]:
    """The result of a test as an output, if it has one."""
    if reply.get("status") != "ok" or is_unknown(reply):
        return []
    text = reply["user_expressions"]["result"]["data"].get("text/plain")
    if not isinstance(text, str) or text == "None":
        return []
    count = reply.get("execution_count")
    data = {"text/plain": text[:LONGEST]}
    return [new_output("execute_result", data=data, execution_count=count if isinstance(count, int) else None)]
