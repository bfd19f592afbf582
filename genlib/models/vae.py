"""The variational autoencoder (Kingma and Welling, arXiv:1312.6114; Rezende et al., arXiv:1401.4082)."""

import math

import torch
from torch import Tensor, nn

from genlib import bounds
from genlib.gaussian import gaussian_kl, gaussian_log_prob, reparameterize
from genlib.models.modes import evaluating
from genlib.models.observation import Observation, checked_shape


class VAE(nn.Module):
    """A latent z ~ N(0, I), a decoder p(x|z) and an encoder q(z|x) = N(mean(x), diag(exp(logvar(x)))).

    ``data_shape`` is the shape of one example, for instance ``(1, 28, 28)`` or ``64``. ``likelihood="bernoulli"`` is
    for binary data (or, with ``soft=True``, for grey values in [0, 1]), ``"normal"`` for real ones with one learned
    variance, ``decoder_logvar``. ``beta`` weighs the KL term of ``objective``, which is what training maximises;
    ``elbo`` does not depend on it (Higgins et al., beta-VAE, ICLR 2017).

    Networks of your own: ``encoder`` maps ``(B, *data_shape)`` to ``(B, 2 * latent_dim)``, mean and logvar side by
    side; ``decoder`` maps ``(N, latent_dim)`` to N examples of logits (Bernoulli) or means (normal).
    Raises ``ValueError`` for an unknown likelihood or sizes that are not positive.
    """

    def __init__(
        self,
        data_shape: int | tuple[int, ...],
        latent_dim: int = 2,
        hidden_dim: int = 400,
        *,
        likelihood: str = "bernoulli",
        beta: float = 1.0,
        soft: bool = False,
        encoder: nn.Module | None = None,
        decoder: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.data_shape = checked_shape(data_shape, latent_dim=latent_dim, hidden_dim=hidden_dim)
        self.latent_dim, self.beta = latent_dim, beta
        self.observation = Observation(likelihood, soft=soft)
        data_dim = math.prod(self.data_shape)
        self.encoder = encoder or nn.Sequential(
            nn.Flatten(), nn.Linear(data_dim, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, 2 * latent_dim)
        )
        self.decoder = decoder or nn.Sequential(
            nn.Linear(latent_dim, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, data_dim)
        )

    @property
    def decoder_logvar(self) -> Tensor:
        """log of the variance of p(x|z), a scalar that is learned. Raises ``ValueError`` for a Bernoulli."""
        if self.observation.logvar is None:
            raise ValueError("the likelihood is 'bernoulli', which has no variance of its own; expected 'normal'")
        return self.observation.logvar

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logvar of q(z|x), each ``(B, latent_dim)``, for ``x (B, *data_shape)``."""
        if x.shape[1:] != self.data_shape:
            raise ValueError(f"x has shape {tuple(x.shape)}; expected (B, {', '.join(map(str, self.data_shape))})")
        mean, logvar = self.encoder(x.to(self._like().dtype)).chunk(2, dim=-1)
        return mean, logvar

    def decode(self, z: Tensor) -> Tensor:
        """Logits (Bernoulli) or means (normal) of p(x|z), ``(*sample, *data_shape)``; z ``(*sample, latent_dim)``."""
        if z.shape[-1:] != (self.latent_dim,):
            raise ValueError(f"z has shape {tuple(z.shape)}; expected (..., {self.latent_dim})")
        return self.decoder(z.reshape(-1, self.latent_dim)).reshape(*z.shape[:-1], *self.data_shape)

    def decode_mean(self, z: Tensor) -> Tensor:
        """E[x|z] for ``z (*sample, latent_dim)``: ``(*sample, *data_shape)``, in [0, 1] for a Bernoulli."""
        return self.observation.mean(self.decode(z))

    def score(self, x: Tensor, parameters: Tensor) -> Tensor:
        """log p(x|z) in nats, ``(*sample, B)``, from what ``decode`` returned, ``(*sample, B, *data_shape)``."""
        return self.observation.log_prob(x, parameters)

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x|z) in nats, ``(*sample, B)``, for ``x (B, *data_shape)`` and ``z (*sample, B, latent_dim)``."""
        return self.score(x, self.decode(z))

    def elbo(self, x: Tensor, *, n_samples: int = 1, generator: torch.Generator | None = None) -> Tensor:
        """The evidence lower bound on log p(x), ``(B,)``, in nats, with ``n_samples`` draws of z per example."""
        mean, logvar = self.encode(x)
        z = reparameterize(mean, logvar, n_samples=n_samples, generator=generator)  # (n_samples, B, latent_dim)
        return bounds.elbo(self.log_likelihood(x, z), gaussian_kl(mean, logvar))

    def objective(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """What training maximises: E_q[log p(x|z)] - beta KL(q(z|x) || p(z)), ``(B,)``, in nats, with one draw of z."""
        mean, logvar = self.encode(x)
        z = reparameterize(mean, logvar, generator=generator)  # (B, latent_dim)
        return self.log_likelihood(x, z) - self.beta * gaussian_kl(mean, logvar)

    def log_weights(self, x: Tensor, *, n_samples: int, generator: torch.Generator | None = None) -> Tensor:
        """log p(x, z) - log q(z|x), ``(n_samples, B)``, in nats, for draws of z from q(z|x)."""
        mean, logvar = self.encode(x)
        z = reparameterize(mean, logvar, n_samples=n_samples, generator=generator)  # (n_samples, B, latent_dim)
        log_prior = gaussian_log_prob(z, torch.zeros_like(z), torch.zeros_like(z))
        return self.log_likelihood(x, z) + log_prior - gaussian_log_prob(z, mean, logvar)

    @torch.no_grad()
    def sample(self, n: int, *, y: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        """Draw n examples from p(x), ``(n, *data_shape)``: z from the prior, then x from p(x|z), noise and all."""
        if y is not None:
            raise ValueError("received labels y, but this model is not conditional; leave y out")
        like = self._like()
        z = torch.randn(n, self.latent_dim, generator=generator, dtype=like.dtype, device=like.device)
        with evaluating(self):
            return self.observation.draw(self.decode_mean(z), generator=generator)

    @torch.no_grad()
    def reconstruct(self, x: Tensor) -> Tensor:
        """The expected example given the mean of q(z|x): ``(B, *data_shape)`` for ``x (B, *data_shape)``."""
        with evaluating(self):
            return self.decode_mean(self.encode(x)[0])

    def _like(self) -> Tensor:
        return next(self.parameters())
