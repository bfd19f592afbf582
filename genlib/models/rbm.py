"""The restricted Boltzmann machine (Smolensky, 1986; Hinton, 2002, Neural Computation 14, 1771-1800)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genlib.device import checks_values
from genlib.mcmc import AnnealedEstimate
from genlib.models.observation import checked_shape
from genlib.models.rbm_partition import annealed_log_z, draw, enumerated_log_z


class RBM(nn.Module):
    """Binary x and h with p(x, h) = exp(-E(x, h)) / Z and E(x, h) = -b^T x - c^T h - h^T W x.

    ``data_shape`` is the shape of one example, for instance ``(1, 28, 28)`` or 784, with D numbers; ``hidden_dim`` is
    H. ``weight (H, D)`` is W, ``bias (D,)`` is b, ``hidden_bias (H,)`` is c. ``objective`` is for ``genlib.train.fit``,
    ``genlib.models.rbm_training`` has the faster way. Both take ``cd_steps`` steps of Gibbs sampling for the model's
    side of the gradient: from the data anew each time (contrastive divergence, CD-k), or, with ``n_chains``, from where
    as many chains were left (persistent CD; Tieleman, ICML 2008): their hidden units are ``chains (n_chains, H)``.
    Raises ``ValueError`` for sizes that are not positive.
    """

    chains: Tensor | None

    def __init__(
        self,
        data_shape: int | tuple[int, ...],
        hidden_dim: int = 500,
        *,
        cd_steps: int = 1,
        n_chains: int | None = None,
    ) -> None:
        super().__init__()
        n_kept = 1 if n_chains is None else n_chains
        self.data_shape = checked_shape(data_shape, hidden_dim=hidden_dim, cd_steps=cd_steps, n_chains=n_kept)
        self.hidden_dim, self.cd_steps = hidden_dim, cd_steps
        data_dim = math.prod(self.data_shape)
        self.weight = nn.Parameter(0.01 * torch.randn(hidden_dim, data_dim))  # Hinton, 2010, section 8
        self.bias = nn.Parameter(torch.zeros(data_dim))
        self.hidden_bias = nn.Parameter(torch.zeros(hidden_dim))
        start = None if n_chains is None else torch.randint(2, (n_chains, hidden_dim)).to(self.weight.dtype)
        self.register_buffer("chains", start)

    def hidden_logits(self, x: Tensor) -> Tensor:
        """W x + c, the logits of p(h_j = 1 | x), ``(B, H)``, for ``x (B, *data_shape)`` in [0, 1]."""
        return F.linear(self._flat(x), self.weight, self.hidden_bias)

    def visible_logits(self, h: Tensor) -> Tensor:
        """W^T h + b, the logits of p(x_i = 1 | h), ``(B, *data_shape)``, for ``h (B, H)``."""
        if h.ndim != 2 or h.shape[1] != self.hidden_dim:
            raise ValueError(f"h has shape {tuple(h.shape)}; expected (B, {self.hidden_dim})")
        return torch.addmm(self.bias, h, self.weight).reshape(-1, *self.data_shape)

    def joint_energy(self, x: Tensor, h: Tensor) -> Tensor:
        """E(x, h), ``(B,)`` in nats, for ``x (B, *data_shape)`` and ``h (B, H)``."""
        return -self._flat(x) @ self.bias - (h * self.hidden_logits(x)).sum(1)

    def energy(self, x: Tensor) -> Tensor:
        """The free energy F(x) = -log sum_h exp(-E(x, h)), ``(B,)`` in nats: p(x) = exp(-F(x)) / Z.

        F(x) = -b^T x - sum_j log(1 + exp(c_j + W_j x)), for ``x (B, *data_shape)``, exactly and without a sum over h.
        Values between 0 and 1 are taken as they are. Raises ``ValueError`` for others (on the CPU) or another shape.
        """
        return -self._flat(x) @ self.bias - F.softplus(self.hidden_logits(x)).sum(1)

    def normalized_log_prob(self, x: Tensor, log_z: Tensor | float) -> Tensor:
        """log p(x) = -F(x) - log Z, ``(B,)`` in nats, for ``log_z`` from ``log_z`` or ``estimate_log_z``.

        With an estimate of log Z that is too low, as that of annealed importance sampling is on average, it is too
        high. It has not the name ``log_prob`` because the model alone does not give it.
        """
        return -self.energy(x) - log_z

    def log_z(self) -> Tensor:
        """log Z, a scalar in nats, by enumerating the smaller layer. Raises ``ValueError`` beyond 20 units there."""
        return enumerated_log_z(self.weight, self.bias, self.hidden_bias)

    def estimate_log_z(
        self,
        *,
        n_chains: int = 100,
        n_temperatures: int = 1000,
        base_bias: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> AnnealedEstimate:
        """log Z by annealed importance sampling, in nats, with its standard error.

        The chains come from an RBM without weights whose visible biases are ``base_bias``, of D numbers; by default
        those of the model. The logits of the pixels' means over the data are a better choice (Salakhutdinov and
        Murray, ICML 2008). Raises ``ValueError`` for sizes that do not fit.
        """
        base = self.bias if base_bias is None else base_bias
        return annealed_log_z(
            self.weight, self.bias, self.hidden_bias, base.flatten(), n_chains, n_temperatures, generator
        )

    @torch.no_grad()
    def transition(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """One step of block Gibbs sampling, h given x and then x given h: ``(B, *data_shape)`` to the same."""
        return draw(self.visible_logits(draw(self.hidden_logits(x), generator)), generator)

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
        """Where n chains are after ``n_steps`` steps, ``(n, *data_shape)``: draws from p(x) if they have mixed by then.

        They begin at ``start (n, *data_shape)``, by default at tossed coins.
        """
        if y is not None:
            raise ValueError("received labels y, but this model is not conditional; leave y out")
        x = draw(self.bias.new_zeros(n, *self.data_shape), generator) if start is None else start
        if x.shape != (n, *self.data_shape) or n_steps < 1:
            raise ValueError(
                f"received {n=}, {n_steps=} and start {tuple(x.shape)}; expected n chains and at least one step"
            )
        for _ in range(n_steps):
            x = self.transition(x, generator=generator)
        return x

    def objective(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """F averaged over what the chains give, minus F(x), ``(B,)``: for its gradient, which is that of CD or PCD.

        Its value is no likelihood and no bound, and says nothing about how well the model fits.
        """
        return self.energy(self.negative(x, generator=generator)).mean() - self.energy(x)

    @torch.no_grad()
    def negative(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Where ``cd_steps`` steps lead from ``x (B, *data_shape)``; persistent chains move on instead of it."""
        h = draw(self.hidden_logits(x), generator) if self.chains is None else self.chains
        for step in range(self.cd_steps):
            x = draw(self.visible_logits(h), generator)
            if self.chains is not None or step < self.cd_steps - 1:
                h = draw(self.hidden_logits(x), generator)
        if self.chains is not None:
            self.chains = h
        return x

    def _flat(self, x: Tensor) -> Tensor:
        if x.shape[1:] != self.data_shape:
            raise ValueError(f"x has shape {tuple(x.shape)}; expected (B, {', '.join(map(str, self.data_shape))})")
        if checks_values(x) and x.numel():
            low, high = (float(v) for v in torch.aminmax(x))
            if not (low >= 0 and high <= 1):  # false for NaN
                raise ValueError(f"x holds values from {low:.4g} to {high:.4g}; expected zeros and ones, or [0, 1]")
        return x.flatten(1).to(self.weight.dtype)
