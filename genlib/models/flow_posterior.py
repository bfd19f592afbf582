"""A variational autoencoder with a richer posterior: inverse autoregressive flow (Kingma et al., arXiv:1606.04934)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genlib import bounds
from genlib.gaussian import gaussian_log_prob, reparameterize
from genlib.masked import MaskedLinear
from genlib.models.observation import checked_shape
from genlib.models.vae import VAE


class InverseAutoregressiveStep(nn.Module):
    """One step z' = s z + (1 - s) m, in which s and m of dimension i are functions of z_1 .. z_(i-1) and a context.

    s is in (0, 1), so that log |det dz'/dz| = sum log s (equations 10, 13 and 14 with the gate of section 4). The
    order of the dimensions is turned round when ``reverse``. ``dim`` dimensions, ``context_dim`` numbers of context,
    ``hidden_dim`` units. It starts out close to the identity.
    """

    def __init__(self, dim: int, context_dim: int, hidden_dim: int = 64, *, reverse: bool = False) -> None:
        super().__init__()
        order = list(range(dim, 0, -1)) if reverse else list(range(1, dim + 1))
        # units of degree 0 see the context alone, so that the first dimension is moved as well
        hidden = [index % dim for index in range(hidden_dim)]
        self.first = MaskedLinear(order, hidden)
        self.context = nn.Linear(context_dim, hidden_dim, bias=False)
        self.last = MaskedLinear(hidden, [*order, *order], strict=True)
        with torch.no_grad():
            self.last.weight.mul_(0.1)
            assert self.last.bias is not None
            self.last.bias[:dim] = 2.0  # s close to 1

    def forward(self, z: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """z and log |det|, ``(*sample, B, D)`` and ``(*sample, B)``, for ``z (*sample, B, D)``, ``context (B, C)``."""
        features = F.elu(self.first(z) + self.context(context))
        gate, mean = self.last(features).chunk(2, dim=-1)
        scale = gate.sigmoid()
        return scale * z + (1 - scale) * mean, F.logsigmoid(gate).sum(-1)


class FlowVAE(VAE):
    """A VAE whose q(z|x) is a diagonal Gaussian bent by ``n_steps`` inverse autoregressive steps.

    Such a q can have dependent dimensions and more than one mode, so the gap between bound and log p(x) can be smaller.
    Its density is known where it is sampled, which is all that the bound needs; its divergence to the prior has no
    closed form, so that ``elbo`` estimates that, too. ``encode`` gives mean and logvar before the flow.
    ``options`` are those of ``VAE``; an ``encoder`` of your own returns ``2 * latent_dim + context_dim`` numbers.
    """

    def __init__(
        self,
        data_shape: int | tuple[int, ...],
        latent_dim: int = 2,
        hidden_dim: int = 400,
        *,
        n_steps: int = 2,
        context_dim: int = 32,
        flow_dim: int = 64,
        likelihood: str = "bernoulli",
        beta: float = 1.0,
        soft: bool = False,
        encoder: nn.Module | None = None,
        decoder: nn.Module | None = None,
    ) -> None:
        if min(n_steps, context_dim, flow_dim) < 1:
            raise ValueError(f"received {n_steps=}, {context_dim=}, {flow_dim=}; expected sizes of at least 1")
        shape = checked_shape(data_shape, latent_dim=latent_dim, hidden_dim=hidden_dim)
        out = 2 * latent_dim + context_dim
        own = encoder or nn.Sequential(
            nn.Flatten(), nn.Linear(math.prod(shape), hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, out)
        )
        super().__init__(
            shape, latent_dim, hidden_dim, likelihood=likelihood, beta=beta, soft=soft, encoder=own, decoder=decoder
        )
        self.flow = nn.ModuleList(
            InverseAutoregressiveStep(latent_dim, context_dim, flow_dim, reverse=index % 2 == 0)
            for index in range(n_steps)
        )

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logvar of the Gaussian before the flow, each ``(B, latent_dim)``, for ``x (B, *data_shape)``."""
        mean, logvar, _ = self._base(x)
        return mean, logvar

    def posterior_sample(
        self, x: Tensor, *, n_samples: int | None = None, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """z from q(z|x), ``(*sample, B, latent_dim)``, and log q(z|x) in nats, ``(*sample, B)``."""
        mean, logvar, context = self._base(x)
        z = reparameterize(mean, logvar, n_samples=n_samples, generator=generator)
        log_q = gaussian_log_prob(z, mean, logvar)
        for step in self.flow:
            z, log_determinant = step(z, context)
            log_q = log_q - log_determinant
        return z, log_q

    def elbo(self, x: Tensor, *, n_samples: int = 1, generator: torch.Generator | None = None) -> Tensor:
        """The evidence lower bound on log p(x), ``(B,)``, in nats, with ``n_samples`` draws of z per example."""
        return self.log_weights(x, n_samples=n_samples, generator=generator).mean(0)

    def objective(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """What training maximises: log p(x|z) + beta (log p(z) - log q(z|x)), ``(B,)``, in nats, with one draw of z."""
        z, log_q = self.posterior_sample(x, generator=generator)
        return bounds.elbo(self.log_likelihood(x, z), self.beta * (log_q - self._log_prior(z)))

    def log_weights(self, x: Tensor, *, n_samples: int, generator: torch.Generator | None = None) -> Tensor:
        """log p(x, z) - log q(z|x), ``(n_samples, B)``, in nats, for draws of z from q(z|x)."""
        z, log_q = self.posterior_sample(x, n_samples=n_samples, generator=generator)
        return self.log_likelihood(x, z) + self._log_prior(z) - log_q

    def _base(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if x.shape[1:] != self.data_shape:
            raise ValueError(f"x has shape {tuple(x.shape)}; expected (B, {', '.join(map(str, self.data_shape))})")
        found = self.encoder(x.to(self._like().dtype))
        mean, logvar, context = found.tensor_split([self.latent_dim, 2 * self.latent_dim], dim=-1)
        return mean, logvar, context

    def _log_prior(self, z: Tensor) -> Tensor:
        return gaussian_log_prob(z, torch.zeros_like(z), torch.zeros_like(z))
