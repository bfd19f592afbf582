"""Row LSTM and Diagonal BiLSTM: what they see, against the recursion done by hand, and how many steps they take."""

import pytest
import torch
from torch import nn

from genlib import oracles
from genlib.models.diagonal_bilstm import DiagonalBiLSTM, DiagonalBiLSTMLayer, skew, unskew
from genlib.models.row_lstm import RowLSTM, RowLSTMLayer

SHAPES = pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1), (4, 4), (3, 6), (6, 3)])


def randomised(module):
    """Large random weights in double precision, so that every dependence shows."""
    module = module.double().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(1.5).add_(0.3 * torch.randn_like(parameter))
    return module


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def hand_computed_context(shape, kernel_size, n_layers):
    """Which (row, column, colour) each (row, column, colour) of a Row LSTM sees: the recursion, on sets."""
    colors, height, width = shape
    variables = [(r, c, k) for r in range(height) for c in range(width) for k in range(colors)]
    half, everything = kernel_size // 2, range(colors)

    def before(r, c, k):  # the 7 x 7 convolution of type A
        above = {(i, j, m) for i in range(r - 3, r) for j in range(c - 3, c + 4) for m in everything}
        left = {(r, j, m) for j in range(c - 3, c) for m in everything}
        return (above | left | {(r, c, m) for m in range(k)}) & set(variables)

    seen = {v: before(*v) for v in variables}
    for _ in range(n_layers):
        state = {}
        for r, c, k in variables:  # row by row: the rows above are done
            reads = [seen[r, c, m] for m in range(k + 1)]  # type B, at the pixel itself
            reads += [seen[r, j, m] for j in range(max(c - half, 0), c) for m in everything]
            columns = range(max(c - half, 0), min(c + half + 1, width))
            reads += [state[r - 1, j, m] for j in columns for m in everything if r]
            state[r, c, k] = set().union(*reads)
        seen = state
    return torch.tensor([[v in seen[u] for v in variables] for u in variables])


@pytest.mark.parametrize(
    ("shape", "kernel_size", "n_layers"),
    [((1, 5, 10), 3, 1), ((1, 5, 10), 3, 2), ((1, 4, 12), 5, 1), ((2, 3, 8), 3, 1), ((3, 2, 7), 3, 2)],
)
def test_row_lstm_sees_exactly_what_the_recursion_lets_through(shape, kernel_size, n_layers):
    model = randomised(RowLSTM(shape, 6, n_layers=n_layers, kernel_size=kernel_size))
    support = oracles.causality(model, shape)
    assert torch.equal(support, hand_computed_context(shape, kernel_size, n_layers))
    assert not torch.equal(support, oracles.autoregressive_support(shape))


@pytest.mark.parametrize("n_layers", [1, 3])
def test_row_lstm_misses_what_lies_right_of_a_triangle_however_deep_it_is(n_layers):
    """m rows up it sees m + 2 columns to the right and no more."""
    height, width = 4, 12
    model = randomised(RowLSTM((1, height, width), 4, n_layers=n_layers))
    support = oracles.causality(model, (1, height, width)).reshape(height, width, height, width)
    seen = support[3, 2]  # the context of the pixel in row 3, column 2
    for rows_up in (1, 2, 3):
        assert seen[3 - rows_up].tolist() == [column <= 2 + rows_up + 2 for column in range(width)]


@pytest.mark.parametrize("shape", [(1, 2, 10), (1, 5, 6), (1, 9, 3), (2, 3, 6), (3, 2, 5)])
@pytest.mark.parametrize("n_layers", [1, 2])
def test_diagonal_bilstm_sees_exactly_all_that_comes_before(shape, n_layers):
    model = randomised(DiagonalBiLSTM(shape, 6, n_layers=n_layers))
    assert torch.equal(oracles.causality(model, shape), oracles.autoregressive_support(shape))


@pytest.mark.parametrize("shape", [(1, 2, 10), (1, 5, 6), (1, 9, 3), (3, 2, 5)])
@pytest.mark.parametrize("n_layers", [1, 3])
def test_to_the_letter_it_misses_the_end_of_the_row_above_and_nothing_else(shape, n_layers):
    """The last colour of that row's last pixel, from every pixel but the last four, that the 7 x 7 kernel helps."""
    colors, height, width = shape
    allowed = oracles.autoregressive_support(shape).reshape(height, width, colors, height, width, colors)
    for row in range(1, height):
        allowed[row, : max(width - 4, 0), :, row - 1, width - 1, colors - 1] = False
    model = randomised(DiagonalBiLSTM(shape, 6, n_layers=n_layers, literal=True))
    assert torch.equal(oracles.causality(model, shape), allowed.reshape(colors * height * width, -1))


def by_hand(layer, x, pixels):
    """A Diagonal BiLSTM layer, pixel by pixel: each scan by the definition of its recursion."""
    batch, _, height, width = x.shape
    hidden_dim = layer.hidden_dim
    inputs = layer.input_to_state(x).unflatten(1, (2, 4 * hidden_dim))  # (B, 2, 4h, H, W)
    weights = layer.state_to_state.weight.unflatten(0, (2, 4 * hidden_dim))  # (2, 4h, h, 2): above, beside
    if layer.pixel_to_state is not None:
        inputs[:, 1] += layer.pixel_to_state(pixels)
    total = x.new_zeros(batch, hidden_dim, height, width)
    for scan, side in ((0, -1), (1, 1)):
        hidden, cell = {}, {}
        zeros = x.new_zeros(batch, hidden_dim)
        for r in range(height):
            for c in range(width) if side == -1 else reversed(range(width)):
                above, beside = hidden.get((r - 1, c), zeros), hidden.get((r, c + side), zeros)
                gates = inputs[:, scan, :, r, c] + above @ weights[scan, :, :, 0].T + beside @ weights[scan, :, :, 1].T
                o, f, i, g = gates.split(hidden_dim, 1)
                cell[r, c] = f.sigmoid() * cell.get((r, c + side), zeros) + i.sigmoid() * g.tanh()
                hidden[r, c] = o.sigmoid() * cell[r, c].tanh()
        for (r, c), state in hidden.items():
            if scan == 0:
                total[:, :, r, c] += state
            elif r + 1 < height:
                total[:, :, r + 1, c] += state
    return x + layer.up(total)


@SHAPES
@pytest.mark.parametrize("literal", [True, False])
def test_diagonal_scans_equal_the_recursion_pixel_by_pixel(shape, literal):
    layer = randomised(DiagonalBiLSTMLayer(2, literal=literal))
    x, pixels = torch.randn(3, 4, *shape, dtype=torch.float64), torch.randn(3, 1, *shape, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(layer(x, pixels), by_hand(layer, x, pixels))


def torch_lstm(layer, input_weight, input_bias, state_weight):
    """torch's LSTM with the weights of a layer; its gates come in the order i, f, g, o, ours as o, f, i, g."""
    hidden_dim = layer.hidden_dim
    lstm = nn.LSTM(2 * hidden_dim, hidden_dim, batch_first=True).double()

    def turned(t):
        o, f, i, g = t.split(hidden_dim)
        return torch.cat([i, f, g, o])

    with torch.no_grad():
        lstm.weight_ih_l0.copy_(turned(input_weight))
        lstm.weight_hh_l0.copy_(turned(state_weight))
        lstm.bias_ih_l0.copy_(turned(input_bias))
        lstm.bias_hh_l0.zero_()
    return lstm


def test_row_lstm_down_a_single_column_is_an_lstm():
    layer = randomised(RowLSTMLayer(3))
    x = torch.randn(2, 6, 7, 1, dtype=torch.float64)
    own = layer.input_to_state.masked_weight()[:, :, 0, -1]  # the tap of the pixel itself
    lstm = torch_lstm(layer, own, layer.input_to_state.bias, layer.state_to_state.weight[:, :, 1])
    with torch.no_grad():
        states = lstm(x.squeeze(3).mT)[0].mT.unsqueeze(3)
        torch.testing.assert_close(layer(x), x + layer.up(states))


def test_diagonal_bilstm_along_a_single_row_is_an_lstm():
    layer = randomised(DiagonalBiLSTMLayer(3))
    x, pixels = torch.randn(2, 6, 1, 7, dtype=torch.float64), torch.randn(2, 1, 1, 7, dtype=torch.float64)
    own, bias = layer.input_to_state.masked_weight()[:12, :, 0, 0], layer.input_to_state.bias[:12]
    lstm = torch_lstm(layer, own, bias, layer.state_to_state.weight[:12, :, 1])
    with torch.no_grad():
        states = lstm(x.squeeze(2).mT)[0].mT.unsqueeze(2)
        torch.testing.assert_close(layer(x, pixels), x + layer.up(states))


@SHAPES
def test_skewing_puts_every_diagonal_into_a_column_and_can_be_undone(shape):
    height, width = shape
    x = torch.randn(2, 3, height, width)
    skewed = skew(x)
    expected = torch.zeros(2, 3, height, height + width - 1)
    for r in range(height):
        for c in range(width):
            expected[:, :, r, r + c] = x[:, :, r, c]
    assert torch.equal(skewed, expected)
    assert torch.equal(unskew(skewed), x)


@SHAPES
def test_the_steps_of_a_layer_are_counted_as_it_takes_them(shape):
    """A row LSTM takes one for every row, a diagonal one for every diagonal: 2N - 1 for a square of N x N."""
    height, width = shape
    for model, expected in ((RowLSTM((1, *shape), 4), height), (DiagonalBiLSTM((1, *shape), 4), height + width - 1)):
        taken = []
        for layer in model.layers:
            layer.state_to_state.register_forward_hook(lambda *_, taken=taken: taken.append(1))
        assert model.n_steps == 0
        model(torch.zeros(2, 1, *shape))
        assert model.n_steps == expected
        assert len(taken) == expected * len(model.layers)


@pytest.mark.parametrize("cls", [RowLSTM, DiagonalBiLSTM])
def test_bad_arguments_are_refused(cls):
    for options in ({"data_shape": (8, 8)}, {"data_shape": (1, 0, 8)}, {"levels": 1}, {"n_layers": 0}):
        with pytest.raises(ValueError, match=r"expected \(C, H, W\) and positive sizes"):
            cls(**{"data_shape": (1, 8, 8), **options})
    with pytest.raises(ValueError, match="expected multiples of n_colors"):
        cls((3, 8, 8), 4)
    with pytest.raises(ValueError, match="at least as wide as high"):
        unskew(torch.zeros(1, 4, 3))
