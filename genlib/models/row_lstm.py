"""Row LSTM: a PixelRNN that reads an image row by row (van den Oord et al., arXiv:1601.06759, section 3.1)."""

from typing import Any

import torch
from torch import Tensor, nn

from genlib import sampling
from genlib.masked import MaskedConv2d
from genlib.models.pixels import centred, sum_of_conditionals, two_levels, whole_numbers


class RowLSTM(nn.Module):
    """A masked 7 x 7 convolution, LSTM layers whose state moves down the image, and two 1 x 1 layers (table 1).

    x is ``(B, C, H, W)`` with whole numbers in [0, levels), ``data_shape`` its ``(C, H, W)``. The state of a pixel
    comes from ``kernel_size`` pixels of the row above. With three, a pixel sees at most m + 2 columns to its right m
    rows up, however many layers there are: the context is a triangle, and what lies right of it is missed (figure 4).
    A row is computed at once, in H steps a layer. ``hidden_dim`` is a state's number of channels, a multiple of C; the
    map between the layers has twice as many. Raises ``ValueError`` for sizes that do not fit.
    """

    def __init__(
        self,
        data_shape: tuple[int, int, int],
        hidden_dim: int = 16,
        *,
        levels: int = 2,
        n_layers: int = 2,
        kernel_size: int = 3,
    ) -> None:
        super().__init__()
        if len(data_shape) != 3 or min(*data_shape, levels - 1, n_layers) < 1:
            raise ValueError(f"received {data_shape=}, {levels=}, {n_layers=}; expected (C, H, W) and positive sizes")
        self.data_shape, self.levels = tuple(data_shape), levels
        colors, width = data_shape[0], 2 * hidden_dim
        self.first = MaskedConv2d(colors, width, 7, "A", n_colors=colors)
        self.layers = nn.ModuleList(RowLSTMLayer(hidden_dim, kernel_size, colors) for _ in range(n_layers))
        outputs = colors if levels == 2 else colors * levels
        self.head = nn.Sequential(
            nn.ReLU(),
            MaskedConv2d(width, width, 1, "B", n_colors=colors),
            nn.ReLU(),
            MaskedConv2d(width, outputs, 1, "B", n_colors=colors),
        )

    @property
    def n_steps(self) -> int:
        """Steps, one after another, that a layer took in the last forward pass: as many as the image has rows."""
        return next(iter(self.layers)).n_steps  # type: ignore[return-value]

    def forward(self, x: Tensor, y: None = None) -> Tensor:
        """Logits of every variable given those before it, ``(B, levels, C, H, W)``, for ``x (B, C, H, W)``."""
        if y is not None:
            raise ValueError("received labels y, but this model is not conditional; leave y out")
        maps = self.first(centred(x, self.levels, self.first.weight))  # (B, 2 hidden_dim, H, W)
        for layer in self.layers:
            maps = layer(maps)
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


class RowLSTMLayer(nn.Module):
    """[o, f, i, g] = K_ss * h_above + K_is * x, then the LSTM of equation 3, and up to the input, which is added.

    ``x (B, 2 hidden_dim, H, W)`` gives a map of the same shape. K_is is masked (type B), for it reads the pixel's own
    row; K_ss reads the row above and needs no mask. The cell state comes from the pixel right above.
    """

    def __init__(self, hidden_dim: int, kernel_size: int = 3, n_colors: int = 1) -> None:
        super().__init__()
        self.hidden_dim, self.n_steps = hidden_dim, 0
        self.input_to_state = MaskedConv2d(2 * hidden_dim, 4 * hidden_dim, (1, kernel_size), "B", n_colors=n_colors)
        self.state_to_state = nn.Conv1d(hidden_dim, 4 * hidden_dim, kernel_size, padding=kernel_size // 2, bias=False)
        self.up = MaskedConv2d(hidden_dim, 2 * hidden_dim, 1, "B", n_colors=n_colors)

    def forward(self, x: Tensor) -> Tensor:
        hidden = cell = x.new_zeros(len(x), self.hidden_dim, x.shape[3])
        rows = []
        for gates in self.input_to_state(x).unbind(2):  # (B, 4 hidden_dim, W)
            hidden, cell = lstm_cell(gates + self.state_to_state(hidden), cell)
            rows.append(hidden)
        self.n_steps = len(rows)
        return x + self.up(torch.stack(rows, 2))  # section 3.3


def lstm_cell(gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """Hidden and cell state ``(..., hidden_dim, L)`` after one step of an LSTM.

    ``gates`` are [o, f, i, g], ``(..., 4 hidden_dim, L)``: c = f c_before + i g and h = o tanh(c), with a sigmoid on
    o, f and i and tanh on g (equation 3).
    """
    output, forget, enter, content = gates.chunk(4, -2)
    cell = torch.sigmoid(forget) * cell + torch.sigmoid(enter) * torch.tanh(content)
    return torch.sigmoid(output) * torch.tanh(cell), cell
