"""Figures of the lectures: large type, colours that colour-blind readers can tell apart, and words beside them.

Every function returns a ``Picture``, a matplotlib ``Figure`` that carries a description in words (``alt``) and displays
itself in a notebook. Nothing goes through pyplot, so no figure stays alive after its cell and no window is opened.
"""

import base64
import io
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import matplotlib
import numpy as np
import torch
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor

from genlib.models.modes import evaluating

# Okabe and Ito's palette; yellow is left out because it vanishes on white.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), "-")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
STYLE: Any = {
    "font.size": 14,
    "axes.titlesize": 15,
    "axes.labelsize": 14,
    "xtick.labelsize": 14,
    "ytick.labelsize": 14,
    "legend.fontsize": 14,
    "axes.prop_cycle": cycler(color=COLORS) + cycler(linestyle=LINES),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "lines.linewidth": 2.2,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}


class Picture(Figure):
    """A figure that says in words what it shows (``alt``) and is a PNG wherever a notebook displays it."""

    alt = ""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, str], dict[str, Any]]:
        png = base64.b64encode(to_png(self)).decode("ascii")
        return {"image/png": png, "text/plain": self.alt}, {"image/png": {"alt": self.alt}}


def style() -> AbstractContextManager[None]:
    """The course's matplotlib settings while a ``with`` block lasts: fonts of at least 14 points, safe colours."""
    return matplotlib.rc_context(STYLE)


def figure(
    n_rows: int = 1, n_columns: int = 1, *, width: float = 8.0, height: float = 4.0, alt: str = "", **subplots: Any
) -> tuple[Picture, Any]:
    """An empty picture of ``width`` by ``height`` inches and its axes, in the course's style."""
    with style():
        picture = Picture(figsize=(width, height))
        FigureCanvasAgg(picture)
        axes = picture.subplots(n_rows, n_columns, **subplots)
    picture.alt = alt
    return picture, axes


def to_png(picture: Figure) -> bytes:
    """The figure as the bytes of a PNG file, the same bytes for the same figure."""
    buffer = io.BytesIO()
    with style():
        picture.savefig(buffer, format="png", dpi=80, bbox_inches="tight", pad_inches=0.1, metadata={"Software": None})
    return buffer.getvalue()


def show_images(
    images: Tensor,
    *,
    n_columns: int | None = None,
    titles: Sequence[str] | None = None,
    title: str | None = None,
    alt: str | None = None,
) -> Picture:
    """A grid of ``images (N, C, H, W)`` or ``(N, H, W)`` with values in [0, 1], with a title each if ``titles`` has N.

    Raises ``ValueError`` for other shapes, values outside [0, 1] or another number of titles.
    """
    tiles = _tiles(images)
    n = len(tiles)
    if titles is not None and len(titles) != n:
        raise ValueError(f"received {len(titles)} titles for {n} images; expected one each")
    n_columns = min(n, n_columns or math.ceil(math.sqrt(2 * n)))
    n_rows = math.ceil(n / n_columns)
    pad = 2 if titles is None else max(2, tiles.shape[1] // 3)
    mosaic = _mosaic(tiles, n_columns, pad)
    width = min(10.0, max(3.0, 0.9 * n_columns))
    picture, axis = figure(width=width, height=width * mosaic.shape[0] / mosaic.shape[1] + (0.5 if title else 0.1))
    with style():
        _draw(axis, mosaic)
        axis.set_axis_off()
        axis.set_title(title or "")
        for index, text in enumerate(titles or ()):
            row, column = divmod(index, n_columns)
            x = column * (tiles.shape[2] + pad) + tiles.shape[2] / 2
            axis.text(x, row * (tiles.shape[1] + pad) + tiles.shape[1], text, ha="center", va="top")
    picture.alt = alt or f"{n} images in {n_rows} rows and {n_columns} columns" + (f": {title}" if title else "")
    return picture


def image_rows(rows: Mapping[str, Tensor], *, title: str | None = None, alt: str | None = None) -> Picture:
    """One row of images for each name: ``rows`` maps names to ``(N, C, H, W)`` or ``(N, H, W)``, the same N for all.

    Raises ``ValueError`` when the rows do not have as many images of one size, or values lie outside [0, 1].
    """
    shapes = {name: tuple(images.shape) for name, images in rows.items()}
    if len(set(shapes.values())) != 1:
        raise ValueError(f"received rows of shapes {shapes}; expected at least one row, and one shape for all")
    tiles = torch.cat([images.detach().cpu() for images in rows.values()])
    n = len(tiles) // len(rows)
    mosaic = _mosaic(_tiles(tiles), n, pad := 2)
    height = 8.0 * mosaic.shape[0] / mosaic.shape[1] + (0.5 if title else 0.1)
    picture, axis = figure(width=9.6, height=height)
    with style():
        _draw(axis, mosaic)
        step = mosaic.shape[0] / len(rows)
        axis.set_yticks([step * (i + 0.5) - pad / 2 for i in range(len(rows))], list(rows))
        axis.set_xticks([])
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
        axis.set_title(title or "")
    picture.alt = alt or f"{n} images in each of {len(rows)} rows, from top to bottom: {', '.join(rows)}"
    return picture


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
    x = _array(x)
    picture, axis = figure()
    with style():
        for index, (name, values) in enumerate(series.items()):
            centre, *band = values if isinstance(values, tuple) else (values,)
            marker = MARKERS[index % len(MARKERS)] if marks else None
            (line,) = axis.plot(x, _array(centre), label=name, marker=marker)
            if band:
                axis.fill_between(x, *map(_array, band), color=line.get_color(), alpha=0.25, linewidth=0)
        for name, value in (levels or {}).items():
            axis.axhline(value, label=name, color="black", linestyle=":")
        if between:
            low, high = (_array(series[name]) for name in between)
            axis.fill_between(x, low, high, color=COLORS[4], alpha=0.35, linewidth=0, label="the gap")
        axis.set(xlabel=x_label, ylabel=y_label, title=title or "")
        axis.margins(y=0.08)
        axis.set_xscale("log" if log_x else "linear")
        axis.set_yscale("log" if log_y else "linear")
        if marks:
            axis.set_xticks(x, [f"{value:g}" for value in x])
            axis.minorticks_off()
        _legend(axis)
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
        _legend(axis)
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
    values = {name: _array(samples).ravel() for name, samples in series.items()}
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
        _legend(axis)
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
            axis.scatter(*_array(points).T, s=6, color="0.55", linewidths=0)
        handles = []
        for index, (name, log_density) in enumerate(densities.items()):
            values = _array(log_density(grid)).reshape(181, 181).T
            color, line = COLORS[index % len(COLORS)], LINES[index % len(LINES)]
            height, levels = np.exp(values - values.max()), [math.exp(-2), math.exp(-0.5)]
            axis.contour(_array(x), _array(y), height, levels, colors=[color], linestyles=[line], linewidths=2.2)
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
            x, y = _array(points).T
            axis.scatter(x[marked:], y[marked:], s=np.clip(2000 / len(x), 5, 30), color="0.5", linewidths=0)
            for index in range(marked):
                color, marker = COLORS[index % len(COLORS)], MARKERS[index % len(MARKERS)]
                axis.scatter(x[index], y[index], s=130, color=color, marker=marker, edgecolor="white", zorder=3)
            axis.set(title=name, xlabel="first coordinate", aspect="equal")
        axes[0, 0].set_ylabel("second coordinate")
    picture.alt = alt or f"Scatter plots side by side: {', '.join(panels)}; {marked} points are marked alike in each"
    return picture


def latent_scatter(
    codes: Tensor, labels: Tensor | None = None, *, title: str | None = None, alt: str | None = None
) -> Picture:
    """Codes ``(N, 2)``, each drawn as the numeral of its label, over the prior's circles of radius 1 and 2.

    Raises ``ValueError`` when codes are not two-dimensional or the labels are not as many.
    """
    if codes.ndim != 2 or codes.shape[1] != 2:
        raise ValueError(f"codes have shape {tuple(codes.shape)}; expected (N, 2): choose two latents to look at")
    if labels is not None and len(labels) != len(codes):
        raise ValueError(f"received {len(labels)} labels for {len(codes)} codes; expected one each")
    x, y = _array(codes).T
    classes = np.zeros(len(codes), dtype=int) if labels is None else _array(labels).astype(int)
    picture, axis = figure(width=6.8, height=5.6)
    with style():
        for index, label in enumerate(np.unique(classes)):
            # The numeral itself is the marker, so colour is never the only way to tell classes apart.
            marker, chosen = "." if labels is None else f"${label}$", classes == label
            color = COLORS[index % len(COLORS)]
            axis.scatter(x[chosen], y[chosen], s=90, marker=marker, color=color, linewidths=0)
        for radius in (1, 2):
            angle = np.linspace(0, 2 * np.pi, 200)
            axis.plot(radius * np.cos(angle), radius * np.sin(angle), color="black", linestyle="--", linewidth=1.2)
        axis.set(xlabel="$z_1$", ylabel="$z_2$", title=title or "", aspect="equal")
    picture.alt = alt or f"{len(codes)} codes in the plane of two latents, over the prior's circles of radius 1 and 2"
    return picture


def manifold(model: Any, *, n: int = 12, dimensions: tuple[int, int] = (0, 1), alt: str | None = None) -> Picture:
    """What the decoder makes of an n by n grid of two latents, spaced so that each cell holds the same prior mass.

    ``model`` offers ``latent_dim`` and ``decode_mean(z)``; its other latents stay 0. The grid are the Gaussian's
    quantiles at (i + 1/2) / n (Kingma and Welling, arXiv:1312.6114, figure 4).
    Raises ``ValueError`` when the model does not have these two latents.
    """
    first, second = _check_dimensions(model, dimensions)
    quantiles = torch.special.ndtri((torch.arange(n) + 0.5) / n)  # (n,)
    z = torch.zeros(n, n, model.latent_dim)
    z[..., first] = quantiles
    z[..., second] = quantiles.flip(0).unsqueeze(1)  # the top row is the largest value
    tiles = _tiles(_decode(model, z.flatten(0, 1)))
    mosaic = _mosaic(tiles, n, pad := 1)
    ticks = sorted({round(i) for i in np.linspace(0, n - 1, 4)})
    picture, axis = figure(width=6.2, height=6.2)
    with style():
        _draw(axis, mosaic)
        height, width = (size + pad for size in tiles.shape[1:3])
        axis.set_xticks([(i + 0.5) * width - 0.5 for i in ticks], [f"{quantiles[i]:.1f}" for i in ticks])
        axis.set_yticks([(n - i - 0.5) * height - 0.5 for i in ticks], [f"{quantiles[i]:.1f}" for i in ticks])
        axis.set(xlabel=f"$z_{{{first + 1}}}$", ylabel=f"$z_{{{second + 1}}}$")
    picture.alt = alt or f"Decoded images on a {n} by {n} grid of latents {first + 1} and {second + 1}"
    return picture


def traverse(
    model: Any,
    z: Tensor | None = None,
    *,
    dimensions: Sequence[int] | None = None,
    limit: float = 2.5,
    n_steps: int = 11,
    alt: str | None = None,
) -> Picture:
    """A row of decoded images for each latent in ``dimensions``, from -limit to limit; the others stay at ``z``.

    ``model`` offers ``latent_dim`` and ``decode_mean``; ``z (latent_dim,)`` is 0 unless given.
    Raises ``ValueError`` when the model does not have these latents.
    """
    chosen = _check_dimensions(model, range(model.latent_dim) if dimensions is None else dimensions)
    start = torch.zeros(model.latent_dim) if z is None else z.detach().cpu()
    path = start.expand(len(chosen), n_steps, -1).clone()  # (rows, n_steps, latent_dim)
    values = torch.linspace(-limit, limit, n_steps)
    for row, dimension in enumerate(chosen):
        path[row, :, dimension] = values
    rows = dict(zip((f"$z_{{{d + 1}}}$" for d in chosen), _decode(model, path), strict=True))
    names = ", ".join(str(d + 1) for d in chosen)
    alt = alt or f"Decoded images while latent {names} runs from {-limit:g} to {limit:g}, one row each"
    return image_rows(rows, title=f"from {-limit:g} (left) to {limit:g} (right)", alt=alt)


def decoded(model: Any, z: Tensor, *, alt: str | None = None) -> Picture:
    """The one image that the decoder expects at ``z (latent_dim,)``, large."""
    picture, axis = figure(width=3.5, height=3.5)
    with style():
        _draw(axis, _tiles(_decode(model, z.unsqueeze(0)))[0])
        axis.set_axis_off()
    picture.alt = alt or f"The decoder's expected image at z = {[round(float(v), 2) for v in z]}"
    return picture


def elbo_gap(model: Any, x: Tensor, mean: float, logvar: float) -> Picture:
    """q beside the posterior, and what q costs, for ``x (1, D)`` and a linear-Gaussian model with one latent.

    q is N(mean, exp(logvar)). The lower panel splits log p(x), in nats, into the ELBO and the gap.
    Raises ``ValueError`` when the model has more than one latent.
    """
    if model.latent_dim != 1:
        raise ValueError(f"received a model with {model.latent_dim} latents; expected 1, to draw densities as curves")
    with torch.no_grad():
        q = (x.new_tensor([[mean]]), x.new_tensor([[logvar]]))
        posterior_mean, posterior_covariance = model.posterior(x)
        log_prob, bound, gap = (float(v) for v in (model.log_prob(x), model.exact_elbo(x, *q), model.gap(x, *q)))
    normals = {
        "prior p(z)": (0.0, 1.0),
        "posterior p(z|x)": (float(posterior_mean), float(posterior_covariance) ** 0.5),
    }
    normals["encoder q(z|x)"] = (mean, math.exp(0.5 * logvar))
    z = np.linspace(-4, 4, 801)
    picture, (top, bottom) = figure(2, 1, height=5.6, gridspec_kw={"height_ratios": [3, 1]})
    with style():
        for name, (centre, deviation) in normals.items():
            density = np.exp(-0.5 * ((z - centre) / deviation) ** 2) / (deviation * math.sqrt(2 * math.pi))
            top.plot(z, density, label=name)
        top.set(xlabel="z", ylabel="density")
        _legend(top)
        floor = log_prob - 5  # a gauge of the last five nats below log p(x)
        bottom.barh(0, max(bound - floor, 0), left=floor, color=COLORS[0], alpha=0.75, label=f"ELBO {bound:.2f}")
        start = max(bound, floor)
        bottom.barh(0, log_prob - start, left=start, color=COLORS[4], alpha=0.75, hatch="//", label=f"gap {gap:.2f}")
        bottom.axvline(log_prob, color="black", linestyle=":", label=f"log p(x) {log_prob:.2f}")
        bottom.set(xlabel="nats", yticks=[], ylim=(-0.5, 0.5), xlim=(floor, log_prob + 0.5))
        bottom.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    picture.alt = f"ELBO {bound:.2f} nats, gap {gap:.2f} nats, log p(x) {log_prob:.2f} nats for the q that is drawn"
    return picture


def _array(values: Any) -> np.ndarray:
    return values.detach().cpu().double().numpy() if isinstance(values, Tensor) else np.asarray(values, dtype=float)


def _tiles(images: Tensor) -> np.ndarray:
    """Images as ``(N, H, W, C)`` in [0, 1]."""
    tiles = _array(images.unsqueeze(1) if images.ndim == 3 else images)
    if tiles.ndim != 4 or tiles.shape[0] < 1 or tiles.shape[1] not in (1, 3):
        raise ValueError(
            f"images have shape {tuple(images.shape)}; expected (N, H, W) or (N, C, H, W) with 1 or 3 colours"
        )
    if not (tiles.min() >= 0 and tiles.max() <= 1):
        raise ValueError(f"images hold values from {tiles.min():.3g} to {tiles.max():.3g}; expected [0, 1]")
    return tiles.transpose(0, 2, 3, 1)


def _mosaic(tiles: np.ndarray, n_columns: int, pad: int) -> np.ndarray:
    """All tiles in one array, row by row, with ``pad`` white pixels between them; missing tiles are white."""
    n, height, width, colors = tiles.shape
    n_rows = math.ceil(n / n_columns)
    mosaic = np.ones((n_rows * (height + pad), n_columns * (width + pad), colors))
    for index, tile in enumerate(tiles):
        row, column = divmod(index, n_columns)
        top, left = row * (height + pad), column * (width + pad)
        mosaic[top : top + height, left : left + width] = tile
    return mosaic


def _draw(axis: Axes, mosaic: np.ndarray) -> None:
    axis.imshow(mosaic.squeeze(-1) if mosaic.shape[-1] == 1 else mosaic, cmap="gray", vmin=0, vmax=1, aspect="equal")
    axis.grid(False)


def _legend(axis: Axes) -> None:
    """Above the axes, where it covers nothing."""
    names = axis.get_legend_handles_labels()[1]
    if len(names) > 1:
        n_columns = 2 if max(map(len, names)) < 34 else 1
        axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=n_columns)


def _check_dimensions(model: Any, dimensions: Sequence[int]) -> tuple[int, ...]:
    if len(set(dimensions)) != len(dimensions) or not all(0 <= d < model.latent_dim for d in dimensions):
        raise ValueError(
            f"received dimensions {tuple(dimensions)} of a model with {model.latent_dim} latents; "
            f"expected different numbers from 0 to {model.latent_dim - 1}"
        )
    return tuple(dimensions)


@torch.no_grad()
def _decode(model: Any, z: Tensor) -> Tensor:
    like = next(model.parameters())
    with evaluating(model):
        return model.decode_mean(z.to(like.device, like.dtype)).clamp(0, 1)
