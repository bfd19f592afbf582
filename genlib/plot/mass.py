"""Probability mass that moves: what a density gains in one place it loses in all others."""

import math
from typing import Any

import numpy as np

from genlib.plot.picture import COLORS, Picture, array, figure, style


def raised_density(
    x: Any,
    density: Any,
    *,
    center: float,
    gain: float,
    width: float,
    x_label: str = "x",
    alt: str | None = None,
) -> Picture:
    """A density before and after it was raised around one place, and the probability that moved there.

    ``density`` holds its values at the sorted points ``x``, both ``(N,)``. The new density is proportional to
    density(x) exp(gain exp(-(x - center)^2 / (2 width^2))); both are normalised by the trapezoidal rule.
    Raises ``ValueError`` when the two differ in length or the density is negative.
    """
    points, before = array(x), array(density)
    if points.shape != before.shape or points.ndim != 1 or not (before >= 0).all():
        raise ValueError(
            f"received x {points.shape} and density {before.shape}; expected one number from 0 on for each point"
        )
    before = before / np.trapezoid(before, points)
    raised = before * np.exp(gain * np.exp(-0.5 * ((points - center) / width) ** 2))
    total = float(np.trapezoid(raised, points))
    after = raised / total
    moved = 0.5 * float(np.trapezoid(np.abs(after - before), points))
    picture, axis = figure(height=4.4)
    with style():
        axis.plot(points, before, color="black", linestyle="--", label="before")
        axis.plot(points, after, color=COLORS[0], linestyle="-", label="after")
        for sign, color, hatch, name in ((1, COLORS[2], "", "gained"), (-1, COLORS[1], "//", "lost")):
            chosen = sign * (after - before) > 0
            axis.fill_between(
                points, before, after, where=chosen, color=color, alpha=0.4, hatch=hatch, linewidth=0, label=name
            )
        axis.axvline(center, color="0.4", linestyle=":")
        # The axis stays as it is while sliders move, unless the curve needs more room.
        top = max(1.7 * before.max(), 1.05 * after.max())
        axis.set(xlabel=x_label, ylabel="density", xlim=(points[0], points[-1]), ylim=(0, top))
        axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4)
    picture.alt = alt or (
        f"At {center:.2f} the density is {math.exp(gain) / total:.2f} times what it was, far away {1 / total:.2f} "
        f"times; {moved:.0%} of the probability moved; the area below the curve is {np.trapezoid(after, points):.2f}"
    )
    return picture
