"""WaveNet: dilated causal convolutions over a sequence (van den Oord et al., arXiv:1609.03499)."""

from collections import deque
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genlib import sampling
from genlib.gate import gated
from genlib.masked import CausalConv1d
from genlib.models.labels import class_labels
from genlib.models.pixels import sum_of_conditionals
from genlib.models.sequences import AbsorbingSteps, absorb, check_end, codes_of


class WaveNet(nn.Module):
    """p(x_t | the ``receptive_field`` codes before t), by ``n_blocks`` stacks of layers of dilation 1, 2, 4, ...

    x holds codes, int64 ``(B, T)`` in [0, levels): characters, or sound after ``sequences.mu_law_encode``. Each stack
    has ``n_layers`` layers, ``channels`` wide; their skip connections are ``skip_channels`` wide. With ``n_classes``
    the model is p(x | y), each class a bias of every gate (section 2.5). With ``end=0``, for sentences, only 0 may
    follow a 0 and log p(x) counts up to and including the first; with ``end=None``, for sound, every code counts.
    ``length`` is the T of samples; other lengths can be scored, too. Raises ``ValueError`` for sizes below 1.
    """

    def __init__(
        self,
        length: int | tuple[int],
        levels: int = 256,
        *,
        channels: int = 32,
        skip_channels: int = 64,
        kernel_size: int = 2,
        n_layers: int = 5,
        n_blocks: int = 1,
        n_classes: int | None = None,
        end: int | None = None,
    ) -> None:
        super().__init__()
        self.data_shape = (length,) if isinstance(length, int) else tuple(length)
        sizes = (
            levels - 1,
            channels,
            skip_channels,
            kernel_size,
            n_layers,
            n_blocks,
            1 if n_classes is None else n_classes,
        )
        if len(self.data_shape) != 1 or min(*self.data_shape, *sizes) < 1:
            names = f"{length=}, {levels=}, {channels=}, {skip_channels=}, {kernel_size=}, {n_layers=}, {n_blocks=}"
            raise ValueError(f"received {names}, {n_classes=}; expected one length, 2 levels or more, positive sizes")
        check_end(end)
        self.levels, self.n_classes, self.end = levels, n_classes, end
        self.embedding = nn.Embedding(levels, channels)  # a 1 x 1 convolution of one-hot codes, without the zeros
        self.first = CausalConv1d(channels, channels, kernel_size, "A")  # sees t - 1 and before, never t
        dilations = [2**i for i in range(n_layers)] * n_blocks
        self.layers = nn.ModuleList(
            GatedLayer(channels, skip_channels, kernel_size, dilation, n_classes, last=i == len(dilations) - 1)
            for i, dilation in enumerate(dilations)
        )
        self.head = nn.Sequential(
            nn.ReLU(), nn.Conv1d(skip_channels, skip_channels, 1), nn.ReLU(), nn.Conv1d(skip_channels, levels, 1)
        )

    @property
    def receptive_field(self) -> int:
        """How many codes before t the logits of x_t see: k + (k - 1) n_blocks (2^n_layers - 1), with kernels of k."""
        kernel_size = self.first.kernel_size[0]
        return kernel_size + (kernel_size - 1) * sum(layer.conv.dilation[0] for layer in self._layers())

    def forward(self, x: Tensor, y: Tensor | int | None = None) -> Tensor:
        """Logits of every code given those before it, ``(B, levels, T)``, for codes ``x (B, T)``, labels ``y (B,)``."""
        codes, y = codes_of(x, self.levels), class_labels(y, len(x), self.n_classes, x.device)
        hidden = self.first(self.embedding(codes).mT)  # (B, channels, T)
        skips = []
        for layer in self._layers():
            hidden, skip = layer(hidden, y)
            skips.append(skip)
        return absorb(self.head(sum(skips)), codes, self.end)

    def log_prob(self, x: Tensor, y: Tensor | int | None = None) -> Tensor:
        """log p(x), or log p(x|y) for labels ``y (B,)``: exact, ``(B,)`` in nats, for codes ``x (B, T)``."""
        return sum_of_conditionals(codes_of(x, self.levels), self(x, y))

    def sample(
        self, n: int, *, y: Tensor | int | None = None, generator: torch.Generator | None = None, **options: Any
    ) -> Tensor:
        """Draw n sequences, ``(n, length)``; ``options`` are those of ``genlib.sampling.iterate``."""
        return sampling.sample(self, n, y=y, generator=generator, **options)

    def steps(self, n: int, y: Tensor | int | None = None) -> sampling.Steps:
        """Sampling with a queue of past inputs in every layer: each activation is computed once."""
        steps = _Steps(self, n, class_labels(y, n, self.n_classes, self.embedding.weight.device))
        return steps if self.end is None else AbsorbingSteps(steps, n, self.levels, self.embedding.weight)

    def _layers(self) -> "list[GatedLayer]":
        return list(self.layers)  # type: ignore[arg-type]


class GatedLayer(nn.Module):
    """tanh(W_f * x + V_f y) sigmoid(W_g * x + V_g y), added to x and to the skip connections (equation 2, figure 4)."""

    def __init__(
        self, channels: int, skip_channels: int, kernel_size: int, dilation: int, n_classes: int | None, *, last: bool
    ) -> None:
        super().__init__()
        self.conv = CausalConv1d(channels, 2 * channels, kernel_size, dilation=dilation)
        self.label = None if n_classes is None else nn.Embedding(n_classes, 2 * channels)
        self.residual = None if last else nn.Conv1d(channels, channels, 1)  # nothing follows the last layer
        self.skip = nn.Conv1d(channels, skip_channels, 1)

    def forward(self, x: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor]:
        """The input of the next layer ``(B, channels, T)`` and the skip connection ``(B, skip_channels, T)``."""
        return self.after(self.conv(x), x, y)

    def after(self, convolved: Tensor, x: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor]:
        """What follows the convolution, ``(B, 2 channels, T)``, of the input x, ``(B, channels, T)``."""
        if self.label is not None:
            convolved = convolved + self.label(y).unsqueeze(2)
        hidden = gated(convolved)
        return x if self.residual is None else x + self.residual(hidden), self.skip(hidden)


class _Steps:
    def __init__(self, model: WaveNet, n: int, y: Tensor | None) -> None:
        self.model, self.y = model, y
        self.codes = _Queue(model.first, n)
        self.queues = [_Queue(layer.conv, n) for layer in model._layers()]

    def logits(self) -> Tensor:
        hidden, skips = self.codes.convolved(), []
        for layer, queue in zip(self.model._layers(), self.queues, strict=True):
            queue.put(hidden)
            hidden, skip = layer.after(queue.convolved(), hidden, self.y)
            skips.append(skip)
        return self.model.head(sum(skips)).squeeze(2)

    def put(self, value: Tensor) -> None:
        self.codes.put(self.model.embedding(value).unsqueeze(2))


class _Queue:
    """The last inputs of a causal convolution, ``(n, channels, 1)`` each, at first zeros, as its margin is."""

    def __init__(self, conv: CausalConv1d, n: int) -> None:
        self.conv, self.dilation = conv, conv.dilation[0]
        span = (conv.kernel_size[0] - 1) * self.dilation + 1
        self.inputs = deque([conv.weight.new_zeros(n, conv.in_channels, 1)] * span, span)

    def put(self, x: Tensor) -> None:
        self.inputs.append(x)

    def convolved(self) -> Tensor:
        taps = torch.cat(list(self.inputs)[:: self.dilation], 2)  # (n, channels, kernel_size)
        return F.conv1d(taps, self.conv.weight, self.conv.bias)  # (n, out_channels, 1)
