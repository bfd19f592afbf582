"""The deep Boltzmann machine with two hidden layers (Salakhutdinov and Hinton, AISTATS 2009)."""

import math

import torch
from torch import Tensor, nn

from genlib.mcmc import AnnealedEstimate
from genlib.models.observation import checked_shape
from genlib.models.rbm import RBM


class DBM(nn.Module):
    """Binary x, h1, h2 with E(x, h1, h2) = -b^T x - c1^T h1 - c2^T h2 - h1^T W1 x - h2^T W2 h1.

    x and h2 meet only through h1: side by side they are the visible layer of an RBM with D + H2 units, ``pair``, whose
    hidden layer is h1. That gives Gibbs sampling (h1 at once, then x and h2 at once), persistent chains and log Z.
    ``data_shape`` is the shape of one example, with D numbers; ``hidden_dims`` is (H1, H2). Training keeps
    ``n_chains`` persistent chains and moves them ``cd_steps`` steps a time; the posterior is approximated by
    ``mean_field``, with ``n_updates`` updates of each layer. Raises ``ValueError`` for sizes that are not positive.
    """

    def __init__(
        self,
        data_shape: int | tuple[int, ...],
        hidden_dims: tuple[int, int] = (500, 500),
        *,
        cd_steps: int = 1,
        n_chains: int = 100,
        n_updates: int = 10,
    ) -> None:
        super().__init__()
        below, above = hidden_dims
        self.data_shape = checked_shape(data_shape, below=below, above=above, n_updates=n_updates)
        self.data_dim, self.n_updates = math.prod(self.data_shape), n_updates
        self.pair = RBM(self.data_dim + above, below, cd_steps=cd_steps, n_chains=n_chains)

    @property
    def weights(self) -> tuple[Tensor, Tensor]:
        """W1 ``(H1, D)`` and W2 ``(H2, H1)``, views of the parameters."""
        return self.pair.weight[:, : self.data_dim], self.pair.weight[:, self.data_dim :].T

    @property
    def biases(self) -> tuple[Tensor, Tensor, Tensor]:
        """b ``(D,)``, c1 ``(H1,)`` and c2 ``(H2,)``, views of the parameters."""
        return self.pair.bias[: self.data_dim], self.pair.hidden_bias, self.pair.bias[self.data_dim :]

    @torch.no_grad()
    def mean_field(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities of h1 ``(B, H1)`` and h2 ``(B, H2)`` given ``x (B, *data_shape)``, as if independent.

        They solve mu1 = sigmoid(W1 x + W2^T mu2 + c1), mu2 = sigmoid(W2 mu1 + c2) when the updates, which never raise
        ``energy``, have settled (section 2.2 of the paper).
        """
        mu2 = x.new_full((len(x), len(self.biases[2])), 0.5, dtype=self.pair.weight.dtype)
        for _ in range(self.n_updates):
            mu1 = self.pair.hidden_logits(self._joined(x, mu2)).sigmoid()
            mu2 = torch.addmm(self.biases[2], mu1, self.weights[1].T).sigmoid()
        return self.pair.hidden_logits(self._joined(x, mu2)).sigmoid(), mu2

    def energy(self, x: Tensor) -> Tensor:
        """An upper bound on the free energy F(x) = -log sum_h exp(-E(x, h)), ``(B,)`` in nats, by the mean field.

        E_q[E] - H(q) for q(h) = q(h1) q(h2) with the probabilities of ``mean_field``; h1 is summed out, which is its
        best q given mu2. Its gradient holds mu2 fixed, which changes nothing once the updates have settled.
        """
        _, mu2 = self.mean_field(x)
        entropy = torch.special.entr(mu2) + torch.special.entr(1 - mu2)
        return self.pair.energy(self._joined(x, mu2)) - entropy.sum(1)

    def log_prob_bound(self, x: Tensor, log_z: Tensor | float) -> Tensor:
        """A lower bound on log p(x), ``(B,)`` in nats, given log Z: -energy(x) - log Z (section 2.2 of the paper).

        With an estimate of log Z it is one only up to the error of that.
        """
        return -self.energy(x) - log_z

    def log_z(self) -> Tensor:
        """log Z, a scalar in nats, by enumeration. Raises ``ValueError`` beyond 20 units of h1 and of x and h2."""
        return self.pair.log_z()

    def estimate_log_z(
        self, *, n_chains: int = 100, n_temperatures: int = 1000, generator: torch.Generator | None = None
    ) -> AnnealedEstimate:
        """log Z by annealed importance sampling, in nats, with its standard error; see ``RBM.estimate_log_z``."""
        return self.pair.estimate_log_z(n_chains=n_chains, n_temperatures=n_temperatures, generator=generator)

    @torch.no_grad()
    def sample(
        self, n: int, *, y: None = None, n_steps: int = 1000, generator: torch.Generator | None = None
    ) -> Tensor:
        """Where n chains, begun at tossed coins, are after ``n_steps`` Gibbs steps, ``(n, *data_shape)``."""
        both = self.pair.sample(n, y=y, n_steps=n_steps, generator=generator)  # (n, D + H2)
        return both[:, : self.data_dim].reshape(n, *self.data_shape)

    def objective(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """The chains' mean energy minus ``energy(x)``, ``(B,)``: for its gradient, an estimate of that of the bound.

        As with an RBM, its value says nothing about how well the model fits (algorithm 1 of the paper).
        """
        return self.pair.energy(self.pair.negative(x, generator=generator)).mean() - self.energy(x)

    def _joined(self, x: Tensor, h2: Tensor) -> Tensor:
        """x and h2 side by side, ``(B, D + H2)``."""
        if x.shape[1:] != self.data_shape:
            raise ValueError(f"x has shape {tuple(x.shape)}; expected (B, {', '.join(map(str, self.data_shape))})")
        return torch.cat([x.flatten(1).to(h2.dtype), h2], dim=1)
