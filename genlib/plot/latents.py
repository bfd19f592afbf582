"""What a model with latents has learned: where codes lie, and what the decoder makes of them."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genlib.models.modes import evaluating
from genlib.plot.images import draw, image_rows, mosaic_of, tiles_of
from genlib.plot.picture import COLORS, Picture, array, figure, legend, style


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
    x, y = array(codes).T
    classes = np.zeros(len(codes), dtype=int) if labels is None else array(labels).astype(int)
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
    tiles = tiles_of(_decode(model, z.flatten(0, 1)))
    mosaic = mosaic_of(tiles, n, pad := 1)
    ticks = sorted({round(i) for i in np.linspace(0, n - 1, 4)})
    picture, axis = figure(width=6.2, height=6.2)
    with style():
        draw(axis, mosaic)
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
        draw(axis, tiles_of(_decode(model, z.unsqueeze(0)))[0])
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
        legend(top)
        floor = log_prob - 5  # a gauge of the last five nats below log p(x)
        bottom.barh(0, max(bound - floor, 0), left=floor, color=COLORS[0], alpha=0.75, label=f"ELBO {bound:.2f}")
        start = max(bound, floor)
        bottom.barh(0, log_prob - start, left=start, color=COLORS[4], alpha=0.75, hatch="//", label=f"gap {gap:.2f}")
        bottom.axvline(log_prob, color="black", linestyle=":", label=f"log p(x) {log_prob:.2f}")
        bottom.set(xlabel="nats", yticks=[], ylim=(-0.5, 0.5), xlim=(floor, log_prob + 0.5))
        bottom.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    picture.alt = f"ELBO {bound:.2f} nats, gap {gap:.2f} nats, log p(x) {log_prob:.2f} nats for the q that is drawn"
    return picture


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
