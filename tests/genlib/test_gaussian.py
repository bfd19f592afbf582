"""Gaussians against torch.distributions, scipy and closed-form gradients."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg, stats
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

from genlib.gaussian import (
    covariance_factor,
    gaussian_entropy,
    gaussian_entropy_full,
    gaussian_kl,
    gaussian_kl_full,
    gaussian_log_prob,
    gaussian_log_prob_full,
    reparameterize,
    reparameterize_full,
)

FACTORS = ["cholesky", "eigen"]
shapes = st.tuples(st.integers(1, 4), st.integers(1, 5))
seeds = st.integers(0, 2**31)


def normal_inputs(seed, *shape, n=1):
    g = torch.Generator().manual_seed(seed)
    return [torch.randn(*shape, generator=g, dtype=torch.float64) for _ in range(n)]


def covariances(seed, batch, dim):
    (a,) = normal_inputs(seed, batch, dim, dim)
    return a @ a.mT + 0.1 * torch.eye(dim, dtype=a.dtype)


@given(shapes, seeds)
@settings(max_examples=25, deadline=None)
def test_diagonal_quantities_equal_torch_distributions(shape, seed):
    x, mean, logvar, mean_p, logvar_p = normal_inputs(seed, *shape, n=5)
    q = Independent(Normal(mean, (0.5 * logvar).exp()), 1)
    p = Independent(Normal(mean_p, (0.5 * logvar_p).exp()), 1)
    standard = Independent(Normal(torch.zeros_like(mean), torch.ones_like(mean)), 1)
    torch.testing.assert_close(gaussian_log_prob(x, mean, logvar), q.log_prob(x))
    torch.testing.assert_close(gaussian_entropy(logvar), q.entropy())
    torch.testing.assert_close(gaussian_kl(mean, logvar), kl_divergence(q, standard))
    torch.testing.assert_close(gaussian_kl(mean, logvar, mean_p, logvar_p), kl_divergence(q, p))


@given(shapes, seeds)
@settings(max_examples=25, deadline=None)
def test_full_quantities_equal_torch_distributions(shape, seed):
    x, mean, mean_p = normal_inputs(seed, *shape, n=3)
    covariance, covariance_p = covariances(seed, *shape), covariances(seed + 1, *shape)
    q, p = MultivariateNormal(mean, covariance), MultivariateNormal(mean_p, covariance_p)
    standard = MultivariateNormal(torch.zeros_like(mean), torch.eye(shape[1], dtype=mean.dtype))
    torch.testing.assert_close(gaussian_log_prob_full(x, mean, covariance), q.log_prob(x))
    torch.testing.assert_close(gaussian_entropy_full(covariance), q.entropy())
    torch.testing.assert_close(gaussian_kl_full(mean, covariance), kl_divergence(q, standard))
    torch.testing.assert_close(gaussian_kl_full(mean, covariance, mean_p, covariance_p), kl_divergence(q, p))


def test_full_log_density_equals_scipy():
    (x,), covariance = normal_inputs(0, 1, 3), covariances(0, 1, 3)[0]
    expected = stats.multivariate_normal(np.zeros(3), covariance.numpy()).logpdf(x[0].numpy())
    assert gaussian_log_prob_full(x[0], torch.zeros_like(x[0]), covariance).item() == pytest.approx(expected, rel=1e-10)


@given(shapes, seeds)
@settings(max_examples=25, deadline=None)
def test_full_formulas_reduce_to_the_diagonal_ones(shape, seed):
    x, mean, logvar, mean_p, logvar_p = normal_inputs(seed, *shape, n=5)
    full, full_p = torch.diag_embed(logvar.exp()), torch.diag_embed(logvar_p.exp())
    torch.testing.assert_close(gaussian_log_prob_full(x, mean, full), gaussian_log_prob(x, mean, logvar))
    torch.testing.assert_close(
        gaussian_kl_full(mean, full, mean_p, full_p), gaussian_kl(mean, logvar, mean_p, logvar_p)
    )
    torch.testing.assert_close(gaussian_entropy_full(full), gaussian_entropy(logvar))


@given(shapes, seeds)
@settings(max_examples=50, deadline=None)
def test_kl_is_positive_and_zero_only_between_equals(shape, seed):
    mean, logvar, mean_p, logvar_p = normal_inputs(seed, *shape, n=4)
    assert (gaussian_kl(mean, logvar, mean_p, logvar_p) > 0).all()
    assert (gaussian_kl(mean, logvar, mean, logvar).abs() < 1e-12).all()
    assert not torch.allclose(gaussian_kl(mean, logvar, mean_p, logvar_p), gaussian_kl(mean_p, logvar_p, mean, logvar))


def test_kl_sums_over_dimensions():
    mean, logvar = normal_inputs(0, 4, 3, n=2)
    twice = gaussian_kl(torch.cat([mean, mean], -1), torch.cat([logvar, logvar], -1))
    torch.testing.assert_close(twice, 2 * gaussian_kl(mean, logvar))


def test_batched_second_covariance_broadcasts():
    mean, covariance = normal_inputs(0, 5, 3)[0], covariances(0, 5, 3)
    one = covariances(1, 1, 3)[0]
    expected = torch.stack(
        [gaussian_kl_full(m, c, torch.zeros_like(m), one) for m, c in zip(mean, covariance, strict=True)]
    )
    torch.testing.assert_close(gaussian_kl_full(mean, covariance, None, one), expected)
    torch.testing.assert_close(
        gaussian_kl_full(mean, one), torch.stack([gaussian_kl_full(m, one) for m in mean]), rtol=1e-12, atol=0
    )


def test_diagonal_samples_have_the_mean_and_variance_asked_for():
    n, mean, logvar = 100_000, torch.tensor([1.0, -2.0]), torch.tensor([-1.0, 2.0])
    z = reparameterize(mean, logvar, n_samples=n, generator=torch.Generator().manual_seed(0)).double()
    # mean: z-score of a normal; variance: (n - 1) s^2 / sigma^2 is chi-square with n - 1 degrees of freedom, close to
    # normal with standard deviation sqrt(2 / n). A bound of 5.5 on four z-scores fails by chance 2e-7 of the time.
    assert ((z.mean(0) - mean).abs() < 5.5 * (logvar.exp() / n).sqrt()).all()
    assert ((z.var(0) / logvar.exp() - 1).abs() < 5.5 * math.sqrt(2 / n)).all()


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize(
    "covariance",
    [
        torch.eye(3, dtype=torch.float64),
        covariances(3, 1, 3)[0],
        torch.diag(torch.tensor([1.0, 1.0, 1e-8], dtype=torch.float64)),
    ],
    ids=["identity", "general", "nearly-singular"],
)
def test_full_samples_have_the_covariance_asked_for(factor, covariance):
    n = 100_000
    a = covariance_factor(covariance, factor)
    torch.testing.assert_close(a @ a.mT, covariance, rtol=1e-10, atol=1e-12)
    mean = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    z = reparameterize_full(mean, covariance, factor=factor, n_samples=n, generator=torch.Generator().manual_seed(0))
    scale = torch.outer(covariance.diagonal(), covariance.diagonal()).sqrt()
    # an entry of the sample covariance has standard deviation at most scale * sqrt(2 / n); nine entries and three
    # means, bound 6: fails by chance 2.4e-8 of the time.
    assert ((torch.cov(z.mT) - covariance).abs() < 6 * math.sqrt(2 / n) * scale).all()
    assert ((z.mean(0) - mean).abs() < 6 * (covariance.diagonal() / n).sqrt()).all()


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("name", ["identity", "repeated", "general", "nearly-singular"])
def test_gradient_through_samples_equals_the_closed_form(factor, name):
    """f(z) = z^T M z + (v^T z)^3 has E f = tr(M Sigma) + m^T M m + (v^T m)^3 + 3 (v^T m) v^T Sigma v."""
    rotation = torch.linalg.qr(normal_inputs(5, 3, 3)[0]).Q
    eigenvalues = {
        "identity": [1, 1, 1],
        "repeated": [2, 2, 0.5],
        "general": [3, 1, 0.2],
        "nearly-singular": [1, 1, 1e-6],
    }
    spectrum = torch.tensor(eigenvalues[name], dtype=torch.float64)
    covariance = (rotation * spectrum @ rotation.mT).requires_grad_()
    (m,), (v,), (matrix,) = normal_inputs(1, 3), normal_inputs(2, 3), normal_inputs(3, 3, 3)
    matrix = matrix + matrix.mT
    vm = v @ m
    expected = matrix + 3 * vm * torch.outer(v, v)  # symmetric, the derivative along symmetric directions
    n, chunks = 20_000, 20
    gradients = []
    g = torch.Generator().manual_seed(0)
    for _ in range(chunks):
        z = reparameterize_full(m, covariance, factor=factor, n_samples=n, generator=g)
        f = ((z @ matrix) * z).sum(-1) + (z @ v) ** 3
        (gradient,) = torch.autograd.grad(f.mean(), covariance)
        gradients.append(0.5 * (gradient + gradient.mT))
    gradients = torch.stack(gradients)
    error = (gradients.mean(0) - expected) / (gradients.std(0) / math.sqrt(chunks))
    # Student's t with 19 degrees of freedom, six distinct entries: |t| > 9.5 has probability 6 * 1.2e-8 = 7e-8.
    assert (error.abs() < 9.5).all(), error


def test_eigen_gradient_is_exact_for_functions_of_the_covariance():
    covariance = covariances(7, 2, 3).requires_grad_()
    (weight,) = normal_inputs(8, 2, 3, 3)
    a = covariance_factor(covariance, "eigen")
    (gradient,) = torch.autograd.grad(((a @ a.mT) * weight).sum(), covariance)
    torch.testing.assert_close(gradient, 0.5 * (weight + weight.mT))


def test_eigen_gradient_is_that_of_the_symmetric_root_turned_by_q():
    """Along a direction dSigma, dA = dP Q with dP P + P dP = dSigma, which scipy solves as a Sylvester equation."""
    covariance = covariances(9, 1, 3)[0].requires_grad_()
    direction, weight = normal_inputs(10, 3, 3, n=2)
    direction = direction + direction.mT
    a = covariance_factor(covariance, "eigen")
    (gradient,) = torch.autograd.grad((a * weight).sum(), covariance)
    root = torch.from_numpy(linalg.sqrtm(covariance.detach().numpy()))
    d_root = torch.from_numpy(linalg.solve_sylvester(root.numpy(), root.numpy(), direction.numpy()))
    d_a = d_root @ torch.linalg.solve(root, a.detach())  # A = P Q
    torch.testing.assert_close((gradient * direction).sum(), (weight * d_a).sum())


def test_eigen_gradient_is_finite_where_torch_s_own_is_not():
    covariance = torch.eye(3, dtype=torch.float64, requires_grad=True)
    eps = normal_inputs(0, 3)[0]
    (ours,) = torch.autograd.grad((covariance_factor(covariance, "eigen") @ eps).sum(), covariance)
    values, vectors = torch.linalg.eigh(covariance)
    (naive,) = torch.autograd.grad(((vectors * values.sqrt()) @ eps).sum(), covariance)
    assert ours.isfinite().all()
    assert not naive.isfinite().all()


def test_samples_are_repeatable_from_a_generator_and_have_the_shape_asked_for():
    mean, logvar = torch.zeros(4, 3), torch.zeros(3)
    draw = lambda **kw: reparameterize(mean, logvar, generator=torch.Generator().manual_seed(3), **kw)  # noqa: E731
    assert torch.equal(draw(), draw())
    assert draw().shape == (4, 3)
    assert draw(n_samples=5).shape == (5, 4, 3)
    full = reparameterize_full(mean, torch.eye(3).expand(4, 3, 3), n_samples=5)
    assert full.shape == (5, 4, 3)
    assert reparameterize_full(torch.zeros(3), torch.eye(3).expand(4, 3, 3)).shape == (4, 3)


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("bad", [torch.diag(torch.tensor([1.0, -1.0])), torch.ones(2, 2), torch.zeros(2, 2)])
def test_covariances_that_are_not_positive_definite_are_refused(factor, bad):
    with pytest.raises(ValueError, match="not positive definite"):
        reparameterize_full(torch.zeros(2), bad, factor=factor)
    with pytest.raises(ValueError, match="not positive definite"):
        reparameterize_full(torch.zeros(2), torch.stack([torch.eye(2), bad]), factor=factor)


def test_wrong_shapes_and_names_are_refused_with_what_was_expected():
    with pytest.raises(ValueError, match=r"mean \(3,\), logvar \(4,\)"):
        gaussian_kl(torch.zeros(3), torch.zeros(4))
    with pytest.raises(ValueError, match=r"expected \(\.\.\., 3, 3\)"):
        gaussian_kl_full(torch.zeros(3), torch.eye(4))
    with pytest.raises(ValueError, match="not symmetric"):
        gaussian_log_prob_full(torch.zeros(2), torch.zeros(2), torch.tensor([[1.0, 0.5], [0.0, 1.0]]))
    with pytest.raises(ValueError, match="'cholesky' or 'eigen'"):
        reparameterize_full(torch.zeros(2), torch.eye(2), factor="svd")
    with pytest.raises(ValueError, match="single number"):
        gaussian_kl(torch.tensor(0.0), torch.tensor(0.0))
    with pytest.raises(ValueError, match="n_samples=0"):
        reparameterize(torch.zeros(2), torch.zeros(2), n_samples=0)
