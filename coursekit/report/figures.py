"""The three plots of the class report, each an SVG picture with a description in words."""

import base64
import io
import statistics
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from coursekit.report.timing import NotebookTime

# Okabe and Ito's palette: tells apart also for readers who do not see red and green.
BLUE, ORANGE, AMBER, INK = "#0072B2", "#D55E00", "#E69F00", "#1b1b1b"
# Level of a mark, what it means, colour, colour of a number on it, hatching: from dark blue over pale to orange.
LEVELS = (
    ("full", "all points", BLUE, "white", ""),
    ("high", "more than two thirds", "#7fbfe6", INK, ""),
    ("middle", "more than one third", "#f0ead0", INK, ""),
    ("low", "less", "#f3b77c", INK, ""),
    ("zero", "no points", ORANGE, "white", ""),
    ("hand", "waits for a person", "#9a9a9a", INK, "///"),
    ("none", "not graded", "#dddddd", INK, "xxx"),
)
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


def questions(labels: Sequence[str], levels: Sequence[Mapping[str, int]], shares: Sequence[float | None]) -> Picture:
    """How many students got all, many, some or no points for each question, and the mean share of the points.

    `levels` counts students by the level of their marks; a share is None where nobody's answer has been graded yet.
    """
    most = max([1, *(sum(counts.values()) for counts in levels)])
    with matplotlib.rc_context(STYLE):
        figure, axes = _axes(WIDTH, 2.0 + 0.46 * max(1, len(labels)))
        for place, (counts, share) in enumerate(zip(levels, shares, strict=True)):
            start = 0
            for name, _, colour, ink, hatch in LEVELS:
                count = counts.get(name, 0)
                axes.barh(place, count, left=start, color=colour, height=0.74, edgecolor="white", hatch=hatch)
                if count >= 0.06 * most:
                    axes.text(start + count / 2, place, str(count), ha="center", va="center", color=ink, fontsize=11)
                start += count
            text = "not graded yet" if share is None else f"{100 * share:.0f} %"
            axes.text(most * 1.02, place, text, va="center", color=INK, fontsize=11)
        axes.set_yticks(range(len(labels)), [_shorten(label, 26) for label in labels], fontsize=11)
        axes.set(xlabel="students; at the right: mean share of the points", xlim=(0, most * 1.16))
        axes.set_ylim(len(labels) - 0.5, -0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        handles = [Patch(facecolor=colour, hatch=hatch, edgecolor="white") for _, _, colour, _, hatch in LEVELS]
        figure.legend(handles, [said for _, said, *_ in LEVELS], loc="outside upper center", ncols=3, fontsize=11)
        return _picture(figure, "Points per exercise", _about_questions(labels, shares))


def _about_questions(labels: Sequence[str], shares: Sequence[float | None]) -> str:
    known = [(place, share) for place, share in enumerate(shares) if share is not None]
    if not known:
        return "No question has been graded yet."
    hardest, low = min(known, key=lambda item: item[1])
    easiest, high = max(known, key=lambda item: item[1])
    return (
        f"Hardest: {labels[hardest]}, {100 * low:.0f} % of the points on average. "
        f"Easiest: {labels[easiest]}, {100 * high:.0f} %. The table of the questions has all the numbers."
    )


def _bars(axes: Axes, notebooks: Sequence[NotebookTime]) -> None:
    """A bar for each notebook: its cells, and what came on top."""
    ranked = sorted(notebooks, key=lambda part: (part.seconds, part.student))
    overhead = [part.overhead or 0.0 for part in ranked]
    own = [part.seconds - over for part, over in zip(ranked, overhead, strict=True)]
    axes.barh(range(len(ranked)), own, color=BLUE, height=0.7, label="cells")
    if any(overhead):
        axes.barh(range(len(ranked)), overhead, left=own, color=AMBER, height=0.7, hatch="///", label="overhead")
        axes.legend(loc="lower right", fontsize=11)
    several = len({part.notebook for part in ranked}) > 1
    names = [f"{part.student}, {part.notebook}" if several else part.student for part in ranked]
    axes.set_yticks(range(len(ranked)), [_shorten(name) for name in names], fontsize=11)
    for place, part in enumerate(ranked):
        axes.text(part.seconds, place, f" {part.seconds:.1f}", va="center", color=INK)
    axes.set(xlabel="seconds", ylim=(-0.5, max(0.5, len(ranked) - 0.5)))
    axes.set_xlim(0, 1.15 * max([0.1, *(part.seconds for part in ranked)]))
    axes.grid(axis="x", alpha=0.3)


def _histogram(axes: Axes, notebooks: Sequence[NotebookTime]) -> None:
    seconds = [part.seconds for part in notebooks]
    axes.hist(seconds, bins=min(30, max(8, round(len(seconds) ** 0.5))), color=BLUE, edgecolor="white")
    axes.set(xlabel="seconds", ylabel="notebooks")
    axes.set_xlim(left=0)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y", alpha=0.3)


def times(notebooks: Sequence[NotebookTime]) -> Picture:
    """Time of each notebook: a bar for each in a small class, a histogram in a large one."""
    with matplotlib.rc_context(STYLE):
        if len(notebooks) <= MOST_BARS:
            figure, axes = _axes(WIDTH, 1.3 + 0.36 * max(1, len(notebooks)))
            _bars(axes, notebooks)
        else:
            figure, axes = _axes(WIDTH, 3.6)
            _histogram(axes, notebooks)
        return _picture(figure, "Time per notebook", _about_times(notebooks))


def _about_times(notebooks: Sequence[NotebookTime]) -> str:
    if not notebooks:
        return "No notebook has been run yet."
    slowest = max(notebooks, key=lambda part: part.seconds)
    seconds = [part.seconds for part in notebooks]
    said = (
        f"In all they took {sum(seconds):.0f} seconds; the median is {statistics.median(seconds):.1f}, "
        f"and the longest, of {slowest.student}, took {slowest.seconds:.1f}."
    )
    known = [part.overhead for part in notebooks if part.overhead is not None]
    if known:
        said += f" Of each, {statistics.median(known):.2f} seconds (median) were not spent in its cells."
    return said
