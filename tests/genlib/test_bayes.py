"""Bayes' rule: a classifier made of densities, and a conditional generator made of a classifier."""

import math

import pytest
import torch
from torch import nn

from genlib import taxonomy
from genlib.models.bayes import BayesClassifier, BayesGenerator
from genlib.models.class_conditional import ClassConditionalGaussian


class OfClass(nn.Module):
    """p(x|y) for one fixed y, as a density of its own."""

    def __init__(self, model, label):
        super().__init__()
        self.model, self.label = model, label

    def log_prob(self, x):
        return self.model.log_prob(x, self.label)


@pytest.fixture
def model():
    """Two overlapping classes on the line, with prior 1/4 and 3/4."""
    mean = torch.tensor([[[-1.0]], [[1.0]]], dtype=torch.float64)  # (C, K, D)
    factor = torch.tensor([[[[1.0]]], [[[0.5]]]], dtype=torch.float64)
    log_prior = torch.tensor([0.25, 0.75], dtype=torch.float64).log()
    return ClassConditionalGaussian(log_prior, torch.zeros(2, 1, dtype=torch.float64), mean, factor, (1,))


@pytest.fixture
def x():
    return torch.linspace(-6, 6, 4801, dtype=torch.float64).unsqueeze(1)


def integral(log_values, x):
    return log_values.exp().sum() * (x[1, 0] - x[0, 0])


def logits_of_another_kind(x):
    """A classifier that knows nothing of the densities; its logits lack an additive constant, as networks' do."""
    return torch.cat([1.5 * x + 7, 0.5 - x + 7], 1)


def test_classifier_of_densities_is_the_models_posterior(model, x):
    classifier = BayesClassifier([OfClass(model, 0), OfClass(model, 1)], model.log_prior)
    assert torch.allclose(classifier.log_posterior(x), model.log_posterior(x))
    assert torch.equal(classifier.classify(x), model.classify(x))
    assert torch.allclose(classifier(x).logsumexp(1), model.log_prob(x))


def test_bayes_rule_and_back_is_the_class_density(model, x):
    generator = BayesGenerator(model.log_posterior, model, model.log_prior)
    for label in range(2):
        assert torch.allclose(generator.log_prob(x, label), model.log_prob(x, label))
    assert torch.equal(generator.log_prob(x), model.log_prob(x))


def test_parts_that_agree_give_a_normalised_density(model):
    """p(y|x) / p(y) lies in [0, 4]: the mean of 20,000 has a standard error below 0.015; the bound is six of them."""
    generator = BayesGenerator(model.log_posterior, model, model.log_prior)
    log_normalizer = generator.log_normalizer(n_samples=20_000, generator=torch.Generator().manual_seed(0))
    assert log_normalizer.exp().sub(1).abs().max() < 0.09


def test_normalizer_of_parts_that_disagree_equals_the_integral(model, x):
    """The mean of 200,000 values in [0, 4] errs by less than 0.027 but for one seed in a million; the seed is fixed."""
    generator = BayesGenerator(logits_of_another_kind, model, model.log_prior)
    estimate = generator.log_normalizer(n_samples=200_000, generator=torch.Generator().manual_seed(0)).exp()
    for label in range(2):
        truth = integral(generator.log_prob(x, label), x)
        assert abs(truth - 1) > 0.1
        assert abs(estimate[label] - truth) < 0.027


def test_samples_come_from_the_product_of_classifier_and_density(model, x):
    """Kolmogorov-Smirnov against the distribution function by a sum over a grid; false alarms below 1e-6."""
    n = 20_000
    generator = BayesGenerator(logits_of_another_kind, model, model.log_prior)
    for label in range(2):
        draws = generator.sample(n, y=label, generator=torch.Generator().manual_seed(label)).sort(0).values  # (n, 1)
        cumulative = generator.log_prob(x, label).softmax(0).cumsum(0)
        index = torch.searchsorted(x[:, 0].contiguous(), draws[:, 0].contiguous()).clamp(max=len(x) - 1)
        empirical = torch.arange(1, n + 1) / n
        distance = (cumulative[index] - empirical).abs().max()
        assert distance < math.sqrt(math.log(2 / 1e-6) / (2 * n)) + 0.002  # the grid's cells hold less than 0.002


def test_labels_of_samples_may_differ(model):
    generator = BayesGenerator(lambda x: torch.cat([-100 * x, 100 * x], 1), model, model.log_prior)
    y = torch.tensor([1, 0, 0, 1, 1])
    draws = generator.sample(5, y=y, generator=torch.Generator().manual_seed(0))
    assert torch.equal(draws[:, 0] > 0, y == 1)
    assert generator.sample(3, generator=torch.Generator().manual_seed(0)).shape == (3, 1)
    assert generator.sample(0, y=torch.zeros(0, dtype=torch.int64)).shape == (0, 1)


def test_sampling_leaves_dropout_off_and_the_mode_as_it_was(model):
    network = nn.Sequential(nn.Dropout(0.5), nn.Linear(1, 2, dtype=torch.float64)).train()
    generator = BayesGenerator(network, model, model.log_prior)
    seen = []
    network[0].register_forward_hook(lambda module, *_: seen.append(module.training))
    generator.sample(3, y=1)
    generator.log_normalizer(n_samples=10)
    assert seen
    assert not any(seen)
    assert network.training
    assert network[0].training


def test_place_in_the_taxonomy_is_that_of_a_density(model):
    generator = BayesGenerator(model.log_posterior, model, model.log_prior)
    assert taxonomy.place(generator) == taxonomy.place(model)


def test_bad_parts_are_refused(model, x):
    with pytest.raises(ValueError, match="expected one for each of two or more classes"):
        BayesClassifier([model], model.log_prior[:1])
    with pytest.raises(ValueError, match=r"sum to 1\.75"):
        BayesGenerator(model.log_posterior, model, torch.tensor([1.0, 0.75]).log())
    with pytest.raises(ValueError, match=r"expected logits \(4801, 2\)"):
        BayesGenerator(lambda x: x, model, model.log_prior).log_prob(x, 0)
    never = BayesGenerator(lambda x: torch.tensor([[-100.0, 100.0]]).expand(len(x), 2), model, model.log_prior)
    with pytest.raises(ValueError, match="gave 0 of 1 samples of class 0"):
        never.sample(1, y=0, max_proposals=1000)
