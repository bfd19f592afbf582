"""A sequence-to-sequence autoencoder: a sentence as one vector, and back (arXiv:1409.3215, arXiv:1506.01057)."""

import math

import torch
from torch import Tensor, nn

from genlib.models.modes import evaluating
from genlib.models.pixels import sum_of_conditionals
from genlib.models.sequences import absorb, codes_of, lengths


class Seq2SeqAutoencoder(nn.Module):
    """One recurrent network reads a sequence into z, another writes it out of z, one code after the other.

    x holds codes, int64 ``(B, T)`` in [0, levels); code 0 ends a sequence and only 0 may follow, so that sequences of
    every length fit into one tensor, and what stands behind the end changes nothing. z has ``latent_dim`` numbers, the
    embedding ``embedding_dim``, each network one layer of ``hidden_dim`` gated recurrent units (Cho et al., 2014).

    Training shows the writer the true codes before each one ("teacher forcing"); afterwards it reads its own. It is no
    generative model of sentences: nothing says which z are likely. Raises ``ValueError`` for sizes below 1.
    """

    def __init__(self, levels: int, latent_dim: int = 32, hidden_dim: int = 128, embedding_dim: int = 32) -> None:
        super().__init__()
        if min(levels - 1, latent_dim, hidden_dim, embedding_dim) < 1:
            sizes = f"{levels=}, {latent_dim=}, {hidden_dim=}, {embedding_dim=}"
            raise ValueError(f"received {sizes}; expected at least 2 levels, and sizes of at least 1")
        self.levels, self.latent_dim = levels, latent_dim
        self.embedding = nn.Embedding(levels + 1, embedding_dim)  # the last one is the start symbol
        self.reader = nn.GRU(embedding_dim, hidden_dim, batch_first=True)
        self.to_latent = nn.Linear(hidden_dim, latent_dim)
        self.from_latent = nn.Linear(latent_dim, hidden_dim)
        self.writer = nn.GRU(embedding_dim + latent_dim, hidden_dim, batch_first=True)
        self.head = nn.Linear(hidden_dim, levels)

    def encode(self, x: Tensor) -> Tensor:
        """z of every sequence, ``(B, latent_dim)``, for codes ``x (B, T)``: read up to its first 0, backwards.

        Backwards, so that the first codes are the last that were read and the first to be written (Sutskever et al.,
        section 3.3).
        """
        codes = codes_of(x, self.levels)
        length = lengths(codes)  # (B,)
        place = torch.arange(codes.shape[1], device=codes.device)
        backwards = (length.unsqueeze(1) - 1 - place).clamp_min(0)  # (B, T)
        states, _ = self.reader(self.embedding(codes.gather(1, backwards)))  # (B, T, hidden_dim)
        z: Tensor = self.to_latent(states[torch.arange(len(codes), device=codes.device), length - 1])
        return z

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """Logits of every code given z and the true codes before it, ``(B, levels, T)``: teacher forcing."""
        codes = codes_of(x, self.levels)
        self._check(z, len(codes))
        start = torch.full_like(codes[:, :1], self.levels)
        before = torch.cat([start, codes[:, :-1]], 1)  # (B, T)
        features, _ = self.writer(self._inputs(before, z), self._first_state(z))
        return absorb(self.head(features).mT, codes, 0)

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x|z), exact, ``(B,)`` in nats, up to and including the first 0; -infinity where x goes on after it."""
        return sum_of_conditionals(codes_of(x, self.levels), self(x, z))

    def objective(self, x: Tensor) -> Tensor:
        """What training maximises, ``(B,)`` in nats: log p(x|z) at z = encode(x)."""
        return self.log_likelihood(x, self.encode(x))

    @torch.no_grad()
    def greedy(self, z: Tensor, length: int) -> Tensor:
        """The most probable code at every place given those chosen before, int64 ``(B, length)``, for ``z (B, L)``."""
        return self.beam(z, length, 1)[0]

    @torch.no_grad()
    def beam(self, z: Tensor, length: int, width: int = 5) -> tuple[Tensor, Tensor]:
        """The best of ``width`` sequences that were kept at every place, ``(B, length)``, and its log p(x|z), ``(B,)``.

        With width 1 this is ``greedy``; with enough of them it is the most probable sequence, which greedy choices
        can miss. Rows stop growing at their first 0. Raises ``ValueError`` unless both numbers are at least 1.
        """
        if min(length, width) < 1:
            raise ValueError(f"received {length=} and {width=}; expected at least 1 of each")
        self._check(z, len(z))
        B = len(z)
        with evaluating(self):
            kept = torch.full((B, 1, 1), self.levels, device=z.device)  # (B, kept, places), with the start symbol
            score = z.new_zeros(B, 1)  # (B, kept), in nats
            state = self._first_state(z)  # (1, B * kept, hidden_dim)
            for _ in range(length):
                state, log_p = self._next(kept, z, state)
                total = (score.unsqueeze(2) + log_p).flatten(1)  # (B, kept * levels)
                score, index = total.topk(min(width, total.shape[1]), 1)
                parent, code = index // self.levels, index % self.levels  # (B, new kept)
                kept = torch.cat(
                    [kept.gather(1, parent.unsqueeze(2).expand(-1, -1, kept.shape[2])), code.unsqueeze(2)], 2
                )
                rows = (parent + torch.arange(B, device=z.device).unsqueeze(1) * (state.shape[1] // B)).flatten()
                state = state[:, rows]
        return kept[:, 0, 1:], score[:, 0]

    @torch.no_grad()
    def reconstruct(self, x: Tensor, width: int = 1) -> Tensor:
        """What is written for z = encode(x), ``(B, T)``, for codes ``x (B, T)``; by ``beam`` with this width."""
        with evaluating(self):
            return self.beam(self.encode(x), x.shape[1], width)[0]

    def _next(self, kept: Tensor, z: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """The state behind the last codes, and log p of the next ones, ``(B, kept, levels)``."""
        B, n = kept.shape[:2]
        every = z.repeat_interleave(n, 0)  # (B * n, L)
        features, state = self.writer(self._inputs(kept[:, :, -1].reshape(B * n, 1), every), state)
        log_p = self.head(features.squeeze(1)).log_softmax(1).reshape(B, n, self.levels)
        ended = (kept[:, :, 1:] == 0).any(2, keepdim=True)  # (B, n, 1)
        certain = torch.full_like(log_p, -math.inf)
        certain[:, :, 0] = 0.0
        return state, torch.where(ended, certain, log_p)

    def _inputs(self, before: Tensor, z: Tensor) -> Tensor:
        return torch.cat([self.embedding(before), z.unsqueeze(1).expand(-1, before.shape[1], -1)], 2)

    def _first_state(self, z: Tensor) -> Tensor:
        return self.from_latent(z).tanh().unsqueeze(0)

    def _check(self, z: Tensor, n: int) -> None:
        if z.shape != (n, self.latent_dim):
            raise ValueError(f"z has shape {tuple(z.shape)}; expected ({n}, {self.latent_dim})")
