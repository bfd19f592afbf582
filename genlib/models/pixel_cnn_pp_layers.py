"""The layers of PixelCNN++: shifted convolutions, gated blocks, and a stream of them over several resolutions.

Each also computes a piece of the image, one row or one pixel, when it is given what it has to remember: a ``Past``.
"""

from functools import cached_property
from itertools import islice

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Features = list[list[Tensor]]  # what a stream computed: for each resolution, from full to lowest, block after block


class Past:
    """What a stream remembers of an image that is made piece by piece, in raster order: rows that kernels still see.

    A piece is a row of ``width`` positions or one position of it; ``row`` and ``column`` say where the next one is.
    ``coarse`` is the same at half the resolution (Ramachandran et al., arXiv:1704.06001, section 2).
    """

    def __init__(self, width: int) -> None:
        self.width, self.row, self.column = width, 0, 0
        self.buffers: dict[nn.Module, Tensor] = {}

    @cached_property
    def coarse(self) -> "Past":
        return Past(self.width // 2)

    @property
    def due(self) -> bool:
        """Whether the half resolution has a position here: it sees this one, and none that is still to come."""
        return self.row % 2 == 0 and self.column % 2 == 0

    def window(self, layer: "ShiftedConv2d", x: Tensor) -> Tensor:
        """Remember the piece ``x (n, channels, 1, w)``, and give it with the margins that the layer's kernel sees."""
        left, right, above, _ = layer.margins
        if layer not in self.buffers:
            self.buffers[layer] = x.new_zeros(*x.shape[:2], above + 1, left + self.width + right)
        buffer, end = self.buffers[layer], self.column + x.shape[3]
        if self.column == 0:
            buffer[:, :, :-1] = buffer[:, :, 1:].clone()  # a new row pushes the oldest out
        buffer[:, :, above:, left + self.column : left + end] = x
        return buffer[:, :, :, self.column : left + end + right]

    def keep(self, layer: nn.Module, x: Tensor) -> None:
        """Remember what ``layer`` makes of a piece of the half resolution, ``(n, channels, 2, 2 w)``."""
        if layer not in self.buffers:
            self.buffers[layer] = x.new_zeros(*x.shape[:3], self.width)
        self.buffers[layer][..., self.column : self.column + x.shape[3]] = x

    def kept(self, layer: nn.Module, w: int) -> Tensor:
        """The piece of it that lies here, ``(n, channels, 1, w)``."""
        return self.buffers[layer][:, :, self.row % 2, None, self.column : self.column + w]

    def advance(self, w: int) -> None:
        """Go on by ``w`` positions."""
        rows, self.column = divmod(self.column + w, self.width)
        self.row += rows


class ShiftedConv2d(nn.Conv2d):
    """A convolution without a mask: the image is shifted so that no kernel reaches what comes later (figure 2).

    Kernels see the rows above and their own row; of it, with ``right=True``, nothing to the right of the position.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: tuple[int, int], *, right: bool, stride: int = 1
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride)
        above, beside = kernel_size[0] - 1, kernel_size[1] - 1
        self.margins = (beside, 0, above, 0) if right else (beside // 2, beside // 2, above, 0)

    def window(self, x: Tensor, past: Past | None) -> Tensor:
        """``x`` with its margins: zeros around a whole image, what was remembered around a piece."""
        if not any(self.margins):
            return x
        return F.pad(x, self.margins) if past is None else past.window(self, x)

    def forward(self, x: Tensor, past: Past | None = None) -> Tensor:
        x = self.window(x, past)
        if x.shape[2:] != self.kernel_size:
            return super().forward(x)
        # A single output: as a product of two matrices ten times as fast.
        return F.linear(x.flatten(1), self.weight.flatten(1), self.bias)[:, :, None, None]


class GatedBlock(nn.Module):
    """h + a sigmoid(b), where two convolutions make a and b of h, of ``n_inputs`` short-cuts and of the class."""

    def __init__(self, channels: int, n_inputs: int, *, right: bool, dropout: float, n_classes: int | None) -> None:
        super().__init__()
        kernel = (2, 2) if right else (2, 3)
        self.first = ShiftedConv2d(2 * channels, channels, kernel, right=right)
        self.short_cut = ShiftedConv2d(2 * channels * n_inputs, channels, (1, 1), right=right) if n_inputs else None
        self.dropout = nn.Dropout(dropout)
        self.second = ShiftedConv2d(2 * channels, 2 * channels, kernel, right=right)
        self.of_class = nn.Embedding(n_classes, 2 * channels) if n_classes else None
        with torch.no_grad():
            self.second.weight.mul_(0.1)  # as in the authors' code: a block starts close to the identity
            if self.of_class is not None:
                self.of_class.weight.mul_(0.05)

    def forward(self, h: Tensor, inputs: list[Tensor], y: Tensor | None = None, past: Past | None = None) -> Tensor:
        """``h`` and each of ``inputs`` are ``(B, channels, H, W)``, as is the result; ``y`` is int64 ``(B,)``."""
        inner = self.first(concat_elu(h), past)
        if self.short_cut is not None:
            inner = inner + self.short_cut(concat_elu(torch.cat(inputs, 1)))
        gates = self.second(self.dropout(concat_elu(inner)), past)  # (B, 2 * channels, H, W)
        if self.of_class is not None:
            gates = gates + self.of_class(y)[:, :, None, None]
        a, b = gates.chunk(2, 1)
        return h + a * torch.sigmoid(b)


class Stream(nn.Module):
    """Gated blocks at one resolution, a stream at half of it, and blocks again, each with a short-cut to its mirror.

    The down stream (``right=False``) sees whole rows. The other one sees what is above and to the left, and is fed by
    the down stream, block by block (sections 2.3 and 2.4, figure 2).
    """

    def __init__(
        self, channels: int, n_blocks: int, n_halvings: int, *, right: bool, dropout: float, n_classes: int | None
    ) -> None:
        super().__init__()

        def blocks(n: int, n_inputs: int) -> nn.ModuleList:
            arguments = {"right": right, "dropout": dropout, "n_classes": n_classes}
            return nn.ModuleList(GatedBlock(channels, n_inputs, **arguments) for _ in range(n))  # type: ignore[arg-type]

        self.before = blocks(n_blocks, int(right))
        self.coarse: Stream | None = None
        if n_halvings:
            kernel, margin = ((2, 2), 0) if right else ((2, 3), (0, 1))
            self.shrink = ShiftedConv2d(channels, channels, kernel, right=right, stride=2)
            self.coarse = Stream(channels, n_blocks, n_halvings - 1, right=right, dropout=dropout, n_classes=n_classes)
            self.grow = nn.ConvTranspose2d(channels, channels, kernel, 2, padding=margin, output_padding=margin)
        self.after = blocks(n_blocks + bool(n_halvings), 1 + right)

    def forward(
        self, h: Tensor, y: Tensor | None = None, fed: Features | None = None, past: Past | None = None
    ) -> Features:
        """What every block makes of ``h (B, channels, H, W)``; ``fed`` is what the down stream made of its input.

        With ``past``, h is one row or one pixel, and the half resolutions are there only where one is due.
        """
        feed, mirrors, features = iter(fed[0] if fed else []), [h], []
        for block in self.before:
            h = block(h, [*islice(feed, 1)], y, past)
            features.append(h)
            mirrors.append(h)
        lower: Features = []
        if self.coarse is None:
            mirrors.pop()  # the middle of the network has no mirror
        else:
            h, lower = self._through(self.coarse, h, y, fed, past)
        for block in self.after:
            h = block(h, [*islice(feed, 1), mirrors.pop()], y, past)
            features.append(h)
        if past is not None:
            past.advance(h.shape[3])
        return [features, *lower]

    def _through(
        self, coarse: "Stream", h: Tensor, y: Tensor | None, fed: Features | None, past: Past | None
    ) -> tuple[Tensor, Features]:
        """Down to the half resolution and back: ``(B, channels, H, W)``, and the features of the lower resolutions."""
        below = fed[1:] if fed else None
        if past is None:
            lower = coarse(self.shrink(h), y, below)
            return self.grow(lower[0][-1]), lower
        lower = []
        if past.due:
            lower = coarse(self.shrink(h, past), y, below, past.coarse)
            past.keep(self.grow, self.grow(lower[0][-1]))
        else:
            self.shrink.window(h, past)  # nothing is due, but the next row that is due sees this position
        return past.kept(self.grow, h.shape[3]), lower


def concat_elu(x: Tensor) -> Tensor:
    """ELU of x and of -x, ``(B, 2 * channels, H, W)``, so that neither sign is flattened."""
    return F.elu(torch.cat([x, -x], 1))
