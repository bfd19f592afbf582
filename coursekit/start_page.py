"""The page that `course lab` opens: every lecture and every assignment, as links."""

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

from coursekit import outline
from coursekit.errors import CourseError
from coursekit.files import write_atomic
from coursekit.outline import Outline, counted, in_a_table
from coursekit.settings import Settings

NAME = "start.md"
OURS = "<!-- Written by `course lab` from the notebooks; what you change here is overwritten. -->"


def _outlines(paths: list[Path], read: Callable[[Path, Path], Outline], root: Path) -> list[Outline]:
    """Outlines of notebooks; one that cannot be read is listed all the same, under the name of its file."""
    found = []
    for path in paths:
        try:
            found.append(read(path, root))
        except CourseError:
            found.append(Outline(path.relative_to(root), f"{path.name}, which cannot be read", ()))
    return found


def _link(title: str, path: str) -> str:
    """A Markdown link; JupyterLab opens it in a tab when the path is relative."""
    text = title.replace("[", r"\[").replace("]", r"\]")
    return f"[{text}]({quote(path)})"


def _entry(item: Outline, noun: str) -> Iterator[str]:
    yield f"### {_link(item.title, item.path.as_posix())}"
    yield ""
    facts = [counted(item.points, "point")] if item.points else []
    facts += [counted(item.minutes, "minute")] if item.minutes is not None else []
    if facts:
        yield ", ".join(facts)
        yield ""
    if item.parts:
        yield f"<details><summary>{counted(len(item.parts), noun)}</summary>"
        yield ""
        yield f"| {noun} | points | minutes |" if item.points else f"| {noun} | minutes |"
        yield "|---|---:|---:|" if item.points else "|---|---:|"
        for part in item.parts:
            minutes = "" if part.minutes is None else f"{part.minutes}"
            middle = f" {part.points:g} |" if item.points else ""
            yield f"| {in_a_table(part.title)} |{middle} {minutes} |"
        yield ""
        yield "</details>"
        yield ""


def text(settings: Settings) -> str:
    """The page in Markdown."""
    root = settings.root
    lectures = _outlines(outline.lectures(root, settings.lectures), outline.read_lecture, root)
    assignments = _outlines(outline.assignments(root, settings.assignments), outline.read_assignment, root)
    lines = [OURS, "", f"# {settings.title or 'Course'}", ""]
    lines += ["Click a title to open it in a tab. In a notebook, Shift+Enter runs a cell and goes on to the next.", ""]
    reading = {name: path for name, path in (settings.reading or {}).items() if (root / path).is_file()}
    if reading:
        lines += ["To read: " + ", ".join(_link(name, path) for name, path in reading.items()) + ".", ""]
    for heading, items, noun in (("Lectures", lectures, "section"), ("Assignments", assignments, "exercise")):
        lines += [f"## {heading}", ""]
        lines += [line for item in items for line in _entry(item, noun)] if items else ["There are none yet.", ""]
    return "\n".join(lines)


def write(settings: Settings) -> Path:
    """Write the page into the course folder unless it is there already, and return its path.

    Raises CourseError when the folder cannot be written or a file of the same name is somebody's own.
    """
    path = settings.root / NAME
    data = text(settings).encode("utf-8")
    try:
        if path.exists():
            found = path.read_bytes()
            if found == data:
                return path
            if not found.lstrip(b"\xef\xbb\xbf").startswith(OURS.encode()):
                raise CourseError(f"{path} was not written by `course lab`; rename it to have a start page again.")
        write_atomic(path, data)
    except OSError as error:
        raise CourseError(f"There is no start page, because {path} cannot be written ({error.strerror}).") from error
    return path
