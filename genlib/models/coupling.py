"""Coupling layers: one half of the numbers stays as it is and says how the other half moves.

The Jacobian is triangular whatever the network is, and nothing has to invert the network (Dinh et al., NICE,
arXiv:1410.8516, section 3.2; Dinh et al., RealNVP, arXiv:1605.08803, section 3.2).
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from genlib.models.bijections import Pair

MakeNetwork = Callable[[int, int], nn.Module]
"""What makes the network of a coupling layer, given how many numbers (or channels) go in and how many come out."""


class _Coupling(nn.Module):
    """What both kinds share: the cut through dimension 1, of numbers ``(B, D)`` or of channels ``(B, C, H, W)``."""

    def __init__(self, n_dims: int, network: MakeNetwork, *, outputs: int, swap: bool) -> None:
        super().__init__()
        if n_dims < 2:
            raise ValueError(f"received {n_dims=}; expected at least 2, for one half moves the other")
        self.sizes, self.swap = (n_dims // 2, n_dims - n_dims // 2), swap
        self.n_kept, self.n_moved = reversed(self.sizes) if swap else self.sizes
        self.network = network(self.n_kept, outputs * self.n_moved)

    def _cut(self, x: Tensor) -> Pair:
        """The half that stays and the half that moves."""
        first, second = x.split(self.sizes, 1)
        return (second, first) if self.swap else (first, second)

    def _join(self, kept: Tensor, moved: Tensor) -> Tensor:
        return torch.cat([moved, kept] if self.swap else [kept, moved], 1)


class AdditiveCoupling(_Coupling):
    """z_2 = x_2 + m(x_1), z_1 = x_1: no volume changes, so that log |det| is 0 (NICE, section 3.2).

    ``n_dims`` numbers in an example ``(B, D)``, or channels of an image; the first half (rounded down) decides, or
    the second one when ``swap``. ``network(n_in, n_out)`` makes m. Raises ``ValueError`` for fewer than 2 dimensions.
    """

    def __init__(self, n_dims: int, network: MakeNetwork, *, swap: bool = False) -> None:
        super().__init__(n_dims, network, outputs=1, swap=swap)

    def forward(self, x: Tensor) -> Pair:
        kept, moved = self._cut(x)
        return self._join(kept, moved + self.network(kept)), x.new_zeros(len(x))

    def inverse(self, z: Tensor) -> Pair:
        kept, moved = self._cut(z)
        return self._join(kept, moved - self.network(kept)), z.new_zeros(len(z))


class AffineCoupling(_Coupling):
    """z_2 = x_2 exp(s(x_1)) + t(x_1), z_1 = x_1, and log |det| is the sum of s (RealNVP, equations 4 to 8).

    As ``AdditiveCoupling``; the network has two outputs for each number that moves, and s is tanh of the first ones
    times ``factor``, a learned number for each (section 4.1), so that no exp runs away early in training.
    ``event_dims`` is 3 when an example is an image; each channel then has its factor.
    """

    def __init__(self, n_dims: int, network: MakeNetwork, *, swap: bool = False, event_dims: int = 1) -> None:
        super().__init__(n_dims, network, outputs=2, swap=swap)
        self.factor = nn.Parameter(torch.ones(self.n_moved, *[1] * (event_dims - 1)))

    def forward(self, x: Tensor) -> Pair:
        kept, moved = self._cut(x)
        log_scale, shift = self._scale_and_shift(kept)
        moved = torch.addcmul(shift, moved, log_scale.exp())
        return self._join(kept, moved), log_scale.flatten(1).sum(1)

    def inverse(self, z: Tensor) -> Pair:
        kept, moved = self._cut(z)
        log_scale, shift = self._scale_and_shift(kept)
        return self._join(kept, (moved - shift) * (-log_scale).exp()), -log_scale.flatten(1).sum(1)

    def _scale_and_shift(self, kept: Tensor) -> Pair:
        raw, shift = self.network(kept).chunk(2, 1)
        return raw.tanh() * self.factor, shift


def mlp(n_in: int, n_out: int, *, hidden_dim: int, n_hidden: int) -> nn.Sequential:
    """A network from ``(B, n_in)`` to ``(B, n_out)`` with ``n_hidden`` layers of ``hidden_dim`` ReLUs.

    Its last layer starts at zero: a coupling layer is then the identity, and a deep flow is easy to train from there.
    There is no batch normalisation, so that training and evaluation mode are the same map.
    """
    layers: list[nn.Module] = []
    for width in [n_in, *[hidden_dim] * (n_hidden - 1)]:
        layers += [nn.Linear(width, hidden_dim), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, zero_start(nn.Linear(hidden_dim, n_out)))


def zero_start(layer: nn.Module) -> nn.Module:
    """The layer with all its weights at zero."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer
