"""The gated PixelCNN: two stacks of convolutions that together see every pixel before (arXiv:1606.05328, section 2)."""

import functools
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genlib import sampling
from genlib.gate import gate_into
from genlib.masked import MaskedConv2d
from genlib.models.gated_layer import CachedGatedLayer, GatedLayer
from genlib.models.labels import class_labels
from genlib.models.pixels import centred, sum_of_conditionals, two_levels, whole_numbers
from genlib.pixel_cache import CachedConv2d, RasterSteps, through_relus


class GatedPixelCNN(nn.Module):
    """p(x) = prod_i p(x_i | x_<i) by gated convolutions in two stacks, without the blind spot of the PixelCNN.

    x ``(B, C, H, W)`` holds whole numbers in ``[0, levels)``; ``data_shape`` is ``(C, H, W)``. The first of
    ``n_layers`` has kernels of ``first_kernel_size``, the others of ``kernel_size``; each stack has ``channels``
    features, a multiple of the number of colours. With ``n_classes`` it is p(x|y), y int64 ``(B,)`` or one number for
    all. Raises ``ValueError`` for sizes that do not fit.
    """

    def __init__(
        self,
        data_shape: tuple[int, int, int],
        *,
        levels: int = 2,
        channels: int = 32,
        n_layers: int = 5,
        kernel_size: int = 3,
        first_kernel_size: int = 7,
        n_classes: int | None = None,
    ) -> None:
        super().__init__()
        sizes = (*data_shape, levels - 1, channels, n_layers, 1 if n_classes is None else n_classes)
        if len(data_shape) != 3 or min(sizes) < 1 or channels % data_shape[0]:
            received = f"{data_shape=}, {levels=}, {channels=}, {n_layers=}, {n_classes=}"
            expected = "data_shape (C, H, W), channels a multiple of C, at least 2 levels, positive sizes"
            raise ValueError(f"received {received}; expected {expected}")
        self.data_shape, self.levels, self.n_classes = tuple(data_shape), levels, n_classes
        n_colors, n_logits = data_shape[0], 1 if levels == 2 else levels
        self.layers: Sequence[GatedLayer] = nn.ModuleList(  # type: ignore[assignment]
            GatedLayer(
                channels if index else n_colors,
                channels,
                kernel_size if index else first_kernel_size,
                n_colors=n_colors,
                n_classes=n_classes,
                first=index == 0,
                last=index == n_layers - 1,
            )
            for index in range(n_layers)
        )
        self.head_1 = MaskedConv2d(channels, channels, 1, "B", n_colors=n_colors)
        self.head_2 = MaskedConv2d(channels, n_logits * n_colors, 1, "B", n_colors=n_colors)

    def forward(self, x: Tensor, y: Tensor | int | None = None) -> Tensor:
        """Logits of every variable given those before it, ``(B, levels, C, H, W)``, for ``x (B, C, H, W)``."""
        labels = class_labels(y, len(x), self.n_classes, x.device)
        # Channels last in memory, through the whole network: convolutions with small kernels take less time.
        v = h = centred(x, self.levels, self.head_1.weight).clone(memory_format=torch.channels_last)
        skips = []
        for layer in self.layers:
            v, h, skip = layer(v, h, labels)
            skips.append(skip)
        features = self.head_1(F.relu(functools.reduce(torch.add, skips)))
        logits = self.head_2(F.relu(features))  # (B, n_logits * C, H, W)
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
        """Sampling that computes the vertical stack row by row, the horizontal one variable by variable, each once."""
        return _Steps(self, n, y)


class _Steps(RasterSteps):
    def __init__(self, model: GatedPixelCNN, n: int, y: Tensor | int | None) -> None:
        super().__init__(model.data_shape, model.levels)
        labels = class_labels(y, n, model.n_classes, model.head_1.weight.device)
        self.layers = [CachedGatedLayer(layer, n, self.width, labels) for layer in model.layers]
        self.head = [CachedConv2d(conv, n, self.width) for conv in (model.head_1, model.head_2)]
        self.inputs = [self.layers[0].vertical, self.layers[0].horizontal]

    def start_row(self) -> None:
        v: Tensor | None = None
        for layer in self.layers:
            v = layer.start_row(v)
        for conv in self.head:
            conv.start_row()

    def outputs(self, column: int, color: int) -> Tensor:
        skips = []
        for layer, following in zip(self.layers, [*self.layers[1:], None], strict=True):
            gate_into(layer.out.slot(column, color), *layer.horizontal.parts(column, color))
            skip, *residual = layer.out.parts(column, color)  # (n, C / n_colors) each
            skips.append(skip)
            if following is not None:
                h = following.horizontal.slot(column, color)
                h.copy_(residual[0])
                if not layer.first:
                    h.add_(layer.horizontal.slot(column, color))
        return through_relus(self.head, functools.reduce(torch.add, skips), column, color)
