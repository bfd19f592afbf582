"""Runs the course's rule about answers in a process of its own: a line of JSON in, a line of JSON out.

    python -m coursekit.bridges.answer_rule genlib.rules:forbidden_uses

A line in: a list of {"grade_id", "source", "forbidden", "context"}; a line out: {"sentences": a list for each}, or
{"fault": text} when the rule itself failed. A rule that takes `context` gets the code above the answer, whose imports
give names their meaning.
"""

import ast
import contextlib
import importlib
import inspect
import json
import os
import sys
from collections.abc import Callable
from typing import Any

from IPython.core.inputtransformer2 import TransformerManager

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

# An answer of a few megabytes can take gigabytes to parse.
MEMORY_BYTES = 4_000_000_000


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


def _answer(name: str, line: bytes) -> dict[str, Any]:
    try:
        module, _, function = name.partition(":")
        rule = getattr(importlib.import_module(module), function)
        return {"sentences": [[str(sentence) for sentence in check(rule, item)] for item in json.loads(line)]}
    except Exception as error:  # the rule is the course's: whatever it raises is said, not hidden
        return {"fault": f"{type(error).__name__}: {error}"}


def main() -> int:
    """Check answers with the rule that the first argument names, until the end of the input."""
    if resource is not None:
        with contextlib.suppress(OSError, ValueError):  # a stricter limit holds already
            resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    answers = os.dup(1)
    os.dup2(2, 1)  # what a rule prints is no answer
    with os.fdopen(answers, "wb", buffering=0) as out:
        for line in sys.stdin.buffer:
            out.write(json.dumps(_answer(sys.argv[1], line)).encode() + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
