"""The RBM against everything that can be enumerated: 8 visible and 6 hidden units have 16384 joint states."""

import copy
import math

import pytest
import torch

from genlib import taxonomy
from genlib.data import batches
from genlib.models.rbm import RBM
from genlib.models.rbm_training import ContrastiveDivergence
from genlib.oracles import enumerate_images, total_probability
from genlib.train import fit

N = 100_000


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def drawn(data_shape=8, hidden_dim=6, scale=1.5, seed=0, **options):
    """An RBM with weights that matter, in double precision."""
    torch.manual_seed(seed)
    model = RBM(data_shape, hidden_dim, **options).double()
    with torch.no_grad():
        model.weight.copy_(scale * torch.randn(model.weight.shape, dtype=torch.float64))
        model.bias.copy_(torch.randn(model.bias.shape, dtype=torch.float64))
        model.hidden_bias.copy_(torch.randn(model.hidden_bias.shape, dtype=torch.float64))
    return model


def states(n):
    return enumerate_images((n,)).double()


def joint_table(model):
    """exp(-E(x, h)) for every x in a row and every h in a column, from the sum over single entries."""
    D, H = model.weight.shape[1], model.weight.shape[0]
    table = torch.zeros(2**D, 2**H, dtype=torch.float64)
    for i, x in enumerate(states(D)):
        exponent = (states(H) * (model.weight * x).sum(1)).sum(1)
        table[i] = exponent + (model.bias * x).sum() + (states(H) * model.hidden_bias).sum(1)
    return table.exp().detach()


def transition_matrix(model):
    """p(x'|x) = sum_h p(x'|h) p(h|x), from the joint table alone."""
    table = joint_table(model)
    return (table / table.sum(1, keepdim=True)) @ (table / table.sum(0)).T


def exact_gradients(model, x):
    """Gradients of the mean of log p(x) by autograd, through a log Z that is a sum over all states."""
    D = model.weight.shape[1]
    log_prob = -model.energy(x) - torch.logsumexp(-model.energy(states(D)), 0)
    return torch.autograd.grad(log_prob.mean(), [model.weight, model.bias, model.hidden_bias])


def test_the_free_energy_sums_the_joint_over_all_hidden_states():
    model = drawn()
    table = joint_table(model)
    assert torch.allclose(model.energy(states(8)), -table.sum(1).log())
    x, h = states(8)[37:41], states(6)[11:15]
    assert torch.allclose(model.joint_energy(x, h), -table[range(37, 41), range(11, 15)].log())


def test_log_z_is_the_log_of_the_sum_of_all_states_whichever_layer_is_smaller():
    for sizes in ((8, 6), (6, 8), (1, 1), (13, 3)):
        model = drawn(*sizes)
        assert torch.allclose(model.log_z(), joint_table(model).sum().log())
    model = drawn((1, 3, 3), 5)
    assert float(total_probability(lambda x: model.normalized_log_prob(x, model.log_z()), (1, 3, 3))) == pytest.approx(
        1
    )


def test_a_state_of_low_energy_is_a_likely_one():
    """A positive weight between two units makes them more likely to be on together: the sign of the energy."""
    model = drawn(2, 1, scale=0)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[3.0, 3.0]]))
        model.bias.zero_()
        model.hidden_bias.fill_(-3.0)
    energies = model.energy(torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
    assert energies[2] < energies[1] < energies[0]


def test_conditionals_are_those_of_the_joint():
    model = drawn()
    table = joint_table(model)
    hidden = (table / table.sum(1, keepdim=True)) @ states(6)  # p(h_j = 1 | x)
    visible = (table / table.sum(0)).T @ states(8)  # p(x_i = 1 | h)
    assert torch.allclose(model.hidden_logits(states(8)).sigmoid(), hidden)
    assert torch.allclose(model.visible_logits(states(6)).sigmoid(), visible)


def test_block_gibbs_is_in_detailed_balance_with_the_model():
    """The exact matrix of one step, made of the model's own conditionals."""
    model = drawn()
    on, h, x = model.hidden_logits(states(8)).sigmoid(), states(6), states(8)
    to_hidden = torch.where(h.bool(), on.unsqueeze(1), 1 - on.unsqueeze(1)).prod(2)  # (256, 64)
    on = model.visible_logits(h).sigmoid()
    to_visible = torch.where(x.bool(), on.unsqueeze(1), 1 - on.unsqueeze(1)).prod(2)  # (64, 256)
    matrix = to_hidden @ to_visible
    flow = torch.exp(-model.energy(x) - model.log_z()).unsqueeze(1) * matrix
    assert torch.allclose(flow, flow.T)
    assert torch.allclose(matrix, transition_matrix(model))


@pytest.mark.parametrize("n_steps", [1, 3])
def test_chains_are_after_any_number_of_steps_where_the_exact_matrix_says(n_steps):
    """16 frequencies of independent chains within 6 standard errors: 4e-8 by chance. No mixing is needed."""
    model = drawn(4, 3, scale=1.0)
    distribution = torch.full((16,), 1 / 16, dtype=torch.float64) @ torch.linalg.matrix_power(
        transition_matrix(model), n_steps
    )
    found = model.sample(N, n_steps=n_steps, generator=seeded())
    counts = torch.bincount((found @ torch.tensor([8.0, 4, 2, 1]).double()).long(), minlength=16).double()
    assert N * distribution.min() > 100
    error = (distribution * (1 - distribution) / N).sqrt()
    assert ((counts / N - distribution).abs() < 6 * error).all()


def test_samples_begin_where_they_are_told_keep_the_shape_and_repeat():
    model = drawn((1, 2, 4))
    found = model.sample(5, n_steps=3, generator=seeded())
    assert found.shape == (5, 1, 2, 4)
    assert set(found.unique().tolist()) <= {0.0, 1.0}
    assert torch.equal(found, model.sample(5, n_steps=3, generator=seeded()))
    stiff = drawn((1, 2, 4), scale=0)
    with torch.no_grad():
        stiff.weight.copy_(40 * torch.eye(6, 8))
        stiff.bias.fill_(-20)
        stiff.hidden_bias.fill_(-20)
    start = torch.tensor([1.0, 0, 1, 1, 0, 0, 0, 0]).reshape(1, 1, 2, 4).double()
    assert torch.equal(stiff.sample(1, start=start, n_steps=20, generator=seeded()), start)  # fails 1 time in 10^7


# log Z by annealed importance sampling


@pytest.mark.parametrize(("scale", "n_temperatures"), [(0.5, 100), (1.5, 1000), (3.0, 3000)])
def test_annealed_log_z_is_exact_within_its_error_bar(scale, n_temperatures):
    """Within 6 of its standard errors, 2e-9 by chance: with 1000 chains and as many temperatures the weights vary
    little, so that the logarithm of their mean is normal; the bar itself is at most 0.15 nats."""
    model = drawn(scale=scale)
    found = model.estimate_log_z(n_chains=1000, n_temperatures=n_temperatures, generator=seeded(1))
    assert 0 < found.standard_error < 0.15
    assert abs(found.log_z - model.log_z()) < 6 * found.standard_error


@pytest.mark.parametrize("n_temperatures", [2, 3, 10])
@pytest.mark.parametrize("base", [None, torch.linspace(-1, 1, 8)])
def test_the_mean_weight_is_unbiased_for_z_with_few_temperatures_from_any_start(n_temperatures, base):
    """Within 6 standard errors of 100,000 independent chains; the largest weight is at most 60 times the mean, so that
    the mean is normal to good precision: less than 1e-7 by chance."""
    model = drawn(scale=0.7)
    found = model.estimate_log_z(n_chains=N, n_temperatures=n_temperatures, base_bias=base, generator=seeded())
    relative = (found.log_weights - model.log_z()).exp()
    assert relative.max() < 60
    assert abs(float(relative.mean()) - 1) < 6 * float(relative.std()) / math.sqrt(N)


def test_without_weights_log_z_needs_no_annealing():
    model = drawn(scale=0)
    with torch.no_grad():
        model.hidden_bias.zero_()
    found = model.estimate_log_z(n_chains=3, n_temperatures=2)
    assert float(found.log_z) == pytest.approx(float(model.log_z()))
    assert float(found.standard_error) < 1e-12


# training


@pytest.mark.parametrize("options", [{"cd_steps": 60}, {"cd_steps": 60, "n_chains": 40_000}])
def test_with_many_steps_contrastive_divergence_has_the_gradient_of_the_likelihood(options):
    """40,000 chains of 60 steps, after which the exact matrix leaves less than 1e-6 of any start. Each of the 62 means
    of numbers in [0, 1] has a standard error of at most 0.5/200; within 6 of them: 2e-7 by chance."""
    model = drawn(scale=0.7, **options)
    assert (torch.linalg.matrix_power(transition_matrix(model), 60).std(0) < 1e-6).all()
    x = (torch.rand(4, 8, generator=seeded()) < 0.5).double()
    exact = exact_gradients(model, x)
    model.objective(x.repeat(10_000, 1), generator=seeded(1)).mean().backward()
    for parameter, truth in zip((model.weight, model.bias, model.hidden_bias), exact, strict=True):
        assert ((parameter.grad - truth).abs() < 6 * 0.5 / 200).all()


def test_one_step_of_contrastive_divergence_has_another_gradient():
    """The test above would notice a chain that is too short."""
    model = drawn(scale=0.7)
    x = (torch.rand(4, 8, generator=seeded()) < 0.5).double()
    exact = exact_gradients(model, x)[0]
    model.objective(x.repeat(10_000, 1), generator=seeded(1)).mean().backward()
    assert (model.weight.grad - exact).abs().max() > 0.05


@pytest.mark.parametrize(
    ("options", "n"),
    [({}, 5), ({"cd_steps": 3}, 5), ({"n_chains": 5}, 5), ({"n_chains": 3, "cd_steps": 2}, 5), ({"n_chains": 7}, 5)],
)
def test_the_step_without_autograd_is_the_step_with_it(options, n):
    """Given the same random numbers, three times in a row, with the last batch a smaller one."""
    model, lr = drawn((1, 2, 4), **options), 0.3
    fast = copy.deepcopy(model)
    trainer = ContrastiveDivergence(fast, lr=lr, generator=seeded())
    slow_generator = seeded()
    for size in (n, n, n - 2):
        x = (torch.rand(size, 1, 2, 4, generator=seeded(size)) < 0.5).double()
        model.zero_grad()
        (-model.objective(x, generator=slow_generator).mean()).backward()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= lr * parameter.grad
        trainer.step(x)
        for (name, a), b in zip(model.state_dict().items(), fast.state_dict().values(), strict=True):
            assert torch.allclose(a, b, atol=1e-12), name


@pytest.mark.parametrize("options", [{"cd_steps": 5}, {"n_chains": 50}])
def test_both_ways_of_training_bring_the_likelihood_near_that_of_the_truth(options):
    """Data drawn from an RBM: the exact mean log-likelihood goes from far below to within 0.1 nats of the truth's."""
    truth = drawn(6, 3, scale=2.0, seed=4)
    table = joint_table(truth).sum(1)
    x = states(6)[torch.multinomial(table, 4000, replacement=True, generator=seeded())].float()
    best = truth.normalized_log_prob(x.double(), truth.log_z()).mean().item()

    def gap(model):
        return best - model.normalized_log_prob(x, model.log_z()).mean().item()

    torch.manual_seed(0)
    model, other = RBM(6, 12, **options), RBM(6, 12, **options)
    before = gap(model)
    trainer = ContrastiveDivergence(model, lr=0.2, generator=seeded())
    for epoch in range(20):
        trainer.lr = 0.2 / (1 + 0.2 * epoch)
        for (batch,) in batches(x, batch_size=50, shuffle=True, generator=seeded(epoch)):
            trainer.step(batch)
    fit(other, x, epochs=8, lr=0.02, batch_size=50, progress=False)
    assert before > 0.5
    assert gap(model) < 0.1
    assert gap(other) < 0.1


def test_persistent_chains_are_saved_with_the_model_and_move_on_from_where_they_were():
    model = drawn(n_chains=9)
    assert model.state_dict()["chains"].shape == (9, 6)
    before = model.chains.clone()
    x = torch.zeros(2, 8).double()
    model.objective(x, generator=seeded())
    assert not torch.equal(model.chains, before)
    again = drawn(seed=1, n_chains=9)
    again.load_state_dict(model.state_dict())
    assert torch.equal(again.negative(x, generator=seeded(2)), model.negative(x + 1, generator=seeded(2)))
    assert drawn().chains is None


def test_it_stands_among_the_explicit_densities_by_markov_chain():
    assert taxonomy.place(RBM) == taxonomy.place(drawn()) == "explicit density / approximate / Markov chain"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: RBM(8, 0), "positive sizes"),
        (lambda m: RBM(8, 6, cd_steps=0), "positive sizes"),
        (lambda m: RBM(8, 6, n_chains=0), "positive sizes"),
        (lambda m: m.energy(torch.zeros(3, 7)), r"expected \(B, 8\)"),
        (lambda m: m.energy(torch.full((3, 8), -1.0)), r"or \[0, 1\]"),
        (lambda m: m.energy(torch.full((3, 8), math.nan)), r"or \[0, 1\]"),
        (lambda m: m.visible_logits(torch.zeros(3, 7)), r"expected \(B, 6\)"),
        (lambda m: m.sample(3, y=1), "not conditional"),
        (lambda m: m.sample(3, start=torch.zeros(2, 8)), "n chains and at least one step"),
        (lambda m: m.sample(3, n_steps=0), "n chains and at least one step"),
        (lambda m: RBM(30, 21).log_z(), "at most 20"),
        (lambda m: m.estimate_log_z(base_bias=torch.zeros(7)), "one for each visible unit"),
        (lambda m: m.estimate_log_z(n_chains=1), "at least 2 of each"),
        (lambda m: m.estimate_log_z(n_temperatures=1), "at least 2 of each"),
        (lambda m: ContrastiveDivergence(m, lr=0.0), "positive number"),
        (lambda m: ContrastiveDivergence(m).step(torch.zeros(3, 7)), r"expected \(B, 8\)"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(call, message):
    with pytest.raises(ValueError, match=message):
        call(drawn())
