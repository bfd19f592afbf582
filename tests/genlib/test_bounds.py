"""Bounds against the linear-Gaussian truth, and units against a uniform model."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genlib.bounds import bits_per_dim, elbo, iwae_bound


def log_weights(k, b, seed=0):
    return 3 * torch.randn(k, b, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_elbo_averages_the_samples_of_z_and_nothing_else():
    likelihood, kl = log_weights(4, 3), log_weights(1, 3)[0].abs()
    torch.testing.assert_close(elbo(likelihood, kl), likelihood.sum(0) / 4 - kl)
    torch.testing.assert_close(elbo(likelihood[0], kl), likelihood[0] - kl)


@pytest.mark.parametrize(
    ("likelihood", "kl"), [((), (3,)), ((3,), ()), ((3, 4), (3,)), ((2, 5, 3), (3,)), ((3, 1), (3, 1))]
)
def test_elbo_refuses_anything_but_one_number_per_example(likelihood, kl):
    with pytest.raises(ValueError, match="one number per example"):
        elbo(torch.zeros(likelihood), torch.zeros(kl))


@given(st.integers(1, 20), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_iwae_equals_the_log_of_the_mean_weight(k, seed):
    weights = log_weights(k, 5, seed)
    torch.testing.assert_close(iwae_bound(weights), weights.exp().mean(0).log())


def test_iwae_survives_weights_that_underflow():
    weights = log_weights(8, 3) - 5000
    torch.testing.assert_close(iwae_bound(weights), iwae_bound(weights + 5000) - 5000)


def test_iwae_with_one_sample_is_the_weight_itself():
    assert torch.equal(iwae_bound(log_weights(1, 4)), log_weights(1, 4)[0])


@given(st.integers(2, 6), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_iwae_does_not_decrease_when_averaged_over_all_subsets(k, seed):
    """The heart of Burda et al.'s theorem 1: the mean over all subsets of size m grows with m, for any weights."""
    weights = log_weights(k, 3, seed)
    means = [
        torch.stack(
            [iwae_bound(weights[torch.combinations(torch.arange(k), m)[i]]) for i in range(math.comb(k, m))]
        ).mean(0)
        for m in range(1, k + 1)
    ]
    assert all((after >= before - 1e-12).all() for before, after in itertools.pairwise(means))


def test_iwae_gradient_is_that_of_the_normalised_weights():
    weights = log_weights(5, 3).requires_grad_()
    (gradient,) = torch.autograd.grad(iwae_bound(weights).sum(), weights)
    torch.testing.assert_close(gradient, weights.detach().softmax(0))


def test_iwae_refuses_weights_without_a_sample_dimension():
    with pytest.raises(ValueError, match=r"\(K, B\)"):
        iwae_bound(torch.zeros(3))
    with pytest.raises(ValueError, match=r"\(K, B\)"):
        iwae_bound(torch.zeros(0, 3))


@given(st.integers(1, 4000))
def test_a_uniform_model_has_exactly_eight_bits_per_dimension(n):
    discrete = torch.tensor([-n * math.log(256)], dtype=torch.float64)
    assert bits_per_dim(discrete, n).item() == pytest.approx(8, abs=1e-12)
    density_on_unit_cube = torch.zeros(1, dtype=torch.float64)
    assert bits_per_dim(density_on_unit_cube, n, levels=256).item() == pytest.approx(8, abs=1e-12)


@pytest.mark.parametrize("arguments", [{"n_dims": 0}, {"n_dims": 4, "levels": 0}])
def test_bits_per_dim_refuses_sizes_that_are_not_positive(arguments):
    with pytest.raises(ValueError, match=r"n_dims=0|levels=0"):
        bits_per_dim(torch.zeros(1), **arguments)
