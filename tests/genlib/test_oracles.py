"""The oracles against each other and against independent ways to the same number."""

import math

import pytest
import torch
from scipy import integrate

from genlib.gaussian import gaussian_kl_full, gaussian_log_prob_full
from genlib.models.vae import VAE
from genlib.oracles import (
    LinearGaussianVAE,
    enumerate_images,
    jacobian_log_determinant,
    latent_quadrature,
    total_probability,
)


def linear_model(data_dim=4, latent_dim=2, seed=0):
    torch.manual_seed(seed)
    model = LinearGaussianVAE(data_dim, latent_dim, generator=torch.Generator().manual_seed(seed)).double()
    with torch.no_grad():
        model.decoder_logvar.fill_(-0.7)
        model.decoder.bias.normal_()
        model.encoder.mean.weight.normal_(std=0.3)
        model.encoder.mean.bias.normal_(std=0.3)
        model.encoder.logvar.normal_()
    return model


def data(n=6, data_dim=4, seed=1):
    return torch.randn(n, data_dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_exact_evidence_equals_numerical_integration():
    model, x = linear_model(data_dim=2, latent_dim=1), data(1, 2)

    def joint(z):
        z = torch.tensor([[z]], dtype=torch.float64)
        prior = math.exp(-0.5 * z.item() ** 2) / math.sqrt(2 * math.pi)
        return model.log_likelihood(x, z).exp().item() * prior

    with torch.no_grad():
        value, error = integrate.quad(joint, -12, 12, points=[0])
        assert math.log(value) == pytest.approx(model.log_prob(x).item(), abs=1e-8 + 10 * error / value)


def test_bayes_rule_holds_at_every_z():
    model, x, z = linear_model(), data(), data(6, 2, seed=2)
    mean, covariance = model.posterior(x)
    prior = gaussian_log_prob_full(z, torch.zeros_like(z), torch.eye(2, dtype=z.dtype))
    posterior = gaussian_log_prob_full(z, mean, covariance)
    torch.testing.assert_close(model.log_likelihood(x, z) + prior - posterior, model.log_prob(x))


def test_evidence_is_elbo_plus_gap_for_any_encoder():
    model, x = linear_model(), data()
    torch.testing.assert_close(model.exact_elbo(x) + model.gap(x), model.log_prob(x))
    mean, logvar = data(6, 2, seed=3), data(6, 2, seed=4)
    torch.testing.assert_close(model.exact_elbo(x, mean, logvar) + model.gap(x, mean, logvar), model.log_prob(x))
    assert (model.gap(x, mean, logvar) > 0).all()


def test_sampled_elbo_has_the_exact_one_as_its_mean():
    model, x = linear_model(), data()
    with torch.no_grad():
        draws = model.log_weights(x, n_samples=40_000, generator=torch.Generator().manual_seed(0))
        elbo = model.elbo(x, n_samples=40_000, generator=torch.Generator().manual_seed(0))
        # z-scores of six means: |z| > 6 happens by chance 1.2e-8 of the time. The KL is exact in elbo, so its error
        # is not larger than that of the log-weights by more than the spread of the likelihood.
        spread = draws.std(0) / math.sqrt(40_000)
        assert ((draws.mean(0) - model.exact_elbo(x)).abs() < 6 * spread).all()
        likelihood = torch.stack([model.log_likelihood(x, z) for z in draws_of_z(model, x, 4000)])
        assert ((elbo - model.exact_elbo(x)).abs() < 6 * likelihood.std(0) * 1.2 / math.sqrt(40_000)).all()


def draws_of_z(model, x, n):
    mean, logvar = model.encode(x)
    g = torch.Generator().manual_seed(1)
    return mean + (0.5 * logvar).exp() * torch.randn(n, *mean.shape, generator=g, dtype=mean.dtype)


def test_optimal_encoder_leaves_no_better_diagonal_gaussian():
    model, x = linear_model(), data()
    model.set_optimal_encoder_()
    best = model.gap(x).mean()
    torch.testing.assert_close(model.encode(x)[0], model.posterior(x)[0])
    gradients = torch.autograd.grad(best, list(model.encoder.parameters()))
    assert all(gradient.abs().max() < 1e-10 for gradient in gradients)
    assert best > 0


def test_gap_vanishes_when_the_posterior_is_diagonal():
    model = linear_model()
    with torch.no_grad():
        model.decoder.weight.copy_(torch.linalg.qr(model.weight).Q * torch.tensor([2.0, 0.5]))
    model.set_optimal_encoder_()
    assert model.gap(data()).abs().max() < 1e-12
    torch.testing.assert_close(model.exact_elbo(data()), model.log_prob(data()))
    weights = model.log_weights(data(), n_samples=3)
    torch.testing.assert_close(weights, model.log_prob(data()).expand(3, -1))  # every weight is the evidence


def test_training_the_bound_finds_the_optimal_encoder():
    model, x = linear_model(), data(50)
    with torch.no_grad():
        model.set_optimal_encoder_()
        best = model.gap(x).mean()
        model.encoder.mean.weight.zero_()
        model.encoder.logvar.zero_()
    optimizer = torch.optim.LBFGS(model.encoder.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = -model.exact_elbo(x).mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    assert model.gap(x).mean().item() == pytest.approx(best.item(), abs=1e-6)


def test_samples_have_the_covariance_of_the_evidence():
    model, n = linear_model(), 100_000
    x = model.sample(n, generator=torch.Generator().manual_seed(0))
    covariance = (model.weight @ model.weight.mT + model.decoder_logvar.exp() * torch.eye(4)).detach()
    scale = torch.outer(covariance.diagonal(), covariance.diagonal()).sqrt()
    # sixteen entries, each with standard deviation at most scale * sqrt(2 / n): 6 of them is 3e-8 by chance.
    assert ((torch.cov(x.mT) - covariance).abs() < 6 * math.sqrt(2 / n) * scale).all()


@pytest.mark.parametrize("latent_dim", [1, 2])
def test_quadrature_equals_the_exact_evidence(latent_dim):
    model = linear_model(latent_dim=latent_dim)
    x = model.sample(5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(latent_quadrature(model, x, limit=8), model.log_prob(x).detach(), rtol=0, atol=1e-6)


def test_quadrature_makes_a_bernoulli_vae_sum_to_one():
    torch.manual_seed(0)
    model = VAE((1, 3, 3), latent_dim=2, hidden_dim=8)
    total = total_probability(lambda x: latent_quadrature(model, x, n_points=61), (1, 3, 3))
    assert total.item() == pytest.approx(1, abs=1e-5)


def test_quadrature_refuses_what_it_cannot_do():
    with pytest.raises(ValueError, match="3 latents"):
        latent_quadrature(VAE(4, 3), torch.zeros(1, 4))
    with pytest.raises(ValueError, match="n_points=1"):
        latent_quadrature(VAE(4, 2), torch.zeros(1, 4), n_points=1)


def test_posterior_gap_needs_both_halves_of_q():
    with pytest.raises(ValueError, match="both"):
        linear_model().gap(data(), mean=torch.zeros(6, 2))


def test_enumeration_holds_every_image_once():
    images = enumerate_images((1, 2, 2), levels=3)
    assert images.shape == (81, 1, 2, 2)
    assert len({tuple(image.flatten().tolist()) for image in images}) == 81
    with pytest.raises(ValueError, match="at most"):
        enumerate_images((5, 5))


def test_jacobian_of_a_linear_map_is_its_determinant():
    matrix = torch.randn(3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    logdet = jacobian_log_determinant(lambda x: x @ matrix, torch.zeros(2, 3, dtype=torch.float64))
    torch.testing.assert_close(logdet, torch.linalg.slogdet(matrix).logabsdet.expand(2))
    with pytest.raises(ValueError, match="3 values to 2"):
        jacobian_log_determinant(lambda x: x[:, :2], torch.zeros(1, 3))


def test_gap_is_the_full_kl_to_the_posterior():
    model, x = linear_model(), data()
    mean, logvar = model.encode(x)
    expected = gaussian_kl_full(mean, torch.diag_embed(logvar.exp()), *model.posterior(x))
    torch.testing.assert_close(model.gap(x), expected)
