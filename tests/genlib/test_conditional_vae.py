"""The conditional VAE: a bound on p(x|y) against quadrature, and what the condition may and may not change."""

import pytest
import torch

from genlib import taxonomy
from genlib.bounds import iwae_bound
from genlib.device import seed_everything
from genlib.models.conditional_vae import CaptionEncoder, ClassEncoder, ConditionalVAE


@pytest.fixture(autouse=True)
def seeded():
    seed_everything(0)


def model_of(**options) -> ConditionalVAE:
    return ConditionalVAE(3, ClassEncoder(4), 1, 16, likelihood="normal", **options)


def exact(model: ConditionalVAE, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """log p(x|y) by the trapezoidal rule over a latent of one dimension."""
    grid = torch.linspace(-8, 8, 4001)
    with torch.no_grad():
        given = model.condition(y)
        z = grid[:, None, None].expand(-1, len(x), 1)
        log_joint = (
            model.observation.log_prob(x, model._decode(z, given))
            + torch.distributions.Normal(0, 1).log_prob(grid)[:, None]
        )
    return log_joint.logsumexp(0) + torch.log(grid[1] - grid[0])


def test_the_bound_is_below_the_likelihood_given_the_condition_and_tightens_with_more_samples():
    """Means of 20,000 draws; the likelihood by quadrature."""
    model, x, y = model_of(), torch.randn(5, 3), torch.tensor([0, 1, 2, 3, 0])
    truth = exact(model, x, y)
    with torch.no_grad():
        weights = model.log_weights(x, y, n_samples=20_000)
        bound = model.elbo(x, y, n_samples=20_000)
    assert torch.allclose(weights.mean(0), bound, atol=0.1)
    assert (bound < truth + 0.01).all()
    assert torch.allclose(iwae_bound(weights), truth, atol=0.05)


def test_another_condition_gives_another_density_and_the_same_one_the_same():
    model, x = model_of(), torch.randn(4, 3)
    densities = torch.stack([exact(model, x, torch.full((4,), label)) for label in range(4)])
    assert (densities.std(0) > 1e-3).all()
    draws = [
        model.sample(6, y=torch.tensor([1, 1, 2, 2, 3, 3]), generator=torch.Generator().manual_seed(1)) for _ in "ab"
    ]
    assert torch.equal(*draws)


def test_it_learns_to_draw_what_the_condition_says_and_to_vary_the_rest():
    """Class k is a bit string whose first two bits spell k, and whose last two are fair coins.

    1,000 draws of each class: a share within 6 standard errors of what the training allows, 0.97 and above; each coin
    between 0.4 and 0.6, more than 6 standard errors wide.
    """
    y = torch.arange(4000) % 4
    coins = torch.randint(0, 2, (4000, 2), generator=torch.Generator().manual_seed(0))
    x = torch.cat([torch.stack([y // 2, y % 2], 1), coins], 1).float()
    model = ConditionalVAE(4, ClassEncoder(4), 2, 32)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for step in range(300):
        rows = torch.arange(step * 100, step * 100 + 100) % 4000
        optimizer.zero_grad()
        (-model.elbo(x[rows], y[rows]).mean()).backward()
        optimizer.step()
    found = model.sample(4000, y=y)
    assert ((found[:, 0] == y // 2) & (found[:, 1] == y % 2)).float().mean() > 0.97
    shares = torch.stack([found[y == label, 2:].mean(0) for label in range(4)])
    assert ((shares > 0.4) & (shares < 0.6)).all()


def test_a_caption_is_read_to_its_end_and_no_further():
    encoder = CaptionEncoder(7, 5)
    y = torch.tensor([[3, 4, 0, 0, 0], [3, 4, 5, 6, 0], [1, 0, 0, 0, 0]])
    found = encoder(y)
    assert found.shape == (3, 5)
    assert torch.allclose(found[:1], encoder(y[:1, :3]))
    changed = y.clone()
    changed[0, 0] = 5
    assert not torch.allclose(encoder(changed)[0], found[0])


def test_shapes_and_place():
    model, x = ConditionalVAE((1, 4, 4), CaptionEncoder(7, 5), 2, 8, soft=True), torch.rand(3, 1, 4, 4)
    y = torch.tensor([[3, 4, 0], [1, 2, 0], [5, 0, 0]])
    assert model.elbo(x, y, n_samples=2).shape == (3,)
    assert model.log_weights(x, y, n_samples=2).shape == (2, 3)
    assert model.sample(3, y=y).shape == x.shape
    assert model.decode_mean(torch.zeros(3, 2), y).shape == x.shape
    assert taxonomy.place(model) == "explicit density / approximate / variational"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: ConditionalVAE(3, ClassEncoder(2), 0), "positive sizes"),
        (lambda m: ConditionalVAE(3, ClassEncoder(2), likelihood="poisson"), "'bernoulli' or 'normal'"),
        (lambda m: m.elbo(torch.zeros(2, 4), torch.zeros(2)), r"expected \(B, 3\)"),
        (lambda m: m.elbo(torch.zeros(2, 3), torch.zeros(3)), "3 conditions"),
        (lambda m: m.sample(2, y=torch.zeros(3)), "expected one for each"),
        (lambda m: m.decode_mean(torch.zeros(2, 2), torch.zeros(2)), r"\(..., 2, 1\)"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(call, message):
    with pytest.raises(ValueError, match=message):
        call(model_of())
