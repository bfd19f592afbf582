"""Exact truths to hold models against: closed forms, brute force on tiny images, and quadrature."""

import itertools
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from genlib.gaussian import gaussian_kl, gaussian_kl_full, gaussian_log_prob_full
from genlib.likelihoods import normal_log_prob
from genlib.models.modes import evaluating
from genlib.models.vae import VAE


class LinearGaussianVAE(VAE):
    """A VAE so simple that everything about it is known in closed form.

    p(z) = N(0, I), p(x|z) = N(W z + b, sigma^2 I) and q(z|x) = N(V x + c, diag(exp(s))). Then p(x) is Gaussian, and
    so is the posterior p(z|x): this is probabilistic PCA (Tipping and Bishop, 1999) with an encoder beside it. The
    encoder starts out at the prior, whatever x is. ``generator`` draws W, whose entries start out standard normal.
    """

    def __init__(self, data_dim: int, latent_dim: int, *, generator: torch.Generator | None = None) -> None:
        encoder, decoder = _LinearEncoder(data_dim, latent_dim), nn.Linear(latent_dim, data_dim)
        super().__init__(data_dim, latent_dim, likelihood="normal", encoder=encoder, decoder=decoder)
        with torch.no_grad():
            decoder.weight.copy_(torch.randn(data_dim, latent_dim, generator=generator))
            decoder.bias.zero_()

    @property
    def weight(self) -> Tensor:
        """W, ``(data_dim, latent_dim)``."""
        return self.decoder.weight  # type: ignore[return-value]

    @property
    def bias(self) -> Tensor:
        """b, ``(data_dim,)``."""
        return self.decoder.bias  # type: ignore[return-value]

    @property
    def log_sigma(self) -> Tensor:
        """The log of the decoder's standard deviation, a scalar."""
        return 0.5 * self.decoder_logvar

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x), exact, ``(B,)`` in nats: x ~ N(b, W W^T + sigma^2 I)."""
        noise = self.decoder_logvar.exp() * torch.eye(self.data_shape[0], dtype=x.dtype, device=x.device)
        return gaussian_log_prob_full(x, self.bias, self.weight @ self.weight.mT + noise)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean ``(B, latent_dim)`` and covariance ``(latent_dim, latent_dim)`` of p(z|x), the latter one for all x."""
        covariance = torch.cholesky_inverse(torch.linalg.cholesky(self._posterior_precision()))
        mean = (x - self.bias) @ self.weight @ covariance * torch.exp(-self.decoder_logvar)
        return mean, covariance

    def exact_elbo(self, x: Tensor, mean: Tensor | None = None, logvar: Tensor | None = None) -> Tensor:
        """The ELBO without sampling, ``(B,)`` in nats, for the encoder's q or the one given by ``mean, logvar``."""
        mean, logvar = self._q(x, mean, logvar)
        spread = (logvar.exp() * self.weight.square().sum(0)).sum(-1)  # tr(W diag(exp(logvar)) W^T)
        expected = normal_log_prob(x, self.decode(mean), self.decoder_logvar)
        return expected - 0.5 * spread * torch.exp(-self.decoder_logvar) - gaussian_kl(mean, logvar)

    def gap(self, x: Tensor, mean: Tensor | None = None, logvar: Tensor | None = None) -> Tensor:
        """KL(q(z|x) || p(z|x)), ``(B,)`` in nats, for the encoder's q or the one given by ``mean, logvar``."""
        mean, logvar = self._q(x, mean, logvar)
        return gaussian_kl_full(mean, torch.diag_embed(logvar.exp()), *self.posterior(x))

    @torch.no_grad()
    def set_optimal_encoder_(self) -> None:
        """Give q(z|x) the posterior's mean and the best diagonal variance, 1 / diag(the posterior's precision).

        The gap that is left is that of a diagonal Gaussian against a full one; it is 0 when W^T W is diagonal.
        """
        encoder, weight = self.encoder, self.weight
        assert isinstance(encoder, _LinearEncoder)
        precision = self._posterior_precision()
        gain = torch.linalg.solve(precision, weight.mT) * torch.exp(-self.decoder_logvar)  # (latent_dim, data_dim)
        encoder.mean.weight.copy_(gain)
        encoder.mean.bias.copy_(-gain @ self.bias)
        encoder.logvar.copy_(-precision.diagonal().log())

    def _posterior_precision(self) -> Tensor:
        identity = torch.eye(self.latent_dim, dtype=self.weight.dtype, device=self.weight.device)
        return identity + self.weight.mT @ self.weight * torch.exp(-self.decoder_logvar)

    def _q(self, x: Tensor, mean: Tensor | None, logvar: Tensor | None) -> tuple[Tensor, Tensor]:
        if (mean is None) != (logvar is None):
            raise ValueError("received one of mean and logvar; expected both of them, or neither for the encoder's q")
        if mean is None or logvar is None:
            return self.encode(x)
        return mean, logvar


class _LinearEncoder(nn.Module):
    def __init__(self, data_dim: int, latent_dim: int) -> None:
        super().__init__()
        self.mean = nn.Linear(data_dim, latent_dim)
        self.logvar = nn.Parameter(torch.zeros(latent_dim))
        nn.init.zeros_(self.mean.weight)
        nn.init.zeros_(self.mean.bias)

    def forward(self, x: Tensor) -> Tensor:
        mean = self.mean(x)
        return torch.cat([mean, self.logvar.expand_as(mean)], dim=-1)


@torch.no_grad()
def latent_quadrature(model: VAE, x: Tensor, *, n_points: int = 201, limit: float = 6.0) -> Tensor:
    """log p(x) of a VAE with one or two latents, ``(B,)`` in nats, by a sum over a grid on [-limit, limit]^latent_dim.

    ``n_points`` per axis must resolve the posterior: double it and see that the result stays.
    Raises ``ValueError`` for more than two latents, where a grid is hopeless, or fewer than two points.
    """
    if model.latent_dim > 2:
        raise ValueError(f"received a model with {model.latent_dim} latents; a grid is exact for at most 2")
    if n_points < 2 or not limit > 0:
        raise ValueError(f"received {n_points=} and {limit=}; expected at least 2 points and a positive limit")
    like = next(model.parameters())
    axis = torch.linspace(-limit, limit, n_points, dtype=like.dtype, device=like.device)
    z = torch.cartesian_prod(*[axis] * model.latent_dim).reshape(-1, model.latent_dim)  # (P, latent_dim)
    log_prior = -0.5 * (z.square() + math.log(2 * math.pi)).sum(-1)  # (P,)
    log_cell = model.latent_dim * torch.log(axis[1] - axis[0])
    rows = max(1, 20_000_000 // (len(z) * math.prod(model.data_shape)))
    with evaluating(model):
        parameters = model.decode(z).unsqueeze(1)  # (P, 1, *data_shape)
        scores = [
            model.score(part, parameters.expand(-1, len(part), *model.data_shape)) + log_prior.unsqueeze(1)  # (P, rows)
            for part in x.split(rows)
        ]
    return torch.cat([torch.logsumexp(score, 0) for score in scores]) + log_cell


def enumerate_images(shape: tuple[int, ...], levels: int = 2) -> Tensor:
    """Every image of ``shape`` with values in ``0 .. levels - 1``: ``(levels ** prod(shape), *shape)``, int64.

    Raises ``ValueError`` when there are more than 2^20 of them.
    """
    n_dims = math.prod(shape)
    if n_dims * math.log2(levels) > 20:
        raise ValueError(f"shape {shape} with {levels} levels has {levels}^{n_dims} images; expected at most 2^20")
    values = torch.tensor(list(itertools.product(range(levels), repeat=n_dims)))
    return values.reshape(-1, *shape)


@torch.no_grad()
def total_probability(
    log_prob: Callable[[Tensor], Tensor], shape: tuple[int, ...], *, levels: int = 2, batch_size: int = 4096
) -> Tensor:
    """The sum of exp(log_prob(x)) over every image x of ``shape``, a scalar: 1 when the model is normalised.

    ``log_prob`` takes float images ``(B, *shape)`` with values in ``0 .. levels - 1`` and returns ``(B,)`` in nats.
    Raises ``ValueError`` when there are more than 2^20 images or ``log_prob`` returns another shape.
    """
    parts = []
    for images in enumerate_images(shape, levels).split(batch_size):
        values = log_prob(images.float())
        if values.shape != images.shape[:1]:
            raise ValueError(f"log_prob returned shape {tuple(values.shape)}; expected {tuple(images.shape[:1])}")
        parts.append(values.double())
    return torch.logsumexp(torch.cat(parts), 0).exp()


def jacobian_log_determinant(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """log |det d function / d x| by autograd, ``(B,)``, for a function of one example applied to ``x (B, *event)``.

    ``function`` maps ``(1, *event)`` to a tensor with as many values. Raises ``ValueError`` when it does not.
    """
    n = x[0].numel()
    results = []
    for row in x:
        jacobian = torch.autograd.functional.jacobian(function, row.unsqueeze(0))
        if jacobian.numel() != n * n:
            raise ValueError(
                f"the function maps {n} values to {jacobian.numel() // n}; expected as many as it was given"
            )
        results.append(torch.linalg.slogdet(jacobian.reshape(n, n)).logabsdet)
    return torch.stack(results)
