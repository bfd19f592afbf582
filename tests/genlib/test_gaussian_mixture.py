"""The mixture of Gaussians against torch.distributions, scikit-learn, and the inequalities that define EM."""

import math

import pytest
import torch
from sklearn.mixture import GaussianMixture as Peer
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from genlib import taxonomy
from genlib.models.gaussian_mixture import GaussianMixture


def drawn(K: int, D: int, seed: int = 0) -> GaussianMixture:
    generator = torch.Generator().manual_seed(seed)
    draw = {"generator": generator, "dtype": torch.float64}
    root = torch.randn(K, D, D, **draw)
    weight = torch.rand(K, **draw) + 0.2
    covariance = root @ root.mT + 0.2 * torch.eye(D, dtype=torch.float64)
    return GaussianMixture(weight / weight.sum(), 3 * torch.randn(K, D, **draw), covariance)


def data(n: int = 400, K: int = 3, D: int = 3, seed: int = 0) -> torch.Tensor:
    return drawn(K, D, seed).sample(n, generator=torch.Generator().manual_seed(seed))


def random_q(n: int, K: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (3 * torch.randn(n, K, generator=generator, dtype=torch.float64)).softmax(1)


def test_log_prob_equals_torch_distributions():
    model, x = drawn(4, 3), 3 * torch.randn(50, 3, dtype=torch.float64)
    truth = MixtureSameFamily(Categorical(model.weight), MultivariateNormal(model.mean, model.covariance))
    assert torch.allclose(model.log_prob(x), truth.log_prob(x))


def test_responsibilities_are_joint_over_marginal():
    model, x = drawn(3, 2), 3 * torch.randn(30, 2, dtype=torch.float64)
    joint = model.component_log_prob(x).exp() * model.weight
    assert torch.allclose(model.responsibilities(x), joint / joint.sum(1, keepdim=True))


def test_the_bound_is_below_log_prob_by_the_divergence_to_the_responsibilities():
    model, x = drawn(3, 2), 2 * torch.randn(40, 2, dtype=torch.float64)
    q, r = random_q(40, 3), model.responsibilities(x)
    divergence = (q * (q / r).log()).sum(1)
    assert torch.allclose(model.log_prob(x) - model.elbo(x, q), divergence)
    assert torch.allclose(model.elbo(x), model.log_prob(x))
    certain = torch.eye(3, dtype=torch.float64)[torch.arange(40) % 3]  # 0 log 0 counts nothing
    assert torch.allclose(model.elbo(x, certain), (model.component_log_prob(x) + model.log_weight)[certain.bool()])


@pytest.mark.parametrize("covariance", ["full", "diagonal", "spherical"])
def test_the_m_step_is_a_maximum_of_the_bound(covariance):
    """No small change of any parameter, within its kind of covariance, raises the mean of the bound."""
    x, q = data(), random_q(400, 3)
    model = drawn(3, 3, seed=5)
    model.em_step(x, q, covariance=covariance)
    best = model.elbo(x, q).mean()
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        noise = 0.02 * torch.randn(3, 3, 3, generator=generator, dtype=torch.float64)
        change = {"full": noise + noise.mT, "diagonal": torch.diag_embed(noise.diagonal(dim1=1, dim2=2))}.get(
            covariance, noise[:, :1, :1] * torch.eye(3, dtype=torch.float64)
        )
        weight = model.weight * (0.05 * noise[:, 0, 1]).exp()
        moved = GaussianMixture(weight / weight.sum(), model.mean + noise[:, 0], model.covariance + change)
        assert moved.elbo(x, q).mean() < best


@pytest.mark.parametrize("covariance", ["full", "diagonal", "spherical"])
@pytest.mark.parametrize("min_variance", [1e-6, 0.5, 3.0])
def test_no_step_of_em_lowers_the_likelihood(covariance, min_variance):
    x = data(300, 4, 3, seed=3)
    model = GaussianMixture.fit(x, 4, covariance=covariance, min_variance=min_variance, n_steps=60, tolerance=-1.0)
    gains = torch.tensor(model.history).diff()
    assert len(gains) == 60
    assert gains.min() > -1e-9
    assert math.isclose(model.history[-1], float(model.log_prob(x).mean()), abs_tol=1e-9)
    assert torch.linalg.eigvalsh(model.covariance).min() > min_variance * (1 - 1e-6)


def peer_from(start: GaussianMixture, **options: float) -> Peer:
    return Peer(
        len(start.weight),
        weights_init=start.weight.numpy(),
        means_init=start.mean.numpy(),
        precisions_init=torch.linalg.inv(start.covariance).numpy(),
        reg_covar=1e-6,
        **options,
    )


@pytest.mark.parametrize("seed", range(5))
def test_from_the_same_start_it_goes_the_way_of_scikit_learn(seed):
    x = data(500, 3, 4, seed)
    start = GaussianMixture.fit(x, 3, n_steps=0, seed=seed)
    model, peer = GaussianMixture.fit(x, start=start), peer_from(start).fit(x.numpy())
    assert len(model.history) - 1 == peer.n_iter_
    assert float(model.log_prob(x).mean()) == pytest.approx(peer.score(x.numpy()), rel=1e-7)
    assert torch.allclose(model.mean, torch.from_numpy(peer.means_), atol=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_at_the_end_of_the_way_it_is_never_less_likely_than_scikit_learn_s(seed):
    """scikit-learn adds reg_covar to every variance, which is never the maximum."""
    x = data(300, 2, 3, seed)
    start = GaussianMixture.fit(x, 2, n_steps=0, seed=seed)
    model = GaussianMixture.fit(x, start=start, n_steps=5000, tolerance=1e-13)
    peer = peer_from(start, tol=1e-13, max_iter=5000).fit(x.numpy())
    gain = float(model.log_prob(x).mean()) - peer.score(x.numpy())
    assert 0 <= gain < 1e-6 * abs(peer.score(x.numpy()))


def test_one_component_is_the_sample_mean_and_covariance_in_one_step():
    x = data(200, 2, 3)
    model = GaussianMixture.fit(x, 1)
    assert torch.allclose(model.mean[0], x.mean(0))
    assert torch.allclose(model.covariance[0], torch.cov(x.T, correction=0))


def test_a_component_that_nobody_belongs_to_keeps_its_place_and_does_no_harm():
    x = data(100, 1, 2)
    far = torch.tensor([[0.0, 0.0], [1e6, 1e6]], dtype=torch.float64)
    start = GaussianMixture(torch.tensor([0.5, 0.5], dtype=torch.float64), far, torch.eye(2).double().expand(2, 2, 2))
    model = GaussianMixture.fit(x, start=start)
    assert torch.equal(model.mean[1], far[1])
    assert float(model.weight[1]) == 0.0
    assert torch.isfinite(model.log_prob(x)).all()
    assert torch.isfinite(model.elbo(x)).all()
    assert len(set(model.sample_with_component(50)[1].tolist())) == 1


def test_one_example_and_copies_of_it_do_not_break_the_fit():
    x = torch.cat([torch.zeros(50, 2), torch.ones(50, 2)]).double()
    model = GaussianMixture.fit(x, 2, min_variance=1e-4)
    assert torch.isfinite(model.log_prob(x)).all()
    assert torch.allclose(torch.linalg.eigvalsh(model.covariance), torch.tensor(1e-4).double())


def test_far_away_points_have_finite_log_densities():
    assert torch.isfinite(drawn(3, 2).log_prob(torch.full((1, 2), 1e8, dtype=torch.float64))).all()


def test_samples_have_the_mixture_s_mean_and_covariance():
    """Each of 2 + 4 moments of 200,000 draws within 6 standard errors: a false alarm once in 10^8."""
    model, n = drawn(3, 2), 200_000
    x = model.sample(n, generator=torch.Generator().manual_seed(1))
    mean = model.weight @ model.mean
    second = torch.einsum(
        "k,kij->ij", model.weight, model.covariance + model.mean.unsqueeze(2) * model.mean.unsqueeze(1)
    )
    products = x.unsqueeze(2) * x.unsqueeze(1)
    assert ((x.mean(0) - mean).abs() < 6 * x.std(0) / n**0.5).all()
    assert ((products.mean(0) - second).abs() < 6 * products.std(0) / n**0.5).all()


def test_examples_keep_their_shape_and_the_model_its_place_in_the_taxonomy():
    x = data(60, 2, 4).reshape(60, 1, 2, 2).float()
    model = GaussianMixture.fit(x, 2, covariance="diagonal")
    assert model.sample(5).shape == (5, 1, 2, 2)
    assert model.sample(0).shape == (0, 1, 2, 2)
    assert model.log_prob(x).shape == (60,)
    assert taxonomy.place(model) == "explicit density / tractable / factorised or closed form"


def test_the_same_seed_gives_the_same_fit():
    x = data(100)
    assert torch.equal(GaussianMixture.fit(x, 3, seed=4).mean, GaussianMixture.fit(x, 3, seed=4).mean)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: GaussianMixture.fit(x), "expected one of them"),
        (lambda x: GaussianMixture.fit(x, 0), "expected 1 to 400"),
        (lambda x: GaussianMixture.fit(x, 401), "expected 1 to 400"),
        (lambda x: GaussianMixture.fit(x, 2, covariance="tied"), "full, diagonal, spherical"),
        (lambda x: drawn(2, 3).log_prob(x[:, :2]), r"expected \(B, 3\)"),
        (lambda x: drawn(2, 3).elbo(x, torch.ones(400, 2).double()), "rows that sum to 1"),
        (lambda x: drawn(2, 3).sample(3, y=1), "not conditional"),
        (lambda x: GaussianMixture(torch.ones(2) / 2, torch.zeros(2, 3), torch.eye(2)), r"\(K, D, D\)"),
        (lambda x: GaussianMixture(torch.ones(2), torch.zeros(2, 1), torch.ones(2, 1, 1)), "sum to 1"),
        (lambda x: GaussianMixture(torch.ones(1), torch.zeros(1, 2), torch.ones(1, 2, 2)), "not positive definite"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(call, message):
    with pytest.raises(ValueError, match=message):
        call(data())
