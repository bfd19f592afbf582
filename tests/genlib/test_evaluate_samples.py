"""Samples beside data: tests with a known false-alarm rate, distances in closed form, coverage by brute force."""

import math
import sys
import types
import urllib.error

import numpy as np
import pytest
import torch
from scipy import linalg, stats
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KernelDensity, KNeighborsClassifier
from torch import nn

from genlib import data
from genlib.evaluate import (
    class_quality,
    classifier_test,
    fid,
    fit_classifier,
    frechet_distance,
    maximum_mean_discrepancy,
    mmd_test,
    mode_coverage,
    parzen_bandwidth,
    parzen_log_prob,
    precision_recall,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(n, dim=3, seed=0):
    return torch.randn(n, dim, generator=seeded(seed), dtype=torch.float64)


# ---------------------------------------------------------------- two-sample tests


def test_discrepancy_is_the_double_sum_of_the_paper():
    """Equation 3 of Gretton et al., term by term."""
    a, b, width = normal(7), normal(5, seed=1) + 1, 0.8

    def kernel(u, v):
        return math.exp(-float((u - v).square().sum()) / (2 * width**2))

    own = sum(kernel(a[i], a[j]) for i in range(7) for j in range(7) if i != j) / (7 * 6)
    other = sum(kernel(b[i], b[j]) for i in range(5) for j in range(5) if i != j) / (5 * 4)
    across = sum(kernel(u, v) for u in a for v in b) / (7 * 5)
    assert maximum_mean_discrepancy(a, b, bandwidth=width) == pytest.approx(own + other - 2 * across, abs=1e-12)
    distances = torch.pdist(torch.cat([a, b])).median().item()
    assert maximum_mean_discrepancy(a, b) == pytest.approx(maximum_mean_discrepancy(a, b, bandwidth=distances))


def test_discrepancy_is_unbiased_and_right_on_average():
    """Two normals a shift apart have a squared MMD in closed form; the mean of 400 estimates is within six errors.

    E k(x, x') for x - x' ~ N(m, 2 I) is (1 + 2 / w^2)^(-d / 2) exp(-|m|^2 / (2 (w^2 + 2))). False alarms: 2e-9.
    """
    width, dim = 1.5, 2
    for shift in (0.0, 1.0):
        scale = (1 + 2 / width**2) ** (-dim / 2)
        truth = 2 * scale * (1 - math.exp(-(shift**2) / (2 * (width**2 + 2))))
        draws = seeded(3)
        found = []
        for _ in range(400):
            a, b = torch.randn(2, 12, dim, generator=draws, dtype=torch.float64)
            found.append(maximum_mean_discrepancy(a, b + torch.tensor([shift, 0.0]), bandwidth=width))
        error = np.std(found) / 20
        assert error < 0.01
        assert np.mean(found) == pytest.approx(truth, abs=6 * error)


def heavy_tails(n, draws):
    return torch.randn(n, 2, generator=draws) / torch.rand(n, 2, generator=draws)


def grid_points(n, draws):
    return torch.randint(4, (n, 2), generator=draws).float()  # many ties


@pytest.mark.parametrize("draw", [heavy_tails, grid_points])
def test_mmd_test_keeps_its_false_alarm_rate(draw):
    """400 tests with 19 permutations under the null: p <= 0.05 exactly when the given division is the most extreme.

    That has a probability of at most 1/20. More than 20 + 6 sqrt(19) = 46 of 400 have one of 2e-7 (binomial).
    """
    assert stats.binom.sf(46, 400, 0.05) < 1e-6
    draws = seeded(5)
    p_values = [
        mmd_test(draw(15, draws), draw(10, draws), n_permutations=19, generator=draws).p_value for _ in range(400)
    ]
    assert sum(p <= 0.05 for p in p_values) <= 46
    assert sum(p <= 0.5 for p in p_values) <= 200 + 6 * 10  # six standard deviations: 1e-9
    if draw is heavy_tails:  # without ties the p-value is uniform, and no test is needlessly careful
        assert sum(p <= 0.5 for p in p_values) >= 200 - 6 * 10


def test_p_value_counts_the_given_division_and_those_that_are_as_extreme():
    """Of four points there are three divisions into pairs: p is 1/3 for the most extreme, and 1 for the least.

    1,999 divisions are drawn: the standard deviation of their share is 0.0105, and six of them are allowed (2e-9).
    """
    pairs = torch.tensor([[0.0], [0.1], [5.0], [5.2]])
    options = {"bandwidth": 1.0, "n_permutations": 1999, "generator": seeded()}
    assert mmd_test(pairs[:2], pairs[2:], **options).p_value == pytest.approx(1 / 3, abs=6 * 0.0105)
    assert mmd_test(pairs[[0, 2]], pairs[[1, 3]], **options).p_value > 0.5
    far = torch.cat([normal(20), normal(20, seed=1) + 9])
    assert mmd_test(far[:20], far[20:], n_permutations=19).p_value == 1 / 20


@pytest.mark.parametrize("judge", [LogisticRegression(), KNeighborsClassifier(3)])
def test_classifier_test_keeps_its_false_alarm_rate(judge):
    """300 tests under the null: p <= 0.05 in at most 0.05 of them, and 15 + 6 sqrt(14.25) = 37 by chance: 6e-7."""
    assert stats.binom.sf(37, 300, 0.05) < 1e-6
    draws = seeded(6)
    p_values = [
        classifier_test(heavy_tails(24, draws), heavy_tails(24, draws), classifier=judge, generator=draws).p_value
        for _ in range(300)
    ]
    assert sum(p <= 0.05 for p in p_values) <= 37
    assert min(p_values) > 0


def test_p_value_of_the_classifier_test_is_the_tail_of_tossed_coins():
    """A judge that is right on all 2 x 6, and one that always says the same and is right on half."""

    class Knows(LogisticRegression):
        def predict(self, x):
            return (x[:, 0] > 0).astype(int)

    class Stubborn(LogisticRegression):
        def predict(self, x):
            return np.zeros(len(x), int)

    a, b = -torch.rand(12, 2) - 0.1, torch.rand(12, 2) + 0.1
    assert classifier_test(a, b, classifier=Knows()) == (1.0, pytest.approx(0.5**12))
    assert classifier_test(a, b, classifier=Stubborn()) == (0.5, 1.0)


@pytest.mark.parametrize(("test", "n", "missing"), [(mmd_test, 800, 1), (classifier_test, 2500, 2)])
def test_tests_see_a_mode_that_is_missing(test, n, missing):
    """Seven of eight Gaussians, or six for the classifier: of it the best accuracy would be 1/2 + missing / 16."""
    toy = data.load("eight_gaussians", "train")
    whole, rest, labels = toy.x[:n], toy.x[n:], toy.y[n:]
    assert test(whole, rest[labels >= missing][:n], generator=seeded()).p_value < 0.005
    assert test(whole, rest[:n], generator=seeded(1)).p_value > 1e-3  # data fixed for good: it cannot fail by chance


def test_tests_say_the_same_with_the_same_generator_and_work_on_images():
    a, b = torch.rand(40, 1, 4, 4, generator=seeded()), torch.rand(40, 1, 4, 4, generator=seeded(1))
    for test in (mmd_test, classifier_test):
        assert test(a, b, generator=seeded(2)) == test(a, b, generator=seeded(2))
        assert test(a, b, generator=seeded(2)) == test(a.flatten(1), b.flatten(1), generator=seeded(2))


# ---------------------------------------------------------------- Frechet distance


def with_moments(n, mean, covariance, seed=0):
    """n points with exactly these moments."""
    x = normal(n, len(mean), seed)
    x = x - x.mean(0)
    whitened = torch.linalg.solve_triangular(
        torch.linalg.cholesky(torch.cov(x.T).reshape(len(mean), -1)), x.T, upper=False
    ).T
    return whitened @ torch.linalg.cholesky(covariance).T + mean


def covariance(dim, seed):
    root = normal(dim, dim, seed)
    return root @ root.T + 0.1 * torch.eye(dim, dtype=torch.float64)


def by_scipy(a, b):
    s, t = np.cov(a.numpy(), rowvar=False), np.cov(b.numpy(), rowvar=False)
    shift = (a.mean(0) - b.mean(0)).square().sum().item()
    return shift + np.trace(s) + np.trace(t) - 2 * np.trace(linalg.sqrtm(s @ t)).real


def test_distance_of_gaussians_on_the_line_is_that_of_means_and_of_deviations():
    a = with_moments(50, torch.tensor([1.0]).double(), torch.tensor([[4.0]]).double())
    b = with_moments(70, torch.tensor([-2.0]).double(), torch.tensor([[0.25]]).double(), seed=1)
    assert frechet_distance(a, b) == pytest.approx(3**2 + (2 - 0.5) ** 2, rel=1e-9)


def test_distance_of_gaussians_whose_covariances_commute_is_the_closed_form():
    """|difference of means|^2 plus the squared differences of the deviations along the common axes."""
    axes = torch.linalg.qr(normal(4, 4, seed=9)).Q
    s, t = torch.tensor([4.0, 1.0, 0.25, 9.0]).double(), torch.tensor([1.0, 1.0, 4.0, 0.01]).double()
    mean = normal(1, 4, seed=7)[0]
    a = with_moments(40, mean, axes @ s.diag() @ axes.T)
    b = with_moments(60, -mean, axes @ t.diag() @ axes.T, seed=1)
    expected = (2 * mean).square().sum() + (s.sqrt() - t.sqrt()).square().sum()
    assert frechet_distance(a, b) == pytest.approx(expected.item(), rel=1e-9)


@pytest.mark.parametrize("dim", [1, 3, 12])
def test_distance_equals_that_by_scipy_s_matrix_root(dim):
    a = with_moments(60, normal(1, dim)[0], covariance(dim, 1)) if dim > 1 else normal(60, 1) * 3
    b = normal(80, dim, seed=2) @ normal(dim, dim, seed=3) + 1
    expected = by_scipy(a, b) if dim > 1 else (a.mean() - b.mean()).item() ** 2 + (a.std() - b.std()).item() ** 2
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-8)
    assert frechet_distance(b, a) == pytest.approx(expected, rel=1e-8)
    assert frechet_distance(a.float(), b.float()) == pytest.approx(expected, rel=1e-4)


def test_distance_is_zero_for_the_same_features_and_moves_with_a_shift_and_with_the_scale():
    a, b = normal(30, 5), normal(30, 5, seed=1) * 2
    assert frechet_distance(a, a.flip(0)) == pytest.approx(0, abs=1e-12)
    shift = torch.tensor([1.0, 2.0, 0.0, 0.0, 0.0]).double()
    assert frechet_distance(a, a + shift) == pytest.approx(5, rel=1e-9)
    assert frechet_distance(3 * a, 3 * b) == pytest.approx(9 * frechet_distance(a, b), rel=1e-9)


def test_distance_stands_fewer_examples_than_features_and_features_that_never_change():
    """Where covariances have no inverse: the transport of two lines in space, in closed form."""
    t = with_moments(6, torch.zeros(1).double(), torch.eye(1).double())
    one, other = t * torch.eye(20, dtype=torch.float64)[0], t.flip(0) * 2 * torch.eye(20, dtype=torch.float64)[1]
    assert frechet_distance(one, other) == pytest.approx(1 + 4, rel=1e-9)  # at right angles nothing is saved
    assert frechet_distance(one, 3 * one) == pytest.approx(4, rel=1e-9)
    assert frechet_distance(torch.ones(4, 3), torch.zeros(4, 3)) == pytest.approx(3, rel=1e-9)


def test_distance_comes_out_too_large_from_few_examples():
    """The bias of Chong and Forsyth: the same distribution twice, further apart the fewer examples.

    Measured: 1.9, 0.40 and 0.099; a mean of ten each, whose spread is a few per cent.
    """
    found = [
        np.mean([frechet_distance(normal(n, 8, seed=s), normal(n, 8, seed=s + 100)) for s in range(10)])
        for n in (30, 120, 480)
    ]
    assert found[0] > 3 * found[1] > 9 * found[2] > 0


class FakeInception(nn.Module):
    """As torch-fidelity's, but that its features are the means of the colours of the four corners."""

    def __init__(self, name, features_list, feature_extractor_weights_path=None):
        super().__init__()
        assert features_list == ["2048"]
        self.unused = nn.Parameter(torch.zeros(()))

    def forward(self, x):
        assert x.dtype == torch.uint8
        assert x.shape[1] == 3
        return (torch.stack([x[..., r, c].float() for r in (0, -1) for c in (0, -1)], 1).flatten(1),)


def library(monkeypatch, extractor):
    module = types.ModuleType("torch_fidelity.feature_extractor_inceptionv3")
    module.FeatureExtractorInceptionV3 = extractor
    monkeypatch.setitem(sys.modules, "torch_fidelity", types.ModuleType("torch_fidelity"))
    monkeypatch.setitem(sys.modules, module.__name__, module)


def test_fid_is_the_distance_of_the_library_s_features_of_bytes(monkeypatch):
    library(monkeypatch, FakeInception)
    real, fake = torch.rand(40, 1, 6, 6, generator=seeded()), torch.rand(30, 1, 6, 6, generator=seeded(1))

    def corners(x):
        rounded = (255 * x).round()
        return torch.stack([rounded[:, 0, r, c] for r in (0, -1) for c in (0, -1)], 1).repeat_interleave(3, 1)

    expected = frechet_distance(corners(real), corners(fake))
    assert fid(real, fake, batch_size=7) == pytest.approx(expected, rel=1e-6)
    coloured = [x.expand(-1, 3, -1, -1) for x in (real, fake)]
    assert fid(*coloured) == pytest.approx(expected, rel=1e-6)


def test_fid_without_library_or_weights_says_what_to_do(monkeypatch, tmp_path):
    x = torch.rand(4, 1, 8, 8)
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", None)
    with pytest.raises(ImportError, match="pip install 'torch-fidelity"):
        fid(x, x)

    def offline(*args, **kwargs):
        raise urllib.error.URLError("no network here")

    library(monkeypatch, offline)
    with pytest.raises(OSError, match=r"no network here.*weights="):
        fid(x, x)
    with pytest.raises(FileNotFoundError, match="expected the weights"):
        fid(x, x, weights=tmp_path / "missing.pth")


def test_the_library_has_what_fid_uses():
    extractor = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3").FeatureExtractorInceptionV3
    assert "2048" in extractor.get_provided_features_list()
    assert extractor.get_default_feature_layer_for_metric("fid") == "2048"


# ---------------------------------------------------------------- precision and recall


def by_hand(real, fake, k):
    def inside(x, centres):
        count = 0
        for point in x:
            for centre in centres:
                radius = sorted(math.dist(centre, other) for other in centres)[k]  # the 0-th is itself
                if math.dist(point, centre) <= radius:
                    count += 1
                    break
        return count / len(x)

    return inside(fake, real), inside(real, fake)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_precision_and_recall_equal_brute_force(k, shift):
    real, fake = normal(25, 2), 0.6 * normal(18, 2, seed=1) + shift
    found = precision_recall(real, fake, k=k)
    assert found == pytest.approx(by_hand(real.tolist(), fake.tolist(), k))
    assert precision_recall(real, fake, k=k, chunk=4) == found
    assert 0 < found.precision < 1 or 0 < found.recall < 1
    assert precision_recall(fake, real, k=k) == (found.recall, found.precision)


def test_precision_and_recall_tell_what_is_missing_from_what_is_wrong():
    toy = data.load("eight_gaussians", "train")
    real, other, labels = toy.x[:1000], toy.x[1000:], toy.y[1000:]
    half = other[labels < 4][:1000]
    found = precision_recall(real, half)
    assert found.precision > 0.9
    assert 0.4 < found.recall < 0.6
    noise = torch.cat([other[:500], torch.rand(500, 2, generator=seeded()) * 40 - 20])
    found = precision_recall(real, noise)
    assert 0.45 < found.precision < 0.6
    assert found.recall > 0.9
    assert precision_recall(real, real.flip(0)) == (1, 1)  # borders belong to the balls


# ---------------------------------------------------------------- modes


def test_coverage_counts_what_lies_within_three_deviations_of_the_closest_mode():
    centres = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    samples = torch.tensor([[0.0, 0.29], [0.0, 0.31], [10.0, 0.0], [10.2, 0.2], [5.0, 5.0]])
    found = mode_coverage(samples, centres, 0.1)
    assert found.counts.tolist() == [1, 2, 0]
    assert found.modes == pytest.approx(2 / 3)
    assert found.quality == pytest.approx(3 / 5)
    assert mode_coverage(samples, centres, 0.1, least=2).modes == pytest.approx(1 / 3)
    assert mode_coverage(samples, centres, 0.1, n_std=4).counts.tolist() == [2, 2, 0]
    overlapping = mode_coverage(torch.zeros(1, 2), torch.tensor([[0.1, 0.0], [0.2, 0.0]]), 1.0)
    assert overlapping.counts.tolist() == [1, 0]  # a sample counts for one mode only


def test_the_data_themselves_cover_every_mode_and_are_near_one_as_often_as_gaussians_are():
    """Within three deviations in the plane: 1 - exp(-9/2) = 0.989, six binomial errors are allowed (2e-9)."""
    toy, other = data.load("eight_gaussians", "train"), data.load("eight_gaussians", "test")
    modes = [toy.x[toy.y == label] for label in range(8)]
    centres = torch.stack([mode.mean(0) for mode in modes])
    std = torch.cat([mode - mode.mean(0) for mode in modes]).std().item()
    found = mode_coverage(other.x, centres, std, least=100)
    assert found.modes == 1
    share = 1 - math.exp(-4.5)
    # centres and std are estimated, too, from 10,000 points: 1 % of the radius moves the share by 0.001
    assert found.quality == pytest.approx(share, abs=6 * math.sqrt(share * (1 - share) / len(other.x)) + 0.001)
    assert found.counts.sum() == round(found.quality * len(other.x))


# ---------------------------------------------------------------- Parzen windows


@pytest.mark.parametrize("bandwidth", [0.2, 1.0, 3.0])
def test_parzen_estimate_equals_scikit_learn_s_and_integrates_to_one(bandwidth):
    x, samples = normal(11, 3), normal(40, 3, seed=1)
    expected = KernelDensity(bandwidth=bandwidth).fit(samples.numpy()).score_samples(x.numpy())
    torch.testing.assert_close(parzen_log_prob(x, samples, bandwidth, chunk=4), torch.from_numpy(expected))
    line = torch.linspace(-30, 30, 6001, dtype=torch.float64)
    density = parzen_log_prob(line.unsqueeze(1), samples[:, :1], bandwidth).exp()
    assert torch.trapezoid(density, line).item() == pytest.approx(1, abs=1e-6)


def test_parzen_bandwidth_is_the_best_of_those_asked():
    x, samples = normal(50, 2), normal(200, 2, seed=1)
    candidates = torch.tensor([0.01, 0.1, 0.4, 3.0])
    scores = [parzen_log_prob(x, samples, float(c)).mean() for c in candidates]
    assert parzen_bandwidth(x, samples, candidates) == pytest.approx(candidates[int(torch.stack(scores).argmax())])


def test_parzen_estimates_prefer_a_constant_to_the_truth():
    """Why they are no likelihood: data from N(0, I) in 50 dimensions, and two models.

    One draws from N(0, I) itself, the other always 0, the mean. With the best bandwidth for either, the estimate of the
    first is many nats below its true log-likelihood, even from 2,000 samples, and the constant wins, for with
    bandwidth 1 its window is N(0, I). The differences are means over 200 points; their errors are below 1 nat.
    """
    x, validation, truth = normal(200, 50), normal(200, 50, seed=1), normal(2000, 50, seed=2)
    constant = torch.zeros(1, 50, dtype=torch.float64)
    candidates = torch.linspace(0.4, 1.5, 23)
    true_model, collapsed = (
        parzen_log_prob(x, samples, parzen_bandwidth(validation, samples, candidates)).mean().item()
        for samples in (truth, constant)
    )
    exact = torch.distributions.Normal(0.0, 1.0).log_prob(x).sum(1).mean().item()
    assert true_model < exact - 5
    assert collapsed > true_model + 5
    assert collapsed == pytest.approx(exact, abs=0.5)


# ---------------------------------------------------------------- features and answers of a classifier


@pytest.fixture(scope="module")
def digits():
    train, test = data.load("digits", "train"), data.load("digits", "test")
    return train, test, fit_classifier(train.x, train.y, steps=150)


def test_classifier_trained_in_place_knows_digits_and_is_the_same_again(digits):
    train, test, judge = digits
    assert (judge.probabilities(test.x).argmax(1) == test.y).double().mean() > 0.9
    features = judge.features(test.x, batch_size=100)
    assert features.shape == (len(test.x), 64)
    torch.testing.assert_close(judge.head(features).softmax(1), judge.probabilities(test.x))
    state = torch.get_rng_state()
    short, again = (fit_classifier(train.x, train.y, steps=3) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(p, q) for p, q in zip(short.parameters(), again.parameters(), strict=True))
    assert not judge.training


def test_distance_on_its_features_grows_as_images_get_worse(digits):
    train, test, judge = digits
    reference = judge.features(train.x)
    noise = torch.randn(test.x.shape, generator=seeded())
    worse = [test.x, *((test.x + size * noise).clamp(0, 1) for size in (0.2, 0.5)), torch.full_like(test.x, 0.5)]
    found = [frechet_distance(reference, judge.features(x)) for x in worse]
    assert found == sorted(found)
    missing = frechet_distance(reference, judge.features(test.x[test.y < 5]))
    assert missing > 3 * found[0]


def test_class_quality_says_how_sure_and_how_diverse(digits):
    _, test, judge = digits
    real = class_quality(judge, test.x)
    assert real.confident > 0.8
    assert 9 < real.effective_classes <= 10
    assert real.shares.sum().item() == pytest.approx(1)
    collapsed = class_quality(judge, test.x[test.y == 3])
    assert collapsed.effective_classes < 1.5
    assert collapsed.shares.argmax() == 3
    highest, label = judge.probabilities(test.x).max(1)
    counted = [((label == k) & (highest >= 0.99)).sum().item() for k in range(10)]
    strict = class_quality(judge, test.x, threshold=0.99)
    assert strict.confident == pytest.approx(sum(counted) / len(test.x))
    torch.testing.assert_close(strict.shares, torch.tensor(counted).double() / sum(counted))
    with torch.no_grad():
        flat = torch.zeros_like(judge.head.weight), judge.head.weight.clone()
        judge.head.weight.copy_(flat[0])
        unsure = class_quality(judge, test.x)
        judge.head.weight.copy_(flat[1])
    assert (unsure.confident, unsure.effective_classes) == (0, 0)


# ---------------------------------------------------------------- what is refused


def test_bad_arguments_are_refused_with_what_was_expected():
    a, image = torch.zeros(9, 2), torch.zeros(4, 1, 8, 8)
    for test in (mmd_test, classifier_test, maximum_mean_discrepancy):
        with pytest.raises(ValueError, match="of one shape"):
            test(a, torch.zeros(9, 3))
        with pytest.raises(ValueError, match="two or more"):
            test(a, a[:1])
    with pytest.raises(ValueError, match="pass a bandwidth"):
        mmd_test(a, a)
    with pytest.raises(ValueError, match="positive"):
        mmd_test(a, a, bandwidth=0.0)
    with pytest.raises(ValueError, match="at least 1"):
        mmd_test(a, a, n_permutations=0)
    with pytest.raises(ValueError, match="as many of either"):
        classifier_test(a, a[:8])
    with pytest.raises(ValueError, match="flatten"):
        frechet_distance(image, image)
    with pytest.raises(ValueError, match="two or more"):
        frechet_distance(a, a[:1])
    with pytest.raises(ValueError, match=r"\(N, 1, H, W\)"):
        fid(image.byte(), image)
    with pytest.raises(ValueError, match=r"\(N, 1, H, W\)"):
        fid(image, torch.zeros(4, 2, 8, 8))
    with pytest.raises(ValueError, match="flatten images"):
        precision_recall(image, image)
    with pytest.raises(ValueError, match="more examples than k"):
        precision_recall(a[:3], a, k=3)
    with pytest.raises(ValueError, match=r"expected \(N, D\) and \(K, D\)"):
        mode_coverage(a, torch.zeros(8, 3), 0.1)
    with pytest.raises(ValueError, match="positive"):
        mode_coverage(a, a, 0.0)
    with pytest.raises(ValueError, match="positive"):
        parzen_log_prob(a, a, 0.0)
    with pytest.raises(ValueError, match=r"\(B, \.\.\.\)"):
        parzen_log_prob(a, torch.zeros(9, 3), 1.0)
    with pytest.raises(ValueError, match=r"int64 \(N,\)"):
        fit_classifier(image, torch.zeros(4))
