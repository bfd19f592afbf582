"""The cells of a submission, reduced to what can matter."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

MAX_CELLS = 10_000
MAX_CODE = 1_000_000  # characters of one code cell; what is longer holds data, and would stop whatever shows it
MAX_TEXT = 10_000_000  # characters of one written answer, which may hold pictures
MAX_ATTACHED = 20_000_000  # characters of the pictures that belong to one written answer


@dataclass(frozen=True)
class Submitted:
    """One cell of a submission; a source that is too long is left out, and its length kept.

    `untouched`: it carries nbgrader's checksum of a released cell, and it is that very cell, perhaps of an earlier
    release.
    """

    grade_id: str | None
    cell_type: str
    source: str
    attachments: dict[str, Any] = field(default_factory=dict)
    too_long: int = 0
    untouched: bool = False

    @property
    def is_code(self) -> bool:
        """Whether the cell holds code."""
        return self.cell_type == "code"


def clean_text(value: Any) -> str:
    """Source as one string: lists joined, null bytes and lone surrogates out, line ends as on Unix."""
    text = "".join(part for part in value if isinstance(part, str)) if isinstance(value, list) else value
    if not isinstance(text, str):
        return ""
    text = text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")
    return text.encode("utf-8", "replace").decode("utf-8")


def clean_attachments(value: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Pictures that were dropped into a written answer, where they have the form that nbformat asks for."""
    clean: dict[str, dict[str, str]] = {}
    left = MAX_ATTACHED
    for name, bundle in value.items():
        if not isinstance(bundle, dict):
            continue
        pictures = {clean_text(kind): clean_text(data) for kind, data in bundle.items()}
        left -= len(name) + sum(len(kind) + len(data) for kind, data in pictures.items())
        if left < 0:
            break
        if pictures and all(pictures.values()):  # what is no text has become empty
            clean[clean_text(name)] = pictures
    return clean


def raw(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Cells of the format 4, or of the worksheets of an older one."""
    pages: list[Any] = [found]
    if not isinstance(found.get("cells"), list):
        pages = found["worksheets"]
    for page in pages:
        cells = page.get("cells") if isinstance(page, dict) else None
        yield from (cell for cell in cells if isinstance(cell, dict)) if isinstance(cells, list) else ()


def _source(cell: dict[str, Any]) -> str:
    """The source; formats 1 to 3 call that of a code cell `input` or `code`, and know headings."""
    for key in ("source", "input", "code", "text"):
        if key in cell:
            level = cell.get("level") if cell.get("cell_type") == "heading" else None
            marks = "#" * min(max(level, 1), 6) + " " if isinstance(level, int) else ""
            return marks + clean_text(cell[key])
    return ""


def checksum(source: str, kind: str, mark: dict[str, Any]) -> str:
    """nbgrader's checksum of a cell with this source and these metadata; empty where they are not as nbgrader's are."""
    grade, solution, locked = (mark.get(name, False) for name in ("grade", "solution", "locked"))
    name, points = mark.get("grade_id"), mark.get("points", 0) if grade is True else 0
    usual = all(isinstance(flag, bool) for flag in (grade, solution, locked)) and isinstance(name, str)
    if not usual or not isinstance(points, int | float) or not abs(points) < 1e9:
        return ""
    # as nbgrader.utils.compute_checksum has it, which a student's computer has not got
    parts = [source, kind, str(grade), str(solution), str(not solution and (grade or locked)), str(name)]
    parts += [str(float(points))] if grade else []
    return hashlib.md5("".join(parts).encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


def _submitted(cell: dict[str, Any]) -> Submitted:
    metadata = cell.get("metadata")
    mark = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    name = mark.get("grade_id") if isinstance(mark, dict) else None
    kind = cell.get("cell_type")
    attachments = cell.get("attachments")
    source = _source(cell)
    too_long = len(source) if len(source) > (MAX_CODE if kind == "code" else MAX_TEXT) else 0
    return Submitted(
        grade_id=name if isinstance(name, str) and name else None,
        cell_type=kind if kind in ("code", "markdown", "raw") else "markdown",
        source="" if too_long else source,
        attachments=attachments if isinstance(attachments, dict) else {},
        too_long=too_long,
        untouched=isinstance(mark, dict) and mark.get("checksum", "") == checksum(source, str(kind), mark) != "",
    )


def cells(found: dict[str, Any], repairs: list[str]) -> list[Submitted]:
    """The cells of a notebook that `reading.load` gave; what is no cell is left out."""
    kept: list[Submitted] = []
    for cell in raw(found):
        if len(kept) == MAX_CELLS:
            repairs.append(f"The notebook has more than {MAX_CELLS} cells; the others were not read.")
            break
        kept.append(_submitted(cell))
    return kept


def kernel(found: dict[str, Any]) -> str | None:
    """Name of the kernel that a notebook asks for."""
    metadata = found.get("metadata")
    spec = metadata.get("kernelspec") if isinstance(metadata, dict) else None
    name = spec.get("name") if isinstance(spec, dict) else None
    return name if isinstance(name, str) else None
