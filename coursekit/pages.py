"""What the pages of coursekit have in common: templates that escape all text, and numbers as people write them."""

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from coursekit.report.questions import plain

TEMPLATES = Path(__file__).parent / "templates"


def points(value: float) -> str:
    """Points with at most two decimals and no trailing zeros."""
    return f"{round(value, 2) + 0.0:g}"


def duration(seconds: float) -> str:
    """A length of time in the unit in which it is easily read."""
    for size, unit in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def paragraphs(text: object, longest: int = 2000) -> str:
    """Text in lines, without terminal colours and invisible characters, cut after `longest` characters."""
    lines = [plain(line, longest) for line in re.split(r"\r\n|\r|\n", str(text))]
    found = "\n".join(lines).strip("\n")
    return found if len(found) <= longest else found[: longest - 1] + "\N{HORIZONTAL ELLIPSIS}"


def environment() -> Environment:
    """Templates of this package; whatever they show is escaped."""
    found = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {"points": points, "duration": duration, "paragraphs": paragraphs}
    return found
