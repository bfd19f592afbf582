"""The oracles against each other and against independent ways to the same number."""

import math

import pytest
import torch
from scipy import integrate
from torch import nn

from genlib.gaussian import gaussian_kl_full, gaussian_log_prob_full
from genlib.likelihoods import bernoulli_log_prob, categorical_log_prob
from genlib.masked import MaskedConv2d
from genlib.models.vae import VAE
from genlib.oracles import (
    LinearGaussianVAE,
    autoregressive_support,
    causality,
    enumerate_images,
    jacobian_log_determinant,
    latent_quadrature,
    raster_order,
    receptive_field,
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


# Who sees whom


def graph(n=6, seed=0):
    """A random bool (n, n): what a test lets each output see."""
    return torch.rand(n, n, generator=torch.Generator().manual_seed(seed)) < 0.4


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


# Each makes of x (B, D) and a graph (D, D) outputs (B, *extra, D) with exactly that graph; most defeat a simpler check.
WAYS_TO_SEE = {
    "linear": lambda x, g: x @ g.to(x).mT,
    "very faint": lambda x, g: 1e-200 * x @ g.to(x).mT,
    "faint beside strong": lambda x, g: x @ (g * torch.logspace(0, -14, len(g), dtype=x.dtype)).mT,
    "mostly off": lambda x, g: (x - 0.7).relu() @ g.to(x).mT,
    "rounding": lambda x, g: x.sign() @ g.to(x).mT,
    "rounding, one output of two": lambda x, g: torch.stack([x.sign() @ g.to(x).mT, torch.zeros_like(x)], 1),
    "detached": lambda x, g: x.detach() @ g.to(x).mT + 0 * x,
    "rank of two": lambda x, g: torch.stack([x, torch.zeros_like(x)]).argmax(0) @ g.long().mT,
    "adds up to one": lambda x, g: torch.stack([x @ g.to(x).mT, torch.zeros_like(x)], 1).softmax(1),
    "adds up to zero": lambda x, g: torch.stack([x @ g.to(x).mT, -x @ g.to(x).mT], 1),
    "without gradient": torch.no_grad()(lambda x, g: x @ g.to(x).mT),
    "infinite logit": lambda x, g: torch.stack([x @ g.to(x).mT, torch.full_like(x, -math.inf).detach()], 1),
}


@pytest.mark.parametrize("way", WAYS_TO_SEE)
def test_causality_finds_exactly_the_dependence_that_is_there(way):
    """A unit that is on with probability 0.24 stays off in 64 inputs once in 5e7; 13 of them: 3e-7 by chance.

    A sign, or a rank, changes with another value with probability 1/2, so 64 inputs miss it 2^-64 of the time.
    """
    expected = graph()
    n_inputs = 64 if way in ("mostly off", "rank of two") or "rounding" in way else 2
    found = causality(lambda x: WAYS_TO_SEE[way](x, expected), (6,), n_inputs=n_inputs, generator=seeded())
    assert torch.equal(found, expected)


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_causality_speaks_in_the_order_of_generation(batch_size):
    """A function on (C, H, W) that adds up what came before sees the lower triangle, in its own order alone."""
    shape, order = (2, 2, 3), torch.randperm(12, generator=seeded())

    def cumulative(x, order):
        flat = x.flatten(1)[:, order].cumsum(1) - x.flatten(1)[:, order]
        return torch.empty_like(flat).index_copy(1, order, flat).reshape(x.shape)

    options = {"generator": seeded(), "batch_size": batch_size}
    found = causality(lambda x: cumulative(x, order), shape, order=order, **options)
    assert torch.equal(found, autoregressive_support(shape))
    found = causality(lambda x: cumulative(x, raster_order(shape)), shape, **options)
    assert torch.equal(found, autoregressive_support(shape))
    assert not torch.equal(causality(lambda x: cumulative(x, order), shape, **options), autoregressive_support(shape))


def test_causality_takes_models_of_integers():
    torch.manual_seed(0)
    embedding = nn.Embedding(2, 7)

    def logits(x):
        assert x.dtype == torch.int64
        before = nn.functional.pad(embedding(x).cumsum(1), (0, 0, 1, -1))  # (B, T, 7), what came before t
        return before.mT  # (B, levels, T)

    found = causality(logits, (30,), levels=2, n_inputs=1, generator=seeded())  # one input: no change is wasted
    assert torch.equal(found, autoregressive_support((30,)))


def two_layers(residual=False):
    torch.manual_seed(0)
    first, second = MaskedConv2d(1, 1, 9, "A"), MaskedConv2d(1, 1, 1, "B")
    return lambda x: second.double()(first.double()(x).tanh() + (x if residual else 0))


def test_residual_around_a_layer_of_type_a_leaks_the_pixel():
    """Trap 5."""
    shape = (1, 3, 4)
    assert torch.equal(causality(two_layers(), shape, generator=seeded()), autoregressive_support(shape))
    found = causality(two_layers(residual=True), shape, generator=seeded())
    assert torch.equal(found, autoregressive_support(shape, include_self=True))


def test_conditional_log_probabilities_see_the_variable_itself_too():
    shape, network = (1, 3, 4), two_layers()
    conditionals = lambda x: -nn.functional.binary_cross_entropy_with_logits(network(x), x, reduction="none")  # noqa: E731
    found = causality(conditionals, shape, generator=seeded())
    assert torch.equal(found, autoregressive_support(shape, include_self=True))


@pytest.mark.parametrize("residual", [False, True])
def test_causal_logits_make_a_normalised_model_and_leaking_ones_do_not(residual):
    """What causality is for: the product of conditionals sums to 1 over all images."""
    network = two_layers(residual)
    total = total_probability(lambda x: bernoulli_log_prob(x, network(x.double())), (1, 3, 3))
    assert (abs(total.item() - 1) < 1e-10) != residual


def test_causal_categorical_logits_make_a_normalised_model():
    torch.manual_seed(0)
    network = nn.Sequential(
        MaskedConv2d(3, 6, 3, "A", n_colors=3),
        nn.Tanh(),
        MaskedConv2d(6, 9, 1, "B", n_colors=3),
        nn.Unflatten(1, (3, 3)),
    )
    total = total_probability(lambda x: categorical_log_prob(x.long(), network(x)), (3, 1, 2), levels=3)
    assert total.item() == pytest.approx(1, abs=1e-5)


def test_a_module_is_checked_without_being_changed():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert causality(model, (4,), generator=seeded()).all()
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


def test_receptive_field_is_the_row_of_causality_as_an_image():
    torch.manual_seed(0)
    shape = (3, 4, 5)
    model = nn.Sequential(MaskedConv2d(3, 6, 3, "A", n_colors=3), MaskedConv2d(6, 3, 3, "B", n_colors=3))
    support = causality(model, shape, generator=seeded())
    order = raster_order(shape)
    for k in (0, 17, 40, 59):
        at = tuple(int(i) for i in torch.unravel_index(order[k], shape))
        field = receptive_field(model, shape, at, generator=seeded())
        assert field.shape == shape
        assert (field >= 0).all()
        assert torch.equal(field.flatten()[order] > 0, support[k])


def test_receptive_field_of_a_linear_function_is_the_size_of_its_weights():
    """Of each of n inputs the mixture of two outputs is w . eps, eps normal: its mean size is |w| sqrt(2 / pi).

    The standard deviation of |eps| is 0.603, so the mean of 4096 lies within 6 of its errors but once in 5e8.
    """
    weights = torch.randn(2, 5, generator=seeded(), dtype=torch.float64)
    function = lambda x: (weights * x.unsqueeze(1)).cumsum(2)  # (B, 2, D)  # noqa: E731
    field = receptive_field(function, (5,), (2,), n_inputs=4096, generator=seeded())
    expected = weights.norm(dim=0) * math.sqrt(2 / math.pi)
    assert not field[3:].any()
    assert ((field - expected)[:3].abs() < 6 * 0.603 * weights.norm(dim=0)[:3] / 64).all()


def test_autoregressive_support_is_the_triangle_below_the_diagonal():
    assert autoregressive_support((1, 1, 3)).int().tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0]]
    assert autoregressive_support((3,), include_self=True).int().tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]


def test_causality_refuses_what_it_cannot_judge():
    with pytest.raises(ValueError, match="NaN"):
        causality(lambda x: x * math.nan, (3,))
    with pytest.raises(ValueError, match="NaN"):
        causality(lambda x: (x * math.nan).detach(), (3,))
    with pytest.raises(ValueError, match="gradient"):
        causality(lambda x: (x - x).sqrt() * x, (3,))  # 0, with gradient inf * 0
    with pytest.raises(ValueError, match=r"expected \(B, \*extra, \*shape\)"):
        causality(lambda x: x.sum(-1), (1, 2, 3))
    with pytest.raises(ValueError, match="permutation"):
        causality(lambda x: x, (3,), order=[0, 1, 1])
    with pytest.raises(ValueError, match="permutation"):
        causality(lambda x: x, (3,), order=[0, 1])
    with pytest.raises(ValueError, match="at least 1"):
        causality(lambda x: x, (3,), n_inputs=0)
    with pytest.raises(ValueError, match="index into"):
        receptive_field(lambda x: x, (1, 2, 3), (0, 2, 0))
