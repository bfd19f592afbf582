"""Generators and discriminators: shapes, ranges, labels, modes, slopes, and their place in the taxonomy."""

import copy

import pytest
import torch
from torch import nn

from genlib.gan import AveragedGenerator, gradient_penalty
from genlib.models.dcgan import NORMS, SIZES, DCGANDiscriminator, DCGANGenerator
from genlib.models.implicit import draw_latents
from genlib.models.mlp_gan import MLPDiscriminator, MLPGenerator
from genlib.taxonomy import place

CLASSES = 5
GENERATORS = {
    **{f"DCGAN {size}": lambda size=size, **kw: DCGANGenerator((1, size, size), 6, 4, **kw) for size in SIZES},
    "DCGAN in colour": lambda **kw: DCGANGenerator((3, 16, 16), 6, 4, **kw),
    "MLP": lambda **kw: MLPGenerator(2, 6, 16, **kw),
    "MLP of images": lambda **kw: MLPGenerator((1, 4, 4), 6, 16, 1, **kw),
}
DISCRIMINATORS = {
    **{
        f"DCGAN {size}, {norm}": lambda size=size, norm=norm, **kw: DCGANDiscriminator(
            (1, size, size), 4, norm=norm, **kw
        )
        for size in SIZES
        for norm in NORMS
    },
    "DCGAN in colour": lambda **kw: DCGANDiscriminator((3, 16, 16), 4, **kw),
    "MLP": lambda **kw: MLPDiscriminator(2, 16, **kw),
    "MLP, spectral": lambda **kw: MLPDiscriminator(2, 16, norm="spectral", **kw),
}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def made(make, **options):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make(**options)


def examples(model, n=6):
    return torch.rand(n, *model.data_shape, generator=seeded(1))


@pytest.mark.parametrize("n_classes", [None, CLASSES])
@pytest.mark.parametrize("name", GENERATORS)
def test_samples_have_the_shape_of_the_data_and_images_are_in_the_unit_interval(name, n_classes):
    model = made(GENERATORS[name], n_classes=n_classes)
    y = None if n_classes is None else 2
    x = model.sample(3, y=y, generator=seeded())
    assert x.shape == (3, *model.data_shape)
    assert not x.requires_grad
    assert len(x.unique(dim=0)) == 3
    if name.startswith("DCGAN"):
        assert x.min() >= 0
        assert x.max() <= 1
        with torch.no_grad():
            model.network[-1].bias.fill_(9.0)  # both ends are within reach, in the middle lies 1/2
            assert model.sample(3, y=y).min() > 0.99
            model.network[-1].bias.fill_(-9.0)
            assert model.sample(3, y=y).max() < 0.01
            model.network[-1].weight.zero_()
            model.network[-1].bias.zero_()
            assert (model.sample(3, y=y) == 0.5).all()


@pytest.mark.parametrize("n_classes", [None, CLASSES])
@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_discriminators_give_one_logit_per_example_and_every_parameter_learns(name, n_classes):
    model = made(DISCRIMINATORS[name], n_classes=n_classes)
    x = examples(model)
    labels = () if n_classes is None else (torch.arange(6) % CLASSES,)
    logits = model(x, *labels)
    assert logits.shape == (6,)
    with torch.no_grad():  # no sigmoid comes after the last layer
        (model.network[-1] if isinstance(model, MLPDiscriminator) else model.logit).bias.add_(30)
    if "batch" not in name and name != "DCGAN in colour" and "spectral" not in name:  # those changed by being called
        torch.testing.assert_close(model(x, *labels), logits + 30)
    assert (model(x, *labels) > 1).all()
    logits.square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in model.parameters())


@pytest.mark.parametrize("n_classes", [None, CLASSES])
@pytest.mark.parametrize("name", GENERATORS)
def test_every_parameter_of_a_generator_learns(name, n_classes):
    model = made(GENERATORS[name], n_classes=n_classes)
    z = torch.randn(6, 6, generator=seeded())
    labels = () if n_classes is None else (torch.arange(6) % CLASSES,)
    model(z, *labels).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in model.parameters())


@pytest.mark.parametrize("name", GENERATORS)
def test_place_is_implicit_and_direct(name):
    model = made(GENERATORS[name])
    assert place(model) == place(AveragedGenerator(model)) == "implicit density / direct"


@pytest.mark.parametrize("name", GENERATORS)
def test_sampling_restores_the_mode_of_every_part_and_follows_its_generator(name):
    """Trap 35: batch statistics neither enter nor change."""
    model = made(GENERATORS[name])
    model.train()
    model.network[0].eval()
    before = copy.deepcopy(model.state_dict())
    state = torch.get_rng_state()
    first = model.sample(4, generator=seeded())
    assert torch.equal(torch.get_rng_state(), state)
    assert [part.training for part in model.network] == [False, *[True] * (len(model.network) - 1)]
    assert model.training
    assert torch.equal(first, model.sample(4, generator=seeded()))
    assert not torch.equal(first, model.sample(4, generator=seeded(1)))
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize("name", GENERATORS)
def test_a_row_of_a_sample_does_not_depend_on_its_batch(name):
    """Trap 35. Statistics are first gathered in training, so that they are not those of any batch here."""
    model = made(GENERATORS[name]).double()
    model(3 * torch.randn(16, 6, generator=seeded(2), dtype=torch.float64) + 1)
    z = torch.randn(5, 6, generator=seeded(), dtype=torch.float64)
    torch.testing.assert_close(model.sample(5, generator=seeded()), model.eval()(z))
    torch.testing.assert_close(model(z)[1:2], model(z[1:2]))
    if name.startswith("DCGAN"):  # and in training mode it would
        assert not torch.allclose(model.train()(z)[1:3], model(z[1:3]))


@pytest.mark.parametrize("name", [name for name in DISCRIMINATORS if "batch" not in name and "colour" not in name])
def test_without_batch_normalisation_a_logit_does_not_depend_on_its_batch_and_can_be_penalised(name):
    model = made(DISCRIMINATORS[name]).double()
    x = examples(model).double()
    model.train()
    model(x)  # power iteration has begun
    model.eval()
    torch.testing.assert_close(model(x)[2:3], model(x[2:3]))
    penalty = gradient_penalty(model, x, x.flip(0), generator=seeded())
    penalty.mean().backward()
    weight = next(p for p in model.parameters() if p.ndim > 1)
    assert weight.grad.any()


@pytest.mark.parametrize("name", GENERATORS)
def test_the_label_changes_what_is_generated_and_only_in_its_own_row(name):
    model = made(GENERATORS[name], n_classes=CLASSES).eval()
    z = torch.randn(1, 6, generator=seeded()).expand(CLASSES, 6)
    x = model(z, torch.arange(CLASSES))
    assert len(x.unique(dim=0)) == CLASSES
    torch.testing.assert_close(x[3:4], model(z[:1], 3))
    drawn = model.sample(CLASSES, y=torch.arange(CLASSES), generator=seeded())
    torch.testing.assert_close(drawn[1:2], model(draw_latents(model, CLASSES, generator=seeded())[1:2], 1))


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_the_label_changes_the_logit(name):
    model = made(DISCRIMINATORS[name], n_classes=CLASSES).eval()
    x = examples(model, 1).expand(CLASSES, *model.data_shape)
    assert len(model(x, torch.arange(CLASSES)).unique()) == CLASSES
    torch.testing.assert_close(model(x, 3)[:1], model(x, torch.arange(CLASSES))[3:4])


def test_the_conditional_logit_is_linear_in_the_label_s_vector():
    """Equation 3 of arXiv:1802.05637: f(x, y) = y^T V phi(x) + psi(phi(x)). Differences are products with phi."""
    model = made(DISCRIMINATORS["DCGAN 16, none"], n_classes=CLASSES).double()
    x = examples(model).double()
    phi, v = model.features(2 * x - 1), model.of_class.weight
    torch.testing.assert_close(model(x, 1) - model(x, 4), phi @ (v[1] - v[4]))


@pytest.mark.parametrize("name", ["DCGAN 8, spectral", "DCGAN 28, spectral", "MLP, spectral"])
def test_spectral_normalisation_brings_every_weight_to_a_largest_singular_value_of_one(name):
    model = made(DISCRIMINATORS[name], n_classes=CLASSES)
    x, y = examples(model), torch.arange(6) % CLASSES
    for _ in range(200):
        model(x, y)
    weights = [part.weight for part in model.eval().modules() if isinstance(part, nn.Linear | nn.Conv2d | nn.Embedding)]
    assert len(weights) >= 3
    for weight in weights:
        assert torch.linalg.matrix_norm(weight.flatten(1), 2).item() == pytest.approx(1, abs=0.01)


def test_normalisation_stands_where_the_paper_says():
    """Batch normalisation in all layers but the generator's last and the discriminator's first and last."""
    generator, discriminator = made(GENERATORS["DCGAN 64"]), made(DISCRIMINATORS["DCGAN 64, batch"])
    kinds = [type(part).__name__ for part in generator.network]
    assert kinds == ["Linear", "Unflatten", "BatchNorm2d", "ReLU", *["ConvTranspose2d", "BatchNorm2d", "ReLU"] * 3,
                     "ConvTranspose2d"]  # fmt: skip
    assert [type(part).__name__ for part in discriminator.features] == [
        "Conv2d", "LeakyReLU", *["Conv2d", "BatchNorm2d", "LeakyReLU"] * 3, "Flatten"]  # fmt: skip
    assert discriminator.features[1].negative_slope == 0.2


def test_bad_input_is_refused_with_what_was_expected():
    for size in (4, 12, 30, 128):
        with pytest.raises(ValueError, match=r"one of \(8, 16, 28, 32, 64\)"):
            DCGANGenerator((1, size, size))
        with pytest.raises(ValueError, match=r"one of \(8, 16, 28, 32, 64\)"):
            DCGANDiscriminator((1, size, size))
    with pytest.raises(ValueError, match=r"one of \(8"):
        DCGANGenerator((1, 16, 8))
    with pytest.raises(ValueError, match="positive"):
        DCGANGenerator((1, 8, 8), 0)
    with pytest.raises(ValueError, match="positive"):
        MLPGenerator(2, n_classes=0)
    with pytest.raises(ValueError, match="'batch', 'spectral', 'none'"):
        DCGANDiscriminator((1, 8, 8), norm="layer")
    with pytest.raises(ValueError, match="'none' or 'spectral'"):
        MLPDiscriminator(2, norm="batch")
    plain, conditional = MLPGenerator(2), MLPGenerator(2, n_classes=3)
    with pytest.raises(ValueError, match=r"expected \(B, 2\)"):
        plain(torch.zeros(3, 4))
    with pytest.raises(ValueError, match="not conditional"):
        plain.sample(2, y=1)
    with pytest.raises(ValueError, match="no labels"):
        conditional.sample(2)
    with pytest.raises(ValueError, match="expected 0 to 2"):
        conditional.sample(2, y=3)
    with pytest.raises(ValueError, match=r"expected \(B, 2\)"):
        MLPDiscriminator(2)(torch.zeros(3, 4))
    with pytest.raises(ValueError, match=r"expected \(B, 1, 8, 8\)"):
        DCGANDiscriminator((1, 8, 8))(torch.zeros(3, 8, 8))
    with pytest.raises(ValueError, match="latent_dim"):
        draw_latents(nn.Linear(2, 2), 3)
