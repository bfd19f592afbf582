"""The schedule of a term: minutes of each section, points and minutes of each exercise, read from the notebooks."""

from pathlib import Path

from coursekit import outline
from coursekit.errors import CourseError
from coursekit.outline import Outline, in_a_table
from coursekit.settings import Settings

BEGIN = "<!-- schedule: written by `course schedule --into FILE`; what you change here is overwritten -->"
END = "<!-- end of the schedule -->"


def _hours(minutes: int) -> str:
    return f"{minutes // 60} h {minutes % 60:02d}"


def _rows(item: Outline, columns: int) -> list[str]:
    rows = []
    for part in item.parts:
        minutes = "not stated" if part.minutes is None else f"{part.minutes}"
        values = [minutes] if columns == 2 else [f"{part.points:g}", minutes]
        rows.append(f"| {in_a_table(part.title)} | " + " | ".join(values) + " |")
    return rows


def text(settings: Settings) -> str:
    """Two overviews, and below them each notebook's parts; raises CourseError when a notebook cannot be read."""
    root = settings.root
    lectures = [outline.read_lecture(path, root) for path in outline.lectures(root, settings.lectures)]
    assignments = [outline.read_assignment(path, root) for path in outline.assignments(root, settings.assignments)]
    lines = ["| lecture, section | minutes |", "|---|---:|"]
    for item in lectures:
        lines += [f"| **{in_a_table(item.title)}** | **{item.minutes or 0}** |", *_rows(item, 2)]
    lines += ["", "| assignment, exercise | points | minutes |", "|---|---:|---:|"]
    for item in assignments:
        total = item.minutes or 0
        lines += [f"| **{in_a_table(item.title)}** | **{item.points:g}** | **{total}** ({_hours(total)}) |"]
        lines += _rows(item, 3)
    return "\n".join(lines) + "\n"


def inserted(page: str, schedule: str) -> str:
    """The page with the schedule between its two marks; raises CourseError unless each is there once."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in after:
        raise CourseError(f"The file needs these two lines, once each, with the schedule between them:\n{BEGIN}\n{END}")
    return f"{before}{BEGIN}\n\n{schedule}\n{END}{after}"


def refresh(settings: Settings, path: Path) -> bool:
    """Put the schedule into a file; returns whether that changed anything."""
    try:
        page = path.read_text(encoding="utf-8")
    except OSError as error:
        raise CourseError(f"{path} cannot be read ({error.strerror}).") from error
    wanted = inserted(page, text(settings))
    if wanted != page:
        path.write_text(wanted, encoding="utf-8", newline="\n")
    return wanted != page
