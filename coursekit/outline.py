"""What lectures and assignments say about themselves: titles, sections, points and minutes, read from the notebooks."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coursekit.errors import CourseError

_NOTES = re.compile(r"\*Speaker notes, (\d+) minutes?\b")
_HEADING = re.compile(r"(#{1,6})\s+(.*\S)")
_OF_JUPYTERLAB = re.compile(r"-Copy\d+\.ipynb$|/\.[^/]*$|/\.[^/]*/[^/]*$")
_EXERCISE = re.compile(r"Exercise \d+", re.IGNORECASE)

Cell = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """A section of a lecture, or an exercise of an assignment."""

    title: str
    minutes: int | None  # None where the notebook does not say
    points: float = 0.0


@dataclass(frozen=True)
class Outline:
    """A notebook: its path relative to the course folder, its title and its parts."""

    path: Path
    title: str
    parts: tuple[Part, ...]

    @property
    def minutes(self) -> int | None:
        """Minutes of all parts together; None where no part says."""
        known = [part.minutes for part in self.parts if part.minutes is not None]
        return sum(known) if known else None

    @property
    def points(self) -> float:
        """Points of all parts together."""
        return sum(part.points for part in self.parts)


def _cells(path: Path) -> tuple[list[Cell], dict[str, Any]]:
    """Cells and metadata of a notebook, whatever its line ends; raises CourseError when it cannot be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
        cells = [{**cell, "source": "".join(cell["source"])} for cell in found["cells"]]
        return cells, dict(found.get("metadata", {}))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CourseError(
            f"{path} cannot be read as a notebook ({type(error).__name__}: {error}). Copy it again from the course."
        ) from error


def _headings(cell: Cell) -> Iterator[tuple[int, str]]:
    """Level and text of each Markdown heading of a cell; a comment in a block of code is none."""
    in_code = False
    for line in cell["source"].splitlines() if cell["cell_type"] == "markdown" else ():
        if line.lstrip().startswith("```"):
            in_code = not in_code
        elif not in_code and (match := _HEADING.fullmatch(line.rstrip())):
            yield len(match[1]), match[2]


def _title(cells: list[Cell], path: Path) -> str:
    return next((text for cell in cells for level, text in _headings(cell) if level == 1), path.stem)


def read_lecture(path: Path, root: Path) -> Outline:
    """Sections of a lecture with the minutes of their speaker notes; what comes before the first one is the opening.

    Speaker notes are Markdown cells that begin with "*Speaker notes, 9 minutes", below the heading that they are about.
    """
    cells, _ = _cells(path)
    titles, minutes = ["Opening"], [0]
    for cell in cells:
        for level, text in _headings(cell):
            if level == 2:
                titles.append(text)
                minutes.append(0)
        if cell["cell_type"] == "markdown" and (match := _NOTES.match(cell["source"].lstrip())):
            minutes[-1] += int(match[1])
    parts = [Part(title, count) for title, count in zip(titles, minutes, strict=True) if count]
    return Outline(path.relative_to(root), _title(cells, path), tuple(parts))


def _nbgrader(cell: Cell) -> dict[str, Any]:
    found = cell.get("metadata", {}).get("nbgrader", {})
    return found if isinstance(found, dict) else {}


def read_assignment(path: Path, root: Path) -> Outline:
    """Exercises of an assignment with nbgrader's points, and the minutes that metadata["coursekit"]["minutes"] give.

    An exercise begins with a heading "Exercise 3: title (...)"; what has points before the first one is a part of its
    own.
    """
    cells, metadata = _cells(path)
    own = metadata.get("coursekit", {})
    minutes: dict[str, int] = own.get("minutes", {}) if isinstance(own, dict) else {}
    titles: list[str] = [""]
    points, times = [0.0], [0]
    for cell in cells:
        for _, text in _headings(cell):
            if _EXERCISE.match(text):
                titles.append(re.sub(r"\s*\([^()]*\)$", "", text))
                points.append(0.0)
                times.append(0)
        data = _nbgrader(cell)
        if data.get("grade") or data.get("task"):
            points[-1] += float(data.get("points", 0.0))
        times[-1] += minutes.get(data.get("grade_id", ""), 0)
    titles[0] = "Before the first exercise" if len(titles) > 1 else "The whole notebook"
    found = zip(titles, times, points, strict=True)
    parts = [Part(title, time or None, score) for title, time, score in found if time or score]
    return Outline(path.relative_to(root), _title(cells, path), tuple(parts))


def _notebooks(folder: Path, pattern: str) -> list[Path]:
    """Notebooks in the order of their names, without the copies that JupyterLab makes."""
    found = [path for path in folder.glob(pattern) if path.is_file() and not _OF_JUPYTERLAB.search(path.as_posix())]
    return sorted(found)


def lectures(root: Path, folder: str) -> list[Path]:
    """The notebook of every lecture of the course."""
    return _notebooks(root / folder, "*.ipynb")


def assignments(root: Path, folder: str) -> list[Path]:
    """Every notebook of every assignment."""
    return _notebooks(root / folder, "*/*.ipynb")


def in_a_table(title: str) -> str:
    """A title as it may stand in a cell of a Markdown table, where a bar would begin the next cell."""
    pieces = title.split("$")
    return "$".join(piece.replace("|", r"\vert " if i % 2 else r"\|") for i, piece in enumerate(pieces))


def counted(number: float, noun: str) -> str:
    """A number with its noun, such as "1 point" or "2.5 points"."""
    return f"{number:g} {noun}" + ("" if number == 1 else "s")
