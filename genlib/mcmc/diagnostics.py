"""Whether chains agree, and how many independent draws they are worth (Vehtari et al., arXiv:1903.08008)."""

import math

import numpy as np
import torch
from torch import Tensor


@torch.no_grad()
def effective_sample_size(samples: Tensor, *, rank_normalized: bool = False) -> Tensor:
    """How many independent draws give a mean as good as these: ``shape``, for samples ``(n_steps, n_chains, *shape)``.

    The variance of the mean of a number f(x) is var(f) / ESS, so pass f(samples) for the f that matters. Every chain is
    split in two, and chains that disagree count for less (section 3.2, with Geyer's initial monotone
    sequence). ``rank_normalized=True`` gives the bulk-ESS of section 4.1, which exists for heavy tails too.
    Negative correlation can make it larger than the number of samples. NaN where all values are equal. Computed on the
    CPU in float64. Raises ``ValueError`` for fewer than 8 steps or values that are not finite.
    """
    chains = _split(_checked(samples))  # (n, m, M)
    z = _normal_scores(chains) if rank_normalized else chains
    n, m = z.shape[:2]
    covariance = _autocovariance(z).mean(1)  # (n, M), over chains
    within = covariance[0] * n / (n - 1)
    total = covariance[0] + z.mean(0).var(0)
    rho = 1 - (within - covariance) / total  # (n, M)
    rho[0] = 1.0
    n_pairs = (n - 1) // 2
    pairs = rho[: 2 * n_pairs].reshape(n_pairs, 2, -1).sum(1)  # of lags 2k and 2k + 1: positive in theory
    positive = (pairs > 0).cumprod(0).bool()
    positive[-1] = False
    n_positive = positive.sum(0)
    falling = torch.where(positive, pairs.cummin(0).values, 0.0).sum(0)
    # The lag after the last pair counts once, which improves the estimate for antithetic chains.
    after = rho.gather(0, 2 * n_positive.unsqueeze(0)).squeeze(0).clamp(min=0)
    tau = (-1 + 2 * falling + after).clamp(min=1 / math.log10(n * m))
    return torch.where(_varies(z), n * m / tau, torch.nan).reshape(samples.shape[2:])


@torch.no_grad()
def r_hat(samples: Tensor, *, rank_normalized: bool = False) -> Tensor:
    """Split R-hat, ``shape``, for samples ``(n_steps, n_chains, *shape)``: near 1 when the chains agree.

    The root of the variance of all samples over the variance within half chains (section 3.1, equations 1 to 4).
    ``rank_normalized=True`` gives the larger of the two of section 4.1, of ranks and of ranks of the distance from
    the median, which sees chains that differ in scale or have heavy tails; the authors ask for less than 1.01.
    NaN where all values are equal, infinite where every half chain stands still at a place of its own. Computed on
    the CPU in float64. Raises ``ValueError`` as ``effective_sample_size`` does.
    """
    chains = _split(_checked(samples))
    if not rank_normalized:
        return _r_hat(chains).reshape(samples.shape[2:])
    median = torch.from_numpy(np.median(chains.flatten(0, 1).numpy(), axis=0))
    folded = (chains - median).abs()
    both = torch.maximum(_r_hat(_normal_scores(chains)), _r_hat(_normal_scores(folded)))
    return both.reshape(samples.shape[2:])


def _r_hat(chains: Tensor) -> Tensor:
    n = len(chains)
    within = chains.var(0).mean(0)  # (M,)
    between = n * chains.mean(0).var(0)
    value = torch.sqrt((between / within + n - 1) / n)
    return torch.where(_varies(chains), value, torch.nan)


def _checked(samples: Tensor) -> Tensor:
    if samples.ndim < 2 or samples.shape[0] < 8 or samples.shape[1] < 1:
        raise ValueError(
            f"samples have shape {tuple(samples.shape)}; expected (n_steps, n_chains, *shape) with at least 8 steps"
        )
    values = samples.detach().cpu().double().flatten(2) if samples.ndim > 2 else samples.cpu().double().unsqueeze(2)
    if not values.isfinite().all():
        raise ValueError("samples hold values that are not finite; look at how far the chain went before them")
    return values  # (n_steps, n_chains, M)


def _split(samples: Tensor) -> Tensor:
    """Both halves of every chain as chains of their own, ``(n, 2 n_chains, M)``; an odd middle is left out."""
    half = len(samples) // 2
    return torch.cat([samples[:half], samples[-half:]], dim=1)


def _varies(chains: Tensor) -> Tensor:
    """Whether there are two different values, ``(M,)``: rounding makes the variance of equal ones positive."""
    flat = chains.flatten(0, 1)
    return flat.amin(0) < flat.amax(0)


def _autocovariance(chains: Tensor) -> Tensor:
    """Covariance of each chain with itself t steps later, divided by n at every lag t, ``(n, m, M)``."""
    n = len(chains)
    spectrum = torch.fft.rfft(chains - chains.mean(0), n=2 * n, dim=0)  # zeros behind keep the end from the beginning
    return torch.fft.irfft(spectrum.abs().square(), n=2 * n, dim=0)[:n] / n


def _normal_scores(chains: Tensor) -> Tensor:
    """Each value by the normal quantile of its rank among all chains, ties by their mean rank (section 4.1)."""
    from scipy.stats import rankdata

    flat = chains.flatten(0, 1)
    ranks = torch.from_numpy(rankdata(flat.numpy(), axis=0))
    return torch.special.ndtri((ranks - 3 / 8) / (len(flat) + 1 / 4)).reshape(chains.shape)
