"""Runs the course's rule about answers in a process of its own: JSON on stdin, JSON on stdout.

    python -m coursekit.bridges.answer_rule genlib.rules:forbidden_uses

stdin: a list of {"grade_id", "source", "forbidden", "context"}; stdout: {grade_id: [sentences]}, without the allowed
ones. A rule that takes `context` gets the code above the answer, whose imports give names their meaning.
"""

import ast
import importlib
import inspect
import json
import sys
from collections.abc import Callable
from typing import Any

from IPython.core.inputtransformer2 import TransformerManager


def _as_python(source: str) -> str | None:
    """Cell source with IPython's own syntax (%magic, !shell) turned into Python; None when it is no Python at all."""
    try:
        transformed = TransformerManager().transform_cell(source)
        ast.parse(transformed)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return str(transformed)


def check(rule: Callable[..., Any], item: dict[str, Any]) -> list[str]:
    """The rule's sentences about one answer; an answer that is no Python passes, as it fails when run."""
    transformed = _as_python(item["source"])
    if transformed is None:
        return []
    extra = {"context": item["context"]} if "context" in inspect.signature(rule).parameters else {}
    try:
        return list(rule(item["source"], item["forbidden"], **extra))
    except SyntaxError:  # a rule that knows nothing of IPython's syntax
        return list(rule(transformed, item["forbidden"], **extra))


def main() -> int:
    """Check every answer on stdin with the rule that the first argument names."""
    module, _, name = sys.argv[1].partition(":")
    rule = getattr(importlib.import_module(module), name)
    checked = {item["grade_id"]: check(rule, item) for item in json.load(sys.stdin)}
    json.dump({name: sentences for name, sentences in checked.items() if sentences}, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
