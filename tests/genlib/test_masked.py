"""Masked layers: each output sees, by its Jacobian, exactly what it may see; masked weights do nothing, ever."""

import copy
import io
import math
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from genlib.checkpoint import load_checkpoint, save_checkpoint
from genlib.masked import CausalConv1d, MaskedConv2d, MaskedLinear, causal_mask
from genlib.oracles import autoregressive_support, causality, raster_order

# A layer with masked weights joins every test below that runs over LAYERS by one line: itself, and an example's shape.
LAYERS = {
    "7x7 A": (lambda: MaskedConv2d(1, 6, 7, "A"), (1, 5, 6)),
    "3x3 B": (lambda: MaskedConv2d(4, 4, 3, "B"), (4, 5, 6)),
    "5x3 A, three colours": (lambda: MaskedConv2d(3, 6, (5, 3), "A", n_colors=3), (3, 5, 6)),
    "1x1 B, three colours": (lambda: MaskedConv2d(6, 9, 1, "B", n_colors=3), (6, 3, 4)),
    "linear": (lambda: MaskedLinear([3, 1, 2, 4], [2, 1, 3, 1, 0]), (4,)),
    "strict linear": (lambda: MaskedLinear([3, 1, 2, 3], [3, 1, 2], strict=True), (4,)),
}
OPTIMIZERS = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.1, weight_decay=0.1),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.1),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=0.1, momentum=0.5, centered=True, weight_decay=0.1),
}


def reloaded(layer):
    buffer = io.BytesIO()
    torch.save(layer.state_dict(), buffer)
    buffer.seek(0)
    other = copy.deepcopy(layer)
    other.reset_parameters()
    other.load_state_dict(torch.load(buffer, weights_only=True))
    return other


ROUND_TRIPS = {
    "as made": lambda layer: layer,
    "copied": copy.deepcopy,
    "pickled": lambda layer: pickle.loads(pickle.dumps(layer)),
    "reloaded": reloaded,
    "double": lambda layer: layer.to(torch.float64),
    "drawn anew": lambda layer: (layer.reset_parameters(), layer)[1],
}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def made(name):
    torch.manual_seed(0)
    layer, shape = LAYERS[name][0](), LAYERS[name][1]
    return layer, shape


def batch(layer, shape, n=8, seed=1):
    return torch.randn(n, *shape, generator=seeded(seed), dtype=layer.weight.dtype)


def scrawl_outside(layer, value=1e3):
    with torch.no_grad():
        layer.weight.masked_fill_(layer.mask == 0, value)
    return layer


def seen(layer, shape):
    """Which input each output sees: bool (*out, *in), from the Jacobian of the layer, whose every weight is not 0."""
    with torch.no_grad():
        layer.double().weight.copy_(torch.rand(layer.weight.shape) + 0.5)
    x = torch.zeros(1, *shape, dtype=torch.float64)
    return torch.autograd.functional.jacobian(layer, x)[0, ..., 0, :, :, :] != 0


def allowed(out_channels, shape, kernel, mask_type, n_colors, vertical):
    """The same by definition, pair by pair: inside the kernel's window, and earlier in the order."""
    channels, height, width = shape
    table = torch.zeros(out_channels, height, width, channels, height, width, dtype=torch.bool)
    for o, h, w, i, k, m in torch.cartesian_prod(*[torch.arange(n) for n in table.shape]).tolist():
        inside = abs(k - h) <= kernel[0] // 2 and abs(m - w) <= kernel[1] // 2
        here, there = ((h,), (k,)) if vertical else ((h, w, o % n_colors), (k, m, i % n_colors))
        table[o, h, w, i, k, m] = inside and (there < here or (mask_type == "B" and there == here))
    return table


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    height=st.integers(1, 4),
    width=st.integers(1, 4),
    kernel=st.tuples(*[st.sampled_from([1, 3, 5])] * 2),
    mask_type=st.sampled_from("AB"),
    colors=st.sampled_from([(1, False), (1, True), (2, False), (3, False)]),
    groups=st.tuples(*[st.integers(1, 2)] * 2),
)
def test_support_of_a_masked_convolution_equals_the_previous_variables_in_its_window(
    height, width, kernel, mask_type, colors, groups
):
    n_colors, vertical = colors
    channels, out_channels = (group * n_colors for group in groups)
    layer = MaskedConv2d(channels, out_channels, kernel, mask_type, n_colors=n_colors, vertical=vertical)
    shape = (channels, height, width)
    expected = allowed(out_channels, shape, kernel, mask_type, n_colors, vertical)
    assert torch.equal(seen(layer, shape), expected)


@pytest.mark.parametrize("mask_type", ["A", "B"])
@pytest.mark.parametrize("kernel", [1, 3, (3, 5), (1, 7)])
@pytest.mark.parametrize("vertical", [False, True])
def test_masked_convolution_equals_the_convolution_with_its_whole_masked_kernel(mask_type, kernel, vertical):
    layer = MaskedConv2d(2, 4, kernel, mask_type, vertical=vertical).double()
    mask = causal_mask(4, 2, kernel, mask_type, vertical=vertical)
    whole = torch.zeros(mask.shape, dtype=torch.float64)
    rows, columns = layer.weight.shape[2:]
    whole[:, :, :rows, :columns] = layer.weight.detach()
    x = torch.randn(3, 2, 5, 4, generator=seeded(), dtype=torch.float64)
    expected = nn.functional.conv2d(x, whole * mask, layer.bias, padding=(mask.shape[2] // 2, mask.shape[3] // 2))
    torch.testing.assert_close(layer(x), expected)


def test_kernel_is_stored_without_what_no_output_sees():
    assert MaskedConv2d(1, 2, 7, "A").weight.shape == (2, 1, 4, 7)
    assert MaskedConv2d(1, 2, (1, 7), "B").weight.shape == (2, 1, 1, 4)
    assert MaskedConv2d(1, 2, (1, 7), "A").weight.shape == (2, 1, 1, 3)
    assert MaskedConv2d(3, 3, (1, 7), "A", n_colors=3).weight.shape == (3, 3, 1, 4)
    assert MaskedConv2d(1, 2, 3, "A", vertical=True).weight.shape == (2, 1, 1, 3)
    assert MaskedConv2d(1, 2, 3, "B", vertical=True).mask.all()  # two whole rows: nothing left to mask


def test_colours_at_the_centre_see_red_then_green_then_blue():
    for mask_type, expected in (("A", [[0, 0, 0], [1, 0, 0], [1, 1, 0]]), ("B", [[1, 0, 0], [1, 1, 0], [1, 1, 1]])):
        assert causal_mask(3, 3, 1, mask_type, n_colors=3)[:, :, 0, 0].int().tolist() == expected
    assert causal_mask(4, 4, 1, "B").all()  # without colours a 1x1 convolution of type B has nothing to mask


# Networks

SHAPE = (3, 3, 4)


class Gated(nn.Module):
    """tanh(a) * sigmoid(b), a and b the halves of the channels."""

    def forward(self, x):
        a, b = x.chunk(2, dim=1)
        return a.tanh() * b.sigmoid()


class TwoStacks(nn.Module):
    """The gated PixelCNN's two stacks, without gates: the vertical one feeds the horizontal one."""

    def __init__(self, n_layers=4, width=8, leak=False):
        super().__init__()
        self.leak = leak
        types = ["A"] + ["B"] * (n_layers - 1)
        channels = [1] + [width] * (n_layers - 1)
        self.vertical = nn.ModuleList(
            MaskedConv2d(c, width, 3, t, vertical=True) for c, t in zip(channels, types, strict=True)
        )
        self.horizontal = nn.ModuleList(MaskedConv2d(c, width, (1, 3), t) for c, t in zip(channels, types, strict=True))
        self.across = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in types)
        self.out = MaskedConv2d(width, 1, 1, "B")

    def forward(self, x):
        v = h = x
        for vertical, horizontal, across in zip(self.vertical, self.horizontal, self.across, strict=True):
            v = vertical(v).tanh()
            h = (horizontal(h) + across(v)).tanh()
            if self.leak:
                v = v + h
        return self.out(h)


def plain(n_layers, kernel=3, width=8):
    torch.manual_seed(0)
    layers = [MaskedConv2d(1, width, kernel, "A"), nn.Tanh()]
    for _ in range(n_layers - 2):
        layers += [MaskedConv2d(width, width, kernel, "B"), nn.Tanh()]
    return nn.Sequential(*layers, MaskedConv2d(width, 1, 1, "B"))


def two_stacks(**kwargs):
    torch.manual_seed(0)
    return TwoStacks(**kwargs)


@pytest.mark.parametrize("levels", [1, 4])
def test_colour_network_sees_every_previous_pixel_and_colour_and_nothing_else(levels):
    torch.manual_seed(0)
    colors = {"n_colors": 3}
    network = nn.Sequential(
        MaskedConv2d(3, 24, 9, "A", **colors),
        Gated(),  # cuts the channels in two
        MaskedConv2d(12, 24, 3, "B", **colors),
        nn.ReLU(),
        MaskedConv2d(24, 3 * levels, 1, "B", **colors),
        nn.Unflatten(1, (levels, 3)),  # (B, levels, C, H, W), as categorical_log_prob takes it
    )
    assert torch.equal(causality(network, SHAPE, generator=seeded()), autoregressive_support(SHAPE))


def test_colour_groups_survive_concatenation():
    torch.manual_seed(0)

    class Both(nn.Module):
        def forward(self, x):
            return torch.cat([x.relu(), (-x).relu()], dim=1)

    network = nn.Sequential(MaskedConv2d(3, 12, 9, "A", n_colors=3), Both(), MaskedConv2d(24, 3, 1, "B", n_colors=3))
    assert torch.equal(causality(network, SHAPE, generator=seeded()), autoregressive_support(SHAPE))


def test_forgotten_colour_groups_show_in_the_support():
    """Trap 2: masks without colours hide G from R rightly, and R from G wrongly."""
    torch.manual_seed(0)
    blind = nn.Sequential(MaskedConv2d(3, 12, 9, "A"), nn.Tanh(), MaskedConv2d(12, 3, 1, "B"))
    missing = autoregressive_support(SHAPE) & ~causality(blind, SHAPE, generator=seeded())
    pixel = torch.arange(36) // 3
    assert torch.equal(missing, autoregressive_support(SHAPE) & (pixel[:, None] == pixel[None]))


def blind_spot(height, width):
    """Bool (D, D): previous pixels to the right of the cone that opens by one column a row, in raster order."""
    row, column = torch.arange(height * width) // width, torch.arange(height * width) % width
    up, right = row[:, None] - row[None], column[None] - column[:, None]
    return (up > 0) & (right > up)


@pytest.mark.parametrize("n_layers", [7, 12])
def test_stacked_plain_masked_convolutions_have_the_blind_spot_at_any_depth(n_layers):
    shape = (1, 4, 6)
    support = causality(plain(n_layers), shape, generator=seeded())
    assert torch.equal(support, autoregressive_support(shape) & ~blind_spot(4, 6))


def test_vertical_stack_closes_the_blind_spot():
    shape = (1, 4, 6)
    network = two_stacks(n_layers=7)
    assert torch.equal(causality(network, shape, generator=seeded()), autoregressive_support(shape))


def test_horizontal_stack_fed_into_the_vertical_one_is_found():
    """Trap 7: h has seen its own row, and the vertical stack carries that to pixels on its left."""
    shape = (1, 3, 4)
    assert (causality(two_stacks(leak=True), shape, generator=seeded()) & ~autoregressive_support(shape)).any()


# Weights outside the mask


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", LAYERS)
def test_masked_weights_never_receive_gradient_and_never_change(name, optimizer):
    for trip in ROUND_TRIPS.values():
        layer, shape = made(name)
        layer = trip(layer)
        outside = layer.mask == 0
        start = layer.weight.detach().clone()
        assert outside.any()
        assert not start[outside].any()
        optimize = OPTIMIZERS[optimizer](layer.parameters())
        for step in range(3):
            optimize.zero_grad()
            layer(batch(layer, shape, seed=step)).square().sum().backward()
            assert not layer.weight.grad[outside].any()
            inside = torch.cat([layer.weight.grad[~outside], layer.bias.grad]).norm()
            torch.testing.assert_close(nn.utils.clip_grad_norm_(layer.parameters(), 0.1), inside)
            optimize.step()
            assert not layer.weight[outside].any()
            assert not layer.masked_weight()[outside].any()
        assert (layer.weight != start)[~outside].all()


@pytest.mark.parametrize("write", ["init", "data", "loaded"])
@pytest.mark.parametrize("name", LAYERS)
def test_what_is_written_outside_the_mask_reaches_neither_output_nor_gradient(name, write):
    layer, shape = made(name)
    clean = copy.deepcopy(layer)
    if write == "init":
        nn.init.normal_(layer.weight, std=100.0)
    elif write == "data":
        layer.weight.data.normal_(std=100.0)
    else:
        layer.load_state_dict(scrawl_outside(copy.deepcopy(layer)).state_dict())
    with torch.no_grad():
        clean.weight.copy_(layer.weight * layer.mask)
    x = batch(layer, shape)
    assert torch.equal(layer(x), clean(x))
    with torch.no_grad():
        assert torch.equal(layer(x), clean(x))
    outside = layer.mask == 0
    before = layer.weight.detach().clone()
    optimizer = torch.optim.Adam(layer.parameters())
    layer(x).square().sum().backward()
    assert not layer.weight.grad[outside].any()
    optimizer.step()
    assert torch.equal(layer.weight[outside], before[outside])


def test_loading_leaves_nothing_outside_the_mask_of_a_convolution():
    layer, shape = made("3x3 B")
    network = nn.Sequential(copy.deepcopy(layer))
    network.load_state_dict(nn.Sequential(scrawl_outside(layer, math.nan)).state_dict())
    assert not network[0].weight[network[0].mask == 0].any()
    assert torch.equal(network[0].weight[network[0].mask == 1], layer.weight[layer.mask == 1])
    assert network(batch(layer, shape)).isfinite().all()


@pytest.mark.parametrize("name", LAYERS)
def test_function_transforms_see_the_same_layer(name):
    layer, shape = made(name)
    layer = scrawl_outside(layer.double())
    x, state = batch(layer, shape, n=3), dict(layer.named_parameters())

    def one(weights, example):
        return torch.func.functional_call(layer, weights, (example.unsqueeze(0),)).squeeze(0)

    torch.testing.assert_close(torch.func.vmap(one, in_dims=(None, 0))(state, x), layer(x))
    reverse = torch.func.jacrev(one, argnums=1)(state, x[0])
    torch.testing.assert_close(reverse, torch.autograd.functional.jacobian(lambda e: one(state, e), x[0]))
    per_example = torch.func.vmap(torch.func.grad(lambda w, e: one(w, e).square().sum()), in_dims=(None, 0))(state, x)
    assert not per_example["weight"][:, layer.mask == 0].any()


@pytest.mark.parametrize("name", LAYERS)
def test_mask_follows_the_weight_to_another_device_and_type(name):
    for move in ("meta", torch.half):
        layer = made(name)[0].to(move)
        assert layer.mask.device == layer.weight.device
        assert layer.mask.dtype == layer.weight.dtype


def test_weight_normalisation_keeps_the_masked_weights_at_zero():
    layer, shape = made("5x3 A, three colours")
    expected = layer(batch(layer, shape))
    normed = nn.utils.parametrizations.weight_norm(layer)
    torch.testing.assert_close(normed(batch(layer, shape)), expected)
    optimizer = OPTIMIZERS["Adam"](normed.parameters())
    normed(batch(normed, shape)).square().sum().backward()
    optimizer.step()
    assert not normed.weight[normed.mask == 0].any()


@pytest.mark.parametrize("name", LAYERS)
def test_weights_are_drawn_for_the_inputs_that_an_output_sees(name):
    """n w^2 = u^2 with u uniform in [-1, 1]: mean 1/3, variance 4/45. A z-score beyond 6 happens 2e-9 of the time."""
    layer, _ = made(name)
    fan_in = layer.mask.flatten(1).sum(1)
    squares, count = [], 0
    while count < 20_000:
        layer.reset_parameters()
        scaled = (layer.weight.detach().flatten(1) * fan_in.sqrt().unsqueeze(1))[layer.mask.flatten(1) == 1]
        assert scaled.abs().max() <= 1 + 1e-6
        squares.append(scaled.square())
        count += len(scaled)
        assert (layer.bias.abs() * fan_in.clamp(min=1).sqrt() <= 1 + 1e-6).all()
    squares = torch.cat(squares)
    assert abs(squares.mean() - 1 / 3) < 6 * math.sqrt(4 / 45 / len(squares))


# MADE


def made_network(order, n_hidden=24, seed=0, strict=True):
    """Two hidden layers; ``order[k]`` is the variable that comes k-th, so its degree is k + 1."""
    torch.manual_seed(seed)
    D = len(order)
    degrees = torch.empty(D, dtype=torch.int64)
    degrees[order] = torch.arange(1, D + 1)
    first, second = (torch.arange(n_hidden)[torch.randperm(n_hidden)] % max(1, D - 1) + 1 for _ in range(2))
    return nn.Sequential(
        MaskedLinear(degrees, first),
        nn.Tanh(),
        MaskedLinear(first, second),
        nn.Tanh(),
        MaskedLinear(second, degrees, strict=strict),
    )


@settings(max_examples=15, deadline=None, derandomize=True)
@given(order=st.integers(1, 7).flatmap(lambda D: st.permutations(range(D))), seed=st.integers(0, 99))
def test_made_sees_the_previous_variables_of_any_order(order, seed):
    order = torch.tensor(order)
    support = causality(made_network(order, seed=seed), (len(order),), order=order, generator=seeded())
    assert torch.equal(support, autoregressive_support((len(order),)))


def test_made_with_a_lax_output_mask_sees_the_variable_itself():
    """Trap 9."""
    order = torch.randperm(6, generator=seeded())
    support = causality(made_network(order, strict=False), (6,), order=order, generator=seeded())
    assert support.diagonal()[1:-1].all()


def test_made_takes_another_order_and_keeps_its_weights():
    layer = MaskedLinear([1, 2, 3], [1, 2, 2])
    before = layer.weight.detach().clone()
    layer.connect([3, 2, 1], [2, 2, 1])
    assert torch.equal(layer.weight, before)
    assert layer.mask.int().tolist() == [[0, 1, 1], [0, 1, 1], [0, 0, 1]]
    with pytest.raises(ValueError, match=r"expected \(3, 3\)"):
        layer.connect([1, 2], [1, 2, 2])


def test_checkpoint_brings_back_the_order_of_a_made(tmp_path):
    network, other = made_network(torch.tensor([2, 0, 3, 1])), made_network(torch.tensor([0, 1, 2, 3]), seed=1)
    save_checkpoint(tmp_path / "made.pt", network, step=1, seed=0, metrics={}, config={})
    load_checkpoint(tmp_path / "made.pt", other)
    x = torch.randn(5, 4, generator=seeded())
    assert torch.equal(network(x), other(x))


def test_checkpoint_of_a_convolution_holds_parameters_alone(tmp_path):
    network, other = plain(3), plain(3)
    other[0].reset_parameters()
    assert {name.split(".")[-1] for name in network.state_dict()} == {"weight", "bias"}
    save_checkpoint(tmp_path / "plain.pt", network, step=1, seed=0, metrics={}, config={})
    load_checkpoint(tmp_path / "plain.pt", other)
    x = torch.randn(2, 1, 5, 5, generator=seeded())
    assert torch.equal(network(x), other(x))


# Sequences


@settings(max_examples=40, deadline=None, derandomize=True)
@given(length=st.integers(1, 9), kernel=st.integers(1, 4), dilation=st.integers(1, 3), mask_type=st.sampled_from("AB"))
def test_support_of_a_causal_convolution_equals_its_taps(length, kernel, dilation, mask_type):
    layer = CausalConv1d(1, 1, kernel, mask_type, dilation=dilation).double()
    with torch.no_grad():
        layer.weight.fill_(1.0)
    delay = int(mask_type == "A")
    jacobian = torch.autograd.functional.jacobian(layer, torch.zeros(1, 1, length, dtype=torch.float64))
    expected = torch.zeros(length, length, dtype=torch.bool)
    for t in range(length):
        for k in range(kernel):
            if t - delay - k * dilation >= 0:
                expected[t, t - delay - k * dilation] = True
    assert torch.equal(jacobian[0, 0, :, 0, 0, :] != 0, expected)


def test_doubling_dilations_see_as_far_as_the_sum_of_their_spans():
    torch.manual_seed(0)
    layers = [CausalConv1d(1, 8, 2, "A"), nn.Tanh()]
    for dilation in (1, 2, 4):
        layers += [CausalConv1d(8, 8, 2, dilation=dilation), nn.Tanh()]
    support = causality(nn.Sequential(*layers, nn.Conv1d(8, 1, 1)), (1, 14), generator=seeded())
    back = torch.arange(14)[:, None] - torch.arange(14)[None]
    assert torch.equal(support, (back >= 1) & (back <= 2 + 1 + 2 + 4))


def test_last_tap_is_the_latest_input():
    layer = CausalConv1d(1, 1, 3, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[[4.0, 2.0, 1.0]]]))
    assert layer(torch.tensor([[[1.0, 0, 0, 0, 0]]])).flatten().tolist() == [1, 2, 4, 0, 0]


def test_bad_arguments_are_refused_with_what_was_expected():
    for wrong in (2, (3, 4), 0):
        with pytest.raises(ValueError, match="odd"):
            MaskedConv2d(1, 2, wrong, "A")
    with pytest.raises(ValueError, match=r"'A'.*'B'"):
        MaskedConv2d(1, 2, 3, "C")
    with pytest.raises(ValueError, match=r"'A'.*'B'"):
        CausalConv1d(1, 2, 3, "a")
    with pytest.raises(ValueError, match="multiples of n_colors"):
        MaskedConv2d(3, 32, 3, "B", n_colors=3)
    with pytest.raises(ValueError, match="n_colors=1"):
        MaskedConv2d(3, 3, 3, "B", n_colors=3, vertical=True)
    with pytest.raises(ValueError, match=r"expected \(B, 1, H, W\)"):
        MaskedConv2d(1, 2, 3, "A")(torch.zeros(2, 3, 5, 5))
    with pytest.raises(ValueError, match=r"expected \(B, 1, T\)"):
        CausalConv1d(1, 2, 3)(torch.zeros(2, 5))
    with pytest.raises(ValueError, match="at least 1"):
        CausalConv1d(1, 2, 0)
    with pytest.raises(ValueError, match=r"expected \(\.\.\., 2\)"):
        MaskedLinear([1, 2], [1, 2])(torch.zeros(2, 3))
    for wrong in ([0.5, 1.0], [], [[1, 2]], [True, False]):
        with pytest.raises(ValueError, match="in_degrees"):
            MaskedLinear(wrong, [1])


def test_raster_order_runs_through_the_colours_of_a_pixel_first():
    assert raster_order((3, 1, 2)).tolist() == [0, 2, 4, 1, 3, 5]
    assert raster_order((4,)).tolist() == [0, 1, 2, 3]
