"""The three plots of the class report, each an SVG picture with a description in words."""

import base64
import io
import statistics
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

# Okabe and Ito's palette: tells apart also for readers who do not see red and green.
BLUE, ORANGE, INK = "#0072B2", "#D55E00", "#1b1b1b"
STYLE: dict[Any, Any] = {
    "font.size": 13,
    "axes.titlesize": 13,
    "axes.labelsize": 13,
    "axes.edgecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "figure.constrained_layout.use": True,
    "svg.fonttype": "none",  # text stays text: small, searchable, in the reader's fonts
    "svg.hashsalt": "report",  # names of parts inside the picture do not change from one run to the next
    "text.parse_math": False,  # a dollar sign in a student's name is a dollar sign
}
MOST_BARS = 30
WIDTH = 6.0


@dataclass(frozen=True)
class Picture:
    """A plot as a `data:` address for an <img>, with its title and what it shows, in words."""

    title: str
    source: str
    description: str


def _picture(figure: Figure, title: str, description: str) -> Picture:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # The page's reader has the fonts for a name in another script; matplotlib's own font need not.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    encoded = base64.b64encode(buffer.getvalue()).decode("ascii")
    return Picture(title, f"data:image/svg+xml;base64,{encoded}", description)


def _axes(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height))
    FigureCanvasSVG(figure)
    return figure, figure.add_subplot()


def _shorten(text: str, length: int = 32) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def scores(totals: Sequence[float], max_score: float) -> Picture:
    """Histogram of the total points of all submissions; `totals` may be empty."""
    with matplotlib.rc_context(STYLE):
        figure, axes = _axes(WIDTH, 3.6)
        top = max([max_score, 1.0, *totals])
        axes.hist(totals, bins=min(20, max(4, round(top))), range=(0, top), color=BLUE, edgecolor="white")
        axes.set(xlabel=f"points (of {max_score:g})", ylabel="submissions", xlim=(0, top))
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y", alpha=0.3)
        said = "Nothing has been graded yet."
        if totals:
            median = statistics.median(totals)
            axes.axvline(median, color=ORANGE, linestyle="--", linewidth=2.2)
            axes.set_title(f"dashed line: median, {median:.3g} points", loc="right", color=ORANGE)
            said = (
                f"{_plural(len(totals), 'submission')} between {min(totals):.3g} and {max(totals):.3g} "
                f"of {max_score:g} points; the median is {median:.3g}."
            )
        return _picture(figure, "Distribution of points", said)


def questions(labels: Sequence[str], shares: Sequence[float | None]) -> Picture:
    """Mean share of the points of each question, from 0 to 1; None where nobody's answer has been graded yet."""
    with matplotlib.rc_context(STYLE):
        figure, axes = _axes(WIDTH, 1.3 + 0.42 * max(1, len(labels)))
        places = range(len(labels))
        known = [(place, share) for place, share in zip(places, shares, strict=True) if share is not None]
        axes.barh([place for place, _ in known], [100 * share for _, share in known], color=BLUE, height=0.7)
        for place, share in zip(places, shares, strict=True):
            text, start = ("not graded yet", 0.0) if share is None else (f"{100 * share:.0f} %", 100 * share)
            axes.text(start + 1.5, place, text, va="center", color=INK)
        axes.set_yticks(list(places), [_shorten(label) for label in labels], fontsize=11)
        axes.set(xlabel="mean share of the points, %", xlim=(0, 118), ylim=(len(labels) - 0.5, -0.5))
        axes.set_xticks(range(0, 101, 20))
        axes.grid(axis="x", alpha=0.3)
        return _picture(figure, "Points per question", _about_questions(labels, known))


def _about_questions(labels: Sequence[str], known: Sequence[tuple[int, float]]) -> str:
    if not known:
        return "No question has been graded yet."
    hardest, low = min(known, key=lambda item: item[1])
    easiest, high = max(known, key=lambda item: item[1])
    return (
        f"Hardest: {labels[hardest]}, {100 * low:.0f} % of the points on average. "
        f"Easiest: {labels[easiest]}, {100 * high:.0f} %."
    )


def times(names: Sequence[str], seconds: Sequence[float]) -> Picture:
    """Time of each submission: a bar for each in a small class, a histogram in a large one."""
    with matplotlib.rc_context(STYLE):
        if len(names) <= MOST_BARS:
            ranked = sorted(zip(seconds, names, strict=True))
            figure, axes = _axes(WIDTH, 1.3 + 0.36 * max(1, len(names)))
            axes.barh(range(len(ranked)), [value for value, _ in ranked], color=BLUE, height=0.7)
            axes.set_yticks(range(len(ranked)), [_shorten(name) for _, name in ranked], fontsize=11)
            for place, (value, _) in enumerate(ranked):
                axes.text(value, place, f" {value:.1f}", va="center", color=INK)
            axes.set(xlabel="seconds", ylim=(-0.5, max(0.5, len(ranked) - 0.5)))
            axes.set_xlim(0, 1.15 * max([0.1, *seconds]))
            axes.grid(axis="x", alpha=0.3)
        else:
            figure, axes = _axes(WIDTH, 3.6)
            axes.hist(seconds, bins=min(30, max(8, round(len(seconds) ** 0.5))), color=BLUE, edgecolor="white")
            axes.set(xlabel="seconds", ylabel="submissions")
            axes.set_xlim(left=0)
            axes.yaxis.set_major_locator(MaxNLocator(integer=True))
            axes.grid(axis="y", alpha=0.3)
        said = "No submission has been run yet."
        if names:
            longest, slowest = max(zip(seconds, names, strict=True))
            said = (
                f"In all they ran for {sum(seconds):.0f} seconds; the median is {statistics.median(seconds):.1f}, "
                f"and the longest, of {slowest}, took {longest:.1f}."
            )
        return _picture(figure, "Time per submission", said)
