"""One HTML page about one assignment of a whole class, made from the gradebook and the records of the grading.

The page holds everything it shows: it can be mailed, printed, put on a projector, and read without a network.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from coursekit import report_figures
from coursekit.course import Course
from coursekit.files import write_atomic
from coursekit.report_data import ClassReport, collect
from coursekit.report_figures import Picture

TEMPLATES = Path(__file__).parent / "templates"


def points(value: float) -> str:
    """Points with at most two decimals and no trailing zeros."""
    return f"{round(value, 2) + 0.0:g}"


def pictures_of(report: ClassReport) -> list[Picture]:
    """The plots of the page."""
    timed = [(row.student, row.seconds) for row in report.rows if row.seconds]
    return [
        report_figures.scores(report.totals, report.max_score),
        report_figures.questions(
            [question.name for question in report.questions],
            [report.mean_share(index) for index in range(len(report.questions))],
        ),
        report_figures.times([name for name, _ in timed], [seconds for _, seconds in timed]),
    ]


def render(report: ClassReport, pictures: Sequence[Picture]) -> str:
    """The page as one string of HTML; everything that came from a student is escaped."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"points": points}
    # The page allows this one script and no other: nothing in a student's text could run even if it got through.
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return environment.get_template("report.html.j2").render(
        report=report, pictures=pictures, script=Markup(script), script_hash=allowed
    )


def write_report(course: Course, assignment: str, path: Path | str, *, about: Mapping[str, str] | None = None) -> Path:
    """Write the page about one assignment and return where it lies.

    Raises CourseError when the assignment has not been released; a class in which nobody has been graded gives a page
    that says so.
    """
    path = Path(path)
    report = collect(course, assignment, path.resolve().parent, about)
    page = render(report, pictures_of(report))
    write_atomic(path, page.encode("utf-8"))
    return path
