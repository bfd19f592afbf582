"""Classes in the plane: who claims which region, and where each class is dense."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from torch import Tensor

from genlib.plot.picture import COLORS, LINES, Picture, array, figure, style

N_GRID = 161


def regions(
    panels: Mapping[str, Callable[[Tensor], Tensor]],
    points: Tensor,
    labels: Tensor,
    *,
    names: Sequence[str] | None = None,
    densities: bool = False,
    limit: float | None = None,
    x_label: str = "$x_1$",
    y_label: str = "$x_2$",
    alt: str | None = None,
) -> Picture:
    """The region that each class claims in the plane, one panel for each way of scoring.

    A panel maps points ``(N, 2)`` to scores ``(N, C)``, such as logits or log p(x, y); the largest one claims the
    point, in a pale colour, and black lines are the boundaries. ``densities`` adds a contour of the exponential of
    each score, where it falls to e^-2 of its peak: two standard deviations from the mean of a Gaussian.
    ``points (N, 2)`` are drawn as the numerals of their ``labels (N,)``, or as ``names[label]``. The picture reaches
    ``limit`` from the middle of the points, by default far enough to hold them all. Raises ``ValueError`` for points
    that do not lie in a plane, or another number of labels.
    """
    if points.ndim != 2 or points.shape[1] != 2 or labels.shape != points.shape[:1]:
        raise ValueError(
            f"received points {tuple(points.shape)} and labels {tuple(labels.shape)}; expected (N, 2) and (N,)"
        )
    low, high = points.amin(0).double(), points.amax(0).double()
    center, reach = (low + high) / 2, 1.2 * float((high - low).max()) / 2 if limit is None else limit
    span = torch.linspace(-reach, reach, N_GRID, dtype=torch.float64)
    grid = torch.cartesian_prod(span + center[0], span + center[1]).to(points.dtype)  # (N_GRID^2, 2)
    x, y = array(span + center[0]), array(span + center[1])
    picture, axes = figure(1, len(panels), width=9.6, height=4.6, sharex=True, sharey=True, squeeze=False)
    with style(), torch.no_grad():
        for axis, (name, score) in zip(axes[0], panels.items(), strict=True):
            scores = array(score(grid)).reshape(N_GRID, N_GRID, -1).transpose(2, 1, 0)  # (C, y, x)
            _claims(axis, x, y, scores)
            if densities:
                for index, values in enumerate(scores):
                    height = np.exp(values - values.max())
                    color, line = COLORS[index % len(COLORS)], LINES[index % len(LINES)]
                    axis.contour(x, y, height, [math.exp(-2)], colors=[color], linestyles=[line], linewidths=2.2)
            for label in labels.unique().tolist():
                chosen, text = points[labels == label], names[label] if names else str(label)
                color = COLORS[label % len(COLORS)]
                axis.scatter(*array(chosen).T, s=70, marker=f"$\\mathbf{{{text}}}$", color=color, linewidths=0)
            axis.set(title=name, xlabel=x_label, aspect="equal", xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
        axes[0, 0].set_ylabel(y_label)
    picture.alt = (
        alt or f"Regions of {len(scores)} classes in the plane of {x_label} and {y_label}: {', '.join(panels)}"
    )
    return picture


def _claims(axis: Axes, x: np.ndarray, y: np.ndarray, scores: np.ndarray) -> None:
    """Pale colours for the class with the largest score, and a line where the two largest are equal."""
    pale = ListedColormap([COLORS[index % len(COLORS)] for index in range(len(scores))])
    axis.imshow(
        scores.argmax(0), origin="lower", extent=(x[0], x[-1], y[0], y[-1]), cmap=pale, alpha=0.16,
        vmin=-0.5, vmax=len(scores) - 0.5, interpolation="nearest",
    )  # fmt: skip
    axis.grid(False)
    for index in range(len(scores) - 1):
        others = np.delete(scores, index, 0).max(0)
        lead = scores[index] - others
        if lead.min() < 0 < lead.max():
            axis.contour(x, y, lead, [0.0], colors="black", linewidths=2, linestyles="-")
