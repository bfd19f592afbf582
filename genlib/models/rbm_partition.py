"""The normalising constant of an RBM: exactly, when one of its layers is small, and by annealed importance sampling."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from genlib.mcmc import AnnealedEstimate, annealed_importance_sampling

MOST_UNITS = 20  # a million states: a second or so


def binary_states(n_units: int, first: int, last: int, like: Tensor) -> Tensor:
    """States ``first`` to ``last - 1`` of ``n_units`` binary units, ``(last - first, n_units)``."""
    numbers = torch.arange(first, last, device=like.device).unsqueeze(1)
    return ((numbers >> torch.arange(n_units, device=like.device)) & 1).to(like.dtype)


@torch.no_grad()
def enumerated_log_z(weight: Tensor, bias: Tensor, hidden_bias: Tensor, *, rows: int = 4096) -> Tensor:
    """log Z of the RBM with ``weight (H, D)``, ``bias (D,)`` and ``hidden_bias (H,)``, a scalar in nats, in float64.

    One layer is summed over state by state, ``rows`` states at a time, the other in closed form. Raises
    ``ValueError`` when both layers have more than 20 units.
    """
    weight, bias, hidden_bias = (parameter.cpu().double() for parameter in (weight, bias, hidden_bias))
    if weight.shape[1] < weight.shape[0]:
        weight, bias, hidden_bias = weight.T, hidden_bias, bias
    n_units = len(hidden_bias)
    if n_units > MOST_UNITS:
        raise ValueError(
            f"the smaller layer has {n_units} units; enumeration is for at most {MOST_UNITS}, estimate_log_z for more"
        )
    parts = []
    for first in range(0, 2**n_units, rows):
        h = binary_states(n_units, first, min(first + rows, 2**n_units), weight)
        parts.append((h @ hidden_bias + F.softplus(torch.addmm(bias, h, weight)).sum(1)).logsumexp(0))
    return torch.stack(parts).logsumexp(0)


@torch.no_grad()
def annealed_log_z(
    weight: Tensor,
    bias: Tensor,
    hidden_bias: Tensor,
    base_bias: Tensor,
    n_chains: int,
    n_temperatures: int,
    generator: torch.Generator | None,
) -> AnnealedEstimate:
    """log Z by annealed importance sampling from the RBM without weights that has ``base_bias (D,)``, in nats.

    At inverse temperature beta the machine has weights beta W, hidden biases beta c and visible biases
    (1 - beta) base_bias + beta b; at 0 log Z is known: H log 2 + sum_i log(1 + exp(base_bias_i)). Raises
    ``ValueError`` for fewer than two chains or temperatures, or biases of another shape.
    """
    if base_bias.shape != bias.shape:
        raise ValueError(f"base_bias has {len(base_bias)} numbers; expected {len(bias)}, one for each visible unit")
    if n_chains < 2 or n_temperatures < 2:
        raise ValueError(f"received {n_chains=} and {n_temperatures=}; expected at least 2 of each")

    base_bias = base_bias.to(bias)
    bridge = _Bridge(weight, bias, hidden_bias, base_bias)
    start = draw(base_bias.expand(n_chains, -1), generator)
    log_z_start = len(hidden_bias) * math.log(2) + float(F.softplus(base_bias.cpu().double()).sum())
    betas = torch.linspace(0, 1, n_temperatures, dtype=torch.float64)
    return annealed_importance_sampling(
        bridge.log_density, bridge.transition, start, betas, log_z_start=log_z_start, generator=generator
    )


class _Bridge:
    """The machines between the one without weights and the whole one, by their inverse temperature."""

    def __init__(self, weight: Tensor, bias: Tensor, hidden_bias: Tensor, base_bias: Tensor) -> None:
        self.weight, self.bias, self.hidden_bias, self.base_bias = weight, bias, hidden_bias, base_bias
        self.seen: tuple[Tensor, Tensor] | None = None

    def log_density(self, x: Tensor, beta: float) -> Tensor:
        return x @ self._visible_bias(beta) + F.softplus(beta * self._hidden_logits(x)).sum(1)

    def transition(self, x: Tensor, beta: float, /, *, generator: torch.Generator | None) -> Tensor:
        h = draw(beta * self._hidden_logits(x), generator)
        return draw(torch.addmm(self._visible_bias(beta), h, self.weight, alpha=beta), generator)

    def _visible_bias(self, beta: float) -> Tensor:
        return torch.lerp(self.base_bias, self.bias, beta)

    def _hidden_logits(self, x: Tensor) -> Tensor:
        """W x + c, which both densities at x and the transition from it need: computed once."""
        if self.seen is None or self.seen[0] is not x:
            self.seen = x, F.linear(x, self.weight, self.hidden_bias)
        return self.seen[1]


def draw(logits: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """A Bernoulli draw for every one of ``logits``, of the same shape and type: zeros and ones."""
    noise = torch.rand(logits.shape, generator=generator, dtype=logits.dtype, device=logits.device)
    return (noise < logits.sigmoid()).to(logits.dtype)
