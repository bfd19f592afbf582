"""Class-conditional densities against torch.distributions, scikit-learn, and integrals on a grid."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from genlib import taxonomy
from genlib.models.class_conditional import ClassConditionalGaussian, ClassConditionalMixture
from genlib.models.semi_supervised import fit_semi_supervised


@pytest.fixture
def labelled():
    """Three classes in three dimensions, of different sizes, that overlap: x (300, 3), y (300,)."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(300) % 6 // 2 * (torch.arange(300) % 5 > 0)  # class 0 is the largest
    mixing = torch.randn(3, 3, 3, generator=generator, dtype=torch.float64)
    eps = torch.randn(300, 3, generator=generator, dtype=torch.float64)
    x = torch.einsum("nij,nj->ni", mixing[y], eps) + y.unsqueeze(1)
    return x, y


@pytest.fixture
def mixture():
    """A model of two classes with three components each in two dimensions, all parameters at random."""
    generator = torch.Generator().manual_seed(1)
    draw = {"generator": generator, "dtype": torch.float64}
    factor = 0.3 * torch.randn(2, 3, 2, 2, **draw).tril(-1) + torch.diag_embed(0.4 + torch.rand(2, 3, 2, **draw))
    log_prior = torch.tensor([0.3, 0.7], dtype=torch.float64).log()
    log_weight = torch.randn(2, 3, **draw).log_softmax(1)
    return ClassConditionalMixture(log_prior, log_weight, torch.randn(2, 3, 2, **draw), factor, (2,))


def grid(limit: float, n: int) -> torch.Tensor:
    return torch.linspace(-limit, limit, n, dtype=torch.float64)


def test_log_prob_equals_mixture_of_torch_distributions(mixture):
    x = 2 * torch.randn(50, 2, dtype=torch.float64)
    for label in range(2):
        components = MultivariateNormal(mixture.mean[label], scale_tril=mixture.factor[label])
        truth = MixtureSameFamily(Categorical(logits=mixture.log_weight[label]), components).log_prob(x)
        assert torch.allclose(mixture.log_prob(x, label), truth)
        assert torch.allclose(mixture.class_log_prob(x)[:, label], truth)


def test_densities_integrate_to_one(mixture):
    axis = grid(9, 361)
    x = torch.cartesian_prod(axis, axis)
    for y in (None, 0, 1):
        assert torch.isclose(mixture.log_prob(x, y).exp().sum() * (axis[1] - axis[0]) ** 2, x.new_ones(()), atol=1e-6)


def test_posterior_is_joint_over_marginal(mixture):
    x = torch.randn(40, 2, dtype=torch.float64)
    joint = torch.stack([mixture.log_prob(x, label) + mixture.log_prior[label] for label in range(2)], 1)
    assert torch.allclose(mixture.log_posterior(x), joint - mixture.log_prob(x).unsqueeze(1))
    assert torch.equal(mixture.classify(x), joint.argmax(1))


def test_shared_covariance_equals_linear_discriminant_analysis(labelled):
    """scikit-learn's "lsqr" solver divides by N, as maximum likelihood does."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    x, y = labelled
    truth = LinearDiscriminantAnalysis(solver="lsqr").fit(x.numpy(), y.numpy()).predict_log_proba(x.numpy())
    model = ClassConditionalGaussian.fit(x, y, covariance="shared", ridge=0)
    assert torch.allclose(model.log_posterior(x), torch.from_numpy(truth))


def test_full_covariance_equals_quadratic_discriminant_analysis(labelled):
    """Versions of scikit-learn divide a covariance by n or by n - 1: the posteriors are compared given theirs."""
    from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis

    x, y = labelled
    theirs = QuadraticDiscriminantAnalysis(store_covariance=True).fit(x.numpy(), y.numpy())
    model = ClassConditionalGaussian.fit(x, y, ridge=0)
    for label in range(3):
        assert torch.allclose(model.covariance[label, 0], x[y == label].T.cov(correction=0))
    model.factor = torch.linalg.cholesky(torch.from_numpy(np.stack(theirs.covariance_))).unsqueeze(1)
    assert torch.allclose(model.log_posterior(x), torch.from_numpy(theirs.predict_log_proba(x.numpy())))


@pytest.mark.parametrize("covariance", ["full", "shared"])
def test_fit_is_a_maximum_of_the_likelihood(labelled, covariance):
    """No small change of mean or covariance raises it."""
    x, y = labelled
    model = ClassConditionalGaussian.fit(x, y, covariance=covariance, ridge=0)
    best = model.log_prob(x, y).sum() + model.log_prior[y].sum()
    generator = torch.Generator().manual_seed(2)
    for _ in range(20):
        changed = ClassConditionalGaussian.fit(x, y, covariance=covariance, ridge=0)
        changed.mean = changed.mean + 0.01 * torch.randn(changed.mean.shape, generator=generator)
        size = (1, 1, 3, 3) if covariance == "shared" else changed.factor.shape
        changed.factor = changed.factor + 0.01 * torch.randn(size, generator=generator).tril()
        assert changed.log_prob(x, y).sum() + model.log_prior[y].sum() < best


def test_ridge_is_added_to_every_variance(labelled):
    x, y = labelled
    plain, ridged = (ClassConditionalGaussian.fit(x, y, ridge=ridge) for ridge in (0, 0.5))
    assert torch.allclose(ridged.covariance, plain.covariance + 0.5 * torch.eye(3, dtype=x.dtype))


def test_mixture_with_one_component_is_the_gaussian(labelled):
    x, y = labelled
    one = ClassConditionalMixture.fit(x, y, n_components=1, ridge=1e-2)
    assert torch.allclose(one.log_prob(x, y), ClassConditionalGaussian.fit(x, y, ridge=1e-2).log_prob(x, y))


def test_mixture_is_scikit_learns(labelled):
    from sklearn.mixture import GaussianMixture

    x, y = labelled
    model = ClassConditionalMixture.fit(x, y, n_components=2, ridge=1e-2, seed=3)
    for label in range(3):
        rows = x[y == label].numpy()
        truth = GaussianMixture(2, reg_covar=1e-2, random_state=3).fit(rows).score_samples(x.numpy())
        assert torch.allclose(model.log_prob(x, label), torch.from_numpy(truth))


def test_images_keep_their_shape_and_dtype():
    x, y = torch.rand(60, 1, 2, 3), torch.arange(60) % 2
    for model in (ClassConditionalGaussian.fit(x, y), ClassConditionalMixture.fit(x, y, n_components=2)):
        assert model.sample(5).shape == (5, 1, 2, 3)
        assert model.sample(5, y=1).dtype == torch.float32
        assert model.log_prob(x).shape == (60,)
        assert model.fill_in(x, torch.rand(1, 2, 3) > 0.5).shape == x.shape
        assert taxonomy.place(model) == "explicit density / tractable / factorised or closed form"


def test_samples_have_the_moments_of_their_class(mixture):
    """Five standard errors for each of the 10 numbers: a false alarm in 6e-6 of the seeds; the seed is fixed."""
    n = 50_000
    for label in range(2):
        x = mixture.sample(n, y=label, generator=torch.Generator().manual_seed(label))
        weight, mean = mixture.log_weight[label].exp(), mixture.mean[label]
        centre = weight @ mean
        second = torch.einsum("k,kij->ij", weight, mixture.covariance[label] + mean[:, :, None] * mean[:, None])
        assert ((x.mean(0) - centre).abs() < 5 * x.std(0) / math.sqrt(n)).all()
        products = x[:, :, None] * x[:, None]  # (n, 2, 2)
        assert ((products.mean(0) - second).abs() < 5 * products.std(0) / math.sqrt(n)).all()


def test_samples_without_labels_come_from_all_classes():
    """Classes 20 standard deviations apart; the share of one lies within five standard errors (1e-6)."""
    x = torch.cat([torch.randn(100, 1), 20 + torch.randn(300, 1)])
    y = (torch.arange(400) >= 100).long()
    draws = ClassConditionalGaussian.fit(x, y).sample(40_000, generator=torch.Generator().manual_seed(0))
    share = (draws > 10).double().mean()
    assert abs(share - 0.75) < 5 * math.sqrt(0.75 * 0.25 / 40_000)


def test_same_generator_same_samples_whatever_the_order_of_labels(mixture):
    y = torch.tensor([0, 1, 1, 0])
    first, second = (mixture.sample(4, y=y, generator=torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first, second)


def test_marginal_is_the_integral_over_what_is_missing(mixture):
    axis = grid(9, 2001)
    x = torch.randn(6, 2, dtype=torch.float64)
    for kept in range(2):
        observed = torch.arange(2) == kept
        points = x[:, None].repeat(1, len(axis), 1)
        points[..., 1 - kept] = axis
        log_joint = mixture.log_prob(points.flatten(0, 1)).reshape(len(x), -1)
        truth = log_joint.logsumexp(1) + (axis[1] - axis[0]).log()
        assert torch.allclose(mixture.marginal_log_prob(x, observed), truth, atol=1e-8)
        assert torch.allclose(mixture.marginal(observed).log_prob(x[:, observed]), truth, atol=1e-8)


def test_filled_in_is_the_mean_of_what_is_missing_given_the_rest(mixture):
    axis = grid(9, 2001)
    x = torch.randn(6, 2, dtype=torch.float64)
    for kept in range(2):
        points = x[:, None].repeat(1, len(axis), 1)
        points[..., 1 - kept] = axis
        weight = mixture.log_prob(points.flatten(0, 1)).reshape(len(x), -1).softmax(1)
        filled = mixture.fill_in(x, torch.arange(2) == kept)
        assert torch.allclose(filled[:, 1 - kept], weight @ axis, atol=1e-8)
        assert torch.equal(filled[:, kept], x[:, kept])


def test_each_example_may_have_its_own_missing_entries(labelled):
    x, y = labelled
    model = ClassConditionalGaussian.fit(x, y)
    observed = torch.rand(len(x), 3, generator=torch.Generator().manual_seed(4)) > 0.4
    together = model.marginal_log_prob(x, observed), model.fill_in(x, observed)
    for index in range(0, 40):
        row = x[index : index + 1]
        assert torch.allclose(together[0][index], model.marginal_log_prob(row, observed[index])[0])
        assert torch.allclose(together[1][index], model.fill_in(row, observed[index])[0])


def test_missing_entries_are_not_looked_at(labelled):
    x, y = labelled
    model = ClassConditionalGaussian.fit(x, y)
    observed = torch.rand(x.shape, generator=torch.Generator().manual_seed(4)) > 0.4
    broken = x.masked_fill(~observed, math.nan)
    assert torch.equal(model.marginal_log_prob(broken, observed), model.marginal_log_prob(x, observed))
    assert torch.equal(model.fill_in(broken, observed), model.fill_in(x, observed))


def test_all_observed_and_none_observed_are_the_two_ends(labelled):
    x, y = labelled
    model = ClassConditionalGaussian.fit(x, y)
    everything, nothing = torch.ones(3, dtype=torch.bool), torch.zeros(3, dtype=torch.bool)
    assert torch.allclose(model.marginal_log_prob(x, everything), model.log_prob(x))
    assert torch.equal(model.fill_in(x, everything), x)
    assert torch.allclose(model.marginal_log_prob(x, nothing), torch.zeros(300, dtype=x.dtype), atol=1e-12)
    mean = (model.log_prior.exp()[:, None] * model.mean[:, 0]).sum(0)
    assert torch.allclose(model.fill_in(x, nothing), mean.expand_as(x))


@pytest.mark.parametrize("covariance", ["full", "shared"])
def test_each_step_of_em_raises_the_likelihood_of_labels_and_images(labelled, covariance):
    x, y = labelled
    few = torch.cat([(y == label).nonzero()[:12, 0] for label in range(3)])
    rest = torch.ones(300, dtype=torch.bool).index_fill(0, few, False)
    values = []
    for n_steps in range(8):
        model = fit_semi_supervised(x[few], y[few], x[rest], covariance=covariance, ridge=0, n_steps=n_steps)
        joint = model.log_prob(x[few], y[few]) + model.log_prior[y[few]]
        values.append(joint.sum() + model.log_prob(x[rest]).sum())
    assert all(later > earlier - 1e-9 for earlier, later in itertools.pairwise(values))
    assert values[-1] > values[0] + 1


def test_without_unlabelled_data_em_changes_nothing(labelled):
    x, y = labelled
    model = fit_semi_supervised(x, y, x[:0], covariance="full", ridge=1e-2)
    assert torch.allclose(model.log_prob(x, y), ClassConditionalGaussian.fit(x, y, ridge=1e-2).log_prob(x, y))


def test_state_dict_restores_the_density(mixture):
    other = ClassConditionalMixture(*(torch.zeros_like(b) for b in mixture.buffers()), (2,))
    other.load_state_dict(mixture.state_dict())
    x = torch.randn(7, 2, dtype=torch.float64)
    assert torch.equal(other.log_prob(x), mixture.log_prob(x))


X, Y = torch.zeros(6, 2), torch.tensor([0, 0, 1, 1, 2, 2])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ClassConditionalGaussian.fit(X, Y[:5]), r"y has dtype torch.int64 and shape \(5,\)"),
        (lambda: ClassConditionalGaussian.fit(X, Y.float()), "expected integers"),
        (lambda: ClassConditionalGaussian.fit(X, Y - 1), "labels from -1"),
        (lambda: ClassConditionalGaussian.fit(X, Y * 2), r"no example of \[1, 3\]"),
        (lambda: ClassConditionalGaussian.fit(X, Y * 0), "a second class"),
        (lambda: ClassConditionalGaussian.fit(X, Y, covariance="round"), "'full' or 'shared'"),
        (lambda: ClassConditionalGaussian.fit(X, Y, ridge=0), "covariance of class 0 is singular.*Raise ridge"),
        (lambda: ClassConditionalMixture.fit(X, Y), "n_components=3"),
        (lambda: ClassConditionalGaussian.fit(X, Y).log_prob(X[:, :1]), r"x has shape \(6, 1\); expected \(B, 2\)"),
        (lambda: ClassConditionalGaussian.fit(X, Y).log_prob(X, 3), "expected 0 to 2"),
        (lambda: ClassConditionalGaussian.fit(X, Y).sample(4, y=Y), r"shape \(6,\); expected integers of shape \(4,\)"),
        (lambda: ClassConditionalGaussian.fit(X, Y).fill_in(X, torch.ones(2)), "expected booleans"),
        (lambda: ClassConditionalGaussian.fit(X, Y).fill_in(X, torch.ones(3, dtype=torch.bool)), "expected booleans"),
        (lambda: ClassConditionalMixture(X[:3, 0], X[:3], X[:3, None], X, (2,)), "expected.*C, K, D, D"),
        (lambda: fit_semi_supervised(X[:4], Y[:4], X[:, :1]), "expected examples of one shape"),
    ],
)
def test_bad_input_is_refused_with_what_was_expected(call, message):
    with pytest.raises(ValueError, match=message):
        call()
