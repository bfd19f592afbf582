"""The deep Boltzmann machine against sums over all of its states: 6, 5 and 4 units have 32768."""

import math

import pytest
import torch

from genlib import taxonomy
from genlib.models.dbm import DBM
from genlib.oracles import enumerate_images
from genlib.train import fit

SIZES = (6, 5, 4)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def drawn(scale=0.7, seed=0, **options):
    torch.manual_seed(seed)
    model = DBM(SIZES[0], SIZES[1:], **options).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(scale * torch.randn(parameter.shape, dtype=torch.float64))
    return model


def states(n):
    return enumerate_images((n,)).double()


def joint_log_table(model):
    """-E(x, h1, h2) for all states, in double precision, ``(64, 32, 16)``, from the definition."""
    w1, w2, b, c1, c2 = (part.double() for part in (*model.weights, *model.biases))
    x, h1, h2 = (states(len(part)) for part in (b, c1, c2))
    lower, upper = h1 @ w1 @ x.T, h2 @ w2 @ h1.T  # (32, 64) and (16, 32)
    return (
        lower.T.unsqueeze(2)
        + upper.T.unsqueeze(0)
        + (x @ b).reshape(-1, 1, 1)
        + (h1 @ c1).reshape(1, -1, 1)
        + (h2 @ c2).reshape(1, 1, -1)
    ).detach()


def exact_log_prob(model):
    table = joint_log_table(model).flatten(1).logsumexp(1)
    return table - table.logsumexp(0)


def test_log_z_sums_over_all_three_layers():
    model = drawn()
    assert torch.allclose(model.log_z(), joint_log_table(model).flatten().logsumexp(0))


def test_annealed_log_z_is_exact_within_its_error_bar():
    """Within 6 of its standard errors: 2e-9 by chance."""
    model = drawn(scale=1.5)
    found = model.estimate_log_z(n_chains=1000, n_temperatures=500, generator=seeded())
    assert 0 < found.standard_error < 0.1
    assert abs(found.log_z - model.log_z()) < 6 * found.standard_error


@pytest.mark.parametrize("n_updates", [1, 3, 30])
@pytest.mark.parametrize("scale", [0.3, 1.0, 3.0])
def test_the_bound_is_one_whatever_the_mean_field_has_found(scale, n_updates):
    model = drawn(scale=scale, n_updates=n_updates)
    assert (model.log_prob_bound(states(6), model.log_z()) <= exact_log_prob(model) + 1e-9).all()


def test_the_bound_is_that_of_the_mean_field_distribution_summed_over_all_states():
    """E_q[-E(x, h)] + H(q), with q made explicit; h1 at its best given mu2, which is what mean_field returns."""
    model = drawn(n_updates=50)
    mu1, mu2 = model.mean_field(states(6))
    q1 = torch.where(states(5).bool(), mu1.unsqueeze(1), 1 - mu1.unsqueeze(1)).prod(2)  # (64, 32)
    q2 = torch.where(states(4).bool(), mu2.unsqueeze(1), 1 - mu2.unsqueeze(1)).prod(2)  # (64, 16)
    q = q1.unsqueeze(2) * q2.unsqueeze(1)
    bound = (q * (joint_log_table(model) - q.log())).sum((1, 2))
    assert torch.allclose(-model.energy(states(6)), bound)


def test_no_update_of_the_mean_field_raises_the_energy_and_they_end_at_its_equations():
    values = torch.stack([drawn(scale=1.5, n_updates=n).energy(states(6)).detach() for n in (1, 2, 3, 5, 10, 200)])
    assert (values.diff(dim=0) <= 1e-9).all()
    model = drawn(scale=1.5, n_updates=500)
    (w1, w2), (_, c1, c2) = model.weights, model.biases
    mu1, mu2 = model.mean_field(states(6))
    assert torch.allclose(mu1, torch.sigmoid(states(6) @ w1.T + mu2 @ w2 + c1), atol=1e-6)
    assert torch.allclose(mu2, torch.sigmoid(mu1 @ w2.T + c2), atol=1e-6)


def test_without_the_upper_layer_the_bound_is_tight():
    """Then p(h|x) factorises, and the machine is an RBM."""
    model = drawn(n_updates=1)
    with torch.no_grad():
        model.pair.weight[:, 6:] = 0
    assert torch.allclose(model.log_prob_bound(states(6), model.log_z()), exact_log_prob(model))


def test_the_gradient_of_the_energy_is_that_of_the_mean_field_at_rest():
    """mu2 is held fixed in the gradient; at a fixed point finite differences, which let it move, agree."""
    model, x = drawn(n_updates=300), states(6)[5:9]
    model.energy(x).sum().backward()
    step = 1e-5
    for parameter in model.parameters():
        for index in (0, parameter.numel() // 2, parameter.numel() - 1):
            values = []
            for sign in (1, -1):
                with torch.no_grad():
                    parameter.flatten()[index] += sign * step
                    values.append(float(model.energy(x).sum()))
                    parameter.flatten()[index] -= sign * step
            found = float(parameter.grad.flatten()[index])
            assert found == pytest.approx((values[0] - values[1]) / (2 * step), abs=1e-6)


def test_chains_end_where_the_exact_distribution_of_the_pixels_is():
    """50,000 independent chains of 60 steps, after which the exact matrix has forgotten any start to 1e-6; 64
    frequencies within 6 standard errors: 1e-7 by chance."""
    model, n = drawn(scale=0.5), 50_000
    table = joint_log_table(model).exp()
    to_h1 = table.transpose(1, 2).flatten(0, 1)  # (64 * 16, 32)
    matrix = (to_h1 / to_h1.sum(0)).T @ (to_h1 / to_h1.sum(1, keepdim=True))  # h1 -> x, h2 -> h1
    assert (torch.linalg.matrix_power(matrix, 59).std(0) < 1e-6).all()
    found = model.sample(n, n_steps=60, generator=seeded())
    counts = torch.bincount((found @ (2.0 ** torch.arange(5, -1, -1)).double()).long(), minlength=64) / n
    expected = exact_log_prob(model).exp()
    assert n * expected.min() > 20
    assert ((counts - expected).abs() < 6.5 * (expected / n).sqrt()).all()


def test_the_objective_has_the_gradient_of_the_bound_when_its_chains_have_mixed():
    """20,000 chains of 60 steps, means of numbers in [0, 1]: within 6 standard errors of 0.5/sqrt(20,000), 3e-8."""
    model = drawn(scale=0.5, n_chains=20_000, cd_steps=60, n_updates=200)
    x = states(6)[[3, 17, 40]]
    model.objective(x, generator=seeded()).mean().backward()
    found = [parameter.grad.clone() for parameter in model.parameters()]
    log_z = torch.logsumexp(-model.pair.energy(states(10)), 0)
    exact = torch.autograd.grad((-model.energy(x)).mean() - log_z, list(model.parameters()))
    for ours, truth in zip(found, exact, strict=True):
        assert ((ours - truth).abs() < 6 * 0.5 / math.sqrt(20_000)).all()


def test_training_finds_most_of_the_dependence_between_pixels():
    """The divergence from the distribution that the data were drawn from, exact: at most a third of that of the best
    model with independent pixels, 0.49 nats. Over ten seeds it was below 0.07."""
    truth = drawn(scale=4.0, seed=1)
    p = exact_log_prob(truth).exp()
    x = states(6)[torch.multinomial(p, 4000, replacement=True, generator=seeded())].float()
    on = (p.unsqueeze(1) * states(6)).sum(0)
    independent = -float((torch.special.entr(p)).sum() - (torch.special.entr(on) + torch.special.entr(1 - on)).sum())
    assert independent > 0.4
    torch.manual_seed(0)
    model = DBM(6, (8, 4), n_chains=100)
    for epochs, lr in ((12, 0.02), (4, 0.004)):
        fit(model, x, epochs=epochs, lr=lr, batch_size=50, progress=False)
    assert float((p * (p.log() - exact_log_prob(model))).sum()) < independent / 3


def test_it_stands_among_the_explicit_densities_by_markov_chain_and_keeps_the_shape_of_images():
    assert taxonomy.place(DBM) == taxonomy.place(drawn()) == "explicit density / approximate / Markov chain"
    model = DBM((1, 2, 3), (4, 3))
    x = model.sample(5, n_steps=2, generator=seeded())
    assert x.shape == (5, 1, 2, 3)
    assert torch.equal(x, model.sample(5, n_steps=2, generator=seeded()))
    assert model.energy(x).shape == model.objective(x).shape == (5,)
    assert [part.shape for part in model.mean_field(x)] == [(5, 4), (5, 3)]
    assert model.weights[0].shape == (4, 6)
    assert model.weights[1].shape == (3, 4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: DBM(6, (5, 0)), "positive sizes"),
        (lambda m: DBM(6, (5, 4), n_updates=0), "positive sizes"),
        (lambda m: DBM(6, (5, 4), n_chains=0), "positive sizes"),
        (lambda m: m.energy(torch.zeros(2, 5)), r"expected \(B, 6\)"),
        (lambda m: m.energy(torch.full((2, 6), 2.0)), r"or \[0, 1\]"),
        (lambda m: m.sample(2, y=1), "not conditional"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(call, message):
    with pytest.raises(ValueError, match=message):
        call(drawn())
