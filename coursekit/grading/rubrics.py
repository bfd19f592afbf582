"""The rubric of a question that a person grades, above the answer in the graded notebook, where formgrader shows it.

It is written at home, after the sandbox, and again by every run of `course grade`; students' pages leave it out.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

from coursekit import notebooks
from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.files import write_atomic
from coursekit.grading.harmless import as_text, is_harmless

FILE = "rubric.md"
_HEADING = re.compile(r" {0,3}#{1,6}[ \t]+(.*?)[ \t]*#*[ \t]*$")
_FENCE = re.compile(r" {0,3}(```+|~~~+)")
# As JSON writes it in a notebook, where whatever else somebody writes has other quotation marks.
_DIGEST = re.compile(rb'"rubric_digest": "([0-9a-f]{16})"')


def is_rubric(cell: NotebookNode) -> bool:
    """Whether this cell was put into the notebook for whoever grades it."""
    return "rubric_digest" in notebooks.options(cell)


def by_hand(nb: NotebookNode) -> list[str]:
    """Names of the cells that a person grades."""
    graded = [cell for cell in nb.cells if notebooks.is_graded(cell) and not notebooks.is_test(cell)]
    return [str(notebooks.grade_id(cell)) for cell in graded]


def _lines(text: str) -> Iterator[tuple[str, str | None]]:
    """Every line with its heading's text, where it is a heading and not code."""
    fence = ""
    for line in text.splitlines():
        mark = _FENCE.match(line)
        if mark and (not fence or mark[1].startswith(fence)):
            fence = "" if fence else mark[1]
        heading = None if fence else _HEADING.match(line)
        yield line, heading[1] if heading else None


def parts(text: str, names: Sequence[str]) -> dict[str, str]:
    """What a rubric says of each of these cells: what stands before all parts, and then the cell's own.

    A part begins with a heading that names its cell in backticks, and ends with the next such heading.
    """
    everybody: list[str] = []
    found: dict[str, list[str]] = {name: [] for name in names}
    current = [everybody]
    for line, heading in _lines(text):
        named = [name for name in re.findall(r"`([^`]+)`", heading or "") if name in found]
        current = [found[name] for name in named] or current
        # no heading stays one: its anchor could be the name of a cell, by which formgrader finds the cell's points
        told = line if heading is None else f"**{heading}**" if heading else ""
        for part in current:
            part.append(told)
    return {name: "\n".join([*everybody, *own]).strip() for name, own in found.items()}


def _cell(name: str, text: str, taken: Sequence[str]) -> NotebookNode:
    titled = text if text.startswith("**Rubric") else f"**Rubric**\n\n{text}"
    source = f"---\n\n{titled}\n\n---"
    if not is_harmless(source, taken=taken):
        source = as_text(source)
    digest = hashlib.sha256(f"{name}\n{source}".encode()).hexdigest()[:16]
    cell = new_markdown_cell(source, id=f"rubric-{digest}")
    cell.metadata = nbformat.from_dict(
        {"editable": False, "deletable": False, "coursekit": {"rubric": name, "rubric_digest": digest}}
    )
    return cell


@dataclass(frozen=True)
class Rubrics:
    """The cells with rubrics of one assignment: by notebook, then by the cell above which they stand."""

    cells: Mapping[str, Mapping[str, NotebookNode]] = field(default_factory=dict)

    def insert(self, name: str, data: bytes) -> bytes:
        """A graded notebook with the rubrics of today in it; the same bytes where they are there already."""
        wanted = self.cells.get(name, {})
        digests = {cell.metadata["coursekit"]["rubric_digest"].encode() for cell in wanted.values()}
        there = set(_DIGEST.findall(data))
        if there == digests:
            return data
        if not there and (spliced := _splice(data, wanted)) is not None:
            return spliced
        nb = notebooks.loads(data)
        cells = []
        for cell in nb.cells:
            if not is_rubric(cell):
                above = wanted.get(str(notebooks.grade_id(cell)))
                cells += [cell] if above is None else [_for(nb, above), cell]
        nb.cells = cells
        return notebooks.dumps(nb)

    def refresh(self, folder: Path) -> bool:
        """Bring the graded notebooks of a student up to date; False when one of them is broken."""
        for name in self.cells:
            path = folder / f"{name}.ipynb"
            before = path.read_bytes()
            try:
                after = self.insert(name, before)
            except (ValueError, AttributeError, KeyError, TypeError, nbformat.ValidationError):  # what nbformat raises
                return False
            if after != before:
                write_atomic(path, after)
        return True


def _splice(data: bytes, wanted: Mapping[str, NotebookNode]) -> bytes | None:
    """The same as taking the notebook apart and writing it again, for one of ours without rubrics.

    None when its text is not laid out as `notebooks.dumps` does it.
    """
    plain = json.loads(data)
    lines = data.split(b"\n")
    end = next((place for place, line in enumerate(lines) if line in (b" ],", b" ]")), 0)
    begins = [place for place in range(end) if lines[place] == b"  {"]  # no line of a string in JSON is one of these
    if lines[1:2] != [b' "cells": ['] or len(begins) != len(plain["cells"]) or plain["nbformat_minor"] < 5:
        return None
    for place, cell in reversed(list(zip(begins, plain["cells"], strict=True))):
        above = wanted.get(str(notebooks.grade_id(nbformat.from_dict({"metadata": cell["metadata"]}))))
        if above is not None:
            lines[place:place] = _as_written(above)
    return b"\n".join(lines)


def _as_written(cell: NotebookNode) -> list[bytes]:
    """A cell in the lines in which it stands in a notebook's file, with the comma behind it."""
    plain = {**cell, "source": cell.source.splitlines(keepends=True)}
    text = json.dumps(plain, indent=1, sort_keys=True, ensure_ascii=False)
    return [b"  " + line.encode() for line in f"{text},".split("\n")]


def _for(nb: NotebookNode, cell: NotebookNode) -> NotebookNode:
    """A cell in the form that the notebook's version has: older ones know no id."""
    if nb.nbformat_minor >= 5:
        return cell
    return nbformat.from_dict({key: value for key, value in cell.items() if key != "id"})


def read(course: Course, assignment: str, graded: Mapping[str, NotebookNode]) -> Rubrics:
    """The rubrics of an assignment, from the file rubric.md beside its notebooks `graded`, where there is one.

    Raises CourseError when the file cannot be read, or when it has parts and none for one of the questions.
    """
    path = course.source(assignment) / FILE
    if not path.is_file():
        return Rubrics({name: {} for name in graded})
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CourseError(f"{path} could not be read ({error}). Write it as text in UTF-8.") from error
    names = [name for nb in graded.values() for name in by_hand(nb)]
    found = parts(text, names)
    if missing := [name for name in names if not found[name]]:
        raise CourseError(
            f"{path} says nothing of {', '.join(missing)}. Begin its part with a heading that names it, "
            f"such as ## Exercise 3 (`{missing[0]}`)."
        )
    return Rubrics(
        {
            notebook: {name: _cell(name, found[name], list(notebooks.by_id(nb))) for name in by_hand(nb)}
            for notebook, nb in graded.items()
        }
    )
