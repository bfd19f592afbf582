"""Mixtures: how much each part contributes, which part a point came from, and expectation maximisation."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from torch import Tensor

from genlib.models.gaussian_mixture import GaussianMixture
from genlib.plot.picture import COLORS, LINES, MARKERS, Picture, array, figure, style

HATCHES = ("", "//", "..", "xx")
State = tuple[GaussianMixture, Tensor]
"""A mixture in the plane, and the q ``(N, K)`` that its bound is taken at."""


def shares(x: Any, parts: Mapping[str, Any], *, x_label: str, total: str = "p(x)", alt: str | None = None) -> Picture:
    """Parts of a density, p(x|k) p(k), stacked on top of each other, and below them their shares of the sum, p(k|x).

    ``x`` is ``(N,)``, each part ``(N,)`` and not negative. Raises ``ValueError`` for other lengths or values.
    """
    points, heights = array(x), [array(part) for part in parts.values()]
    wrong = [name for name, h in zip(parts, heights, strict=True) if h.shape != points.shape or not (h >= 0).all()]
    if points.ndim != 1 or not heights or wrong:
        raise ValueError(
            f"received x {points.shape} and parts {list(parts)}, wrong: {wrong}; expected one number from 0 on for "
            "each point"
        )
    ends = np.cumsum([np.zeros_like(points), *heights], 0)
    picture, (top, bottom) = figure(2, 1, height=5.4, sharex=True, gridspec_kw={"height_ratios": [3, 2]})
    with style():
        for axis, scale in ((top, np.ones_like(points)), (bottom, np.maximum(ends[-1], np.finfo(float).tiny))):
            for index, (name, low, high) in enumerate(zip(parts, ends, ends[1:], strict=False)):
                color, hatch = COLORS[index % len(COLORS)], HATCHES[index % len(HATCHES)]
                axis.fill_between(
                    points, low / scale, high / scale, color=color, alpha=0.55, hatch=hatch, linewidth=0, label=name
                )
        top.plot(points, ends[-1], color="black", linestyle="-", label=total)
        top.set(ylabel="density", ylim=(0, None))
        top.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(parts) + 1)
        bottom.set(xlabel=x_label, ylabel="share", xlim=(points[0], points[-1]), ylim=(0, 1))
    picture.alt = alt or f"{', '.join(parts)} stacked, which makes {total}, and their shares of it, against {x_label}"
    return picture


def soft_labels(x: Tensor, panels: Mapping[str, Tensor | None], *, alt: str | None = None) -> Picture:
    """Points ``x (N, 2)`` side by side, coloured by what is known of their component.

    A panel is a distribution over components for each point, ``(N, K)``: the marker is that of the most probable one,
    the colour a blend of all. ``None`` draws grey dots. Raises ``ValueError`` for other shapes.
    """
    for name, q in panels.items():
        _check(x, q, name)
    picture, axes = figure(1, len(panels), width=9.6, height=3.7, sharex=True, sharey=True, squeeze=False)
    with style():
        for axis, (name, q) in zip(axes[0], panels.items(), strict=True):
            _cloud(axis, x, q, size=26)
            axis.set(title=name, xlabel="$x_1$", aspect="equal")
        axes[0, 0].set_ylabel("$x_2$")
    picture.alt = alt or f"{len(x)} points side by side, by what is known of their component: {', '.join(panels)}"
    return picture


def em_state(x: Tensor, trace: Sequence[State], step: int) -> Picture:
    """One state of expectation maximisation on points ``x (N, 2)``, and the bound and log p(x) up to there.

    ``trace`` begins with a start and goes on with the states after an E step, an M step, an E step and so on. Ellipses
    lie two standard deviations from the means. Raises ``ValueError`` for a step that is not in the trace.
    """
    if not 0 <= step < len(trace):
        raise ValueError(f"received {step=}; expected a number from 0 to {len(trace) - 1}")
    bounds, log_probs = _heights(x, trace)
    picture, (left, right) = figure(1, 2, width=9.8, height=4.3, gridspec_kw={"width_ratios": [1, 1.25]})
    with style():
        _panel(left, x, trace[step], _name(step))
        _stairs(right, bounds, log_probs, step)
    picture.alt = (
        f"{_name(step)}: bound {bounds[step]:.3f}, log p(x) {log_probs[step]:.3f}, "
        f"gap {log_probs[step] - bounds[step]:.3f} nats per point"
    )
    return picture


def em_strip(x: Tensor, trace: Sequence[State], steps: Sequence[int], *, alt: str | None = None) -> Picture:
    """Some states of expectation maximisation beside each other, with the bound in nats per point below each."""
    bounds, _ = _heights(x, trace)
    picture, axes = figure(1, len(steps), width=8.6, height=3.1, sharex=True, sharey=True, squeeze=False)
    with style():
        for axis, step in zip(axes[0], steps, strict=True):
            _panel(axis, x, trace[step], _name(step))
            axis.set(xlabel=f"bound {bounds[step]:.2f}", ylabel="", xticks=[], yticks=[])
    picture.alt = alt or "; ".join(f"{_name(step)}: bound {bounds[step]:.2f} nats" for step in steps)
    return picture


def staircase(x: Tensor, trace: Sequence[State], *, alt: str | None = None) -> Picture:
    """The bound and log p(x), in nats per point, over the states of expectation maximisation, see ``em_state``."""
    bounds, log_probs = _heights(x, trace)
    picture, axis = figure(width=9.0, height=4.4)
    with style():
        _stairs(axis, bounds, log_probs, len(trace) - 1)
    picture.alt = alt or (
        f"Bound and log p(x) over {len(trace)} states of EM: from {bounds[0]:.2f} and {log_probs[0]:.2f} to "
        f"{bounds[-1]:.2f} and {log_probs[-1]:.2f} nats per point"
    )
    return picture


def _heights(x: Tensor, trace: Sequence[State]) -> tuple[np.ndarray, np.ndarray]:
    for index, (_, q) in enumerate(trace):
        _check(x, q, f"state {index}")
    with torch.no_grad():
        pairs = [(float(model.elbo(x, q).mean()), float(model.log_prob(x).mean())) for model, q in trace]
    return np.array([bound for bound, _ in pairs]), np.array([log_prob for _, log_prob in pairs])


def _check(x: Tensor, q: Tensor | None, name: str) -> None:
    if x.ndim != 2 or x.shape[1] != 2 or (q is not None and (q.ndim != 2 or len(q) != len(x))):
        shape = None if q is None else tuple(q.shape)
        raise ValueError(f"received points {tuple(x.shape)} and for {name!r} {shape}; expected (N, 2) and (N, K)")


def _name(step: int) -> str:
    return "start" if step == 0 else f"{'EM'[1 - step % 2]} step {(step + 1) // 2}"


def _panel(axis: Axes, x: Tensor, state: State, title: str) -> None:
    model, q = state
    _cloud(axis, x, q, size=16)
    circle = np.linspace(0, 2 * math.pi, 100)
    for k, (mean, factor) in enumerate(zip(array(model.mean), array(model.factor), strict=True)):
        ring = mean[:, None] + 2 * factor @ np.stack([np.cos(circle), np.sin(circle)])
        axis.plot(*ring, color=COLORS[k % len(COLORS)], linestyle=LINES[k % len(LINES)], linewidth=2.5)
        axis.plot(*mean, marker=MARKERS[k % len(MARKERS)], color="black", markersize=9, linestyle="none")
    low, high = array(x).min(0), array(x).max(0)
    pad = 0.12 * (high - low).max()
    limits = {"xlim": (low[0] - pad, high[0] + pad), "ylim": (low[1] - pad, high[1] + pad)}
    axis.set(title=title, xlabel="$x_1$", ylabel="$x_2$", aspect="equal", **limits)


def _cloud(axis: Axes, x: Tensor, q: Tensor | None, *, size: float) -> None:
    points = array(x)
    if q is None:
        axis.scatter(points[:, 0], points[:, 1], s=size, color="0.5", linewidths=0)
        return
    probabilities = array(q)
    palette = np.array([to_rgb(COLORS[k % len(COLORS)]) for k in range(probabilities.shape[1])])
    blended, most = np.clip(probabilities @ palette, 0, 1), probabilities.argmax(1)
    for k in np.unique(most):
        chosen = most == k
        x_1, x_2 = points[chosen].T
        axis.scatter(x_1, x_2, s=size, c=blended[chosen], marker=MARKERS[k % len(MARKERS)], linewidths=0)


def _stairs(axis: Axes, bounds: np.ndarray, log_probs: np.ndarray, step: int) -> None:
    """Each state is a tread one unit wide; the axes belong to the whole trace, so that they stay while it is drawn."""
    edges = np.arange(step + 2) - 0.5
    for values, name, color, line in ((log_probs, "log p(x)", "black", "--"), (bounds, "bound", COLORS[0], "-")):
        axis.stairs(values[: step + 1], edges, baseline=None, color=color, linestyle=line, linewidth=2.4, label=name)
    for state in range(step + 1):
        tread = [state - 0.5, state + 0.5]
        label = "gap: KL(q, posterior)" if state == 0 else None
        axis.fill_between(
            tread, bounds[state], log_probs[state], color=COLORS[4], alpha=0.45, hatch="//", linewidth=0, label=label
        )
    few = len(bounds) <= 20  # room to name each state; otherwise whole steps are numbered
    ticks = range(0, len(bounds), 1 if few else 2 * math.ceil(len(bounds) / 16))
    names = ["0" if t == 0 else "EM"[1 - t % 2] if few else str(t // 2) for t in ticks]
    low, high = min(bounds.min(), log_probs.min()), max(bounds.max(), log_probs.max())
    pad = 0.06 * (high - low) or 0.1
    axis.set_xticks(list(ticks), names)
    axis.set(xlim=(-0.5, len(bounds) - 0.5), ylim=(low - pad, high + pad), ylabel="nats per point")
    axis.set_xlabel("state after an E or an M step" if few else "EM steps")
    axis.legend(loc="lower right")
