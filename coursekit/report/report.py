"""One HTML page about one assignment of a whole class, made from the gradebook and the records of the grading.

The page holds everything it shows: it can be mailed, printed, put on a projector, and read without a network.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from markupsafe import Markup

from coursekit.course import Course
from coursekit.files import write_atomic
from coursekit.pages import TEMPLATES, environment
from coursekit.report import figures as report_figures
from coursekit.report.class_data import ClassReport
from coursekit.report.data import collect
from coursekit.report.figures import Picture


def pictures_of(report: ClassReport) -> list[Picture]:
    """The plots of the page."""
    places = range(len(report.questions))
    return [
        report_figures.questions(
            [question.name for question in report.questions],
            [report.levels(index) for index in places],
            [report.mean_share(index) for index in places],
        ),
        report_figures.scores(report.totals, report.max_score),
        report_figures.times(report.timing.notebooks),
    ]


def render(report: ClassReport, pictures: Sequence[Picture]) -> str:
    """The page as one string of HTML; everything that came from a student is escaped."""
    # The page allows this one script and no other: nothing in a student's text could run even if it got through.
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            report=report, pictures=pictures, levels=report_figures.LEVELS, script=Markup(script), script_hash=allowed
        )
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
