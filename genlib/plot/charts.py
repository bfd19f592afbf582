"""Curves, histograms, contours: what is drawn from numbers."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.lines import Line2D
from torch import Tensor

from genlib.plot.picture import COLORS, LINES, MARKERS, Picture, array, figure, legend, style


def curves(
    x: Any,
    series: Mapping[str, Any],
    *,
    x_label: str,
    y_label: str,
    title: str | None = None,
    log_x: bool = False,
    log_y: bool = False,
    levels: Mapping[str, float] | None = None,
    between: tuple[str, str] | None = None,
    marks: bool = False,
    alt: str | None = None,
) -> Picture:
    """Curves over one x, each with its own colour and line style; ``levels`` are horizontal lines.

    A value of ``series`` is a sequence as long as ``x``, or three of them: centre, low and high, drawn as a band.
    ``between`` names two series; the area between them is shaded. ``marks`` puts a marker and a tick at every point.
    """
    x = array(x)
    picture, axis = figure()
    with style():
        for index, (name, values) in enumerate(series.items()):
            centre, *band = values if isinstance(values, tuple) else (values,)
            marker = MARKERS[index % len(MARKERS)] if marks else None
            (line,) = axis.plot(x, array(centre), label=name, marker=marker)
            if band:
                axis.fill_between(x, *map(array, band), color=line.get_color(), alpha=0.25, linewidth=0)
        for name, value in (levels or {}).items():
            axis.axhline(value, label=name, color="black", linestyle=":")
        if between:
            low, high = (array(series[name]) for name in between)
            axis.fill_between(x, low, high, color=COLORS[4], alpha=0.35, linewidth=0, label="the gap")
        axis.set(xlabel=x_label, ylabel=y_label, title=title or "")
        axis.margins(y=0.08)
        axis.set_xscale("log" if log_x else "linear")
        axis.set_yscale("log" if log_y else "linear")
        if marks:
            axis.set_xticks(x, [f"{value:g}" for value in x])
            axis.minorticks_off()
        legend(axis)
    picture.alt = alt or f"{y_label} against {x_label}: {', '.join([*series, *(levels or {})])}"
    return picture


def plot_losses(history: Any, *, title: str | None = None, alt: str | None = None) -> Picture:
    """The training loss in nats per example against the step, and the validation loss if the history has it."""
    picture, axis = figure()
    with style():
        axis.plot(history.steps, history.losses, label="training")
        if history.validation:
            axis.plot(history.steps, history.validation, label="validation")
        axis.set(xlabel="training step", ylabel="loss (nats per example)", title=title or "")
        legend(axis)
    picture.alt = alt or f"Loss in nats per example against the training step, over {history.steps[-1]} steps"
    return picture


def histogram(
    series: Mapping[str, Any],
    *,
    x_label: str,
    lines: Mapping[str, float] | None = None,
    n_bins: int = 50,
    title: str | None = None,
    alt: str | None = None,
) -> Picture:
    """Outlined histograms of samples on common bins, each scaled to area 1, with vertical ``lines`` at named values."""
    values = {name: array(samples).ravel() for name, samples in series.items()}
    bins = np.histogram_bin_edges(np.concatenate(list(values.values())), n_bins)
    picture, axis = figure()
    with style():
        for index, (name, samples) in enumerate(values.items()):
            color, line = COLORS[index % len(COLORS)], LINES[index % len(LINES)]
            axis.hist(samples, bins, density=True, histtype="stepfilled", color=color, alpha=0.25)
            axis.hist(
                samples, bins, density=True, histtype="step", color=color, linestyle=line, linewidth=2, label=name
            )
        for index, (name, value) in enumerate((lines or {}).items()):
            axis.axvline(value, color="black", linestyle=LINES[index % len(LINES)], label=name)
        axis.set(xlabel=x_label, ylabel="density of samples", title=title or "")
        legend(axis)
    picture.alt = alt or f"Histograms of {x_label}: {', '.join(values)}; vertical lines: {', '.join(lines or {})}"
    return picture


def waterfall(terms: Mapping[str, float], total: str, *, title: str | None = None, alt: str | None = None) -> Picture:
    """Terms in nats that add up: each bar starts where the one before ended; the last, ``total``, is their sum."""
    picture, axis = figure(height=0.75 * (len(terms) + 1) + 1.2)
    ends = np.cumsum([0.0, *terms.values()])
    names = [*terms, total]
    starts, widths = [*ends[:-1], 0.0], [*terms.values(), ends[-1]]
    with style():
        for row, (start, width) in enumerate(zip(starts, widths, strict=True)):
            color, hatch = COLORS[row % len(COLORS)], ("", "//", "..", "xx")[row % 4]
            axis.barh(row, width, left=start, color=color, alpha=0.75, hatch=hatch, edgecolor="white")
            axis.text(max(start, start + width), row, f" {width:+.2f}", va="center", ha="left")
        axis.set_yticks(range(len(names)), names)
        axis.invert_yaxis()
        axis.use_sticky_edges = False
        axis.margins(x=0.12)
        axis.set(xlabel="nats", title=title or "")
    picture.alt = alt or "; ".join(f"{name}: {width:.2f} nats" for name, width in zip(names, widths, strict=True))
    return picture


def contours(
    densities: Mapping[str, Callable[[Tensor], Tensor]],
    *,
    points: Tensor | None = None,
    limit: float = 3.5,
    center: tuple[float, float] = (0.0, 0.0),
    x_label: str = "$z_1$",
    y_label: str = "$z_2$",
    title: str | None = None,
    alt: str | None = None,
) -> Picture:
    """Contours of densities over the plane, where they fall to e^-1/2 and e^-2 of their peak.

    For a Gaussian these lie 1 and 2 standard deviations from the mean. Each density maps points ``(N, 2)`` to
    log-densities ``(N,)`` in nats; ``points (N, 2)`` are drawn beneath. The picture reaches ``limit`` from ``center``.
    """
    span = torch.linspace(-limit, limit, 181, dtype=torch.float64)
    x, y = span + center[0], span + center[1]
    grid = torch.cartesian_prod(x, y)  # (181 * 181, 2)
    picture, axis = figure(width=7.5, height=5.5)
    with style(), torch.no_grad():
        if points is not None:
            axis.scatter(*array(points).T, s=6, color="0.55", linewidths=0)
        handles = []
        for index, (name, log_density) in enumerate(densities.items()):
            values = array(log_density(grid)).reshape(181, 181).T
            color, line = COLORS[index % len(COLORS)], LINES[index % len(LINES)]
            height, levels = np.exp(values - values.max()), [math.exp(-2), math.exp(-0.5)]
            axis.contour(array(x), array(y), height, levels, colors=[color], linestyles=[line], linewidths=2.2)
            handles.append(Line2D([], [], color=color, linestyle=line, label=name))
        axis.set(xlabel=x_label, ylabel=y_label, title=title or "", aspect="equal")
        axis.set(xlim=(float(x[0]), float(x[-1])), ylim=(float(y[0]), float(y[-1])))
        axis.legend(handles=handles, loc="center left", bbox_to_anchor=(1, 0.5))
    picture.alt = alt or f"Contours in the plane of {x_label} and {y_label}: {', '.join(densities)}"
    return picture


def clouds(panels: Mapping[str, Tensor], *, marked: int = 3, alt: str | None = None) -> Picture:
    """Point clouds ``(N, 2)`` side by side; the first ``marked`` points keep their colour and marker in every panel."""
    picture, axes = figure(1, len(panels), width=9.6, height=3.9, sharex=True, sharey=True, squeeze=False)
    with style():
        for axis, (name, points) in zip(axes[0], panels.items(), strict=True):
            x, y = array(points).T
            axis.scatter(x[marked:], y[marked:], s=np.clip(2000 / len(x), 5, 30), color="0.5", linewidths=0)
            for index in range(marked):
                color, marker = COLORS[index % len(COLORS)], MARKERS[index % len(MARKERS)]
                axis.scatter(x[index], y[index], s=130, color=color, marker=marker, edgecolor="white", zorder=3)
            axis.set(title=name, xlabel="first coordinate", aspect="equal")
        axes[0, 0].set_ylabel("second coordinate")
    picture.alt = alt or f"Scatter plots side by side: {', '.join(panels)}; {marked} points are marked alike in each"
    return picture
