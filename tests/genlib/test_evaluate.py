"""Averages that count every example once, and likelihoods that are what they say."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genlib.evaluate import average, importance_weighted_log_prob, test_nll
from genlib.models.vae import VAE
from genlib.oracles import LinearGaussianVAE


@given(st.integers(1, 40), st.integers(1, 50))
@settings(max_examples=40, deadline=None)
def test_the_mean_is_the_same_whatever_the_batch_size(n, batch_size):
    x = torch.arange(n * 2, dtype=torch.float64).reshape(n, 2)
    assert average(lambda b: b.sum(-1), x, batch_size=batch_size) == pytest.approx(x.sum(-1).mean().item())


def test_a_function_that_averages_over_its_batch_is_refused():
    with pytest.raises(ValueError, match="one number per example"):
        average(lambda b: b.mean(), torch.zeros(3, 2))
    with pytest.raises(ValueError, match="0 examples"):
        average(lambda b: b.sum(-1), torch.zeros(0, 2))


def test_nll_is_exact_where_log_prob_exists_and_a_bound_elsewhere():
    torch.manual_seed(0)
    linear, x = LinearGaussianVAE(4, 2), torch.randn(9, 4)
    assert test_nll(linear, x, batch_size=4) == pytest.approx(-linear.log_prob(x).mean().item(), rel=1e-5)
    vae = VAE(4, 2, 8, likelihood="normal")
    torch.manual_seed(1)
    expected = -vae.elbo(x).mean().item()
    torch.manual_seed(1)
    assert test_nll(vae, x) == pytest.approx(expected, rel=1e-5)
    assert vae.training
    with pytest.raises(ValueError, match="neither log_prob nor elbo"):
        test_nll(torch.nn.Linear(4, 4), x)


def test_importance_weighted_estimate_approaches_the_exact_evidence():
    model = LinearGaussianVAE(4, 2, generator=torch.Generator().manual_seed(0)).double()
    model.set_optimal_encoder_()
    with torch.no_grad():
        model.encoder.logvar.add_(1)  # wider than the posterior, so that weights are bounded
        x = model.sample(10, generator=torch.Generator().manual_seed(1))
        k = 20_000
        estimate = importance_weighted_log_prob(
            model, x, n_samples=k, batch_size=3, generator=torch.Generator().manual_seed(2)
        )
        weights = (
            model.log_weights(x, n_samples=k, generator=torch.Generator().manual_seed(3)) - model.log_prob(x)
        ).exp()
        # p-hat / p is a mean of k bounded weights: normal to good precision; 10 examples within 6: 2e-8 by chance
        assert ((estimate - model.log_prob(x)).exp() - 1).abs().max() < 6 * weights.std(0).max() / math.sqrt(k)
