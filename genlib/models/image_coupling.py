"""Parts of RealNVP for images: the checkerboard, squeezing, and a scale of several (arXiv:1605.08803, section 3)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genlib.models.bijections import Chain, Pair
from genlib.models.coupling import AffineCoupling, MakeNetwork, zero_start


def checkerboard(height: int, width: int, *, swap: bool = False) -> Tensor:
    """Which pixels stay, bool ``(1, height, width)``: where row + column is odd (figure 3), or even when ``swap``."""
    odd = (torch.arange(height).unsqueeze(1) + torch.arange(width)) % 2 == 1
    return (odd ^ swap).unsqueeze(0)


def squeeze(x: Tensor) -> Tensor:
    """Squares of 2 x 2 pixels become channels: ``(B, 4C, H/2, W/2)`` from ``(B, C, H, W)`` (section 3.6).

    The colours of the upper left pixels come first, then the upper right, lower left and lower right ones. Halves of
    the channels are rows of the image, a cut that the checkerboard did not make.
    """
    B, C, H, W = x.shape
    x = x.reshape(B, C, H // 2, 2, W // 2, 2).permute(0, 3, 5, 1, 2, 4)  # (B, 2, 2, C, H/2, W/2)
    return x.reshape(B, 4 * C, H // 2, W // 2)


def unsqueeze(x: Tensor) -> Tensor:
    """The inverse of ``squeeze``: ``(B, C, H, W)`` from ``(B, 4C, H/2, W/2)``."""
    B, C, H, W = len(x), x.shape[1] // 4, 2 * x.shape[2], 2 * x.shape[3]
    x = x.reshape(B, 2, 2, C, H // 2, W // 2).permute(0, 3, 4, 1, 5, 2)  # (B, C, H/2, 2, W/2, 2)
    return x.reshape(B, C, H, W)


class CheckerboardCoupling(nn.Module):
    """z = x exp(s(b x)) + t(b x) on the pixels where b is 0; the others stay (equation 9).

    For images ``(B, *data_shape)``; b is ``checkerboard``, as 0 and 1. ``network(C, 2C)`` makes the network of s and
    t, from ``(B, C, H, W)`` to ``(B, 2C, H, W)``; s is tanh of its outputs times ``factor``, one for each channel.
    Raises ``ValueError`` for images of one pixel, which has no neighbour to move it.
    """

    stays: Tensor
    moves: Tensor

    def __init__(self, data_shape: tuple[int, int, int], network: MakeNetwork, *, swap: bool = False) -> None:
        super().__init__()
        C, H, W = data_shape
        if H * W < 2:
            raise ValueError(f"received images of shape {data_shape}; expected at least 2 pixels, so fewer scales")
        stays = checkerboard(H, W, swap=swap)
        # numbers, not bool, so that they follow .to(dtype)
        self.register_buffer("stays", stays.to(torch.get_default_dtype()), persistent=False)
        self.register_buffer("moves", (~stays).to(torch.get_default_dtype()), persistent=False)
        self.network = network(C, 2 * C)
        self.factor = nn.Parameter(torch.ones(C, 1, 1))

    def forward(self, x: Tensor) -> Pair:
        log_scale, shift = self._scale_and_shift(x)
        return torch.addcmul(shift, x, log_scale.exp()), log_scale.flatten(1).sum(1)

    def inverse(self, z: Tensor) -> Pair:
        log_scale, shift = self._scale_and_shift(z)
        return (z - shift) * (-log_scale).exp(), -log_scale.flatten(1).sum(1)

    def _scale_and_shift(self, x: Tensor) -> Pair:
        raw, shift = self.network(x * self.stays).chunk(2, 1)
        return raw.tanh() * (self.factor * self.moves), shift * self.moves


class Scale(nn.Module):
    """Checkerboard couplings, a squeeze, couplings of channels; half of the channels is done, half goes on to ``rest``.

    The multi-scale architecture of section 3.6 (equations 13 to 16), from ``(B, C, H, W)`` to the same shape: what
    ``rest``, a map of images ``(B, 2C, H/2, W/2)``, makes of its half is put back beside the half that is done, and
    unsqueezed, so that every number of z stands where the pixels are that it came from.
    """

    def __init__(self, data_shape: tuple[int, int, int], network: MakeNetwork, rest: Chain) -> None:
        super().__init__()
        n_channels, turns = 4 * data_shape[0], (False, True, False)
        self.pixels = Chain(CheckerboardCoupling(data_shape, network, swap=swap) for swap in turns)
        self.channels = Chain(AffineCoupling(n_channels, network, swap=swap, event_dims=3) for swap in turns)
        self.rest = rest

    def forward(self, x: Tensor) -> Pair:
        h, of_pixels = self.pixels(x)
        h, of_channels = self.channels(squeeze(h))
        going_on, done = h.chunk(2, 1)
        z, of_rest = self.rest(going_on)
        return unsqueeze(torch.cat([z, done], 1)), of_pixels + of_channels + of_rest

    def inverse(self, z: Tensor) -> Pair:
        going_on, done = squeeze(z).chunk(2, 1)
        h, of_rest = self.rest.inverse(going_on)
        h, of_channels = self.channels.inverse(torch.cat([h, done], 1))
        x, of_pixels = self.pixels.inverse(unsqueeze(h))
        return x, of_rest + of_channels + of_pixels


class _Residual(nn.Module):
    """h + conv(relu(conv(relu(h))))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)

    def forward(self, h: Tensor) -> Tensor:
        return h + self.second(F.relu(self.first(F.relu(h)), inplace=True))


def residual_network(n_in: int, n_out: int, *, width: int, n_blocks: int) -> nn.Sequential:
    """A network from ``(B, n_in, H, W)`` to ``(B, n_out, H, W)``: ``n_blocks`` residual blocks of ``width`` channels.

    Its last layer starts at zero, so that a coupling layer starts as the identity. Unlike the paper's it has no batch
    normalisation: training and evaluation mode are the same map, and an image does not depend on its batch.
    """
    blocks = [_Residual(width) for _ in range(n_blocks)]
    last = zero_start(nn.Conv2d(width, n_out, 3, padding=1))
    return nn.Sequential(nn.Conv2d(n_in, width, 3, padding=1), *blocks, nn.ReLU(), last)
