"""Codes of models without a prior: where an encoder puts the data, what lies between, and how samples are judged."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor

from genlib.models.modes import evaluating
from genlib.plot.images import draw, mosaic_of, tiles_of
from genlib.plot.picture import COLORS, MARKERS, Picture, array, figure, style

Interval = tuple[float, float, float]


def code_scatter(
    codes: Tensor,
    labels: Tensor,
    *,
    names: Sequence[str] | None = None,
    title: str | None = None,
    alt: str | None = None,
) -> Picture:
    """Codes ``(N, 2)``, each drawn as the numeral of its label ``(N,)``, with ``names[label]`` beside if given.

    Raises ``ValueError`` when codes do not lie in a plane, or the labels or names are not as many as needed.
    """
    _check_codes(codes, labels)
    if names is not None and len(names) <= int(labels.max()):
        raise ValueError(f"received {len(names)} names and labels up to {int(labels.max())}; expected a name for each")
    picture, axis = figure(width=6.8 if names is None else 8.6, height=5.6)
    with style():
        _numerals(axis, codes, labels, names, alpha=1.0)
        axis.set(xlabel="$z_1$", ylabel="$z_2$", title=title or "", aspect="equal")
        if names is not None:
            axis.legend(loc="center left", bbox_to_anchor=(1, 0.5), handletextpad=0.2, labelspacing=0.35)
    picture.alt = alt or f"{len(codes)} codes of {len(labels.unique())} classes in the plane of two features"
    return picture


def decoded_grid(model: Any, codes: Tensor, *, n: int = 14, alt: str | None = None) -> Picture:
    """What the decoder draws at n by n points, evenly spaced over the box that holds the ``codes (N, 2)``.

    ``model`` offers ``latent_dim`` and ``decode(z)``, images ``(B, C, H, W)``. Raises ``ValueError`` for another number
    of latents than 2, or n below 2.
    """
    low, high = box_of(model, codes)
    if n < 2:
        raise ValueError(f"received {n=}; expected at least 2")
    first, second = (torch.linspace(float(low[j]), float(high[j]), n) for j in (0, 1))
    z = torch.stack([first.expand(n, n), second.flip(0).unsqueeze(1).expand(n, n)], 2)  # the top row is the largest z2
    tiles = tiles_of(decode_images(model, z.flatten(0, 1)))
    mosaic = mosaic_of(tiles, n, pad := 1)
    ticks = [0, (n - 1) // 2, n - 1]
    picture, axis = figure(width=6.2, height=6.2)
    with style():
        draw(axis, mosaic)
        height, width = (size + pad for size in tiles.shape[1:3])
        axis.set_xticks([(i + 0.5) * width - 0.5 for i in ticks], [f"{float(first[i]):.1f}" for i in ticks])
        axis.set_yticks([(n - i - 0.5) * height - 0.5 for i in ticks], [f"{float(second[i]):.1f}" for i in ticks])
        axis.set(xlabel="$z_1$", ylabel="$z_2$")
    picture.alt = alt or f"Decoded images on a {n} by {n} grid over the box of the codes"
    return picture


def point_decoded(model: Any, codes: Tensor, labels: Tensor, z: Tensor) -> Picture:
    """The plane of ``codes (N, 2)`` with a cross at ``z (2,)``, and beside it the image that is decoded there.

    The words of the picture say how far the nearest code is. Raises ``ValueError`` as ``decoded_grid`` does.
    """
    _check_codes(codes, labels)
    low, high = box_of(model, codes)
    z = z.detach().cpu().to(codes.dtype)
    distance = float((codes.detach().cpu() - z).norm(dim=1).min())
    picture, (plane, image) = figure(1, 2, width=9.6, height=4.6, gridspec_kw={"width_ratios": [1.35, 1]})
    with style():
        _numerals(plane, codes, labels, None, alpha=0.55)
        x, y = array(z)
        plane.plot(x, y, marker="+", markersize=26, markeredgewidth=5, color="white", zorder=4)
        plane.plot(x, y, marker="+", markersize=24, markeredgewidth=2.5, color="black", zorder=5)
        plane.set(xlabel="$z_1$", ylabel="$z_2$")
        plane.set(xlim=(float(low[0]), float(high[0])), ylim=(float(low[1]), float(high[1])))
        draw(image, tiles_of(decode_images(model, z.unsqueeze(0)))[0])
        image.set_axis_off()
        image.set_title(f"nearest code: {distance:.2f} away")
    picture.alt = f"Decoded at z1 = {x:.2f}, z2 = {y:.2f}; the nearest code of a real image is {distance:.2f} away"
    return picture


def scores(panels: Mapping[str, Mapping[str, Interval]], *, alt: str | None = None) -> Picture:
    """Several judgements of the same candidates side by side: a panel for each, a row for each candidate.

    ``panels`` maps what is measured to ``{candidate: (centre, low, high)}``; the candidates are the same in all, from
    top to bottom. Raises ``ValueError`` when they are not, or a centre does not lie between its low and high.
    """
    rows = [list(panel) for panel in panels.values()]
    values = [value for panel in panels.values() for value in panel.values()]
    if not rows or not rows[0] or rows != [rows[0]] * len(rows) or not all(low <= c <= high for c, low, high in values):
        raise ValueError(
            f"received panels with rows {rows}, values {values}; expected the same rows in each, low <= centre <= high"
        )
    picture, axes = figure(1, len(rows), width=9.8, height=0.62 * len(rows[0]) + 1.2, sharey=True, squeeze=False)
    with style():
        for axis, (name, panel) in zip(axes[0], panels.items(), strict=True):
            for row, (centre, low, high) in enumerate(panel.values()):
                color, marker = COLORS[row % len(COLORS)], MARKERS[row % len(MARKERS)]
                axis.plot([low, high], [row, row], color=color, linestyle="-", linewidth=3)
                axis.plot(centre, row, color=color, marker=marker, markersize=11, linestyle="none")
            axis.set(xlabel=name, ylim=(len(rows[0]) - 0.5, -0.5))
            axis.margins(x=0.08)
        axes[0, 0].set_yticks(range(len(rows[0])), rows[0])
    picture.alt = alt or "; ".join(
        f"{name}: " + ", ".join(f"{row} {float(value[0]):.2f}" for row, value in panel.items())
        for name, panel in panels.items()
    )
    return picture


def box_of(model: Any, codes: Tensor) -> tuple[Tensor, Tensor]:
    """Corners ``(2,)`` and ``(2,)`` of the box that holds the codes, with a tenth of its size added on each side."""
    if model.latent_dim != 2 or codes.ndim != 2 or codes.shape[1] != 2:
        raise ValueError(f"received {model.latent_dim} latents and codes {tuple(codes.shape)}; expected 2 and (N, 2)")
    codes = codes.detach().cpu()
    low, high = codes.amin(0), codes.amax(0)
    return low - 0.1 * (high - low), high + 0.1 * (high - low)


@torch.no_grad()
def decode_images(model: Any, z: Tensor) -> Tensor:
    """Decoded images ``(B, C, H, W)``, cut to [0, 1], for ``z (B, latent_dim)``; the model's mode is left alone."""
    like = next(model.parameters())
    with evaluating(model):
        images: Tensor = model.decode(z.to(like.device, like.dtype)).clamp(0, 1)
    return images


def _check_codes(codes: Tensor, labels: Tensor) -> None:
    if codes.ndim != 2 or codes.shape[1] != 2 or labels.shape != codes.shape[:1]:
        raise ValueError(
            f"received codes {tuple(codes.shape)} and labels {tuple(labels.shape)}; expected (N, 2) and (N,)"
        )


def _numerals(axis: Axes, codes: Tensor, labels: Tensor, names: Sequence[str] | None, *, alpha: float) -> None:
    """The numeral itself is the marker, so colour is never the only way to tell classes apart."""
    x, y = array(codes).T
    classes = array(labels).astype(int)
    for label in np.unique(classes):
        chosen = classes == label
        axis.scatter(
            x[chosen], y[chosen], s=80, marker=f"${label}$", color=COLORS[label % len(COLORS)], linewidths=0,
            alpha=alpha, label=None if names is None else names[label],
        )  # fmt: skip
