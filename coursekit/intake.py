"""Rebuild a submission on the released notebook: bytes in, a clean notebook and a list of repairs out.

Only the student's answer cells are taken from a submission; everything else comes from the release. Nothing here reads
a file, and nothing that a submission contains can raise anything but `Unreadable`.
"""

import copy
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import nbformat
from nbformat import NotebookNode

from coursekit import notebooks

RESUBMIT = (
    "Open the notebook in JupyterLab, run Kernel > Restart Kernel and Run All Cells, save it, and hand it in again."
)


class Unreadable(Exception):
    """The submission cannot be read; carries a reason and a next step for the student, each a sentence."""

    def __init__(self, reason: str, next_step: str = RESUBMIT) -> None:
        super().__init__(reason)
        self.reason = reason
        self.next_step = next_step


@dataclass(frozen=True)
class Submitted:
    """One cell of a submission, reduced to what can matter."""

    grade_id: str | None
    cell_type: str
    source: str
    attachments: dict[str, Any]


def _clean_text(value: Any) -> str:
    """Source as one string: lists joined, null bytes and lone surrogates out, line ends as on Unix."""
    text = "".join(part for part in value if isinstance(part, str)) if isinstance(value, list) else value
    if not isinstance(text, str):
        return ""
    text = text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")
    return text.encode("utf-8", "replace").decode("utf-8")


def _decode(data: bytes, repairs: list[str]) -> str:
    if b"\0" in data:
        data = data.replace(b"\0", b"")
        repairs.append("The file contained null bytes; they were removed.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("utf-8-sig", "replace")
        repairs.append("Some characters of the file could not be read; they were replaced by question marks.")
    if not text.strip():
        raise Unreadable("The file is empty.")
    return text


def _parse(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except RecursionError as error:
        raise Unreadable("The file is nested too deeply to be a notebook.") from error
    except ValueError as error:
        raise Unreadable(f"The file is not a whole notebook: its JSON is broken ({error}).") from error
    if not isinstance(found, dict) or not isinstance(found.get("cells", found.get("worksheets")), list):
        raise Unreadable("The file is not a Jupyter notebook: it has no list of cells.")
    return found


def _upgrade(found: dict[str, Any], repairs: list[str]) -> dict[str, Any]:
    version = found.get("nbformat", 4)
    if version == 4 and "cells" in found:
        return found
    if not isinstance(version, int) or version > 4:
        repairs.append(f"The notebook says that it is of format {version!r}; it was read as format 4.")
        return found if "cells" in found else {"cells": []}
    try:
        upgraded = nbformat.convert(nbformat.reader.reads(json.dumps(found)), 4)
    except Exception as error:  # nbformat's converters trust the file and fail in every way there is
        raise Unreadable(f"The notebook has the old format {version} and could not be upgraded.") from error
    repairs.append(f"The notebook had the old format {version}; it was upgraded to format 4.")
    return dict(upgraded)


def _cells(found: dict[str, Any]) -> Iterator[Submitted]:
    for cell in found.get("cells", []):
        if not isinstance(cell, dict):
            continue
        metadata = cell.get("metadata")
        mark = metadata.get("nbgrader") if isinstance(metadata, dict) else None
        name = mark.get("grade_id") if isinstance(mark, dict) else None
        attachments = cell.get("attachments")
        yield Submitted(
            grade_id=name if isinstance(name, str) and name else None,
            cell_type=str(cell.get("cell_type")),
            source=_clean_text(cell.get("source")),
            attachments=attachments if isinstance(attachments, dict) else {},
        )


def _kernel(found: dict[str, Any]) -> str | None:
    metadata = found.get("metadata")
    spec = metadata.get("kernelspec") if isinstance(metadata, dict) else None
    name = spec.get("name") if isinstance(spec, dict) else None
    return name if isinstance(name, str) else None


def _attachments(value: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Pictures that were dropped into a written answer, where they have the form that nbformat asks for."""
    clean = {}
    for name, bundle in value.items():
        if isinstance(bundle, dict) and all(isinstance(data, str) for data in bundle.values()):
            clean[_clean_text(name)] = {_clean_text(kind): _clean_text(data) for kind, data in bundle.items()}
    return clean


def _fill_in(cell: NotebookNode, name: str, submitted: Submitted, repairs: list[str]) -> None:
    cell.source = submitted.source
    if submitted.cell_type != cell.cell_type:
        repairs.append(
            f"The answer cell '{name}' had become a {submitted.cell_type} cell; it was read as {cell.cell_type} again."
        )
    if cell.cell_type == "markdown" and (attached := _attachments(submitted.attachments)):
        cell["attachments"] = attached


def _compare_locked(cell: NotebookNode, name: str, submitted: Submitted, repairs: list[str]) -> None:
    what = "test cell" if notebooks.is_test(cell) else "locked cell"
    if submitted.cell_type != cell.cell_type:
        repairs.append(f"The {what} '{name}' had become a {submitted.cell_type} cell; the original was used.")
    elif submitted.source.rstrip() != cell.source.rstrip():
        repairs.append(f"The {what} '{name}' had been changed; the original was used.")


def _missing(cell: NotebookNode, name: str) -> str:
    if notebooks.is_answer(cell):
        return f"The answer cell '{name}' was missing; the empty one of the assignment was put in its place."
    what = "test cell" if notebooks.is_test(cell) else "locked cell"
    return f"The {what} '{name}' was missing; it was put back."


def _own_cells(submitted: list[Submitted], release: NotebookNode, known: set[str]) -> str | None:
    """A sentence about cells that are neither graded nor part of the assignment, if there are any."""
    original = Counter(cell.source.rstrip() for cell in release.cells if notebooks.grade_id(cell) is None)
    own = 0
    for cell in submitted:
        if cell.grade_id in known or not cell.source.strip():
            continue
        if original[cell.source.rstrip()] > 0:
            original[cell.source.rstrip()] -= 1
        else:
            own += 1
    if not own:
        return None
    cells = "1 cell that you added or changed is" if own == 1 else f"{own} cells that you added or changed are"
    return f"{cells} not among the answer cells and did not count; what an answer needs belongs into its answer cell."


def rebuild(data: bytes, release: NotebookNode) -> tuple[NotebookNode, list[str]]:
    """The released notebook with the student's answers in it, and what had to be repaired, as sentences.

    The first cell with a grade_id counts, later copies are dropped. Raises `Unreadable` when there is nothing to grade.
    """
    repairs: list[str] = []
    found = _upgrade(_parse(_decode(data, repairs)), repairs)
    submitted = list(_cells(found))
    nb = copy.deepcopy(release)
    known = notebooks.by_id(nb)
    first: dict[str, Submitted] = {}
    copies: Counter[str] = Counter()
    for item in submitted:
        if item.grade_id in known:
            copies[item.grade_id] += item.grade_id in first
            first.setdefault(item.grade_id, item)
    wanted, named = _kernel(dict(nb)), _kernel(found)
    if named and wanted and named != wanted:
        repairs.append(f"The notebook named the kernel '{_clean_text(named)}'; it was run with '{wanted}'.")
    for name, cell in known.items():
        if name not in first:
            repairs.append(_missing(cell, name))
        elif notebooks.is_answer(cell):
            _fill_in(cell, name, first[name], repairs)
        else:
            _compare_locked(cell, name, first[name], repairs)
    for name, count in (+copies).items():
        repairs.append(f"The cell '{name}' was there {count + 1} times; the first one was used.")
    if sentence := _own_cells(submitted, release, set(known)):
        repairs.append(sentence)
    return nb, repairs
