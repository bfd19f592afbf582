"""A layer of the gated PixelCNN (arXiv:1606.05328, figure 2): for whole images, and row by row for sampling."""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genlib.gate import gate_into, gated
from genlib.masked import MaskedConv2d
from genlib.pixel_cache import CachedConv2d, color_order


class GatedLayer(nn.Module):
    """One layer of both stacks (figure 2): the vertical one sees whole rows above, the horizontal one its own row.

    The vertical stack feeds the horizontal one and never the reverse, or it would carry on what lies to the right of
    the pixel in work. The first layer is of type A and has no residual connection, which would carry the pixel
    itself; the last one feeds nothing but its skip connection.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        kernel_size: int,
        *,
        n_colors: int,
        n_classes: int | None,
        first: bool,
        last: bool,
    ) -> None:
        super().__init__()
        self.first, self.last, mask_type = first, last, "A" if first else "B"
        self.vertical = MaskedConv2d(in_channels, 2 * channels, kernel_size, mask_type, vertical=True)
        self.link = nn.Conv2d(2 * channels, 2 * channels, 1)
        self.horizontal = MaskedConv2d(in_channels, 2 * channels, (1, kernel_size), mask_type, n_colors=n_colors)
        # The skip connection and the residual one, by a single convolution.
        self.out = MaskedConv2d(channels, channels if last else 2 * channels, 1, "B", n_colors=n_colors)
        self.condition = None if n_classes is None else nn.Embedding(n_classes, 4 * channels)

    def biases(self, y: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        """What classes ``y (B,)`` add to the vertical and to the horizontal stack, ``(B, 2C)`` each (equation 4)."""
        return (None, None) if self.condition is None else self.condition(y).chunk(2, 1)

    def forward(self, v: Tensor, h: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Features of the vertical and the horizontal stack, and for the skip connection: ``(B, C, H, W)`` each."""
        of_vertical, of_horizontal = self.biases(y)
        vertical = _plus(self.vertical(v), of_vertical)  # (B, 2C, H, W)
        horizontal = _plus(self.horizontal(h) + self.link(vertical), of_horizontal)
        out = self.out(gated(horizontal))
        if self.last:
            return v, h, out
        skip, residual = out.chunk(2, 1)
        return gated(vertical), residual if self.first else h + residual, skip


class CachedGatedLayer:
    """A gated layer during generation: its vertical stack row by row, its horizontal one variable by variable."""

    def __init__(self, layer: GatedLayer, n: int, width: int, labels: Tensor | None) -> None:
        self.first = layer.first
        of_vertical, of_horizontal = layer.biases(labels)
        self.vertical = CachedConv2d(layer.vertical, n, width, parts=2, bias=of_vertical)
        self.horizontal = CachedConv2d(layer.horizontal, n, width, parts=2, bias=of_horizontal)
        self.out = CachedConv2d(layer.out, n, width, parts=1 if layer.last else 2)
        order = color_order(layer.link.out_channels, layer.horizontal.n_colors, parts=2)
        self.link = layer.link.weight.detach()[order, :, 0, 0], cast(Tensor, layer.link.bias).detach()[order]

    def start_row(self, v: Tensor | None) -> Tensor:
        """Go on to the next row: features of the vertical stack, ``(n, W, C)``, from those of the layer before."""
        vertical = self.vertical.start_row(v)  # (n, W, 2C)
        self.horizontal.start_row(extra=F.linear(vertical, *self.link))
        self.out.start_row()
        a, b = vertical.chunk(2, 2)
        return gate_into(torch.empty_like(a), a, b)


def _plus(features: Tensor, bias: Tensor | None) -> Tensor:
    return features if bias is None else features + bias[:, :, None, None]
