"""PixelCNN++: its likelihood against equation 3 by hand, what each pixel sees, and sampling that computes all once."""

import math

import pytest
import torch
from torch import nn

from genlib import oracles, sampling
from genlib.bounds import bits_per_dim
from genlib.data import load
from genlib.models.pixel_cnn_pp import MIN_LOG_SCALE, PixelCNNPlusPlus, PixelMixture
from genlib.models.pixel_cnn_pp_layers import ShiftedConv2d


def make(shape, levels, *, scale=2.0, **options):
    """A model with large random weights, so that every dependence shows: in double precision."""
    torch.manual_seed(0)
    model = PixelCNNPlusPlus(
        shape, levels=levels, **{"channels": 6, "n_blocks": 1, "n_components": 3, **options}
    ).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(scale).add_(0.3 * torch.randn_like(parameter))
    return model.eval()


def images(n, shape, levels):
    return torch.randint(levels, (n, *shape), generator=torch.Generator().manual_seed(1))


def conditionals(model, x, y=None):
    """log p(x_i | x_<i) of the values that x has, summed: what ``forward`` says of log p(x)."""
    return model(x, y).gather(1, x.long().unsqueeze(1)).flatten(1).sum(1)


def by_hand(weight, mean, log_scale, coefficients, x, levels):
    """p of one pixel by equation 3, number by number: a sum over components of a product over R, G and B."""
    position = [2 * value / (levels - 1) - 1 for value in x]
    half, total = 1 / (levels - 1), 0.0
    for pi, mu, s, c in zip(weight, mean, log_scale, coefficients, strict=True):
        shifted = [*mu]
        if len(x) > 1:
            shifted[1] = mu[1] + c[0] * position[0]
        if len(x) > 2:
            shifted[2] = mu[2] + c[1] * position[0] + c[2] * position[1]
        for value, place, centre, log_s in zip(x, position, shifted, s, strict=True):
            upper = 1 / (1 + math.exp(-(place + half - centre) / math.exp(log_s)))
            lower = 1 / (1 + math.exp(-(place - half - centre) / math.exp(log_s)))
            pi *= (1.0 if value == levels - 1 else upper) - (0.0 if value == 0 else lower)
        total += pi
    return total


@pytest.mark.parametrize(("C", "levels"), [(1, 17), (2, 2), (3, 16), (3, 256)])
def test_probability_of_a_pixel_equals_equation_3_evaluated_by_hand(C, levels):
    model = make((C, 2, 4), levels, scale=1.0)
    x = images(4, (C, 2, 4), levels)
    x[0], x[1] = 0, levels - 1  # the bins at both ends
    x[2, 0] = 0
    with torch.no_grad():
        model.out.weight.mul_(0.2)  # or exp overflows where it is written as in the equation
        mixture = model.mixture(x)
        values = mixture.log_prob(x)
    for b, row, column in [(b, row, column) for b in range(4) for row in range(2) for column in range(4)]:
        parameters = (mixture.log_weight.exp(), mixture.mean, mixture.log_scale, mixture.coefficients)
        numbers = (parameter[b, ..., row, column].tolist() for parameter in parameters)
        truth = by_hand(*numbers, x[b, :, row, column].tolist(), levels)
        assert values[b, row, column].exp().item() == pytest.approx(truth, rel=1e-6, abs=1e-12)
    torch.testing.assert_close(model.log_prob(x), values.sum((1, 2)))


@pytest.mark.parametrize("log_scale", [-7.0, -5.0, -3.0, -1.0, 0.0, 1.0])
@pytest.mark.parametrize("mean", [-1.5, -1.0, 0.1, 1.0])
def test_all_256_values_of_every_colour_sum_to_one(mean, log_scale):
    generator = torch.Generator().manual_seed(2)
    parameters = torch.randn(5, 2 * 10, 1, 1, generator=generator)
    view = parameters.view(5, 2, 10, 1, 1)
    view[:, :, 1:4], view[:, 0, 4:7] = mean, log_scale
    mixture, x = PixelMixture(parameters, 3, 256), images(5, (3, 1, 1), 256)
    for color in range(3):
        total = mixture.conditional(x, color).double().exp().sum(1)
        torch.testing.assert_close(total, torch.ones_like(total), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("shape", "levels", "options"),
    [
        ((3, 1, 1), 16, {"n_halvings": 0}),
        ((2, 1, 1), 256, {"n_halvings": 0}),
        ((1, 2, 2), 8, {"n_halvings": 1}),
        ((3, 2, 2), 2, {"n_halvings": 1}),
        ((1, 6, 2), 2, {"n_halvings": 1, "n_blocks": 2}),
    ],
)
def test_probabilities_of_all_images_sum_to_one(shape, levels, options):
    model = make(shape, levels, scale=1.0, **options)
    with torch.no_grad():
        total = oracles.total_probability(model.log_prob, shape, levels=levels)
    assert total.item() == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("levels", [2, 16, 256])
@pytest.mark.parametrize("shape", [(1, 4, 8), (3, 4, 4)])
def test_forward_gives_normalised_conditionals_whose_sum_is_log_prob(shape, levels):
    model, x = make(shape, levels, n_halvings=2), images(3, shape, levels)
    with torch.no_grad():
        logits = model(x)
        torch.testing.assert_close(conditionals(model, x), model.log_prob(x), atol=1e-8, rtol=1e-8)
    assert logits.shape == (3, levels, *shape)
    torch.testing.assert_close(logits.logsumexp(1), torch.zeros(3, *shape).double(), atol=1e-9, rtol=0)


def test_earlier_colours_of_a_pixel_say_which_component_it_is():
    """Two components with all three colours near -0.5 or near 0.5: R decides which of them G and B come from."""
    component = [[0.0, mean, mean, mean, *[-4.0] * 3, *[0.0] * 3] for mean in (-0.5, 0.5)]
    mixture = PixelMixture(torch.tensor(component).reshape(1, 20, 1, 1), 3, 256)
    dark, bright = torch.full((1, 3, 1, 1), 64), torch.full((1, 3, 1, 1), 191)
    red = mixture.conditional(dark, 0).exp().flatten()
    assert red[:128].sum().item() == pytest.approx(0.5, abs=1e-3)
    for color in (1, 2):
        for x, share in ((dark, 1.0), (bright, 0.0)):
            below = mixture.conditional(x, color).exp().flatten()[:128].sum()
            assert below.item() == pytest.approx(share, abs=1e-3)


def test_a_model_without_weights_has_the_value_of_one_plain_logistic():
    """Mean 0 and scale 1 for every value, in nats, summed over pixels; in bits with two levels it is 1 exactly."""
    x = images(3, (3, 4, 4), 256)
    model = make((3, 4, 4), 256)
    binary = make((1, 4, 4), 2)
    with torch.no_grad():
        for parameter in [*model.parameters(), *binary.parameters()]:
            parameter.zero_()
        edges = (torch.arange(257).double() - 0.5) / 127.5 - 1
        edges[0], edges[-1] = -math.inf, math.inf
        truth = torch.sigmoid(edges).diff().log()[x].flatten(1).sum(1)
        torch.testing.assert_close(model.log_prob(x), truth, atol=1e-9, rtol=1e-12)
        bits = bits_per_dim(binary.log_prob(images(3, (1, 4, 4), 2)), 16)
    torch.testing.assert_close(bits, torch.ones(3).double(), atol=1e-12, rtol=0)


SHAPES = [
    ((1, 4, 4), 2, {"n_halvings": 1}),
    ((2, 2, 6), 3, {"n_halvings": 1}),
    ((3, 2, 2), 16, {"n_halvings": 0}),
    ((1, 4, 8), 17, {"n_halvings": 2, "n_blocks": 2}),
    ((1, 8, 4), 2, {"n_halvings": 2}),
]


@pytest.mark.parametrize(("shape", "levels", "options"), SHAPES)
def test_every_variable_sees_exactly_those_before_it(shape, levels, options):
    support = oracles.causality(make(shape, levels, **options), shape)
    assert torch.equal(support, oracles.autoregressive_support(shape))


def test_on_wide_images_only_far_ends_of_two_rows_are_out_of_sight():
    """Odd rows see 4 n_blocks + 2 columns to the left, no further, and as many to the right in the row above.

    On images no wider than 4 n_blocks + 2 this is everything.
    """
    shape, reach = (1, 4, 12), 6
    support = oracles.causality(make(shape, 2, n_halvings=1), shape).reshape(4, 12, 4, 12)
    allowed = oracles.autoregressive_support(shape).reshape(4, 12, 4, 12).clone()
    for row in (1, 3):
        for column in range(12):
            allowed[row, column, row, : max(column - reach, 0)] = False
            allowed[row, column, row - 1, column + reach + 1 :] = False
    assert not (support & ~oracles.autoregressive_support(shape).reshape_as(support)).any()
    assert torch.equal(support[[1, 3]], allowed[[1, 3]])


def test_the_down_stream_sees_whole_rows_above_and_nothing_of_its_own_row():
    model = make((1, 4, 4), 2)
    x = images(1, (1, 4, 4), 2).double().requires_grad_()
    kept = []
    model.down.register_forward_hook(lambda module, arguments, features: kept.append(features[0][-1]))
    model(x)
    for row in range(4):
        seen = torch.autograd.grad(kept[0][:, :, row].square().sum(), x, retain_graph=True)[0][0, 0] != 0
        assert seen[:row].all()
        assert not seen[row:].any()


@pytest.mark.parametrize(("shape", "levels", "options"), SHAPES)
def test_cached_sampling_equals_naive_sampling_and_its_logits_those_of_the_whole_network(shape, levels, options):
    model = make(shape, levels, n_classes=3, **options)
    labels = torch.tensor([0, 2, 1, 1])
    uniforms = torch.rand(4, math.prod(shape), generator=torch.Generator().manual_seed(2))
    naive, cached = (sampling.sample(model, 4, y=labels, uniforms=uniforms, cached=cached) for cached in (False, True))
    assert torch.equal(naive, cached)
    with torch.no_grad():
        steps, whole = model.steps(4, labels), model(cached, labels).flatten(2)  # (B, levels, D)
    for where in sampling.generation_order(model).tolist():
        torch.testing.assert_close(steps.logits(), whole[:, :, where], atol=1e-5, rtol=0)
        steps.put(cached.flatten(1)[:, where].long())


def test_cached_logits_agree_in_single_precision():
    torch.manual_seed(0)
    model, x = PixelCNNPlusPlus((3, 8, 8), n_halvings=2, channels=16).eval(), images(2, (3, 8, 8), 256)
    with torch.no_grad():
        steps, whole = model.steps(2), model(x).flatten(2)
    for where in sampling.generation_order(model).tolist():
        torch.testing.assert_close(steps.logits(), whole[:, :, where], atol=1e-5, rtol=1e-5)
        steps.put(x.flatten(1)[:, where])


def test_sampling_computes_every_activation_once_and_as_soon_as_it_is_determined():
    """Each convolution has as many outputs as in one pass over whole images, at every resolution.

    Rows come when all above them is known, pixels when all before is known, and those of a low resolution where row
    and column are multiples of its stride.
    """
    model = make((2, 8, 4), 3, n_halvings=2)
    computed, called = {}, {}

    def note(name):
        def hook(module, arguments, output):
            computed[name] = computed.get(name, 0) + output.shape[2] * output.shape[3]
            called.setdefault(name, []).append(steps.position // 2 if steps else None)

        return hook

    layers = {n: m for n, m in model.named_modules() if isinstance(m, ShiftedConv2d | nn.ConvTranspose2d)}
    for name, layer in layers.items():
        layer.register_forward_hook(note(name))
    steps = None
    with torch.no_grad():
        model(images(2, (2, 8, 4), 3))
    whole = dict(computed)
    assert whole.keys() == layers.keys()
    computed.clear()
    called.clear()
    steps = model.steps(2)
    for _ in range(2 * 8 * 4):
        steps.logits()
        steps.put(torch.tensor([0, 2]))
    assert computed == whole
    for name, pixels in called.items():
        depth = name.count("coarse") + name.endswith(("shrink", "grow"))
        rows_only = name.startswith(("down.", "rows_above", "row_above"))
        due = [
            4 * row + column for row in range(0, 8, 2**depth) for column in range(0, 4, 4 if rows_only else 2**depth)
        ]
        assert pixels == due, name


def test_dropout_is_off_while_sampling_and_every_part_gets_its_mode_back():
    model = make((1, 4, 4), 5, scale=1.0, dropout=0.5).train()
    model.down.eval()
    modes = [module.training for module in model.modules()]
    x = images(3, (1, 4, 4), 5)
    drawn = model.sample(6, generator=torch.Generator().manual_seed(3))
    assert [module.training for module in model.modules()] == modes
    assert not torch.equal(model.log_prob(x), model.log_prob(x))  # dropout is there
    model.eval()
    assert torch.equal(model.log_prob(x), model.log_prob(x))
    assert torch.equal(model.sample(6, generator=torch.Generator().manual_seed(3)), drawn)


def test_a_row_of_a_sample_does_not_depend_on_its_batch():
    model = make((3, 4, 4), 16, n_halvings=2)
    uniforms = torch.rand(5, 48, generator=torch.Generator().manual_seed(4))
    together = sampling.sample(model, 5, uniforms=uniforms)
    alone = [sampling.sample(model, 1, uniforms=row) for row in uniforms.split(1)]
    assert torch.equal(together, torch.cat(alone))


def test_classes_change_the_density_which_stays_normalised_for_each():
    model = make((1, 2, 4), 2, n_classes=3)
    x = images(4, (1, 2, 4), 2)
    with torch.no_grad():
        values = [model.log_prob(x, y) for y in range(3)]
        for y in range(3):
            total = oracles.total_probability(lambda x, y=y: model.log_prob(x, y), (1, 2, 4))
            assert total.item() == pytest.approx(1, abs=1e-9)
            torch.testing.assert_close(conditionals(model, x, y), values[y])
        mixed = model.log_prob(x, torch.tensor([0, 2, 1, 1]))
    assert min((values[0] - values[1]).abs().min(), (values[1] - values[2]).abs().min()) > 1e-3
    torch.testing.assert_close(mixed, torch.stack([values[0][0], values[2][1], values[1][2], values[1][3]]))
    for y in (None, 3, torch.tensor([0, 1]), torch.tensor([0.0, 1, 2, 0])):
        with pytest.raises(ValueError, match="label"):
            model.log_prob(x, y)


def test_gradients_are_finite_where_the_data_are_at_both_ends_and_the_scale_at_its_floor():
    model = make((3, 4, 4), 256)
    with torch.no_grad():
        model.out.bias.view(3, 10)[:, 4:7] = 2 * MIN_LOG_SCALE
    x = torch.stack([torch.zeros(3, 4, 4), torch.full((3, 4, 4), 255)])
    model.log_prob(x).sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_every_weight_receives_a_gradient():
    model = make((3, 4, 4), 16, n_classes=2, n_halvings=2, scale=1.0)
    model.log_prob(images(8, (3, 4, 4), 16), torch.arange(8) % 2).sum().backward()
    without = [name for name, parameter in model.named_parameters() if not parameter.grad.abs().sum() > 0]
    assert without == []


def test_training_on_a_few_digits_lowers_the_loss():
    """From about 2.4 nats a pixel; 25 steps gain a quarter of them, so that half a nat a pixel is no luck."""
    torch.manual_seed(0)
    x = (load("digits", "train").x[:32] * 16).round()
    model = PixelCNNPlusPlus((1, 8, 8), levels=17, channels=12, n_blocks=1)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    losses = []
    for _ in range(25):
        loss = -model.log_prob(x).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 32


def test_bad_sizes_are_refused():
    with pytest.raises(ValueError, match=r"6 x 4 cannot be halved 2 times; expected multiples of 4"):
        PixelCNNPlusPlus((1, 6, 4), n_halvings=2)
    with pytest.raises(ValueError, match=r"expected \(C, H, W\), positive sizes"):
        PixelCNNPlusPlus((8, 8))
    for wrong in ({"levels": 1}, {"n_classes": 0}, {"n_halvings": -1}, {"n_blocks": 0}):
        with pytest.raises(ValueError, match="at least two levels"):
            PixelCNNPlusPlus((1, 8, 8), **wrong)
    with pytest.raises(ValueError, match=r"x has shape \(2, 1, 8, 6\); expected \(B, 1, 8, 8\)"):
        PixelCNNPlusPlus((1, 8, 8), levels=2)(torch.zeros(2, 1, 8, 6))
