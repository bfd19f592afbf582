"""A recurrent network over characters: every character is predicted from a state that has read all before it."""

from typing import Any

import torch
from torch import Tensor, nn

from genlib import sampling
from genlib.models.labels import class_labels
from genlib.models.pixels import sum_of_conditionals
from genlib.models.sequences import AbsorbingSteps, absorb, check_end, codes_of

State = tuple[Tensor, Any]  # the last code of every row, (B,), and the state of the recurrent layers
CELLS = {"lstm": nn.LSTM, "gru": nn.GRU}


class CharRNN(nn.Module):
    """p(x_t | x_<t) = softmax(W h_t + b), h_t = f(h_(t-1), x_(t-1)), with f an LSTM or a GRU (Graves, arXiv:1308.0850).

    x holds codes, int64 ``(B, T)`` in [0, levels); before the first character stands a start symbol. With ``end=0``
    code 0 ends a sentence and only 0 may follow: log p(x) counts up to and including the first 0, and sums to 1 over
    all sequences of T codes. With ``end=None`` x is part of a stream, every code counts, and ``run`` carries the state
    on. ``length`` is the T of samples; other lengths can be scored, too. ``hidden_dim`` units in each of ``layers``
    layers, embeddings of ``embedding_dim`` numbers. Raises ``ValueError`` for sizes below 1 or an unknown ``cell``.
    """

    def __init__(
        self,
        length: int | tuple[int],
        levels: int,
        hidden_dim: int = 128,
        *,
        embedding_dim: int = 32,
        layers: int = 1,
        cell: str = "lstm",
        end: int | None = 0,
    ) -> None:
        super().__init__()
        self.data_shape = (length,) if isinstance(length, int) else tuple(length)
        if len(self.data_shape) != 1 or min(*self.data_shape, levels - 1, hidden_dim, embedding_dim, layers) < 1:
            sizes = f"{length=}, {levels=}, {hidden_dim=}, {embedding_dim=}, {layers=}"
            raise ValueError(f"received {sizes}; expected one length, at least 2 levels, and sizes of at least 1")
        if cell not in CELLS:
            raise ValueError(f"received {cell=}; expected one of {', '.join(CELLS)}")
        check_end(end)
        self.levels, self.end = levels, end
        self.embedding = nn.Embedding(levels + 1, embedding_dim)  # the last one is the start symbol
        self.rnn = CELLS[cell](embedding_dim, hidden_dim, layers, batch_first=True)
        self.head = nn.Linear(hidden_dim, levels)

    def forward(self, x: Tensor, y: None = None) -> Tensor:
        """Logits of every code given those before it, ``(B, levels, T)``, for codes ``x (B, T)``."""
        class_labels(y, len(x), None, x.device)  # refuses any
        return absorb(self.run(x)[0], x, self.end)

    def run(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Logits ``(B, levels, T)`` of the next ``x (B, T)`` of a stream, whatever ends in it, and the state behind x.

        ``state`` is the one behind the window before this one; without it the stream begins here. Gradients stop
        between windows (truncated backpropagation through time). ``sum_of_conditionals(x, logits)`` scores the window.
        """
        codes = codes_of(x, self.levels)
        start, hidden = (torch.full_like(codes[:, 0], self.levels), None) if state is None else state
        before = torch.cat([start.unsqueeze(1), codes[:, :-1]], 1)  # (B, T): x_(t-1) stands at t
        features, hidden = self.rnn(self.embedding(before), hidden)  # (B, T, hidden_dim)
        hidden = tuple(part.detach() for part in hidden) if isinstance(hidden, tuple) else hidden.detach()
        return self.head(features).mT, (codes[:, -1], hidden)

    def log_prob(self, x: Tensor, y: None = None) -> Tensor:
        """log p(x), exact, ``(B,)`` in nats, for codes ``x (B, T)``; -infinity where x goes on after its end."""
        return sum_of_conditionals(codes_of(x, self.levels), self(x, y))

    def sample(self, n: int, *, y: None = None, generator: torch.Generator | None = None, **options: Any) -> Tensor:
        """Draw n sequences, ``(n, length)``; ``options`` are those of ``genlib.sampling.iterate``."""
        return sampling.sample(self, n, y=y, generator=generator, **options)

    def steps(self, n: int, y: None = None) -> sampling.Steps:
        """Sampling that carries the state along: O(1) a character, and nothing once every row has ended."""
        class_labels(y, n, None, self.head.weight.device)
        steps = _Steps(self, n)
        return steps if self.end is None else AbsorbingSteps(steps, n, self.levels, self.head.weight)


class _Steps:
    def __init__(self, model: CharRNN, n: int) -> None:
        self.model, self.hidden = model, None
        self.code = torch.full((n,), model.levels, device=model.head.weight.device)

    def logits(self) -> Tensor:
        features, self.hidden = self.model.rnn(self.model.embedding(self.code).unsqueeze(1), self.hidden)
        return self.model.head(features.squeeze(1))

    def put(self, value: Tensor) -> None:
        self.code = value
