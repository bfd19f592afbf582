"""Effective sample size and R-hat against an autoregressive process and the paper's formulas, written out."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm, rankdata

from genlib.mcmc import effective_sample_size, langevin, r_hat


def autoregressive(phi, n_steps, n_chains, seed=0):
    """x_t = phi x_{t-1} + noise, stationary with variance 1: its ESS is n (1 - phi) / (1 + phi) in the limit."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(n_steps, n_chains, generator=generator, dtype=torch.float64)
    x = noise.clone()
    for t in range(1, n_steps):
        x[t] = phi * x[t - 1] + math.sqrt(1 - phi**2) * noise[t]
    return x


@pytest.mark.parametrize("phi", [-0.5, 0.0, 0.5, 0.9])
def test_effective_sample_size_is_that_of_an_autoregressive_process(phi):
    """Within 6 of the standard errors that Sokal (1997, equation 3.19) gives for the autocorrelation time,
    sqrt(2 (2 M + 1) / n) with a window of M lags; M is taken as the lag at which phi^M is below 1/n^(1/2), where
    Geyer's sequence stops, and for phi = 0 as 5. A normal error beyond that has a probability of 2e-9."""
    n_steps, n_chains = 20_000, 4
    found = float(effective_sample_size(autoregressive(phi, n_steps, n_chains)))
    n = n_steps * n_chains
    window = 5 if phi == 0 else max(5, math.log(math.sqrt(n)) / -math.log(abs(phi)))
    assert abs(found / (n * (1 - phi) / (1 + phi)) - 1) < 6 * math.sqrt(2 * (2 * window + 1) / n)


def test_effective_sample_size_predicts_the_error_of_the_mean():
    """400 independent sets of chains: the variance of their means times the mean ESS is 1. The ratio has a standard
    error of sqrt(2/400) from the variance; 6 of them, and 5 per cent for the bias of the ESS of short chains."""
    x = autoregressive(0.7, 500, 4 * 400).reshape(500, 4, 400)
    ratio = float(x.mean((0, 1)).var() * effective_sample_size(x).mean())
    assert abs(ratio - 1) < 6 * math.sqrt(2 / 400) + 0.05


def written_out(chains):
    """Section 3.2 of the paper step by step, for one number: ``chains (n_steps, n_chains)`` that are not yet split."""
    half = len(chains) // 2
    chains = np.concatenate([chains[:half], chains[-half:]], axis=1).T
    m, n = chains.shape
    within = np.mean([row.var(ddof=1) for row in chains])
    total = within * (n - 1) / n + chains.mean(axis=1).var(ddof=1)
    rho = []
    for lag in range(n):
        covariances = [np.dot(row[: n - lag] - row.mean(), row[lag:] - row.mean()) / n for row in chains]
        rho.append(1 - (within - np.mean(covariances)) / total)
    rho[0] = 1.0
    tau, smallest, k = -1.0, math.inf, 0
    while 2 * k + 1 < n - 2 and rho[2 * k] + rho[2 * k + 1] > 0:
        smallest = min(smallest, rho[2 * k] + rho[2 * k + 1])
        tau += 2 * smallest
        k += 1
    if 2 * k + 1 > n - 2:  # the last pair there is counts only by its first lag
        k -= 1
        tau -= 2 * smallest
    tau += max(rho[2 * k], 0)
    return m * n / max(tau, 1 / math.log10(m * n)), math.sqrt(total / within)


def scored(chains):
    return norm.ppf((rankdata(chains) - 3 / 8) / (chains.size + 1 / 4)).reshape(chains.shape)


CASES = {
    "slow": autoregressive(0.95, 300, 4),
    "alternating": autoregressive(-0.6, 301, 3),
    "one short chain": autoregressive(0.3, 9, 1),
    "of two values": (autoregressive(0.5, 200, 2) > 0).double(),
    "heavy tails": torch.tan(1.57 * (2 * torch.rand(400, 4, generator=torch.Generator().manual_seed(1)).double() - 1)),
    "apart": autoregressive(0.9, 100, 4) + 2 * torch.arange(4),
}


@pytest.mark.parametrize("name", CASES)
def test_both_numbers_are_those_of_the_formulas_written_out(name):
    x = CASES[name]
    ess, ratio = written_out(x.numpy())
    assert float(effective_sample_size(x)) == pytest.approx(ess, rel=1e-9)
    assert float(r_hat(x)) == pytest.approx(ratio, rel=1e-9)
    if len(x) % 2 == 0:  # else the middle step is left out before ranking
        assert float(effective_sample_size(x, rank_normalized=True)) == pytest.approx(
            written_out(scored(x.numpy()))[0], rel=1e-9
        )
        folded = np.abs(x.numpy() - np.median(x.numpy()))
        larger = max(written_out(scored(x.numpy()))[1], written_out(scored(folded))[1])
        assert float(r_hat(x, rank_normalized=True)) == pytest.approx(larger, rel=1e-9)


def test_every_number_of_a_state_has_its_own():
    x = torch.stack([CASES["slow"], CASES["slow"] ** 3, torch.randn(300, 4).double()], dim=2).reshape(300, 4, 3, 1)
    for function in (effective_sample_size, r_hat):
        for rank_normalized in (False, True):
            found = function(x, rank_normalized=rank_normalized)
            assert found.shape == (3, 1)
            one_by_one = [function(x[:, :, i, 0], rank_normalized=rank_normalized) for i in range(3)]
            assert torch.allclose(found.flatten(), torch.stack(one_by_one))
    ranked = effective_sample_size(x, rank_normalized=True).flatten()
    assert torch.allclose(ranked[0], ranked[1])  # ranks do not change under an increasing function


def test_r_hat_sees_chains_that_disagree_in_place_in_scale_and_in_time():
    """Independent chains of 2000 draws: 1 + 1/(2 n) or so; the bound 1.02 is more than 20 standard deviations away."""
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(2000, 4, generator=generator, dtype=torch.float64)
    assert float(r_hat(x)) < 1.02
    assert float(r_hat(x, rank_normalized=True)) < 1.02
    shifted = x + torch.tensor([0.0, 0.0, 0.0, 1.0])
    assert float(r_hat(shifted)) == pytest.approx(math.sqrt(1 + 0.25 * 8 / 7 * 0.75), abs=0.03)
    scaled = x * torch.tensor([1.0, 1.0, 1.0, 5.0])
    assert float(r_hat(scaled)) < 1.02
    assert float(r_hat(scaled, rank_normalized=True)) > 1.1
    drifting = x + torch.linspace(-2, 2, 2000, dtype=torch.float64).unsqueeze(1)
    assert float(r_hat(drifting)) > 1.1


def test_chains_stuck_in_two_modes_are_worth_as_many_draws_as_there_are_chains_or_fewer():
    start = torch.cat([torch.full((4,), -10.0), torch.full((4,), 10.0)])
    samples = langevin(
        lambda x: torch.logaddexp(-0.5 * (x - 10).square(), -0.5 * (x + 10).square()),
        start,
        1000,
        step_size=0.5,
        generator=torch.Generator().manual_seed(0),
    ).samples
    assert float(r_hat(samples)) > 3
    assert float(effective_sample_size(samples)) < 20


def test_what_never_changes_has_no_effective_size():
    x = torch.full((20, 3), 0.1)
    assert effective_sample_size(x).isnan()
    assert r_hat(x).isnan()
    stuck = torch.tensor([0.0, 1.0, 2.0]).expand(20, 3)
    assert r_hat(stuck).isinf()


@pytest.mark.parametrize("function", [effective_sample_size, r_hat])
def test_samples_that_say_nothing_are_refused(function):
    with pytest.raises(ValueError, match="at least 8 steps"):
        function(torch.zeros(7, 3))
    with pytest.raises(ValueError, match="n_steps, n_chains"):
        function(torch.zeros(100))
    with pytest.raises(ValueError, match="not finite"):
        function(torch.full((10, 2), math.nan))
