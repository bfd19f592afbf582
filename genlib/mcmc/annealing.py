"""Annealed importance sampling: an estimate of the normalising constant, and of how far it may be off."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from genlib.mcmc.chains import LogDensity, one_per_chain


class AnnealedTransition(Protocol):
    """One move of every chain that leaves the distribution at inverse temperature ``beta`` as it is."""

    def __call__(self, x: Tensor, beta: float, /, *, generator: torch.Generator | None) -> Tensor: ...


class AnnealedEstimate(NamedTuple):
    """``log_z``: log of the mean weight, in nats. ``standard_error``: of ``log_z``, by the delta method, in nats.

    ``log_weights (n_chains,)`` are the logarithms of the importance weights, the constant of the start included;
    ``samples (n_chains, *shape)`` are where the chains ended, which stand for the target with these weights. The
    error is itself estimated from the weights: when a few of them outweigh the rest (``effective_chains`` is small),
    both estimates are likely to be too low, and more temperatures are needed.
    """

    log_z: Tensor
    standard_error: Tensor
    log_weights: Tensor
    samples: Tensor

    @property
    def effective_chains(self) -> Tensor:
        """(sum w)^2 / sum w^2, a scalar from 1 to n_chains: how many equal weights would be worth as much."""
        return torch.exp(2 * self.log_weights.logsumexp(0) - (2 * self.log_weights).logsumexp(0))


@torch.no_grad()
def annealed_importance_sampling(
    log_density: Callable[[Tensor, float], Tensor],
    transition: AnnealedTransition,
    start: Tensor,
    betas: Tensor,
    *,
    log_z_start: Tensor | float = 0.0,
    generator: torch.Generator | None = None,
) -> AnnealedEstimate:
    """Estimate log Z of a target by leading chains to it from a distribution that is known, over bridges between.

    ``log_density(x, beta)`` is the unnormalised log density at inverse temperature ``beta``, ``(n_chains,)`` in nats:
    of the known distribution at 0 and of the target at 1; ``geometric_path`` makes one. ``start (n_chains, *shape)``
    are independent draws from the known distribution, whose normaliser has the logarithm ``log_z_start``.
    ``transition(x, beta, generator=generator)`` moves the chains, leaving the distribution at ``beta`` as it is.
    ``betas (n_temperatures,)`` rise from 0 to 1. The mean weight is unbiased for Z, so that its logarithm is too low
    on average. Raises ``ValueError`` for betas that do not rise from 0 to 1, fewer than two chains, or a log density
    of another shape. (Neal, 2001, Statistics and Computing 11, 125-139, section 2; for RBMs Salakhutdinov and
    Murray, ICML 2008.)
    """
    values = betas.tolist() if betas.ndim == 1 else []
    if len(values) < 2 or values[0] != 0 or values[-1] != 1 or any(a > b for a, b in pairwise(values)):
        raise ValueError(f"received betas of shape {tuple(betas.shape)}; expected at least two, rising from 0 to 1")
    if start.ndim < 1 or len(start) < 2:
        raise ValueError(f"start has shape {tuple(start.shape)}; expected (n_chains, *shape) with at least two chains")
    x, log_weights = start, torch.zeros(len(start), dtype=_sum_dtype(start), device=start.device)
    for before, beta in pairwise(values):
        log_weights += one_per_chain(log_density(x, beta), x) - log_density(x, before)
        x = transition(x, beta, generator=generator)
    log_weights += log_z_start
    return AnnealedEstimate(*log_mean_exp(log_weights), log_weights, x)


def log_mean_exp(log_weights: Tensor) -> tuple[Tensor, Tensor]:
    """log of the mean of exp(log_weights), and its standard error by the delta method; ``(n,)`` to two scalars.

    The error of log m is that of m, divided by m: the standard deviation of the weights over sqrt(n) times their mean.
    """
    n = len(log_weights)
    log_mean = log_weights.logsumexp(0) - math.log(n)
    return log_mean, (log_weights - log_mean).exp().std() / math.sqrt(n)


def geometric_path(log_start: LogDensity, log_target: LogDensity) -> Callable[[Tensor, float], Tensor]:
    """(1 - beta) log_start(x) + beta log_target(x), as a function of x and beta (Neal, 2001, section 2)."""

    def log_density(x: Tensor, beta: float) -> Tensor:
        # An end of the path is that density alone: 0 times minus infinity is no number.
        if beta in (0, 1):
            return log_target(x) if beta else log_start(x)
        return (1 - beta) * log_start(x) + beta * log_target(x)

    return log_density


def _sum_dtype(x: Tensor) -> torch.dtype:
    """Thousands of increments are added up in double precision where the device has it."""
    return torch.float32 if x.device.type == "mps" else torch.float64
