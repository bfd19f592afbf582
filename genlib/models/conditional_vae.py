"""A variational autoencoder given something else, such as a caption (Sohn, Lee and Yan, NIPS 2015)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genlib import bounds
from genlib.gaussian import gaussian_kl, gaussian_log_prob, reparameterize
from genlib.models.modes import evaluating
from genlib.models.observation import Observation, checked_shape
from genlib.models.sequences import codes_of, lengths


class CaptionEncoder(nn.Module):
    """Reads codes ``(B, T)`` in [0, levels) up to their first 0, by gated recurrent units: ``(B, dim)``."""

    def __init__(self, levels: int, dim: int = 64, embedding_dim: int = 16) -> None:
        super().__init__()
        self.levels, self.dim = levels, dim
        self.embedding = nn.Embedding(levels, embedding_dim)
        self.reader = nn.GRU(embedding_dim, dim, batch_first=True)

    def forward(self, y: Tensor) -> Tensor:
        codes = codes_of(y, self.levels)
        states, _ = self.reader(self.embedding(codes))  # (B, T, dim)
        found: Tensor = states[torch.arange(len(codes), device=codes.device), lengths(codes) - 1]
        return found


class ClassEncoder(nn.Module):
    """Labels ``(B,)`` in [0, n_classes) as unit vectors: ``(B, n_classes)``."""

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        self.dim = n_classes

    def forward(self, y: Tensor) -> Tensor:
        return F.one_hot(y.long(), self.dim).to(torch.get_default_dtype())


class ConditionalVAE(nn.Module):
    """p(x|y) = E p(x|z, y) over z ~ N(0, I), with an encoder q(z|x, y) = N(mean, diag(exp(logvar))).

    ``condition`` turns what is given, y, into ``(B, condition.dim)`` numbers; encoder and decoder see them beside x
    and z. What y does not say is left to z: of a caption without a place, the place. The rest is as in ``VAE``:
    ``likelihood="bernoulli"`` (with ``soft=True`` for grey values) or ``"normal"``.
    Raises ``ValueError`` for an unknown likelihood or sizes that are not positive.
    """

    def __init__(
        self,
        data_shape: int | tuple[int, ...],
        condition: nn.Module,
        latent_dim: int = 8,
        hidden_dim: int = 400,
        *,
        likelihood: str = "bernoulli",
        soft: bool = False,
    ) -> None:
        super().__init__()
        self.data_shape = checked_shape(data_shape, latent_dim=latent_dim, hidden_dim=hidden_dim)
        self.condition, self.latent_dim = condition, latent_dim
        self.observation = Observation(likelihood, soft=soft)
        data_dim, given = math.prod(self.data_shape), int(condition.dim)  # type: ignore[arg-type]
        self.encoder = nn.Sequential(
            nn.Linear(data_dim + given, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, 2 * latent_dim)
        )
        self.decoder = nn.Sequential(
            nn.Linear(latent_dim + given, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, data_dim)
        )

    def encode(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logvar of q(z|x, y), each ``(B, latent_dim)``, for ``x (B, *data_shape)`` and B conditions y."""
        return self._encode(x, self.condition(y))

    def decode_mean(self, z: Tensor, y: Tensor) -> Tensor:
        """E[x|z, y], ``(B, *data_shape)``, for ``z (B, latent_dim)`` and B conditions y."""
        return self.observation.mean(self._decode(z, self.condition(y)))

    def elbo(self, x: Tensor, y: Tensor, *, n_samples: int = 1, generator: torch.Generator | None = None) -> Tensor:
        """The evidence lower bound on log p(x|y), ``(B,)``, in nats, with ``n_samples`` draws of z per example."""
        given = self.condition(y)
        mean, logvar = self._encode(x, given)
        z = reparameterize(mean, logvar, n_samples=n_samples, generator=generator)  # (n_samples, B, latent_dim)
        return bounds.elbo(self.observation.log_prob(x, self._decode(z, given)), gaussian_kl(mean, logvar))

    def log_weights(self, x: Tensor, y: Tensor, *, n_samples: int, generator: torch.Generator | None = None) -> Tensor:
        """log p(x, z|y) - log q(z|x, y), ``(n_samples, B)``, in nats, for draws of z from q(z|x, y)."""
        given = self.condition(y)
        mean, logvar = self._encode(x, given)
        z = reparameterize(mean, logvar, n_samples=n_samples, generator=generator)
        log_prior = gaussian_log_prob(z, torch.zeros_like(z), torch.zeros_like(z))
        return self.observation.log_prob(x, self._decode(z, given)) + log_prior - gaussian_log_prob(z, mean, logvar)

    @torch.no_grad()
    def sample(self, n: int, *, y: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw n examples from p(x|y), ``(n, *data_shape)``, for n conditions y: z from the prior, then x.

        Raises ``ValueError`` unless there are n conditions.
        """
        if len(y) != n:
            raise ValueError(
                f"received {len(y)} conditions for n={n} examples; expected one for each, such as y.expand"
            )
        like = next(self.parameters())
        z = torch.randn(n, self.latent_dim, generator=generator, dtype=like.dtype, device=like.device)
        with evaluating(self):
            return self.observation.draw(self.decode_mean(z, y), generator=generator)

    def _encode(self, x: Tensor, given: Tensor) -> tuple[Tensor, Tensor]:
        if x.shape[1:] != self.data_shape or len(given) != len(x):
            raise ValueError(
                f"x has shape {tuple(x.shape)}, and there are {len(given)} conditions; expected "
                f"(B, {', '.join(map(str, self.data_shape))}) and as many"
            )
        mean, logvar = self.encoder(torch.cat([x.flatten(1).to(given.dtype), given], 1)).chunk(2, dim=-1)
        return mean, logvar

    def _decode(self, z: Tensor, given: Tensor) -> Tensor:
        if z.shape[-1] != self.latent_dim or z.shape[-2] != len(given):
            raise ValueError(f"z has shape {tuple(z.shape)}; expected (..., {len(given)}, {self.latent_dim})")
        both = torch.cat([z, given.expand(*z.shape[:-1], -1)], -1)
        return self.decoder(both).reshape(*z.shape[:-1], *self.data_shape)
