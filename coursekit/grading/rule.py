"""Asks the course's own rule which answers use names that their exercise forbids.

The rule is the course's code, so it runs in a process of its own. Starting Python for every notebook would take longer
than everything else around it, so each worker keeps that process: a line of JSON in, a line of JSON out.
"""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from nbformat import NotebookNode

from coursekit import notebooks

UNREADABLE = "This answer is too large or too deeply nested to be read."


class RuleFailed(Exception):
    """The rule itself could not be run: the course's fault, never the student's."""


class _NoAnswer(Exception):
    """The process of the rule ended, or took too long, over one answer."""


def to_check(nb: NotebookNode) -> list[dict[str, object]]:
    """Answer cells of a notebook for which its metadata forbid names, with the code above them.

    `forbidden` maps the grade_id of an answer cell, or "*" for every answer cell, to a list of names; both lists count.
    """
    forbidden = notebooks.options(nb).get("forbidden", {})
    found: list[dict[str, object]] = []
    above: list[str] = []
    for cell in nb.cells:
        if cell.cell_type != "code":
            continue
        name = notebooks.grade_id(cell)
        names = sorted({*forbidden.get("*", []), *forbidden.get(name, [])})
        if notebooks.is_answer(cell) and names:
            item = {"grade_id": name, "source": cell.source, "forbidden": names, "context": "\n".join(above)}
            found.append(item)
        above.append(cell.source)
    return found


class RuleProcess:
    """A process that has imported the rule, and is asked about any number of answers at a time."""

    def __init__(self, rule: str, import_paths: Sequence[str]) -> None:
        self.rule, self.import_paths = rule, tuple(import_paths)
        paths = [*import_paths, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "coursekit.bridges.answer_rule", rule],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )
        self._lines: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(b"")

    def check(self, items: Sequence[Mapping[str, Any]], seconds: float) -> list[list[str]]:
        """The rule's sentences about each answer; raises RuleFailed, or _NoAnswer after which it must be closed."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(items).encode() + b"\n")
            self._process.stdin.flush()
            found = json.loads(self._lines.get(timeout=seconds))
        except (OSError, ValueError, queue.Empty) as error:
            raise _NoAnswer from error
        if "fault" in found:
            raise RuleFailed(f"the answer rule {self.rule!r} failed: {found['fault']}")
        sentences: list[list[str]] = found["sentences"]
        return sentences

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):  # what was still to be written has nobody left to read it
                    stream.close()


_open: RuleProcess | None = None


def close() -> None:
    """End the process of the rule, if there is one; the next question starts another."""
    global _open
    if _open is not None:
        process, _open = _open, None
        process.close()


def _check(
    rule: str, import_paths: Sequence[str], items: Sequence[Mapping[str, Any]], seconds: float
) -> list[list[str]]:
    global _open
    if _open is None or (_open.rule, _open.import_paths) != (rule, tuple(import_paths)):
        close()
        _open = RuleProcess(rule, import_paths)
    try:
        return _open.check(items, seconds)
    except (_NoAnswer, RuleFailed):
        close()
        raise


def _check_one(rule: str, import_paths: Sequence[str], item: Mapping[str, Any], seconds: float) -> list[str]:
    """About an answer that may be one over which the rule's process ends."""
    try:
        return _check(rule, import_paths, [item], seconds)[0]
    except _NoAnswer:
        try:
            _check(rule, import_paths, [{**item, "source": "", "context": ""}], seconds)
        except _NoAnswer as error:
            raise RuleFailed(f"the answer rule {rule!r} gave no answer.") from error
    return [UNREADABLE]


def hits(nb: NotebookNode, rule: str, import_paths: Sequence[str] = (), seconds: float = 30.0) -> dict[str, list[str]]:
    """Sentences about forbidden names, by answer cell; raises RuleFailed when the rule cannot be run."""
    return ask(to_check(nb), rule, import_paths, seconds)


def ask(
    items: Sequence[Mapping[str, Any]], rule: str, import_paths: Sequence[str] = (), seconds: float = 30.0
) -> dict[str, list[str]]:
    """The same for answers that `to_check` has found; needs the notebook no more, so another thread may call it.

    An answer over which the rule's process ends or takes longer than `seconds` counts as one that breaks the rule, if
    the rule can answer at all: it is asked about an empty answer then.
    """
    if not items or not rule:
        return {}
    try:
        found = _check(rule, import_paths, items, seconds)
    except _NoAnswer:
        found = [_check_one(rule, import_paths, item, seconds) for item in items]
    return {str(item["grade_id"]): sentences for item, sentences in zip(items, found, strict=True) if sentences}
