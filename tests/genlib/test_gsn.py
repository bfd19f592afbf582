"""The generative stochastic network: its chain against the exact transition matrix, by linear algebra."""

import math

import pytest
import torch
from torch import nn

from genlib import taxonomy
from genlib.models.gsn import GSN, BernoulliReconstruction
from genlib.oracles import enumerate_images
from genlib.train import fit

N = 100_000
STATES = enumerate_images((3,)).float()  # (8, 3)
CODES = torch.tensor([4.0, 2.0, 1.0])
# Data: far from independent pixels, and two states are never seen.
DATA = torch.tensor([0.30, 0.02, 0.05, 0.0, 0.0, 0.13, 0.10, 0.40], dtype=torch.float64)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def code(x):
    return (x.double() @ CODES.double()).long()


class Table(nn.Module):
    """Any distribution over the 8 states for each of the 8 corrupted ones."""

    def __init__(self, logits=None):
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(8, 8) if logits is None else logits)

    def log_prob(self, x, corrupted):
        return torch.log_softmax(self.logits, 1)[code(corrupted), code(x)]

    def sample(self, corrupted, *, generator=None):
        rows = self.logits.softmax(1)[code(corrupted)]
        return STATES[torch.multinomial(rows, 1, generator=generator).squeeze(1)]


def corruption_matrix(noise):
    """p(corrupted | x): each pixel stays with probability 1 - noise / 2."""
    differ = (STATES.unsqueeze(1) != STATES.unsqueeze(0)).sum(2)
    return ((noise / 2) ** differ * (1 - noise / 2) ** (3 - differ)).double()


def posterior(noise):
    """The true p(x | corrupted) of the data."""
    joint = DATA.unsqueeze(1) * corruption_matrix(noise)
    return (joint / joint.sum(0)).T


def stationary(matrix):
    """The left eigenvector for the eigenvalue 1."""
    values, vectors = torch.linalg.eig(matrix.T)
    vector = vectors[:, (values - 1).abs().argmin()].real
    return vector / vector.sum()


def assert_frequencies(x, expected):
    """8 frequencies of independent draws within 6 standard errors: 2e-8 by chance where counts are above 100."""
    found = torch.bincount(code(x), minlength=8) / len(x)
    assert ((found - expected).abs() <= 6 * (expected * (1 - expected) / len(x)).sqrt() + 1e-9).all()


def test_with_the_true_posterior_the_stationary_distribution_is_that_of_the_data():
    """Theorem 1 of the paper, in exact matrices; and the library's chain keeps draws from the data as they are."""
    for noise in (0.2, 0.6, 1.0):
        matrix = corruption_matrix(noise) @ posterior(noise)
        assert torch.allclose(stationary(matrix), DATA, atol=1e-9)
        model = GSN(3, noise=noise, reconstruction=Table(posterior(noise).clamp(min=1e-30).log().float()))
        x = STATES[torch.multinomial(DATA, N, replacement=True, generator=seeded())]
        for _ in range(3):
            x = model.transition(x, generator=seeded(1))
        assert_frequencies(x, DATA)


@pytest.mark.parametrize("noise", [0.3, 1.0])
def test_corruption_is_that_of_the_exact_matrix(noise):
    model = GSN(3, noise=noise)
    for state in (0, 5):
        x = STATES[state].expand(N, 3)
        assert_frequencies(model.corrupt(x, generator=seeded(state)), corruption_matrix(noise)[state])


@pytest.mark.parametrize("n_steps", [1, 4])
def test_chains_are_after_any_number_of_steps_where_the_exact_matrix_says(n_steps):
    """With independent pixels and a network of random weights; no mixing is needed."""
    torch.manual_seed(0)
    model = GSN(3, 8, noise=0.5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
        on = model.reconstruction(STATES).sigmoid().double()
    pixels = torch.where(STATES.bool().unsqueeze(0), on.unsqueeze(1), 1 - on.unsqueeze(1)).prod(2)  # (8, 8)
    matrix = corruption_matrix(0.5) @ pixels
    expected = torch.full((8,), 1 / 8, dtype=torch.float64) @ torch.linalg.matrix_power(matrix, n_steps)
    assert N * expected.min() > 100
    assert_frequencies(model.sample(N, n_steps=n_steps, generator=seeded()), expected)


@pytest.mark.parametrize("walk_back", [1, 4])
def test_a_trained_chain_has_the_data_s_distribution_as_its_stationary_one(walk_back):
    """The trained table's exact stationary distribution is within 0.02 of that of the data in total variation, and
    samples are where it says. The table's rows are estimated from some 10^6 draws: an error of about 0.003."""
    model = GSN(3, noise=0.5, walk_back=walk_back, reconstruction=Table())
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    generator = seeded()
    for step in range(300):
        for group in optimizer.param_groups:
            group["lr"] = 0.1 / (1 + step / 30)
        x = STATES[torch.multinomial(DATA, 4000, replacement=True, generator=generator)]
        optimizer.zero_grad()
        (-model.objective(x, generator=generator).mean()).backward()
        optimizer.step()
    matrix = corruption_matrix(0.5) @ model.reconstruction.logits.detach().softmax(1).double()
    learned = stationary(matrix)
    assert (learned - DATA).abs().sum() / 2 < 0.02
    assert (torch.linalg.matrix_power(matrix, 40).std(0) < 1e-6).all()
    assert_frequencies(model.sample(N, n_steps=40, generator=seeded(1)), learned)
    uniform = stationary(corruption_matrix(0.5) @ torch.full((8, 8), 1 / 8, dtype=torch.float64))
    assert (uniform - DATA).abs().sum() / 2 > 0.3  # what the table gave before


def test_walk_back_scores_the_data_after_every_step_of_the_model_s_own_chain():
    """Its expectation in exact matrices: at step t the corrupted state is that of t steps of the chain from x. The
    mean over 100,000 walks within 6 standard errors for each of two x: 4e-9 by chance."""
    torch.manual_seed(1)
    table = Table(torch.randn(8, 8))
    model = GSN(3, noise=0.5, walk_back=3, reconstruction=table)
    corrupt, back = corruption_matrix(0.5), table.logits.detach().softmax(1).double()
    for start in (0, 6):
        state, expected = torch.eye(8, dtype=torch.float64)[start], 0.0
        for _ in range(3):
            expected += float((state @ corrupt) @ back[:, start].log()) / 3
            state = state @ corrupt @ back
        with torch.no_grad():
            values = model.objective(STATES[start].expand(N, 3), generator=seeded(start))
        assert values.shape == (N,)
        assert abs(float(values.mean()) - expected) < 6 * float(values.std()) / math.sqrt(N)


def test_one_step_of_walk_back_is_the_denoising_criterion():
    model, x = GSN((1, 2, 2), 16, walk_back=1), (torch.rand(6, 1, 2, 2, generator=seeded()) < 0.5).float()
    corrupted = model.corrupt(x, generator=seeded(1))
    expected = model.reconstruction.log_prob(x, corrupted)
    assert torch.equal(model.objective(x, generator=seeded(1)), expected)
    assert expected.requires_grad


def test_walk_back_teaches_the_way_home_from_where_one_corruption_never_leads():
    """One state is all the data, and so little noise that the opposite one is met in training by chance alone less
    than once in 10^6: 10,000 corruptions, each of three pixels with a probability of 0.0005 each. Its row of the table
    stays at 1/8 without walk-back; with it, the chain of the untrained model has been everywhere."""
    x = torch.zeros(500, 3)
    home = {}
    for walk_back in (1, 5):
        model = GSN(3, noise=0.001, walk_back=walk_back, reconstruction=Table())
        fit(model, x, epochs=20, lr=0.1, batch_size=50, progress=False)
        home[walk_back] = model.reconstruction.logits.detach().softmax(1)[:, 0]
    assert float(home[1][7]) == pytest.approx(1 / 8)
    assert (home[5] > 0.5).all()


def test_it_stands_among_the_implicit_densities_by_markov_chain():
    assert taxonomy.place(GSN) == taxonomy.place(GSN(3)) == "implicit density / Markov chain"


def test_sampling_repeats_itself_keeps_the_shape_and_leaves_the_mode_as_it_was():
    network = nn.Sequential(
        nn.Flatten(), nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Unflatten(1, (1, 2, 2))
    )
    model = GSN((1, 2, 2), reconstruction=BernoulliReconstruction((1, 2, 2), 1, network))
    network[3].eval()
    x = model.sample(5, n_steps=3, generator=seeded())
    assert x.shape == (5, 1, 2, 2)
    assert set(x.unique().tolist()) <= {0.0, 1.0}
    assert torch.equal(x, model.sample(5, n_steps=3, generator=seeded()))
    assert model.training
    assert network[2].training
    assert not network[3].training
    one = model.sample(1, n_steps=1, start=x[:1], generator=seeded())  # no batch statistics: one is enough
    assert one.shape == (1, 1, 2, 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: GSN(3, 0), "positive sizes"),
        (lambda m: GSN(3, walk_back=0), "positive sizes"),
        (lambda m: GSN(3, noise=0.0), "stands still"),
        (lambda m: GSN(3, noise=1.5), "stands still"),
        (lambda m: m.sample(3, y=1), "not conditional"),
        (lambda m: m.sample(3, n_steps=0), "at least one step"),
        (lambda m: m.sample(3, start=torch.zeros(2, 3)), "n chains"),
        (lambda m: m.corrupt(torch.zeros(2, 4)), r"expected \(B, 3\)"),
        (lambda m: m.objective(torch.full((2, 3), 0.5)), "Binarise"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(call, message):
    with pytest.raises(ValueError, match=message):
        call(GSN(3, 4))
