"""Two densities on the line, and where their KL divergence comes from."""

import math
from collections.abc import Mapping

import numpy as np
import torch
from matplotlib.axes import Axes
from torch.distributions import Distribution

from genlib.oracles.divergence import density_on, kl_integrand, kl_quadrature
from genlib.plot.picture import COLORS, Picture, array, figure, style

Pair = tuple[Distribution, Distribution]


def divergences(panels: Mapping[str, Pair], *, limit: float = 5.0, alt: str | None = None) -> Picture:
    """Pairs (p, q) of densities side by side; below them the integrands of KL(p || q) and KL(q || p), in nats per x.

    The titles give both divergences. Where one density has mass and the other none, the integrand is infinite and the
    place is hatched. The picture reaches from -limit to limit, the divergences over the whole line.
    Raises ``ValueError`` for distributions of more than one variable.
    """
    values = {name: (kl_quadrature(p, q), kl_quadrature(q, p)) for name, (p, q) in panels.items()}
    x = torch.linspace(-limit, limit, 1501, dtype=torch.float64)
    height = 5.0 if len(panels) == 1 else 5.4
    width = 9.0 if len(panels) == 1 else 10.5
    picture, axes = figure(2, len(panels), width=width, height=height, sharex=True, sharey="row", squeeze=False)
    with style():
        for column, (name, pair) in enumerate(panels.items()):
            top, bottom = axes[:, column]
            for density, letter, color, line in zip(pair, "pq", COLORS, ("-", "--"), strict=False):
                heights = array(density_on(density, x).exp())
                top.plot(array(x), heights, color=color, linestyle=line, label=f"{letter}(x)")
                top.fill_between(array(x), heights, color=color, alpha=0.15, linewidth=0)
            _integrands(bottom, pair, x)
            forward, backward = values[name]
            title = f"$D(p \\| q) = {_number(forward)}$,  $D(q \\| p) = {_number(backward)}$"
            top.set_title(title if len(panels) == 1 else f"{name}\n{title.replace(',  ', chr(10))}")
            bottom.set(
                xlabel="x", xlim=(-limit, limit), xticks=[-0.8 * limit, -0.4 * limit, 0, 0.4 * limit, 0.8 * limit]
            )
        axes[0, 0].set(ylabel="density", ylim=(0, None))
        axes[1, 0].set_ylabel("nats per unit of x")
        for axis in axes[:, -1]:
            axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    picture.alt = alt or "; ".join(
        f"{name}: KL(p || q) {_word(forward)}, KL(q || p) {_word(backward)}"
        for name, (forward, backward) in values.items()
    )
    return picture


def _integrands(axis: Axes, pair: Pair, x: torch.Tensor) -> None:
    p, q = pair
    parts = (("p log(p/q)", p, q, COLORS[0], "-", "//"), ("q log(q/p)", q, p, COLORS[1], "--", "\\\\"))
    axis.axhline(0, color="black", linestyle="-", linewidth=1)
    for name, first, second, color, line, hatch in parts:
        integrand = array(kl_integrand(first, second, x))
        finite = np.isfinite(integrand)
        axis.plot(array(x), np.where(finite, integrand, np.nan), color=color, linestyle=line, label=name)
        if not finite.all():  # a band from the bottom of the picture to its top
            axis.fill_between(
                array(x), 0, 1, where=~finite, transform=axis.get_xaxis_transform(), facecolor="none",
                edgecolor=color, hatch=hatch, linewidth=0, alpha=0.6,
            )  # fmt: skip


def _number(value: float) -> str:
    return r"\infty" if math.isinf(value) else f"{abs(value):.2f}"


def _word(value: float) -> str:
    return "is infinite" if math.isinf(value) else f"{abs(value):.2f} nats"
