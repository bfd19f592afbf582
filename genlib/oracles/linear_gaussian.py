"""The linear-Gaussian VAE, of which everything is known in closed form."""

import torch
from torch import Tensor, nn

from genlib.gaussian import gaussian_kl, gaussian_kl_full, gaussian_log_prob_full
from genlib.likelihoods import normal_log_prob
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
