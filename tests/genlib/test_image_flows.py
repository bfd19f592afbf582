"""RealNVP on images: dequantisation, units, squeezing and scales."""

import pytest
import torch

from genlib import data
from genlib.bounds import bits_per_dim
from genlib.device import seed_everything
from genlib.models.image_coupling import checkerboard, squeeze, unsqueeze
from genlib.models.image_real_nvp import ImageRealNVP
from genlib.train import fit


def bent(*args, size=0.5, **kwargs):
    seed_everything(0)
    model = ImageRealNVP(*args, hidden_dim=8, n_blocks=1, **kwargs).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(size * torch.randn_like(parameter) / parameter[0].numel() ** 0.5)
    return model


@pytest.mark.parametrize("levels", [2, 17, 200, 256])
def test_dequantisation_comes_back_exactly_from_every_level(levels):
    model = ImageRealNVP((1, 4, 4), levels)
    k = torch.arange(levels).repeat_interleave(4000).reshape(-1, 1, 4, 4)
    for given in (k, k.float() / (levels - 1)):
        x = model.dequantize(given, generator=torch.Generator().manual_seed(0))
        assert torch.equal(model.quantize(x), k)
        assert x.dtype == torch.float32
        assert x.min() > 0
        assert x.max() <= levels
    noise = x - k
    # 4000 draws a level: extremes and mean of all are those of U[0, 1); 6 standard errors of the mean
    assert noise.min() < 0.01 < 0.99 < noise.max()
    assert abs(float(noise.double().mean()) - 0.5) < 6 * (1 / 12 / noise.numel()) ** 0.5


def test_dequantisation_follows_its_generator():
    model, k = ImageRealNVP((1, 4, 4)), torch.zeros(3, 1, 4, 4)
    first, again, other = (model.dequantize(k, generator=torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_dequantised_images_pass_through_the_model_and_come_back_exactly():
    """In single precision, as it is used: the error of the inverse is small against the noise, not against nothing."""
    model = ImageRealNVP((1, 16, 16))
    k = torch.arange(256).reshape(1, 1, 16, 16)
    x = (k + 0.5).float()
    assert torch.equal(model.quantize(model.inverse(model(x)[0])), k)
    bent_model = bent((1, 16, 16))
    assert torch.equal(bent_model.quantize(bent_model.inverse(bent_model(x.double())[0])), k)


@torch.no_grad()
def test_the_density_of_two_pixels_integrates_to_one_on_the_scale_of_levels():
    model = bent((1, 1, 2), 4, n_scales=1, margin=0.0, size=0.3)
    n = 300
    axis = 4 * (torch.arange(n).double() + 0.5) / n
    points = torch.cartesian_prod(axis, axis).reshape(-1, 1, 1, 2)
    mass = torch.cat([model.log_prob(part) for part in points.split(30_000)]).exp() * (4 / n) ** 2
    assert abs(float(mass.sum()) - 1) < 1e-3
    draws = model.sample(500)
    assert 0 < draws.min() < draws.max() < 4


def test_units_of_log_prob_are_levels():
    """The same image on twice as many levels is spread over twice the length: log 2 nats less for every number."""
    fine, coarse = bent((1, 4, 2), 256), bent((1, 4, 2), 128)
    x = 128 * torch.rand(5, 1, 4, 2).double()
    bits = bits_per_dim(fine.log_prob(2 * x), 8) - bits_per_dim(coarse.log_prob(x), 8)
    assert torch.allclose(bits, torch.ones(5).double())


def test_squeezed_channels_are_the_image_at_every_second_pixel_and_come_back():
    x = torch.randn(2, 3, 4, 6)
    h = squeeze(x)
    corners = [x[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)]
    assert torch.equal(h, torch.cat(corners, 1))
    assert torch.equal(unsqueeze(h), x)


def test_the_checkerboard_alternates_in_both_directions():
    board = checkerboard(5, 6)
    assert board.shape == (1, 5, 6)
    assert torch.equal(board[:, 1:], ~board[:, :-1])
    assert torch.equal(board[:, :, 1:], ~board[:, :, :-1])
    assert torch.equal(checkerboard(5, 6, swap=True), ~board)


def test_what_is_done_at_the_first_scale_is_not_touched_by_the_others():
    """z stands where its pixels are: rows 0, 2, ... went on to the next scale, rows 1, 3, ... were done."""
    model = bent((1, 4, 4), n_scales=2)
    x = 256 * torch.rand(3, 1, 4, 4).double()
    before = model(x)[0]
    with torch.no_grad():
        for parameter in model.transforms[1].rest.parameters():
            parameter.add_(0.1)
    after = model(x)[0]
    assert torch.equal(before[:, :, 1::2], after[:, :, 1::2])
    assert (before[:, :, 0::2] != after[:, :, 0::2]).all()


def test_every_number_of_z_depends_on_every_pixel():
    model = bent((1, 4, 4), n_scales=2)
    x = 256 * torch.rand(1, 1, 4, 4).double()
    jacobian = torch.autograd.functional.jacobian(lambda v: model(v)[0], x).reshape(16, 16)
    assert (jacobian != 0).double().mean() > 0.9  # a ReLU may be off
    assert (jacobian.diagonal() != 0).all()


def test_it_learns_digits_beyond_independent_pixels():
    """Beyond the entropy of every pixel by itself, which is what no model with independent pixels can beat."""
    images, test = data.load("digits").x, data.load("digits", "test").x
    counts = torch.nn.functional.one_hot(data.quantize(images, 17).flatten(1), 17).double().mean(0)  # (64, 17)
    independent = float(-(counts * counts.clamp(min=1e-12).log2()).sum(1).mean())
    seed_everything(0)
    model = ImageRealNVP((1, 8, 8), levels=17, hidden_dim=16, n_blocks=1)
    fit(model, images, transform=model.dequantize, steps=150, lr=3e-3, batch_size=64, progress=False)
    with torch.no_grad():
        x = model.dequantize(test, generator=torch.Generator().manual_seed(0))
        bits = float(bits_per_dim(model.log_prob(x), 64).mean())
    assert bits < independent - 0.05


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ImageRealNVP((1, 6, 8), n_scales=3), "multiples of 4"),
        (lambda: ImageRealNVP((3, 4, 4), n_scales=3), "at least 2 pixels, so fewer scales"),
        (lambda: ImageRealNVP((8, 8)), r"expected \(C, H, W\)"),
        (lambda: ImageRealNVP((1, 8, 8), n_scales=0), "positive sizes"),
        (lambda: ImageRealNVP((1, 4, 4)).log_prob(torch.ones(3, 1, 4, 4)), "whole numbers"),
        (lambda: ImageRealNVP((1, 4, 4)).log_prob(torch.ones(3, 1, 2, 2, dtype=torch.long)), "whole numbers"),
        (lambda: ImageRealNVP((1, 4, 4)).log_prob(300 * torch.rand(3, 1, 4, 4) + 20), "between 0 and 256"),
        (lambda: ImageRealNVP((1, 4, 4)).log_prob(torch.rand(3, 4, 4)), r"expected \(B, 1, 4, 4\)"),
        (lambda: ImageRealNVP((1, 4, 4)).quantize(torch.full((1, 1, 4, 4), torch.nan)), "NaN"),
        (lambda: ImageRealNVP((1, 4, 4), 2).dequantize(torch.full((1, 1, 4, 4), 2)), r"integers in \[0, 2\)"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(call, message):
    with pytest.raises(ValueError, match=message):
        call()
