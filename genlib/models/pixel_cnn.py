"""The PixelCNN: masked convolutions over the image itself (van den Oord et al., arXiv:1601.06759, section 3.5)."""

import itertools
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genlib import sampling
from genlib.masked import MaskedConv2d
from genlib.models.labels import class_labels
from genlib.models.pixels import centred, sum_of_conditionals, two_levels, whole_numbers
from genlib.pixel_cache import CachedConv2d, RasterSteps, through_relus


class ResidualBlock(nn.Module):
    """h + f(h) with ``(B, 2 * channels, H, W)`` features, half as many inside (figure 5, left); type B throughout."""

    def __init__(self, channels: int, kernel_size: int, n_colors: int, n_classes: int | None) -> None:
        super().__init__()
        self.reduce = MaskedConv2d(2 * channels, channels, 1, "B", n_colors=n_colors)
        self.conv = MaskedConv2d(channels, channels, kernel_size, "B", n_colors=n_colors)
        self.expand = MaskedConv2d(channels, 2 * channels, 1, "B", n_colors=n_colors)
        self.condition = None if n_classes is None else nn.Embedding(n_classes, channels)

    def forward(self, h: Tensor, y: Tensor | None) -> Tensor:
        features = self.conv(F.relu(self.reduce(F.relu(h))))
        if self.condition is not None:
            features = features + self.condition(y)[:, :, None, None]
        return h + self.expand(F.relu(features))


class PixelCNN(nn.Module):
    """p(x) = prod_i p(x_i | x_<i), all conditionals by one pass of masked convolutions (table 1).

    x ``(B, C, H, W)`` holds whole numbers in ``[0, levels)``; ``data_shape`` is ``(C, H, W)``. A convolution of type A
    with a kernel of ``first_kernel_size`` leaves the variable itself out, and no connection leads around it; then
    follow ``n_layers`` residual blocks of type B with kernels of ``kernel_size``, and two 1x1 layers. ``channels``, a
    multiple of the number of colours C, is the h of the paper: 2h features between the blocks, h inside. With
    ``n_classes`` it is p(x|y), y int64 ``(B,)`` or one number for all. However deep it is, pixels far to the right in
    the rows above stay unseen: the blind spot that the gated PixelCNN removes. Raises ``ValueError`` for sizes that
    do not fit.
    """

    def __init__(
        self,
        data_shape: tuple[int, int, int],
        *,
        levels: int = 2,
        channels: int = 32,
        n_layers: int = 7,
        kernel_size: int = 3,
        first_kernel_size: int = 7,
        n_classes: int | None = None,
    ) -> None:
        super().__init__()
        sizes = (*data_shape, levels - 1, channels, n_layers + 1, 1 if n_classes is None else n_classes)
        if len(data_shape) != 3 or min(sizes) < 1 or channels % data_shape[0]:
            received = f"{data_shape=}, {levels=}, {channels=}, {n_layers=}, {n_classes=}"
            expected = "data_shape (C, H, W), channels a multiple of C, at least 2 levels, positive sizes"
            raise ValueError(f"received {received}; expected {expected}")
        self.data_shape, self.levels, self.n_classes = tuple(data_shape), levels, n_classes
        n_colors, n_logits = data_shape[0], 1 if levels == 2 else levels
        self.first = MaskedConv2d(n_colors, 2 * channels, first_kernel_size, "A", n_colors=n_colors)
        self.condition = None if n_classes is None else nn.Embedding(n_classes, 2 * channels)
        self.blocks: Sequence[ResidualBlock] = nn.ModuleList(  # type: ignore[assignment]
            ResidualBlock(channels, kernel_size, n_colors, n_classes) for _ in range(n_layers)
        )
        self.head_1 = MaskedConv2d(2 * channels, channels, 1, "B", n_colors=n_colors)
        self.head_2 = MaskedConv2d(channels, n_logits * n_colors, 1, "B", n_colors=n_colors)

    def forward(self, x: Tensor, y: Tensor | int | None = None) -> Tensor:
        """Logits of every variable given those before it, ``(B, levels, C, H, W)``, for ``x (B, C, H, W)``."""
        labels = class_labels(y, len(x), self.n_classes, x.device)
        # Channels last in memory, through the whole network: convolutions with small kernels take less time.
        features = centred(x, self.levels, self.first.weight).clone(memory_format=torch.channels_last)
        h = self.first(features)  # (B, 2 * channels, H, W)
        if self.condition is not None:
            h = h + self.condition(labels)[:, :, None, None]
        for block in self.blocks:
            h = block(h, labels)
        logits = self.head_2(F.relu(self.head_1(F.relu(h))))  # (B, n_logits * C, H, W)
        return two_levels(logits) if self.levels == 2 else logits.reshape(len(x), self.levels, *x.shape[1:])

    def log_prob(self, x: Tensor, y: Tensor | int | None = None) -> Tensor:
        """log p(x), or log p(x|y), exact, ``(B,)`` in nats, for whole numbers ``x (B, C, H, W)`` in ``[0, levels)``."""
        return sum_of_conditionals(whole_numbers(x, self.levels, self.data_shape), self(x, y))

    def sample(
        self, n: int, *, y: Tensor | int | None = None, generator: torch.Generator | None = None, **options: Any
    ) -> Tensor:
        """Draw n examples, ``(n, C, H, W)``; ``options`` are those of ``genlib.sampling.iterate``."""
        return sampling.sample(self, n, y=y, generator=generator, **options)

    def steps(self, n: int, y: Tensor | int | None = None) -> "_Steps":
        """Sampling in which every activation is computed once, as soon as all that it sees is known."""
        return _Steps(self, n, y)


class _Steps(RasterSteps):
    def __init__(self, model: PixelCNN, n: int, y: Tensor | int | None) -> None:
        super().__init__(model.data_shape, model.levels)
        labels = class_labels(y, n, model.n_classes, model.first.weight.device)

        def cached(conv: MaskedConv2d, condition: nn.Embedding | None = None) -> CachedConv2d:
            return CachedConv2d(conv, n, self.width, bias=None if condition is None else condition(labels))

        self.first = cached(model.first, model.condition)
        self.blocks = [
            (cached(block.reduce), cached(block.conv, block.condition), cached(block.expand)) for block in model.blocks
        ]
        self.head = (cached(model.head_1), cached(model.head_2))
        self.inputs = [self.first]

    def start_row(self) -> None:
        for conv in (self.first, *itertools.chain(*self.blocks), *self.head):
            conv.start_row()

    def outputs(self, column: int, color: int) -> Tensor:
        h = self.first.pixel(column, color)  # (n, 2 * channels / n_colors)
        for block in self.blocks:
            h.add_(through_relus(block, h, column, color))
        return through_relus(self.head, h, column, color)
