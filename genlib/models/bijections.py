"""Invertible maps with a known Jacobian: the chain that composes them, and those that act on every number by itself.

Every one has ``forward(x) -> (z, logabsdet)`` and ``inverse(z) -> (x, logabsdet)``. x and z hold as many numbers, and
``logabsdet (B,)`` is log |det| of the Jacobian of the map that was just taken, in nats: the two cancel.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genlib.device import checks_values

Pair = tuple[Tensor, Tensor]


class Chain(nn.ModuleList):
    """Invertible maps one after another: the log-determinants add up, and the inverse goes through them backwards."""

    def forward(self, x: Tensor) -> Pair:
        total = x.new_zeros(len(x))
        for transform in self:
            x, logabsdet = transform(x)
            total = total + logabsdet
        return x, total

    def inverse(self, z: Tensor) -> Pair:
        total = z.new_zeros(len(z))
        transform: Any
        for transform in reversed(self):
            z, logabsdet = transform.inverse(z)
            total = total + logabsdet
        return z, total


class Reorder(nn.Module):
    """The numbers of an example in a row, in another order: z_i = x_order[i], which changes no volume.

    From ``x (B, *shape)`` to ``z (B, D)``; without ``shape``, x is ``(B, D)`` as well.
    Raises ``ValueError`` when ``order (D,)`` is no permutation of 0 .. D - 1, or ``shape`` holds another D.
    """

    order: Tensor
    back: Tensor

    def __init__(self, order: Tensor, shape: tuple[int, ...] | None = None) -> None:
        super().__init__()
        self.shape = tuple(order.shape) if shape is None else shape
        n_dims = math.prod(self.shape)
        if order.shape != (n_dims,) or not torch.equal(order.sort().values, torch.arange(n_dims, device=order.device)):
            raise ValueError(
                f"order of shape {tuple(order.shape)} is no permutation of 0 .. {n_dims - 1}; "
                f"expected each index of {self.shape} once"
            )
        self.register_buffer("order", order)
        self.register_buffer("back", order.argsort())

    def forward(self, x: Tensor) -> Pair:
        return x.flatten(1).index_select(1, self.order), x.new_zeros(len(x))

    def inverse(self, z: Tensor) -> Pair:
        return z.index_select(1, self.back).reshape(-1, *self.shape), z.new_zeros(len(z))


class DiagonalScaling(nn.Module):
    """z_i = exp(s_i) x_i with one learned s_i for each of the D numbers in ``x (B, *shape)``: NICE, section 3.3.

    ``log_scale`` is s, of the shape of one example; it starts at zero.
    """

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(shape))

    def forward(self, x: Tensor) -> Pair:
        return x * self.log_scale.exp(), self.log_scale.sum().expand(len(x))

    def inverse(self, z: Tensor) -> Pair:
        return z * (-self.log_scale).exp(), -self.log_scale.sum().expand(len(z))


class Logit(nn.Module):
    """From values in [0, levels) to the whole line: logit(margin + (1 - 2 margin) x / levels).

    RealNVP, section 4.1, has no margin at the upper end, where a bright pixel would then go to infinity. The inverse
    keeps to what is taken to numbers at all: (0, levels) without a margin, else ``margin * levels / (1 - 2 margin)``
    more on either side. Raises ``ValueError`` for fewer than 2 levels or a margin outside [0, 1/2) and, on the CPU,
    for x outside that interval.
    """

    def __init__(self, levels: int, margin: float = 0.05) -> None:
        super().__init__()
        if levels < 2 or not 0 <= margin < 0.5:
            raise ValueError(f"received {levels=}, {margin=}; expected at least 2 levels and a margin in [0, 1/2)")
        self.levels, self.margin = levels, margin
        self.slope = (1 - 2 * margin) / levels

    def forward(self, x: Tensor) -> Pair:
        share = x * self.slope + self.margin
        if checks_values(x) and x.numel():
            low, high = (float(v) for v in torch.aminmax(share.detach()))
            if not (low > 0 and high < 1):  # written so that NaN fails, too
                found = f"{(low - self.margin) / self.slope:.4g} to {(high - self.margin) / self.slope:.4g}"
                raise ValueError(f"x holds values from {found}; expected values between 0 and {self.levels}")
        z = share.logit()
        return z, -self._log_slope(z)

    def inverse(self, z: Tensor) -> Pair:
        return (z.sigmoid() - self.margin) / self.slope, self._log_slope(z)

    def _log_slope(self, z: Tensor) -> Tensor:
        """log |det dx/dz|, ``(B,)``: the logistic density of z, and the change of units."""
        return logistic_log_prob(z) - z[0].numel() * math.log(self.slope)


def normal_log_prob(z: Tensor) -> Tensor:
    """log N(z; 0, I), ``(B,)`` in nats, for ``z (B, *shape)``."""
    z = z.flatten(1)
    return -0.5 * z.square().sum(1) - 0.5 * z.shape[1] * math.log(2 * math.pi)


def logistic_log_prob(z: Tensor) -> Tensor:
    """log density of independent standard logistics at ``z (B, *shape)``, ``(B,)`` in nats: NICE, section 3.4."""
    return (2 * F.logsigmoid(z) - z).flatten(1).sum(1)
