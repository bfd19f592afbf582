"""A normalising flow: a chain of invertible maps and a simple density at its end."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from genlib.models.bijections import Chain, Pair, logistic_log_prob, normal_log_prob
from genlib.models.modes import evaluating
from genlib.models.observation import checked_shape

PRIORS = {"normal": normal_log_prob, "logistic": logistic_log_prob}


class Flow(nn.Module):
    """log p(x) = log p(z) + log |det dz/dx| with z = forward(x): exact, and so is the inverse (RealNVP, equation 3).

    ``transforms`` are invertible maps as in ``genlib.models.bijections``, from x to z; they are public, as
    ``flow.transforms``, and ``steps`` gives what lies between them. One example is ``data_shape``, and z the same
    unless ``latent_shape`` says otherwise. ``prior`` is the density of every z_i, ``"normal"`` or ``"logistic"``, with
    location 0 and scale 1. Raises ``ValueError`` for an unknown prior, or shapes that hold different numbers.
    """

    zero: Tensor

    def __init__(
        self,
        transforms: Iterable[nn.Module],
        data_shape: int | tuple[int, ...],
        *,
        latent_shape: tuple[int, ...] | None = None,
        prior: str = "normal",
    ) -> None:
        super().__init__()
        if prior not in PRIORS:
            raise ValueError(f"{prior=} is unknown; expected one of {', '.join(map(repr, PRIORS))}")
        self.data_shape, self.prior = checked_shape(data_shape), prior
        self.latent_shape = self.data_shape if latent_shape is None else latent_shape
        if math.prod(self.latent_shape) != math.prod(self.data_shape):
            raise ValueError(f"received {data_shape=}, {latent_shape=}; expected as many numbers in z as in x")
        self.transforms = Chain(transforms)
        self.register_buffer("zero", torch.zeros(()), persistent=False)  # knows device and type

    def forward(self, x: Tensor) -> Pair:
        """z, ``(B, *latent_shape)``, and log |det dz/dx|, ``(B,)`` in nats, for ``x (B, *data_shape)``."""
        return self.transforms(self._checked(x, "x", self.data_shape))

    def inverse(self, z: Tensor) -> Tensor:
        """The x, ``(B, *data_shape)``, that ``forward`` takes to ``z (B, *latent_shape)``."""
        return self.transforms.inverse(self._checked(z, "z", self.latent_shape))[0]

    def log_prob(self, x: Tensor, y: None = None) -> Tensor:
        """log p(x), exact, ``(B,)`` in nats, a density in the units of ``x (B, *data_shape)``."""
        if y is not None:
            raise ValueError("received labels y, but this model is not conditional; leave y out")
        z, logabsdet = self(x)
        return self.prior_log_prob(z) + logabsdet

    def prior_log_prob(self, z: Tensor) -> Tensor:
        """log p(z), ``(B,)`` in nats, for ``z (B, *latent_shape)``."""
        return PRIORS[self.prior](z)

    def steps(self, x: Tensor) -> list[Pair]:
        """x, what every transform makes of it in turn, and z at last, each with log |det| so far, ``(B,)`` in nats.

        ``len(flow.transforms) + 1`` pairs; the last one is what ``forward`` returns.
        """
        found = [(self._checked(x, "x", self.data_shape), x.new_zeros(len(x), dtype=self.zero.dtype))]
        for transform in self.transforms:
            state, total = found[-1]
            state, logabsdet = transform(state)
            found.append((state, total + logabsdet))
        return found

    def inverse_steps(self, z: Tensor) -> list[Pair]:
        """z, what every inverse makes of it in turn, and x at last, each with log |det| of the way from z so far.

        The density at the k-th entry, if only the last k transforms were there, is
        ``flow.prior_log_prob(z) - logabsdet``: the prior, bent layer by layer into p(x).
        """
        found = [(self._checked(z, "z", self.latent_shape), z.new_zeros(len(z), dtype=self.zero.dtype))]
        transform: Any
        for transform in reversed(self.transforms):
            state, total = found[-1]
            state, logabsdet = transform.inverse(state)
            found.append((state, total + logabsdet))
        return found

    def sample_prior(self, n: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Draw z from the prior, ``(n, *latent_shape)``."""
        options: dict[str, Any] = {"generator": generator, "dtype": self.zero.dtype, "device": self.zero.device}
        if self.prior == "normal":
            return torch.randn(n, *self.latent_shape, **options)
        # a draw of exactly 0 would be at minus infinity
        return torch.rand(n, *self.latent_shape, **options).logit(eps=torch.finfo(self.zero.dtype).tiny)

    @torch.no_grad()
    def sample(self, n: int, *, y: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        """Draw n examples from p(x), ``(n, *data_shape)``: z from the prior, then the inverse."""
        if y is not None:
            raise ValueError("received labels y, but this model is not conditional; leave y out")
        z = self.sample_prior(n, generator=generator)
        with evaluating(self):
            return self.inverse(z)

    def _checked(self, x: Tensor, name: str, shape: tuple[int, ...]) -> Tensor:
        if x.shape[1:] != shape or x.ndim != len(shape) + 1:
            raise ValueError(f"{name} has shape {tuple(x.shape)}; expected (B, {', '.join(map(str, shape))})")
        if not x.is_floating_point():
            raise ValueError(f"{name} has dtype {x.dtype}; expected floats: whole numbers have no density, dequantise")
        return x.to(self.zero.dtype)
