"""Likelihoods against torch.distributions, brute force and values known by hand."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Bernoulli, Categorical, Normal

from genlib.likelihoods import bernoulli_log_prob, categorical_log_prob, normal_log_prob
from genlib.oracles import total_probability

seeds = st.integers(0, 2**31)
events = st.lists(st.integers(1, 3), min_size=0, max_size=3).map(tuple)
samples = st.sampled_from([(), (2,), (2, 3)])


@given(seeds, events, samples)
@settings(max_examples=30, deadline=None)
def test_likelihoods_equal_torch_distributions_summed_over_the_event(seed, event, sample):
    g = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(*sample, 4, *event, generator=g, dtype=torch.float64)
    binary = torch.randint(2, (4, *event), generator=g).double()

    def summed(values):
        return values.reshape(*sample, 4, -1).sum(-1)

    torch.testing.assert_close(bernoulli_log_prob(binary, logits), summed(Bernoulli(logits=logits).log_prob(binary)))
    real, logvar = torch.randn(4, *event, generator=g, dtype=torch.float64), torch.tensor(0.3, dtype=torch.float64)
    expected = summed(Normal(logits, (0.5 * logvar).exp()).log_prob(real))
    torch.testing.assert_close(normal_log_prob(real, logits, logvar), expected)
    torch.testing.assert_close(normal_log_prob(real, logits, 0.3), expected)
    levels = torch.randn(*sample, 4, 5, *event, generator=g, dtype=torch.float64)
    x = torch.randint(5, (4, *event), generator=g)
    last = levels.movedim(len(sample) + 1, -1)
    torch.testing.assert_close(categorical_log_prob(x, levels), summed(Categorical(logits=last).log_prob(x)))


def test_bernoulli_sums_to_one_over_all_binary_images():
    logits = 2 * torch.randn(1, 1, 3, 3, generator=torch.Generator().manual_seed(0))
    total = total_probability(lambda x: bernoulli_log_prob(x, logits.expand(len(x), -1, -1, -1)), (1, 3, 3))
    assert total.item() == pytest.approx(1, abs=1e-5)


def test_categorical_sums_to_one_over_all_images():
    logits = torch.randn(1, 4, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    total = total_probability(
        lambda x: categorical_log_prob(x.long(), logits.expand(len(x), -1, -1, -1, -1)), (1, 2, 2), levels=4
    )
    assert total.item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("logit", [200.0, -200.0])
def test_extreme_logits_give_the_exact_value_and_finite_gradients(logit):
    logits = torch.full((1, 2), logit, requires_grad=True)
    value = bernoulli_log_prob(torch.tensor([[0.0, 1.0]]), logits)
    assert value.item() == -200.0  # one pixel is certain and right, the other certain and wrong
    (gradient,) = torch.autograd.grad(value.sum(), logits)
    torch.testing.assert_close(gradient, torch.tensor([[-1.0, 0.0]] if logit > 0 else [[0.0, 1.0]]))
    value = categorical_log_prob(torch.tensor([1]), torch.tensor([[logit, 0.0]], requires_grad=True))
    assert value.item() == min(-logit, 0.0)


def test_a_constant_image_has_the_value_of_all_its_pixels():
    x = torch.ones(3, 1, 28, 28)
    torch.testing.assert_close(bernoulli_log_prob(x, torch.zeros_like(x)), torch.full((3,), -784 * math.log(2)))
    torch.testing.assert_close(normal_log_prob(x, x, 0.0), torch.full((3,), -392 * math.log(2 * math.pi)))


def test_grey_data_are_refused_unless_asked_for():
    grey = torch.tensor([[0.0, 0.5]])
    with pytest.raises(ValueError, match="soft=True"):
        bernoulli_log_prob(grey, torch.zeros(1, 2))
    assert bernoulli_log_prob(grey, torch.zeros(1, 2), soft=True).item() == pytest.approx(-2 * math.log(2))


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, math.inf])
@pytest.mark.parametrize("soft", [False, True])
def test_values_outside_the_unit_interval_are_refused(value, soft):
    with pytest.raises(ValueError, match="x holds values"):
        bernoulli_log_prob(torch.tensor([[0.0, value]]), torch.zeros(1, 2), soft=soft)


def test_wrong_shapes_types_and_levels_are_refused():
    with pytest.raises(ValueError, match=r"x \(2, 3\) and logits \(2, 4\)"):
        bernoulli_log_prob(torch.zeros(2, 3), torch.zeros(2, 4))
    with pytest.raises(ValueError, match=r"x \(2, 3\) and mean \(3,\)"):
        normal_log_prob(torch.zeros(2, 3), torch.zeros(3), 0.0)
    with pytest.raises(ValueError, match="expected integers"):
        categorical_log_prob(torch.zeros(2, 3), torch.zeros(2, 5, 3))
    with pytest.raises(ValueError, match=r"logits \(2, 3\)"):
        categorical_log_prob(torch.zeros(2, 3, dtype=torch.long), torch.zeros(2, 3))
    with pytest.raises(ValueError, match=r"from 0 to 5; expected integers in \[0, 5\)"):
        categorical_log_prob(torch.tensor([0, 5]), torch.zeros(2, 5))
