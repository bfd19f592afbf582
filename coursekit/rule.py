"""Asks the course's own rule which answers use names that their exercise forbids."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence

from nbformat import NotebookNode

from coursekit import notebooks


class RuleFailed(Exception):
    """The rule itself could not be run: the course's fault, never the student's."""


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


def hits(nb: NotebookNode, rule: str, import_paths: Sequence[str] = (), seconds: float = 60.0) -> dict[str, list[str]]:
    """Sentences about forbidden names, by answer cell; raises RuleFailed when the rule cannot be run."""
    items = to_check(nb)
    if not items or not rule:
        return {}
    paths = [*import_paths, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "coursekit.bridges.answer_rule", rule],
            input=json.dumps(items),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=seconds,
            check=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONIOENCODING": "utf-8"},
        )
        found: dict[str, list[str]] = json.loads(done.stdout)
    except subprocess.CalledProcessError as error:
        last = (error.stderr or "").strip().rsplit("\n", 1)[-1]
        raise RuleFailed(f"the answer rule {rule!r} failed: {last}") from error
    except (subprocess.TimeoutExpired, ValueError) as error:
        raise RuleFailed(f"the answer rule {rule!r} gave no answer: {error}") from error
    return found
