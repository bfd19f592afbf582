"""Cached activations of masked convolutions: while an image is drawn, every activation is computed once.

What lies above a row is known when the row begins, so that part of a convolution is computed for the whole row at
once; what lies in the row itself is added pixel by pixel and colour by colour. Features are kept channels last,
``(n, rows, columns, channels)``: what an output sees of its own row is then a matrix in memory, and nothing is copied.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from genlib.masked import MaskedConv2d
from genlib.models.pixels import centred, two_levels


def color_order(channels: int, n_colors: int, parts: int = 1) -> Tensor:
    """Channels with those of one colour next to each other, int64 ``(channels,)``: all of R, then G, then B.

    Masked convolutions deal channels to colours in turn. ``parts`` is the number of equal parts into which the
    channels are cut later on, 2 for a gate: every colour then has its share of the first part, then of the second.
    """
    return torch.arange(channels).reshape(parts, -1, n_colors).permute(2, 0, 1).flatten()


class CachedConv2d:
    """One masked convolution during generation, for ``n`` images whose rows have ``width`` pixels.

    When a row begins, call ``start_row``. Unless the convolution is a vertical one, ``pixel`` then gives its outputs
    one by one: write the inputs of a pixel and colour (of type A: of those before it) into ``slot`` and ask once.
    Channels of inputs and outputs are in ``color_order``; ``parts`` is that of the outputs. ``bias (n, out_channels)``
    is added to the outputs everywhere, in the order that ``conv`` has. Nothing here can be differentiated.
    """

    def __init__(self, conv: MaskedConv2d, n: int, width: int, *, parts: int = 1, bias: Tensor | None = None) -> None:
        n_colors, above, left = conv.n_colors, conv.kernel_size[0] // 2, conv.kernel_size[1] // 2
        outputs, inputs = color_order(conv.out_channels, n_colors, parts), color_order(conv.in_channels, n_colors)
        weight = conv.masked_weight().detach()[outputs][:, inputs]  # (out, in, rows, columns)
        cut_off = (0, conv.kernel_size[1] - weight.shape[3], 0, above + 1 - weight.shape[2])  # what no output sees
        weight = F.pad(weight, cut_off)  # (out, in, above + 1, 2 * left + 1)
        self.n_known = above + int(conv.vertical and conv.mask_type == "B")  # rows that are known when a row begins
        self.known_weight = weight[:, :, : self.n_known].contiguous(memory_format=torch.channels_last)
        self.bias = weight.new_zeros(1, 1, conv.out_channels)
        for term in (conv.bias, bias):
            if term is not None:
                self.bias = self.bias + term.detach().reshape(-1, 1, conv.out_channels)[..., outputs]
        # The row in work comes last; margins stay zero, as in a padded convolution.
        self.rows = weight.new_zeros(n, above + 1, width + 2 * left, conv.in_channels)
        self.row = self.rows[:, -1, left : left + width]  # (n, width, in)
        self.pending = weight.new_empty(n, width, conv.out_channels)  # outputs of this row so far
        # All views are made once: making one takes about as long as a small product.
        self._slots, self._results = _by_color(self.row, n_colors), _by_color(self.pending, n_colors)
        self._parts = [[result.chunk(parts, 1) for result in results] for results in self._results]
        # A colour sees the row to the left of the pixel and at the pixel the colours before it: in memory, a beginning.
        seen = [
            conv.in_channels * left + conv.in_channels // n_colors * (color + int(conv.mask_type == "B"))
            for color in range(n_colors)
        ]
        matrix = weight[:, :, -1, : left + 1].permute(2, 1, 0).flatten(0, 1)  # (columns * in, out)
        blocks = zip(matrix.chunk(n_colors, 1), seen, strict=True)
        self._weights = [block[:size].contiguous() for block, size in blocks]
        windows = [self.rows[:, -1, column : column + left + 1].view(n, -1) for column in range(width)]
        self._seen = [[window[:, :size] for size in seen] for window in windows]

    def start_row(self, features: Tensor | None = None, extra: Tensor | None = None) -> Tensor:
        """Go on to the next row and return its outputs so far, ``(n, width, out_channels)``: final if vertical.

        ``features (n, width, in_channels)`` are the inputs in this row, which a vertical convolution of type B sees at
        once; ``extra (n, width, out_channels)`` is added to the outputs. The next row overwrites the result.
        """
        for index in range(self.rows.shape[1] - 1):
            self.rows[:, index] = self.rows[:, index + 1]
        if features is not None:
            self.row.copy_(features)
        self.pending.copy_(self.bias)
        if self.n_known:
            known = self.rows[:, : self.n_known].permute(0, 3, 1, 2)  # (n, in, n_known, columns)
            self.pending += F.conv2d(known, self.known_weight).squeeze(2).mT
        if extra is not None:
            self.pending += extra
        return self.pending

    def slot(self, column: int, color: int = 0) -> Tensor:
        """Where the inputs of one pixel and colour are to be written, ``(n, in_channels / n_colors)``."""
        return self._slots[column][color]

    def pixel(self, column: int, color: int = 0) -> Tensor:
        """Outputs of one pixel and colour, ``(n, out_channels / n_colors)``; the next row overwrites them."""
        result, weight = self._results[column][color], self._weights[color]
        return result.addmm_(self._seen[column][color], weight) if len(weight) else result

    def parts(self, column: int, color: int = 0) -> tuple[Tensor, ...]:
        """What ``pixel`` gives, cut into its parts: ``(n, out_channels / n_colors / parts)`` each."""
        self.pixel(column, color)
        return self._parts[column][color]


def through_relus(convs: Sequence[CachedConv2d], features: Tensor, column: int, color: int) -> Tensor:
    """Features of one pixel and colour behind several convolutions, with a ReLU before each of them."""
    for conv in convs:
        torch.clamp(features, min=0, out=conv.slot(column, color))
        features = conv.pixel(column, color)
    return features


class RasterSteps(ABC):
    """Generation pixel by pixel and colour by colour; a subclass says what is to be done at each of them.

    ``data_shape`` is ``(C, H, W)``; ``inputs`` are the convolutions that see the image itself.
    """

    inputs: Sequence[CachedConv2d]

    def __init__(self, data_shape: tuple[int, ...], levels: int) -> None:
        (self.n_colors, _, self.width), self.levels = data_shape, levels
        self.column = self.color = 0

    @abstractmethod
    def start_row(self) -> None:
        """Compute what is known when a row begins."""

    @abstractmethod
    def outputs(self, column: int, color: int) -> Tensor:
        """Logits of one pixel and colour, ``(n, levels)``, or with two levels ``(n, 1)``, those of the value 1."""

    def logits(self) -> Tensor:
        """Logits of the next variable, ``(n, levels)``; to be called once before each ``put``."""
        if self.column == self.color == 0:
            self.start_row()
        logits = self.outputs(self.column, self.color)
        return two_levels(logits.squeeze(1)) if self.levels == 2 else logits.clone()

    def put(self, value: Tensor) -> None:
        """Fix the next variable, int64 ``(n,)``, and go on to the one after it."""
        features = centred(value, self.levels, self.inputs[0].row)  # (n,)
        for conv in self.inputs:
            conv.row[:, self.column, self.color] = features
        self.color = (self.color + 1) % self.n_colors
        if self.color == 0:
            self.column = (self.column + 1) % self.width


def _by_color(row: Tensor, n_colors: int) -> list[tuple[Tensor, ...]]:
    """Views of a row ``(n, width, channels)``: for every column and colour, ``(n, channels / n_colors)``."""
    return [column.chunk(n_colors, 1) for column in row.unbind(1)]
