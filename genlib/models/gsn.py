"""Generative stochastic networks (Bengio et al., ICML 2014, arXiv:1306.1091): a Markov chain learned as it is run."""

import math
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from genlib.likelihoods import bernoulli_log_prob
from genlib.models.modes import evaluating
from genlib.models.observation import checked_shape


class Reconstruction(Protocol):
    """P(x | corrupted): what a GSN learns."""

    def log_prob(self, x: Tensor, corrupted: Tensor) -> Tensor:
        """log P(x | corrupted), ``(B,)`` in nats, for ``x`` and ``corrupted`` ``(B, *data_shape)``."""

    def sample(self, corrupted: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """A draw of x for each of ``corrupted (B, *data_shape)``."""


class BernoulliReconstruction(nn.Module):
    """Pixels that are independent given the corrupted image; the logits come from a network with two hidden layers.

    ``forward(corrupted)`` gives them, ``(B, *data_shape)``; ``network`` of your own must do the same.
    """

    def __init__(self, data_shape: int | tuple[int, ...], hidden_dim: int, network: nn.Module | None = None) -> None:
        super().__init__()
        self.data_shape = checked_shape(data_shape, hidden_dim=hidden_dim)
        data_dim = math.prod(self.data_shape)
        self.network = network or nn.Sequential(
            nn.Flatten(),
            nn.Linear(data_dim, hidden_dim),
            nn.ReLU(),
            nn.Linear(hidden_dim, hidden_dim),
            nn.ReLU(),
            nn.Linear(hidden_dim, data_dim),
            nn.Unflatten(1, self.data_shape),
        )

    def forward(self, corrupted: Tensor) -> Tensor:
        """Logits of every pixel being 1, ``(B, *data_shape)``."""
        return self.network(corrupted)

    def log_prob(self, x: Tensor, corrupted: Tensor) -> Tensor:
        """log P(x | corrupted), ``(B,)`` in nats, for binary ``x (B, *data_shape)``."""
        return bernoulli_log_prob(x, self(corrupted))

    def sample(self, corrupted: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Zeros and ones, ``(B, *data_shape)``."""
        return torch.bernoulli(self(corrupted).sigmoid(), generator=generator)


class GSN(nn.Module):
    """The chain x -> corrupted -> x', with fixed noise and a learned reconstruction P(x' | corrupted).

    ``corrupt`` replaces each value, with probability ``noise``, by a tossed coin. If the reconstruction is the true
    P(x | corrupted) for data x, the chain's stationary distribution is that of the data (theorem 1 of the paper); no
    density is ever written down. ``reconstruction`` of your own can be any module with the methods of
    ``Reconstruction``; independent pixels, the default with ``hidden_dim`` units, are right only as far as little noise
    leaves one plausible image. ``walk_back`` is how many steps the chain goes from the data in training; so many that
    it reaches other modes ask independent pixels for a mixture, which they answer with its mean, a blur.
    Raises ``ValueError`` for sizes that are not positive and a ``noise`` outside (0, 1].
    """

    def __init__(
        self,
        data_shape: int | tuple[int, ...],
        hidden_dim: int = 500,
        *,
        noise: float = 0.3,
        walk_back: int = 3,
        reconstruction: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.data_shape = checked_shape(data_shape, hidden_dim=hidden_dim, walk_back=walk_back)
        if not 0 < noise <= 1:
            raise ValueError(f"received {noise=}; expected a probability above 0, without which the chain stands still")
        self.noise, self.walk_back = noise, walk_back
        default = reconstruction or BernoulliReconstruction(self.data_shape, hidden_dim)
        self.reconstruction = cast(Reconstruction, default)

    @torch.no_grad()
    def corrupt(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """``x (B, *data_shape)`` of zeros and ones with some of them replaced by tossed coins ("salt and pepper")."""
        if x.shape[1:] != self.data_shape:
            raise ValueError(f"x has shape {tuple(x.shape)}; expected (B, {', '.join(map(str, self.data_shape))})")
        x = x.to(self._like().dtype)
        draws = torch.rand(x.shape, generator=generator, dtype=x.dtype, device=x.device)
        # One draw does both: below noise / 2 it is a coin that shows 1, from there to noise one that shows 0.
        return torch.where(draws < self.noise, (draws < self.noise / 2).to(x.dtype), x)

    @torch.no_grad()
    def transition(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """One step of the chain, ``(B, *data_shape)`` to the same: corrupt, and draw a reconstruction."""
        return self.reconstruction.sample(self.corrupt(x, generator=generator), generator=generator)

    def objective(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """log P(x | corrupted), ``(B,)`` in nats, averaged over ``walk_back`` steps of the chain that begins at x.

        Each step must be led back to x, the data, wherever the chain has gone by then: so it learns to return from
        where it would never have been by one corruption (algorithm 1 of Bengio et al., arXiv:1305.6663). Its value is
        no likelihood of x.
        """
        state, total = x, x.new_zeros(len(x), dtype=self._like().dtype)
        for _ in range(self.walk_back):
            corrupted = self.corrupt(state, generator=generator)
            total = total + self.reconstruction.log_prob(x, corrupted)
            with torch.no_grad():
                state = self.reconstruction.sample(corrupted, generator=generator)
        return total / self.walk_back

    @torch.no_grad()
    def sample(
        self,
        n: int,
        *,
        y: None = None,
        n_steps: int = 1000,
        start: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Where n chains are after ``n_steps`` steps, ``(n, *data_shape)``; ``start`` is by default tossed coins."""
        if y is not None:
            raise ValueError("received labels y, but this model is not conditional; leave y out")
        like = self._like()
        if start is None:
            start = torch.rand(n, *self.data_shape, generator=generator, dtype=like.dtype, device=like.device).round()
        if start.shape != (n, *self.data_shape) or n_steps < 1:
            raise ValueError(
                f"received {n=}, {n_steps=} and start {tuple(start.shape)}; expected n chains and at least one step"
            )
        x = start
        with evaluating(self):
            for _ in range(n_steps):
                x = self.transition(x, generator=generator)
        return x

    def _like(self) -> Tensor:
        return next(self.parameters())
