"""The rounded logistic and its mixtures: normalised at every scale, with gradients that stay finite."""

import math

import pytest
import torch

from genlib.likelihoods import discretized_logistic_log_prob, discretized_logistic_mixture_log_prob

SCALES = [-12.0, -7.0, -5.0, -3.0, -1.0, 0.0, 4.0]


def all_levels(mean: float, log_scale: float, levels: int = 256, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    x = torch.arange(levels).unsqueeze(1)  # (levels, 1)
    mean_, log_scale_ = (torch.full((levels, 1), value, dtype=dtype) for value in (mean, log_scale))
    return discretized_logistic_log_prob(x, mean_, log_scale_, levels=levels)


@pytest.mark.parametrize("levels", [2, 16, 256])
@pytest.mark.parametrize("mean", [-3.0, -1.0, 0.0, 0.3, 1.0, 2.0])
@pytest.mark.parametrize("log_scale", SCALES)
def test_all_levels_sum_to_one(levels, mean, log_scale):
    total = all_levels(mean, log_scale, levels).double().logsumexp(0).exp()
    assert total.item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("log_scale", [-4.0, -2.0, 0.0])
def test_mass_is_the_difference_of_the_distribution_function_and_the_tails_at_the_ends(log_scale):
    edges = (torch.arange(257, dtype=torch.float64) - 0.5) / 127.5 - 1
    edges[0], edges[-1] = -math.inf, math.inf
    truth = torch.sigmoid((edges - 0.2) * math.exp(-log_scale)).diff()
    torch.testing.assert_close(all_levels(0.2, log_scale, dtype=torch.float64).exp(), truth, atol=1e-13, rtol=1e-6)


def test_far_from_the_mean_the_log_mass_falls_linearly_and_stays_finite():
    """In the tail the mass is exp(-distance / scale) times a constant: one level further costs width / scale nats."""
    values = all_levels(-1.0, -6.0, dtype=torch.float32)[20:255]
    assert values.isfinite().all()
    torch.testing.assert_close(values.diff(), torch.full((234,), -math.exp(6.0) / 127.5), rtol=1e-3, atol=0)


@pytest.mark.parametrize("log_scale", SCALES)
@pytest.mark.parametrize("mean", [-50.0, -1.0, 0.0, 1.0, 50.0])
def test_gradients_are_finite(mean, log_scale):
    x = torch.arange(256).unsqueeze(1)
    parameters = [torch.full((256, 1), value, requires_grad=True) for value in (mean, log_scale)]
    value = discretized_logistic_log_prob(x, *parameters)
    assert value.isfinite().all()
    for gradient in torch.autograd.grad(value.sum(), parameters):
        assert gradient.isfinite().all()


def test_gradients_equal_finite_differences():
    generator = torch.Generator().manual_seed(0)
    x = torch.tensor([[0, 3, 100], [255, 128, 1]])
    logits, mean, log_scale = (
        torch.randn(2, 4, 3, generator=generator, dtype=torch.float64, requires_grad=True) for _ in range(3)
    )
    assert torch.autograd.gradcheck(
        lambda *parameters: discretized_logistic_mixture_log_prob(x, *parameters), (logits, mean, log_scale)
    )


def test_mixture_is_the_log_of_the_weighted_sum_of_its_components():
    generator = torch.Generator().manual_seed(1)
    x = torch.randint(16, (5, 2, 3), generator=generator)
    logits, mean, log_scale = (torch.randn(7, 5, 4, 2, 3, generator=generator, dtype=torch.float64) for _ in range(3))
    total = 0
    for pixel in [(i, j) for i in range(2) for j in range(3)]:
        at = (..., *pixel)
        parts = [
            discretized_logistic_log_prob(x[at].unsqueeze(1), m[at].unsqueeze(-1), s[at].unsqueeze(-1), levels=16)
            for m, s in zip(mean.unbind(2), log_scale.unbind(2), strict=True)
        ]
        total = total + (logits[at].softmax(2) * torch.stack(parts, 2).exp()).sum(2).log()  # (7, 5)
    value = discretized_logistic_mixture_log_prob(x, logits, mean, log_scale, levels=16)
    torch.testing.assert_close(value, total)


def test_one_component_is_the_plain_one():
    x = torch.randint(256, (6, 3))
    mean, log_scale = torch.randn(6, 3), torch.randn(6, 3)
    one = discretized_logistic_mixture_log_prob(x, torch.randn(6, 1, 3), mean.unsqueeze(1), log_scale.unsqueeze(1))
    torch.testing.assert_close(one, discretized_logistic_log_prob(x, mean, log_scale))


def test_bad_input_is_refused():
    parameter = torch.zeros(2, 3)
    with pytest.raises(ValueError, match="expected integers"):
        discretized_logistic_log_prob(torch.zeros(2, 3), parameter, parameter)
    with pytest.raises(ValueError, match=r"from 0 to 16; expected integers in \[0, 16\)"):
        discretized_logistic_log_prob(torch.tensor([[0, 16, 1]] * 2), parameter, parameter, levels=16)
    with pytest.raises(ValueError, match=r"x \(2, 4\) and mean \(2, 3\) do not fit"):
        discretized_logistic_log_prob(torch.zeros(2, 4, dtype=torch.int64), parameter, parameter)
    with pytest.raises(ValueError, match=r"expected \(\*sample, B, K, \*event\)"):
        discretized_logistic_mixture_log_prob(torch.zeros(2, 3, dtype=torch.int64), parameter, parameter, parameter)
