"""Probabilistic PCA against the Gaussian that it is, scikit-learn, and its own limit."""

import itertools
import math

import pytest
import torch
from sklearn.decomposition import PCA
from torch.distributions import MultivariateNormal

from genlib import taxonomy
from genlib.models.ppca import PPCA
from genlib.oracles import LinearGaussianVAE


def drawn(D: int = 6, L: int = 2, variance: float = 0.3, seed: int = 0) -> PPCA:
    generator = torch.Generator().manual_seed(seed)
    draw = {"generator": generator, "dtype": torch.float64}
    return PPCA(torch.randn(D, L, **draw), torch.randn(D, **draw), variance)


def data(n: int = 500, seed: int = 0, **sizes: int) -> torch.Tensor:
    return drawn(seed=seed, **sizes).sample(n, generator=torch.Generator().manual_seed(seed))


def holes(x: torch.Tensor, share: float = 0.3) -> torch.Tensor:
    return torch.rand(x.shape, generator=torch.Generator().manual_seed(7)) > share


def test_log_prob_equals_that_of_the_gaussian_with_the_full_covariance():
    model, x = drawn(), data(40, seed=1)
    assert torch.allclose(model.log_prob(x), MultivariateNormal(model.mean, model.covariance).log_prob(x))


def test_log_prob_keeps_its_digits_in_single_precision_when_the_noise_is_small():
    """Woodbury's difference of two large numbers would lose them."""
    exact = drawn(variance=1e-5)
    x = exact.sample(50, generator=torch.Generator().manual_seed(2))
    single = PPCA(exact.weight.float(), exact.mean.float(), 1e-5)
    assert torch.allclose(single.log_prob(x.float()).double(), exact.log_prob(x), rtol=0, atol=0.3)


def test_posterior_and_density_equal_the_linear_gaussian_oracle_s():
    model, x = drawn(), data(20, seed=1)
    oracle = LinearGaussianVAE(6, 2).double()
    with torch.no_grad():
        oracle.decoder.weight.copy_(model.weight)
        oracle.decoder.bias.copy_(model.mean)
        oracle.decoder_logvar.fill_(math.log(0.3))
        for ours, theirs in zip(model.posterior(x), oracle.posterior(x), strict=True):
            assert torch.allclose(ours, theirs)
        assert torch.allclose(model.log_prob(x), oracle.log_prob(x))


def test_the_closed_form_is_a_maximum():
    """Moving any parameter a little lowers the likelihood; only a rotation of the latent space leaves it as it is."""
    x = data()
    model = PPCA.fit(x, 2)
    best = model.log_prob(x).mean()
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        noise = 0.05 * torch.randn(6, 4, generator=generator, dtype=torch.float64)
        moved = PPCA(model.weight + noise[:, :2], model.mean + noise[:, 2], model.variance * noise[0, 3].exp())
        assert moved.log_prob(x).mean() < best
    turn = torch.linalg.qr(torch.randn(2, 2, dtype=torch.float64))[0]
    assert torch.allclose(PPCA(model.weight @ turn, model.mean, model.variance).log_prob(x).mean(), best)


def test_it_spans_scikit_learn_s_axes_and_is_never_less_likely():
    x = data(300)
    model, peer = PPCA.fit(x, 2), PCA(2).fit(x.numpy())
    ours, theirs = float(model.log_prob(x).mean()), peer.score(x.numpy())
    assert 0 <= ours - theirs < 1e-4 * abs(theirs)  # scikit-learn divides by N - 1
    axes = torch.from_numpy(peer.components_)  # (2, 6)
    assert torch.allclose((axes @ model.weight).abs(), torch.diag(model.weight.norm(dim=0)), atol=1e-8)


def test_more_dimensions_than_examples_give_the_same_as_the_large_covariance_would():
    x = data(8, D=20, L=3)
    model = PPCA.fit(x, 2)
    values = torch.linalg.eigvalsh(torch.cov(x.T, correction=0)).flip(0)
    assert torch.allclose(torch.linalg.eigvalsh(model.covariance).flip(0)[:2], values[:2])
    assert torch.allclose(model.variance, values[2:].mean())


def test_as_the_noise_vanishes_the_posterior_becomes_the_orthogonal_projection():
    x, weight = data(), drawn().weight
    projection = weight @ torch.linalg.pinv(weight)
    errors = []
    for variance in (1e-1, 1e-2, 1e-3, 1e-4, 1e-5):
        model = PPCA(weight, x.mean(0), variance)
        errors.append(float((model.reconstruct(x) - x.mean(0) - (x - x.mean(0)) @ projection).norm()))
        assert torch.allclose(
            model.posterior(x)[1], variance * torch.linalg.inv(model.weight.T @ weight), rtol=variance * 9
        )
    ratios = [before / after for before, after in itertools.pairwise(errors)]
    assert all(8 < ratio < 12 for ratio in ratios[1:])  # it falls in proportion to the variance


def test_no_step_of_em_lowers_the_likelihood_and_it_ends_at_the_closed_form():
    x = data()
    model = PPCA.fit_em(x, 2, n_steps=400, tolerance=1e-12, generator=torch.Generator().manual_seed(0))
    assert torch.tensor(model.history).diff().min() > -1e-9
    exact = PPCA.fit(x, 2)
    assert torch.allclose(model.covariance, exact.covariance, atol=1e-4)
    assert model.history[-1] <= float(exact.log_prob(x).mean()) + 1e-9


def test_em_without_missing_values_and_with_a_mask_of_ones_take_the_same_steps():
    x = data(100)
    fits = [
        PPCA.fit_em(x, 2, observed=observed, n_steps=5, generator=torch.Generator().manual_seed(0))
        for observed in (None, torch.ones_like(x, dtype=torch.bool))
    ]
    assert torch.allclose(fits[0].covariance, fits[1].covariance)
    assert fits[0].history == pytest.approx(fits[1].history)


def test_with_missing_values_no_step_lowers_the_likelihood_of_what_was_seen():
    x = data()
    seen = holes(x)
    spoilt = torch.where(seen, x, torch.nan)
    model = PPCA.fit_em(spoilt, 2, observed=seen, n_steps=60, tolerance=-1.0)
    assert torch.tensor(model.history).diff().min() > -1e-9
    assert math.isclose(model.history[-1], float(model.marginal_log_prob(x, seen).mean()), abs_tol=1e-9)


def test_the_likelihood_of_what_was_seen_is_that_of_the_smaller_gaussian():
    model, x = drawn(), data(30, seed=3)
    seen = holes(x)
    for row, mask, value in zip(x, seen, model.marginal_log_prob(x, seen), strict=True):
        if not mask.any():
            assert abs(float(value)) < 1e-9
            continue
        truth = MultivariateNormal(model.mean[mask], model.covariance[mask][:, mask]).log_prob(row[mask])
        assert torch.allclose(value, truth)


def test_missing_values_are_filled_with_their_conditional_expectation():
    model, x = drawn(), data(30, seed=3)
    seen = holes(x)
    filled = model.fill_in(torch.where(seen, x, torch.nan), seen)
    assert torch.equal(filled[seen], x[seen])
    for row, mask, found in zip(x, seen, filled, strict=True):
        cross, own = model.covariance[~mask][:, mask], model.covariance[mask][:, mask]
        expected = model.mean[~mask] + cross @ torch.linalg.solve(own, row[mask] - model.mean[mask])
        assert torch.allclose(found[~mask], expected)


def test_samples_have_the_model_s_covariance_with_the_noise_counted_once():
    """Each of 21 moments of 200,000 draws within 6.5 standard errors: a false alarm less than once in 10^8."""
    model, n = drawn(), 200_000
    x = model.sample(n, generator=torch.Generator().manual_seed(1)) - model.mean
    products = x.unsqueeze(2) * x.unsqueeze(1)
    assert ((products.mean(0) - model.covariance).abs() < 6.5 * products.std(0) / n**0.5).all()
    assert (x.mean(0).abs() < 6.5 * x.std(0) / n**0.5).all()


def test_images_keep_their_shape_and_the_model_its_place_in_the_taxonomy():
    x = data(60).reshape(60, 1, 2, 3).float()
    model = PPCA.fit(x, 2)
    assert model.sample(4).shape == model.reconstruct(x[:4]).shape == (4, 1, 2, 3)
    assert model.fill_in(x, torch.ones_like(x, dtype=torch.bool)).shape == x.shape
    assert taxonomy.place(model) == "explicit density / tractable / factorised or closed form"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: PPCA.fit(x, 6), "expected 1 to 5"),
        (lambda x: PPCA.fit(x, 0), "expected 1 to 5"),
        (lambda x: PPCA.fit(x[:, :1] * torch.ones(1, 6, dtype=torch.float64), 2), "noise has no variance"),
        (lambda x: PPCA.fit_em(x, 2, observed=torch.arange(6).expand(500, 6) < 5), "entry 5 is never observed"),
        (lambda x: PPCA.fit_em(x, 2, observed=torch.ones(6).bool()), "expected booleans of the shape"),
        (lambda x: drawn().log_prob(x[:, :2]), r"expected \(B, 6\)"),
        (lambda x: drawn().sample(3, y=1), "not conditional"),
        (lambda x: PPCA(torch.zeros(3, 2), torch.zeros(3), 0.0), "positive number"),
        (lambda x: PPCA(torch.zeros(3, 2), torch.zeros(2), 1.0), r"\(D, L\)"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(call, message):
    with pytest.raises(ValueError, match=message):
        call(data())
