"""Diagonal BiLSTM: a PixelRNN that sees all that comes before (van den Oord et al., arXiv:1601.06759, section 3.2)."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genlib import sampling
from genlib.masked import MaskedConv2d
from genlib.models.pixels import centred, sum_of_conditionals, two_levels, whole_numbers
from genlib.models.row_lstm import lstm_cell


class DiagonalBiLSTM(nn.Module):
    """A masked 7 x 7 convolution, LSTM layers that scan the image along its diagonals, and two 1 x 1 layers (table 1).

    x is ``(B, C, H, W)`` with whole numbers in [0, levels), ``data_shape`` its ``(C, H, W)``. One scan carries what is
    above and to the left of a pixel, the other what is above and to the right, so every layer sees all that comes
    before. A diagonal is computed at once, both scans together: H + W - 1 steps a layer. Sampling still takes one
    pass for every variable. ``hidden_dim`` is a state's number of channels, a multiple of C; the map between the
    layers has twice as many. Raises ``ValueError`` for sizes that do not fit.

    To the letter of the paper, ``literal=True``, a pixel misses the last one of the row above, unless it is among the
    last four of its row: no map of type A or B holds a pixel at its own place, and from the last place of a row there
    is no next one to carry it on. Here the scan from the right, which comes to use a row later, reads the pixels, too.
    """

    def __init__(
        self,
        data_shape: tuple[int, int, int],
        hidden_dim: int = 16,
        *,
        levels: int = 2,
        n_layers: int = 2,
        literal: bool = False,
    ) -> None:
        super().__init__()
        if len(data_shape) != 3 or min(*data_shape, levels - 1, n_layers) < 1:
            raise ValueError(f"received {data_shape=}, {levels=}, {n_layers=}; expected (C, H, W) and positive sizes")
        self.data_shape, self.levels = tuple(data_shape), levels
        colors, width = data_shape[0], 2 * hidden_dim
        self.first = MaskedConv2d(colors, width, 7, "A", n_colors=colors)
        self.layers = nn.ModuleList(DiagonalBiLSTMLayer(hidden_dim, colors, literal=literal) for _ in range(n_layers))
        outputs = colors if levels == 2 else colors * levels
        self.head = nn.Sequential(
            nn.ReLU(),
            MaskedConv2d(width, width, 1, "B", n_colors=colors),
            nn.ReLU(),
            MaskedConv2d(width, outputs, 1, "B", n_colors=colors),
        )

    @property
    def n_steps(self) -> int:
        """Steps, one after another, that a layer took in the last forward pass: as many as there are diagonals."""
        return next(iter(self.layers)).n_steps  # type: ignore[return-value]

    def forward(self, x: Tensor, y: None = None) -> Tensor:
        """Logits of every variable given those before it, ``(B, levels, C, H, W)``, for ``x (B, C, H, W)``."""
        if y is not None:
            raise ValueError("received labels y, but this model is not conditional; leave y out")
        pixels = centred(x, self.levels, self.first.weight)
        maps = self.first(pixels)  # (B, 2 hidden_dim, H, W)
        for layer in self.layers:
            maps = layer(maps, pixels)
        logits = self.head(maps)
        return two_levels(logits) if self.levels == 2 else logits.reshape(len(x), -1, *x.shape[1:])

    def log_prob(self, x: Tensor, y: None = None) -> Tensor:
        """log p(x), exact, ``(B,)`` in nats, for whole numbers ``x (B, C, H, W)`` in [0, levels)."""
        return sum_of_conditionals(whole_numbers(x, self.levels, self.data_shape), self(x, y))

    def sample(self, n: int, *, y: None = None, generator: torch.Generator | None = None, **options: Any) -> Tensor:
        """Draw n examples, ``(n, C, H, W)``; ``options`` are those of ``genlib.sampling.iterate``."""
        return sampling.sample(self, n, y=y, generator=generator, **options)

    def steps(self, n: int, y: None = None) -> sampling.NaiveSteps:
        """Sampling that runs the whole network for every variable: nothing is cached."""
        return sampling.NaiveSteps(self, n, y)


class DiagonalBiLSTMLayer(nn.Module):
    """Two diagonal scans, the one from the right moved down by a row, and up to the input, which is added.

    ``x (B, 2 hidden_dim, H, W)`` gives a map of the same shape; ``pixels`` are those of the image, ``(B, C, H, W)``,
    and not read if ``literal``. The hidden state of a pixel comes from its neighbour on the scan's side and the pixel
    above, its cell state from that neighbour alone.
    """

    def __init__(self, hidden_dim: int, n_colors: int = 1, *, literal: bool = False) -> None:
        super().__init__()
        self.hidden_dim, self.n_steps = hidden_dim, 0
        self.input_to_state = MaskedConv2d(2 * hidden_dim, 8 * hidden_dim, 1, "B", n_colors=n_colors)
        self.pixel_to_state = None if literal else nn.Conv2d(n_colors, 4 * hidden_dim, 1, bias=False)
        # The scans are groups of one convolution. Without a bias, states outside the image stay exactly zero.
        self.state_to_state = nn.Conv1d(2 * hidden_dim, 8 * hidden_dim, 2, groups=2, bias=False)
        self.up = MaskedConv2d(hidden_dim, 2 * hidden_dim, 1, "B", n_colors=n_colors)

    def forward(self, x: Tensor, pixels: Tensor) -> Tensor:
        from_left, from_right = self.input_to_state(x).chunk(2, 1)  # (B, 4 hidden_dim, H, W) each
        if self.pixel_to_state is not None:
            from_right = from_right + self.pixel_to_state(pixels)
        left, right = self.scan(torch.stack([from_left, from_right.flip(-1)], 1)).unbind(1)
        # What the scan from the right knows in a row includes pixels still to come; one row down all are past.
        right = F.pad(right.flip(-1), (0, 0, 1, -1))
        return x + self.up(left + right)  # section 3.3

    def scan(self, gates: Tensor) -> Tensor:
        """Hidden states ``(B, 2, hidden_dim, H, W)`` of both scans, from the input's part in their gates."""
        columns = skew(gates).unbind(-1)  # (B, 2, 4 hidden_dim, H) each
        hidden = cell = columns[0].new_zeros(len(gates), 2, self.hidden_dim, gates.shape[-2])
        states = []
        for column in columns:
            above = F.pad(hidden.flatten(1, 2), (1, 0))  # (B, 2 hidden_dim, H + 1): row r stands next to r - 1
            hidden, cell = lstm_cell(column + self.state_to_state(above).view_as(column), cell)
            states.append(hidden)
        self.n_steps = len(states)
        return unskew(torch.stack(states, -1))


def skew(x: Tensor) -> Tensor:
    """``x (..., H, W)`` with row r moved r places to the right, ``(..., H, H + W - 1)``, and zeros around (figure 3).

    Column j holds the diagonal of pixels (r, j - r): what a pixel needs, from the left and from above, is in column
    j - 1.
    """
    height, width = x.shape[-2:]
    # With rows of H + W, cut to rows one shorter, each begins one place further to the right than the one above.
    flat = F.pad(x, (0, height)).flatten(-2)[..., : height * (height + width - 1)]
    return flat.unflatten(-1, (height, height + width - 1))


def unskew(x: Tensor) -> Tensor:
    """The inverse of ``skew``: ``(..., H, H + W - 1)`` to ``(..., H, W)``.

    Raises ``ValueError`` when x has fewer columns than rows.
    """
    height, columns = x.shape[-2:]
    if columns < height:
        raise ValueError(f"x has shape {tuple(x.shape)}; expected (..., H, H + W - 1), at least as wide as high")
    flat = F.pad(x.flatten(-2), (0, height))
    return flat.unflatten(-1, (height, columns + 1))[..., : columns + 1 - height]
