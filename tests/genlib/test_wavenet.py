"""What a dilated stack sees, what its queues save, labels, ends, and the mu-law; the rest is in the shared suite."""

import math

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from genlib import oracles, sampling
from genlib.models.sequences import after_end, mu_law_decode, mu_law_encode
from genlib.models.wavenet import GatedLayer, WaveNet


def make(length=5, levels=3, **options):
    torch.manual_seed(0)
    model = WaveNet(length, levels, channels=6, skip_channels=5, **options).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model.eval()


@pytest.mark.parametrize(
    ("kernel_size", "n_layers", "n_blocks", "expected"),
    [(2, 1, 1, 3), (2, 3, 1, 9), (2, 2, 3, 11), (3, 2, 1, 9), (3, 2, 2, 15), (1, 3, 1, 1)],
)
def test_logits_depend_on_exactly_the_codes_in_the_receptive_field(kernel_size, n_layers, n_blocks, expected):
    """Of T codes logits t see t - R to t - 1, R = k + (k - 1) n_blocks (2^n_layers - 1)."""
    length = expected + 4
    model = make(length, levels=4, kernel_size=kernel_size, n_layers=n_layers, n_blocks=n_blocks)
    assert model.receptive_field == expected
    support = oracles.causality(model, (length,), levels=4)
    ages = torch.arange(length).unsqueeze(1) - torch.arange(length)
    assert torch.equal(support, (ages >= 1) & (ages <= expected))


def test_a_layer_is_the_gated_unit_of_the_paper():
    """Equation 2 with the labels of section 2.5, moment by moment; then the two connections of figure 4."""
    torch.manual_seed(0)
    layer, dilation = GatedLayer(4, 3, 2, 3, n_classes=2, last=False).double(), 3
    x, y = torch.randn(2, 4, 8, dtype=torch.float64), torch.tensor([1, 0])
    after, skip = layer(x, y)
    weight, bias = layer.conv.weight, layer.conv.bias
    for t in range(8):
        earlier = x[:, :, t - dilation] if t >= dilation else torch.zeros_like(x[:, :, 0])
        pre = earlier @ weight[:, :, 0].T + x[:, :, t] @ weight[:, :, 1].T + bias + layer.label.weight[y]
        hidden = pre[:, :4].tanh() * pre[:, 4:].sigmoid()
        residual = hidden @ layer.residual.weight[:, :, 0].T + layer.residual.bias
        torch.testing.assert_close(after[:, :, t], x[:, :, t] + residual)
        torch.testing.assert_close(skip[:, :, t], hidden @ layer.skip.weight[:, :, 0].T + layer.skip.bias)


@pytest.mark.parametrize(("kernel_size", "n_classes"), [(2, None), (3, 4)])
def test_cached_sampling_multiplies_as_often_as_one_pass_over_the_sequence(kernel_size, n_classes):
    """Every activation is computed once: neither more than the whole network computes in one go, nor less."""
    model = make(length=20, kernel_size=kernel_size, n_layers=3, n_blocks=2, n_classes=n_classes)
    y = None if n_classes is None else torch.arange(4)
    counts = []
    for run in (lambda: model(torch.zeros(4, 20, dtype=torch.int64), y), lambda: model.sample(4, y=y)):
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            run()
        counts.append(counter.get_total_flops())
    assert counts[0] == counts[1] > 0


def test_queues_hold_what_long_dilations_need():
    """Beyond the receptive field, too: 40 steps through dilations up to 8, with kernels of three."""
    model = make(length=40, kernel_size=3, n_layers=4)
    uniforms = torch.rand(5, 40, generator=torch.Generator().manual_seed(1))
    naive, cached = (sampling.sample(model, 5, uniforms=uniforms, cached=cached) for cached in (False, True))
    assert torch.equal(naive, cached)


def test_every_class_has_a_distribution_of_its_own():
    model = make(n_classes=3, n_layers=2)
    x = oracles.enumerate_images((5,), 3)
    with torch.no_grad():
        by_class = torch.stack([model.log_prob(x, y) for y in range(3)])  # (3, 3^5)
        mixed = model.log_prob(x, torch.arange(len(x)) % 3)
    torch.testing.assert_close(by_class.exp().sum(1), torch.ones(3, dtype=torch.float64))
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert (by_class[first] - by_class[second]).abs().max() > 0.1
    torch.testing.assert_close(mixed, by_class[torch.arange(len(x)) % 3, torch.arange(len(x))])


@pytest.mark.parametrize("end", [0, None])
def test_cached_sampling_given_labels_equals_naive_sampling(end):
    model = make(length=12, n_classes=3, end=end)
    y = torch.arange(30) % 3
    uniforms = torch.rand(30, 12, generator=torch.Generator().manual_seed(2))
    naive, cached = (sampling.sample(model, 30, y=y, uniforms=uniforms, cached=cached) for cached in (False, True))
    assert torch.equal(naive, cached)
    assert bool(cached[after_end(cached)].any()) == (end is None)


def test_labels_that_do_not_fit_are_refused():
    model, x = make(n_classes=3), torch.zeros(2, 5, dtype=torch.int64)
    for y, match in (
        (None, "labels"),
        (3, "0 to 2"),
        (torch.tensor([0, -1]), "0 to 2"),
        (torch.tensor([0.0, 1.0]), "label"),
    ):
        with pytest.raises(ValueError, match=match):
            model.log_prob(x, y)
        with pytest.raises(ValueError, match=match):
            model.sample(2, y=y)
    with pytest.raises(ValueError, match="not conditional"):
        make().log_prob(x, 1)


def test_probabilities_of_all_sentences_sum_to_one():
    model = make(end=0)
    with torch.no_grad():
        total = oracles.total_probability(model.log_prob, (5,), levels=3)
        goes_on = model.log_prob(torch.tensor([[1, 0, 1, 0, 0]]))
    assert total.item() == pytest.approx(1, abs=1e-9)
    assert goes_on.isneginf().all()


def test_every_parameter_learns():
    model = make(n_classes=2, n_layers=3, n_blocks=2)
    model.log_prob(torch.randint(3, (64, 5)), torch.arange(64) % 2).sum().backward()
    silent = [
        name for name, parameter in model.named_parameters() if parameter.grad is None or not parameter.grad.any()
    ]
    assert silent == []


@pytest.mark.parametrize("levels", [2, 16, 255, 256, 1024])
def test_codes_survive_the_mu_law_and_back(levels):
    codes = torch.arange(levels)
    signal = mu_law_decode(codes, levels)
    assert torch.equal(mu_law_encode(signal, levels), codes)
    assert (signal.diff() > 0).all()
    assert (signal[0].item(), signal[-1].item()) == (pytest.approx(-1), pytest.approx(1))
    torch.testing.assert_close(signal, -signal.flip(0))


def test_sound_survives_the_mu_law_to_half_a_step():
    """Codes are 2 / mu apart after companding, whose inverse has the slope log(1 + mu) (1 + mu |x|) / mu."""
    signal, mu = torch.linspace(-1, 1, 4001), 255
    back = mu_law_decode(mu_law_encode(signal))
    largest = torch.maximum(signal.abs(), back.abs())
    assert ((back - signal).abs() <= 1.001 / mu * math.log(1 + mu) * (1 + mu * largest) / mu).all()


def test_mu_law_is_that_of_the_paper():
    x = np.linspace(-1, 1, 999)
    companded = np.sign(x) * np.log(1 + 255 * np.abs(x)) / np.log(256)
    expected = torch.from_numpy(np.rint((companded + 1) * 255 / 2).astype(np.int64))
    assert torch.equal(mu_law_encode(torch.from_numpy(x)), expected)


def test_bad_arguments_are_refused():
    for options in (
        {"length": 0},
        {"levels": 1},
        {"kernel_size": 0},
        {"n_layers": 0},
        {"n_blocks": 0},
        {"n_classes": 0},
    ):
        with pytest.raises(ValueError, match="positive sizes"):
            make(**options)
    with pytest.raises(ValueError, match="received end=2; expected 0"):
        make(end=2)
    with pytest.raises(ValueError, match=r"expected 2 or more, and \[-1, 1\]"):
        mu_law_encode(torch.tensor([0.0, 1.5]))
    with pytest.raises(ValueError, match=r"expected 2 or more, and \[-1, 1\]"):
        mu_law_encode(torch.tensor([float("nan")]))
    with pytest.raises(ValueError, match="expected at least 2"):
        mu_law_decode(torch.tensor([0]), 1)
