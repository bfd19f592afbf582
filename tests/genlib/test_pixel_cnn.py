"""PixelCNN and gated PixelCNN: what they see and what they do not, and sampling that computes everything once."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from genlib import oracles, sampling
from genlib.gate import gate_into, gated
from genlib.masked import MaskedConv2d
from genlib.models.gated_pixel_cnn import GatedPixelCNN
from genlib.models.pixel_cnn import PixelCNN
from genlib.pixel_cache import CachedConv2d, color_order

BOTH = {"plain": PixelCNN, "gated": GatedPixelCNN}
both = pytest.mark.parametrize("kind", BOTH)
SIZES = [((1, 5, 7), 2), ((1, 6, 3), 16), ((3, 4, 5), 256), ((2, 1, 6), 2), ((3, 5, 1), 16), ((1, 1, 1), 256)]
every_size = pytest.mark.parametrize(("shape", "levels"), SIZES)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def made(kind, shape, *, channels=6, n_layers=3, scale=2.0, **options):
    """A model with large random weights in double precision, so that every dependence shows."""
    torch.manual_seed(0)
    model = BOTH[kind](shape, channels=channels, n_layers=n_layers, **options).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(scale).add_(0.3 * torch.randn_like(parameter))
    return model


def labels_of(model, n):
    return None if model.n_classes is None else torch.randint(model.n_classes, (n,), generator=seeded(7))


def images(n, model):
    return torch.randint(model.levels, (n, *model.data_shape), generator=seeded(1)).double()


# What is seen


@pytest.mark.parametrize("shape", [(1, 7, 5), (1, 3, 9), (3, 3, 4), (2, 4, 3)])
@pytest.mark.parametrize("n_classes", [None, 2])
def test_gated_logits_depend_on_exactly_all_variables_before(shape, n_classes):
    model = made("gated", shape, channels=24, n_layers=9, first_kernel_size=3, n_classes=n_classes)
    support = oracles.causality(lambda x: model(x, None if n_classes is None else 1), shape)
    assert torch.equal(support, oracles.autoregressive_support(shape))


def test_vertical_stack_alone_sees_whole_rows_above_and_nothing_else():
    """Were the horizontal stack fed into the vertical one, its pixels would come back one row further down."""
    model = made("gated", (1, 5, 6), n_layers=7, first_kernel_size=3)
    layer = model.layers[-1]

    def vertical(x):
        v = h = x
        for before in model.layers[:-1]:
            v, h, _ = before(v, h, None)
        return layer.vertical(v).unsqueeze(2)  # (B, 2C, 1, H, W)

    support = oracles.causality(vertical, (1, 5, 6))
    row = torch.arange(30) // 6
    assert torch.equal(support, row.unsqueeze(0) < row.unsqueeze(1))


@pytest.mark.parametrize(("first_kernel_size", "kernel_size"), [(7, 3), (3, 3), (5, 5), (3, 1)])
def test_plain_blind_spot_is_the_triangle_that_no_path_of_kernels_reaches(first_kernel_size, kernel_size):
    """A row i above is reached by a step of type A of at most ``first // 2`` columns and then by steps of type B, each
    of which goes up by at least one row when it goes right, by at most ``kernel // 2`` columns.
    """
    shape = (1, 5, 11)
    model = made("plain", shape, n_layers=9, first_kernel_size=first_kernel_size, kernel_size=kernel_size)
    support = oracles.causality(model, shape)
    first, further = first_kernel_size // 2, kernel_size // 2
    row, column = torch.arange(55) // 11, torch.arange(55) % 11
    up, right = row.unsqueeze(1) - row, column - column.unsqueeze(1)
    before = oracles.autoregressive_support(shape)
    blind = before & (up >= 1) & (right > first + further * (up - 1))
    if kernel_size > 1:
        assert torch.equal(support, before & ~blind)
    assert not (support & (blind | ~before)).any()
    assert blind.any()


@both
@pytest.mark.parametrize("n_layers", [1, 2])
@pytest.mark.parametrize("shape", [(1, 3, 4), (3, 2, 3)])
def test_no_connection_leads_around_the_first_layer(kind, n_layers, shape):
    model = made(kind, shape, n_layers=n_layers)
    x = torch.randn(1, *shape, generator=seeded(2), dtype=torch.float64)
    with torch.no_grad():
        before = model(x).flatten(2)
        for position, where in enumerate(sampling.generation_order(model).tolist()):
            other = x.clone()
            other.view(-1)[where] += 1.0
            done = sampling.generation_order(model)[: position + 1]
            assert torch.equal(model(other).flatten(2)[:, :, done], before[:, :, done])


# Cached sampling


@both
@every_size
@pytest.mark.parametrize("n_classes", [None, 3])
def test_cached_logits_equal_those_of_the_whole_network(kind, shape, levels, n_classes):
    model = made(kind, shape, levels=levels, n_classes=n_classes, scale=1.0)
    x, y = images(4, model), labels_of(model, 4)
    whole, steps = model(x, y).flatten(2), model.steps(4, y)  # with gradients on: a step must not need no_grad
    for where in sampling.generation_order(model).tolist():
        logits = steps.logits()
        assert not logits.requires_grad
        torch.testing.assert_close(logits, whole[:, :, where].detach(), atol=1e-9, rtol=0)
        steps.put(x.flatten(1)[:, where].long())


@both
@every_size
def test_cached_sampling_equals_naive_sampling(kind, shape, levels):
    model = made(kind, shape, levels=levels, n_classes=4)
    uniforms = torch.rand(5, math.prod(shape), generator=seeded(3))
    y = labels_of(model, 5)
    naive, cached = (sampling.sample(model, 5, y=y, uniforms=uniforms, cached=cached) for cached in (False, True))
    assert torch.equal(naive, cached)


@both
def test_cached_logits_agree_in_single_precision_at_full_size(kind):
    """TRAPS ask for 1e-5; the network is that of the benchmark, of 28 x 28 pixels, and one row of it is looked at."""
    torch.manual_seed(0)
    model = BOTH[kind]((1, 28, 28)).eval()
    x = torch.randint(2, (2, 1, 28, 28), generator=seeded(4)).float()
    with torch.no_grad():
        whole, steps = model(x).flatten(2), model.steps(2)
        for where in range(5 * 28):
            torch.testing.assert_close(steps.logits(), whole[:, :, where], atol=1e-5, rtol=0)
            steps.put(x.flatten(1)[:, where].long())


@both
@pytest.mark.parametrize(("shape", "levels"), [((1, 6, 5), 2), ((3, 4, 5), 16), ((2, 3, 4), 2)])
@pytest.mark.parametrize("sizes", [{}, {"first_kernel_size": 3, "kernel_size": 5}, {"n_layers": 1}])
def test_cached_sampling_multiplies_every_open_weight_once_per_pixel(kind, shape, levels, sizes):
    """Counted by torch: the samples of n images take as many multiplications as there are weights that the masks leave
    open, times pixels and images. More would be an activation computed twice; one forward pass takes no fewer.
    """
    model, n = made(kind, shape, levels=levels, **sizes), 3
    weights = sum(int(m.mask.sum()) for m in model.modules() if isinstance(m, MaskedConv2d))
    weights += sum(m.weight.numel() for m in model.modules() if type(m) is torch.nn.Conv2d)

    def in_place(_, a, b, **__):  # which torch's own counter leaves out
        return 2 * a[0] * a[1] * b[1]

    with FlopCounterMode(display=False, custom_mapping={torch.ops.aten.addmm_: in_place}) as sampled:
        model.sample(n, generator=seeded())
    with torch.no_grad(), FlopCounterMode(display=False) as forward:
        model(images(n, model))
    assert sampled.get_total_flops() == 2 * weights * n * shape[1] * shape[2]
    assert forward.get_total_flops() / 2.5 < sampled.get_total_flops() <= forward.get_total_flops()


@pytest.mark.parametrize(("vertical", "n_colors"), [(False, 1), (False, 3), (True, 1)])
@pytest.mark.parametrize("mask_type", ["A", "B"])
@pytest.mark.parametrize("kernel_size", [(3, 3), (5, 3), (1, 5), (3, 1), (1, 1)])
def test_a_cached_convolution_gives_the_convolution(vertical, n_colors, mask_type, kernel_size):
    torch.manual_seed(0)
    conv = MaskedConv2d(6, 12, kernel_size, mask_type, n_colors=n_colors, vertical=vertical).double()
    x, bias = torch.randn(2, 6, 4, 5, dtype=torch.float64), torch.randn(2, 12, dtype=torch.float64)
    extra = torch.randn(2, 12, 4, 5, dtype=torch.float64)
    expected = conv(x) + bias[:, :, None, None] + extra
    inputs, outputs = color_order(6, n_colors), color_order(12, n_colors, parts=2)
    cache = CachedConv2d(conv, 2, 5, parts=2, bias=bias)
    x, extra, expected = (t.permute(0, 2, 3, 1) for t in (x[:, inputs], extra[:, outputs], expected[:, outputs]))
    for row in range(4):
        result = cache.start_row(x[:, row] if vertical and mask_type == "B" else None, extra[:, row])
        for column in range(5 * (not vertical)):
            for color, inside in enumerate(x[:, row, column].chunk(n_colors, 1)):
                if mask_type == "B":
                    cache.slot(column, color).copy_(inside)
                a, b = cache.parts(column, color)
                assert torch.equal(torch.cat([a, b], 1), result[:, column].chunk(n_colors, 1)[color])
                cache.slot(column, color).copy_(inside)
        torch.testing.assert_close(result, expected[:, row].detach())
        cache.row.copy_(x[:, row])


def test_channels_in_the_order_of_colours_keep_their_share_of_every_part():
    order = color_order(12, 3, parts=2)
    assert sorted(order.tolist()) == list(range(12))
    assert (order % 3).tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert ((order // 6).reshape(3, 2, 2) == torch.tensor([[0, 0], [1, 1]])).all()


# Conditions, values, errors


@both
def test_the_class_changes_every_conditional_and_an_int_means_all(kind):
    model = made(kind, (1, 3, 4), n_classes=3, scale=1.0)
    x = images(4, model)
    with torch.no_grad():
        values = [model(x, y) for y in range(3)]
        mixed = model(x, torch.tensor([2, 0, 1, 1]))
    assert (values[0] - values[1])[:, 1].abs().min() > 1e-6
    torch.testing.assert_close(mixed, torch.stack([values[y][i] for i, y in enumerate([2, 0, 1, 1])]))
    assert torch.equal(
        model.sample(4, y=2, generator=seeded()), model.sample(4, y=torch.full((4,), 2), generator=seeded())
    )


@both
def test_probabilities_given_a_class_sum_to_one(kind):
    model = made(kind, (1, 2, 4), n_classes=2)
    with torch.no_grad():
        for y in range(2):
            total = oracles.total_probability(lambda x, y=y: model.log_prob(x, y), (1, 2, 4))
            assert total.item() == pytest.approx(1, abs=1e-9)


@both
@pytest.mark.parametrize(("shape", "levels"), [((1, 4, 3), 16), ((3, 3, 2), 256), ((3, 2, 3), 2)])
def test_log_prob_is_that_of_the_softmax_of_each_colour(kind, shape, levels):
    model = made(kind, shape, levels=levels, scale=1.0)
    x = images(3, model)
    logits = model(x)
    assert logits.shape == (3, levels, *shape)
    expected = -F.cross_entropy(logits, x.long(), reduction="none").sum((1, 2, 3))
    torch.testing.assert_close(model.log_prob(x), expected)
    samples = model.sample(2, generator=seeded())
    assert samples.shape == (2, *shape)
    assert samples.min() >= 0
    assert samples.max() < levels


@both
def test_memory_layout_of_the_images_does_not_matter(kind):
    model = made(kind, (3, 4, 5), levels=16)
    x = images(2, model)
    torch.testing.assert_close(model.log_prob(x), model.log_prob(x.to(memory_format=torch.channels_last)))


@both
def test_a_training_step_lowers_the_loss_and_reaches_every_parameter(kind):
    torch.manual_seed(0)
    model = BOTH[kind]((1, 6, 6), channels=8, n_layers=3, n_classes=2)
    x, y = torch.randint(2, (16, 1, 6, 6), generator=seeded(5)), torch.arange(16) % 2
    loss = -model.log_prob(x, y).mean()
    loss.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
    torch.optim.SGD(model.parameters(), lr=1e-4).step()
    assert -model.log_prob(x, y).mean() < loss


@both
def test_labels_that_do_not_fit_are_refused(kind):
    model, other = made(kind, (1, 2, 2), n_classes=3), made(kind, (1, 2, 2))
    x = images(2, model)
    for call in (lambda y: model.log_prob(x, y), lambda y: model.sample(2, y=y), lambda y: model.steps(2, y)):
        with pytest.raises(ValueError, match="no labels y; this model needs one of 3 classes"):
            call(None)
        with pytest.raises(ValueError, match="labels go from 0 to 3; expected 0 to 2"):
            call(torch.tensor([0, 3]))
        with pytest.raises(ValueError, match="labels go from -1"):
            call(-1)
        with pytest.raises(ValueError, match=r"expected int64 \(2,\)"):
            call(torch.tensor([0, 1, 2]))
        with pytest.raises(ValueError, match=r"expected int64 \(2,\)"):
            call(torch.tensor([0.0, 1.0]))
    with pytest.raises(ValueError, match="not conditional"):
        other.log_prob(x, torch.tensor([0, 1]))


@both
@pytest.mark.parametrize(
    "options",
    [
        {"data_shape": (28, 28)},
        {"data_shape": (1, 0, 4)},
        {"data_shape": (3, 4, 4), "channels": 8},
        {"levels": 1},
        {"channels": 0},
        {"n_layers": -1},
        {"n_classes": 0},
    ],
)
def test_sizes_that_do_not_fit_are_refused(kind, options):
    with pytest.raises(ValueError, match=r"received data_shape=.*expected data_shape \(C, H, W\)"):
        BOTH[kind](**{"data_shape": (1, 4, 4), **options})


# The gate


def test_gate_equals_its_formula_and_its_gradient():
    x = 5 * torch.randn(2, 6, 3, 4, generator=seeded(6), dtype=torch.float64)
    a, b = x.chunk(2, 1)
    expected = torch.tanh(a) * torch.sigmoid(b)
    torch.testing.assert_close(gated(x), expected)
    torch.testing.assert_close(gate_into(torch.empty_like(a), a.clone(), b.clone()), expected)
    torch.autograd.gradcheck(gated, x.requires_grad_())


def test_gate_is_finite_and_saturates_at_extreme_inputs():
    x = torch.tensor([[-1e4, 1e4]]).T.repeat(1, 2).requires_grad_()  # (2, 2): a = b = -1e4, and 1e4
    out = gated(x)
    out.sum().backward()
    assert out.flatten().tolist() == [0.0, 1.0]
    assert x.grad.abs().sum() == 0
    with pytest.raises(ValueError, match="two halves"):
        gated(torch.zeros(2, 3))
