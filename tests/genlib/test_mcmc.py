"""Samplers against distributions that are known at every step.

Where draws are looked at, they are the last states of many chains that were started independently and never met: they
are independent, however slowly each chain mixes. On finite spaces the distribution after t steps is that of the start
times the exact transition matrix to the power t, so that no test waits for a chain to converge.
"""

import math

import pytest
import torch

from genlib.mcmc import (
    annealed_importance_sampling,
    geometric_path,
    gibbs,
    langevin,
    metropolis_hastings,
)

N = 100_000


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def assert_frequencies(states, probabilities, n_errors=6.0):
    """Every frequency of independent ``states`` within ``n_errors`` of its standard errors.

    For fewer than 40 states and 6 errors a false alarm less than once in 10^7 (the normal tail is 2e-9 a state; counts
    are above 100, where the binomial's is at most a few times that).
    """
    n = len(states)
    counts = torch.bincount(states.long().flatten(), minlength=len(probabilities)).double()
    error = (probabilities * (1 - probabilities) / n).sqrt()
    assert n * probabilities.min() > 100
    assert ((counts / n - probabilities).abs() <= n_errors * error).all()


# Metropolis-Hastings on a ring of six places, with a proposal that prefers one direction

RING = 6
TARGET = torch.tensor([1.0, 5.0, 2.0, 8.0, 3.0, 1.0], dtype=torch.float64)
CLOCKWISE = 0.8


def ring_proposal(x, *, generator):
    step = torch.where(torch.rand(x.shape, generator=generator) < CLOCKWISE, 1, -1)
    return (x + step) % RING


def ring_proposal_log_density(to, given):
    return torch.where((to - given) % RING == 1, math.log(CLOCKWISE), math.log(1 - CLOCKWISE)).double()


def ring_matrix():
    """Row x: where one step of Metropolis-Hastings leads from x, from the definition."""
    matrix = torch.zeros(RING, RING, dtype=torch.float64)
    for x in range(RING):
        for shift, q, q_back in ((1, CLOCKWISE, 1 - CLOCKWISE), (-1, 1 - CLOCKWISE, CLOCKWISE)):
            to = (x + shift) % RING
            matrix[x, to] = q * min(1.0, float(TARGET[to] * q_back / (TARGET[x] * q)))
        matrix[x, x] = 1 - matrix[x].sum()
    return matrix


def test_the_exact_matrix_of_metropolis_hastings_is_in_detailed_balance_with_the_target():
    flow = (TARGET / TARGET.sum()).unsqueeze(1) * ring_matrix()
    assert torch.allclose(flow, flow.T)


@pytest.mark.parametrize("n_steps", [1, 2, 7])
def test_metropolis_hastings_moves_as_the_exact_matrix_of_an_unsymmetric_proposal_says(n_steps):
    """18 frequencies of independent chains, each within 6 standard errors: a false alarm less than once in 10^7."""
    for place in (0, 2, 3):
        start = torch.full((N,), place)
        chains = metropolis_hastings(
            lambda x: TARGET.log()[x],
            start,
            n_steps,
            proposal=ring_proposal,
            proposal_log_density=ring_proposal_log_density,
            generator=seeded(place),
        )
        expected = torch.linalg.matrix_power(ring_matrix(), n_steps)[place]
        reached = expected > 1e-12
        assert set(chains.samples[-1].tolist()) <= set(reached.nonzero().flatten().tolist())
        compact = reached.long().cumsum(0) - 1
        assert_frequencies(compact[chains.samples[-1]], expected[reached] / expected[reached].sum())


def test_without_hastings_correction_the_same_proposal_has_another_stationary_distribution():
    """The test above would notice: the distance is 50 standard errors or more."""
    start = torch.multinomial(TARGET, N, replacement=True, generator=seeded())
    chains = metropolis_hastings(lambda x: TARGET.log()[x], start, 50, proposal=ring_proposal, generator=seeded())
    found = torch.bincount(chains.samples[-1], minlength=RING) / N
    error = (TARGET / TARGET.sum() / N).sqrt()
    assert ((found - TARGET / TARGET.sum()).abs() / error).max() > 50


@pytest.mark.parametrize("step_size", [0.5, 2.0, 8.0])
def test_the_random_walk_keeps_a_normal_and_accepts_as_often_as_the_closed_form_says(step_size):
    """From N(0, 1) itself: mean, variance and fourth moment stay, each of 3 within 6 standard errors (6e-9); the
    acceptance rate is 2/pi arctan(2 / step_size), to 6 errors of chains that are independent (2e-9)."""
    start = torch.randn(N, generator=seeded(), dtype=torch.float64)
    chains = metropolis_hastings(lambda x: -0.5 * x.square(), start, 10, step_size=step_size, generator=seeded(1))
    x = chains.samples[-1]
    for power, truth, variance in ((1, 0, 1), (2, 1, 2), (4, 3, 96)):
        assert abs(float(x.pow(power).mean()) - truth) < 6 * math.sqrt(variance / N)
    rate = chains.acceptance_rate
    assert abs(float(rate.mean()) - 2 / math.pi * math.atan(2 / step_size)) < 6 * float(rate.std()) / math.sqrt(N)


def test_every_chain_of_any_shape_is_a_chain_of_its_own():
    """Chains with targets far apart: each finds its own, none the neighbour's. A chain's distance from its target is
    the norm of 6 normals, beyond 8 with a probability of 1e-11."""
    centre = torch.tensor([-100.0, 0.0, 100.0]).reshape(3, 1, 1)
    for sampler in (metropolis_hastings, langevin):
        chains = sampler(
            lambda x: -0.5 * (x - centre).square().sum((1, 2)),
            centre.expand(3, 2, 3),
            300,
            step_size=0.5,
            generator=seeded(),
        )
        assert chains.samples.shape == (300, 3, 2, 3)
        assert chains.acceptance_rate.shape == (3,)
        assert ((chains.samples[-1] - centre).flatten(1).norm(dim=1) < 8).all()
        assert (chains.samples[-1] != centre).all()


# Langevin


@pytest.mark.parametrize("n_steps", [1, 3, 40])
def test_uncorrected_langevin_has_the_closed_form_of_a_linear_recursion(n_steps):
    """For N(0, 1), x' = (1 - s) x + sqrt(2 s) eps: after t steps from 3, a normal with mean 3 (1 - s)^t and variance
    (1 - (1 - s)^(2 t)) / (1 - s/2). Mean and variance within 6 standard errors: 4e-9 by chance."""
    step_size = 0.5
    chains = langevin(
        lambda x: -0.5 * x.square(),
        torch.full((N,), 3.0),
        n_steps,
        step_size=step_size,
        corrected=False,
        generator=seeded(),
    )
    x, decay = chains.samples[-1].double(), (1 - step_size) ** n_steps
    variance = (1 - decay**2) / (1 - step_size / 2)
    assert abs(float(x.mean()) - 3 * decay) < 6 * math.sqrt(variance / N)
    assert abs(float(x.var()) / variance - 1) < 6 * math.sqrt(2 / N)
    assert (chains.acceptance_rate == 1).all()


def two_wells(x):
    """Two normals of variance 1/4 at 1 and -1, without their constant."""
    return torch.logaddexp(-2 * (x - 1).square(), -2 * (x + 1).square())


def two_wells_draws(n, generator):
    grid = torch.linspace(-3, 3, 60_001, dtype=torch.float64)
    chosen = torch.multinomial(two_wells(grid).exp(), n, replacement=True, generator=generator)
    return grid[chosen], grid


def test_corrected_langevin_keeps_a_density_with_two_modes_at_a_step_that_spoils_the_uncorrected():
    """Begun at draws from the density itself, it has the right mass in each of 12 bins after 15 steps, to 6 standard
    errors (3e-8 by chance); without correction the same steps miss by more than 20."""
    start, grid = two_wells_draws(N, seeded())
    edges = torch.linspace(-1.5, 1.5, 11, dtype=torch.float64)
    weight = two_wells(grid).exp()
    truth = torch.zeros(12, dtype=torch.float64).index_add_(0, torch.bucketize(grid, edges), weight / weight.sum())
    chains = langevin(two_wells, start, 15, step_size=0.2, generator=seeded(1))
    assert_frequencies(torch.bucketize(chains.samples[-1], edges), truth)
    assert 0.5 < float(chains.acceptance_rate.mean()) < 0.95
    rough = langevin(two_wells, start, 15, step_size=0.2, corrected=False, generator=seeded(1)).samples[-1]
    with pytest.raises(AssertionError):
        assert_frequencies(torch.bucketize(rough, edges), truth, n_errors=20)


def test_the_moves_of_corrected_langevin_balance():
    """In equilibrium the pair (x, x') has the same distribution as (x', x): the mean of g(x, x') - g(x', x) is 0 for
    any g, here x^2 x' and |x| < 1 with x' > x, within 6 standard errors of independent chains: 4e-9 by chance."""
    start, _ = two_wells_draws(N, seeded())
    there = langevin(two_wells, start, 1, step_size=0.3, generator=seeded(2)).samples[0]
    for g in (lambda a, b: a.square() * b, lambda a, b: ((a.abs() < 1) & (b > a)).double()):
        difference = g(start, there) - g(there, start)
        assert abs(float(difference.mean())) < 6 * float(difference.std()) / math.sqrt(N)


# Gibbs


def normal_conditional(index, rho):
    def conditional(x, *, generator):
        noise = torch.randn(len(x), generator=generator, dtype=x.dtype)
        x = x.clone()
        x[:, index] = rho * x[:, 1 - index] + math.sqrt(1 - rho**2) * noise
        return x

    return conditional


@pytest.mark.parametrize("n_steps", [1, 4])
def test_gibbs_on_two_correlated_normals_forgets_its_start_as_the_closed_form_says(n_steps):
    """After t sweeps from (4, 4), x_2 is normal with mean 4 rho^(2 t) and variance 1 - rho^(4 t); one sweep uses the
    new x_1 for x_2. Mean, variance and covariance with x_1 within 6 standard errors: 6e-9 by chance."""
    rho = 0.9
    conditionals = [normal_conditional(0, rho), normal_conditional(1, rho)]
    start = torch.full((N, 2), 4.0, dtype=torch.float64)
    chains = gibbs(conditionals, start, n_steps, generator=seeded())
    x1, x2 = chains.samples[-1].T
    decay = rho ** (2 * n_steps)
    assert abs(float(x2.mean()) - 4 * decay) < 6 * math.sqrt((1 - decay**2) / N)
    assert abs(float(x2.var()) / (1 - decay**2) - 1) < 6 * math.sqrt(2 / N)
    product = (x1 - x1.mean()) * (x2 - x2.mean())
    variance_1 = 1 - rho ** (4 * n_steps - 2)
    assert abs(float(product.mean()) - rho * variance_1) < 6 * float(product.std()) / math.sqrt(N)
    assert (start == 4).all()
    assert (chains.acceptance_rate == 1).all()


def test_gibbs_with_every_conditional_of_a_table_moves_as_the_product_of_their_matrices():
    """Three binary variables with any joint table: 8 frequencies within 6 standard errors, 2e-8 by chance."""
    table = torch.rand(2, 2, 2, generator=seeded(), dtype=torch.float64) + 0.1
    bits = torch.tensor([[i >> 2 & 1, i >> 1 & 1, i & 1] for i in range(8)])

    def conditional(index):
        def redraw(x, *, generator):
            sides = []
            for value in (0, 1):
                y = x.clone()
                y[:, index] = value
                sides.append(table[y[:, 0], y[:, 1], y[:, 2]])
            x = x.clone()
            draw = torch.rand(len(x), generator=generator, dtype=torch.float64)
            x[:, index] = (draw < sides[1] / (sides[0] + sides[1])).long()
            return x

        return redraw

    matrix = torch.eye(8, dtype=torch.float64)
    for index in range(3):
        one = torch.zeros(8, 8, dtype=torch.float64)
        for a in range(8):
            for b in range(8):
                if all(bits[a, j] == bits[b, j] for j in range(3) if j != index):
                    one[a, b] = table[tuple(bits[b])]
        one /= one.sum(1, keepdim=True)
        flow = table.flatten().unsqueeze(1) * one
        assert torch.allclose(flow, flow.T)  # each move is in detailed balance; the sweep of all three need not be
        matrix = matrix @ one
    assert torch.allclose(table.flatten() @ matrix, table.flatten())
    chains = gibbs([conditional(j) for j in range(3)], torch.zeros(N, 3).long(), 2, generator=seeded(1))
    states = chains.samples[-1] @ torch.tensor([4, 2, 1])
    assert_frequencies(states, torch.linalg.matrix_power(matrix, 2)[0])


# What all samplers share


def test_burn_in_and_thin_choose_among_the_same_steps():
    def run(n_steps, **options):
        return metropolis_hastings(lambda x: -x.square(), torch.zeros(3), n_steps, generator=seeded(), **options)

    whole, part = run(25), run(4, burn_in=5, thin=5)
    assert torch.equal(part.samples, whole.samples[9::5])
    before = torch.cat([torch.zeros(1, 3), whole.samples])
    moved = (before[1:] != before[:-1]).float()
    assert torch.allclose(whole.acceptance_rate, moved.mean(0))
    assert torch.allclose(part.acceptance_rate, moved[5:].mean(0))
    assert torch.equal(run(25).samples, whole.samples)


def test_a_density_that_is_zero_or_no_number_is_never_entered():
    inside = metropolis_hastings(
        lambda x: torch.where(x > 0, -x, -math.inf), torch.full((50,), 0.1), 200, step_size=3.0, generator=seeded()
    )
    assert (inside.samples > 0).all()
    numbers = metropolis_hastings(lambda x: x.log() - x, torch.ones(50), 200, step_size=3.0, generator=seeded())
    assert (numbers.samples > 0).all()


def test_no_gradient_is_left_behind():
    weight = torch.ones(1, requires_grad=True)
    for sampler in (metropolis_hastings, langevin):
        chains = sampler(lambda x: -weight * x.square(), torch.zeros(2), 3, step_size=0.1)
        assert not chains.samples.requires_grad
    assert weight.grad is None


# Annealed importance sampling

START, SCALE = 0.7, 3.0


def annealed_normal(n_chains, n_temperatures, generator):
    """From N(0, 1) to an unnormalised normal around START, 1/SCALE wide."""
    path = geometric_path(
        lambda x: -0.5 * x.square() - 0.5 * math.log(2 * math.pi),
        lambda x: -0.5 * (SCALE * (x - START)).square(),
    )

    def transition(x, beta, *, generator):
        return metropolis_hastings(lambda x: path(x, beta), x, 1, step_size=0.8, generator=generator).samples[-1]

    start = torch.randn(n_chains, generator=generator, dtype=torch.float64)
    betas = torch.linspace(0, 1, n_temperatures)
    return annealed_importance_sampling(path, transition, start, betas, generator=generator)


LOG_Z = 0.5 * math.log(2 * math.pi) - math.log(SCALE)


@pytest.mark.parametrize("n_temperatures", [2, 3, 6, 40])
def test_the_mean_weight_is_unbiased_however_few_the_temperatures(n_temperatures):
    """Its mean over independent chains within 6 of its standard errors, 2e-9 by chance; the weights are bounded by a
    few times their mean, so that their mean is normal to good precision."""
    found = annealed_normal(N, n_temperatures, seeded(n_temperatures))
    relative = (found.log_weights - LOG_Z).exp()
    assert abs(float(relative.mean()) - 1) < 6 * float(relative.std()) / math.sqrt(N)
    assert abs(float(found.log_z) - math.log(float(relative.mean())) - LOG_Z) < 1e-9


def test_the_error_bar_is_the_spread_of_repeated_estimates():
    """Of 2000 repetitions with 100 chains, the ratio of their spread to the mean error bar: its own standard error is
    about 1/sqrt(4000), and the bias of the bar with 100 chains below 2 per cent; the bound is 6 of them and that."""
    log_weights = annealed_normal(200_000, 6, seeded()).log_weights.reshape(2000, 100)
    weights = log_weights.exp()
    spread = float(weights.mean(1).log().std())
    bars = [annealing_error(row) for row in log_weights]
    assert abs(sum(bars) / len(bars) / spread - 1) < 6 / math.sqrt(4000) + 0.02


def annealing_error(log_weights):
    """The standard error that the library states for these log weights: one temperature step with nothing to move."""
    zeros = torch.zeros(len(log_weights))
    found = annealed_importance_sampling(
        lambda x, beta: beta * log_weights,
        lambda x, beta, *, generator: x,
        zeros,
        torch.tensor([0.0, 1.0]),
    )
    assert torch.allclose(found.log_weights, log_weights)
    return float(found.standard_error)


def test_more_temperatures_make_the_weights_equal_and_the_samples_those_of_the_target():
    """Weighted mean and variance of the last states within 6 standard errors (4e-9 by chance)."""
    few, many = annealed_normal(N, 3, seeded()), annealed_normal(N, 60, seeded())
    assert many.standard_error < few.standard_error / 2
    assert many.effective_chains > few.effective_chains
    assert 1 <= few.effective_chains <= N
    weights = torch.softmax(many.log_weights, 0)
    for values, truth in ((many.samples, START), ((many.samples - START).square(), SCALE**-2)):
        estimate = float((weights * values).sum())
        error = float((weights * (values - estimate)).square().sum().sqrt())
        assert abs(estimate - truth) < 6 * error


def test_the_constant_of_the_start_is_added():
    def log_density(x, beta):
        return torch.zeros(len(x))

    def stay(x, beta, *, generator):
        return x

    found = annealed_importance_sampling(log_density, stay, torch.zeros(5), torch.tensor([0.0, 1.0]), log_z_start=2.5)
    assert found.log_z == 2.5
    assert found.standard_error == 0
    assert float(found.effective_chains) == pytest.approx(5)


def test_the_geometric_path_ends_at_both_densities_also_where_one_is_zero():
    path = geometric_path(lambda x: torch.full_like(x, -math.inf), lambda x: x)
    x = torch.tensor([1.0, 2.0])
    assert torch.equal(path(x, 1.0), x)
    assert (path(x, 0.0) == -math.inf).all()
    half = geometric_path(lambda x: -x, lambda x: 3 * x)
    assert torch.allclose(half(x, 0.25), -0.75 * x + 0.75 * x)


# Refusals


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metropolis_hastings(lambda x: x.sum(), torch.zeros(3), 5), "one number per chain"),
        (lambda: metropolis_hastings(lambda x: -x, torch.zeros(3, 2), 5), "one number per chain"),
        (lambda: metropolis_hastings(lambda x: x, torch.zeros(3), 0), "at least 1, 0 and 1"),
        (lambda: metropolis_hastings(lambda x: x, torch.zeros(3), 5, thin=0), "at least 1, 0 and 1"),
        (lambda: metropolis_hastings(lambda x: x, torch.zeros(3), 5, burn_in=-1), "at least 1, 0 and 1"),
        (lambda: metropolis_hastings(lambda x: x, torch.zeros(3), 5, step_size=0.0), "expected a positive number"),
        (lambda: metropolis_hastings(lambda x: x.double(), torch.zeros(3).long(), 5), "floats, or a proposal"),
        (lambda: metropolis_hastings(lambda x: x.log(), torch.tensor([0.0, 1.0]), 5), "start of 1 of 2 chains"),
        (lambda: metropolis_hastings(lambda x: x, torch.zeros(3), 5, proposal_log_density=max), "without its proposal"),
        (
            lambda: metropolis_hastings(lambda x: x, torch.zeros(3), 5, proposal=lambda x, generator: x[:2]),
            r"proposal returned shape \(2,\)",
        ),
        (lambda: langevin(lambda x: x, torch.zeros(3), 5, step_size=-1.0), "expected a positive number"),
        (lambda: langevin(lambda x: x.detach(), torch.zeros(3), 5, step_size=0.1), "no gradient"),
        (lambda: langevin(lambda x: x.double(), torch.zeros(3).long(), 5, step_size=0.1), "needs? floats"),
        (
            lambda: langevin(lambda x: -x.pow(4), torch.full((3,), 9.0), 50, step_size=1.0, corrected=False),
            "try a step_size below 1",
        ),
        (lambda: gibbs([], torch.zeros(3), 5), "no conditionals"),
        (lambda: gibbs([lambda x, generator: x[:1]], torch.zeros(3), 5), r"conditional returned shape \(1,\)"),
        (lambda: gibbs([lambda x, generator: x], torch.zeros(()), 5), "at least one chain"),
        (lambda: annealed(torch.tensor([0.0, 0.5])), "rising from 0 to 1"),
        (lambda: annealed(torch.tensor([0.0, 0.7, 0.5, 1.0])), "rising from 0 to 1"),
        (lambda: annealed(torch.tensor([1.0])), "rising from 0 to 1"),
        (lambda: annealed(torch.tensor([0.0, 1.0]), 1), "at least two chains"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def annealed(betas, n_chains=3):
    return annealed_importance_sampling(
        lambda x, beta: x, lambda x, beta, *, generator: x, torch.zeros(n_chains), betas
    )
