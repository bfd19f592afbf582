"""What every autoregressive model must hold, exactly; the next model joins by a line in MODELS."""

import math

import pytest
import torch
from torch import nn

from genlib import oracles, sampling, taxonomy
from genlib.models.char_rnn import CharRNN
from genlib.models.diagonal_bilstm import DiagonalBiLSTM
from genlib.models.gated_pixel_cnn import GatedPixelCNN
from genlib.models.made import MADE
from genlib.models.nade import FVSBN, NADE
from genlib.models.pixel_cnn import PixelCNN
from genlib.models.pixel_cnn_pp import PixelCNNPlusPlus
from genlib.models.row_lstm import RowLSTM
from genlib.models.wavenet import WaveNet

# Each makes a model of images, or of sequences, of the given shape and number of levels.
MODELS = {
    "FVSBN": lambda shape, levels: FVSBN(shape),
    "NADE": lambda shape, levels: NADE(shape, 6),
    "MADE": lambda shape, levels: MADE(shape, [24], levels=levels),
    "MADE, two layers, random order": lambda shape, levels: MADE(shape, [24, 30], levels=levels, order="random"),
    "MADE, three random orders": lambda shape, levels: MADE(shape, [24], levels=levels, order="random", n_orders=3),
    "RowLSTM": lambda shape, levels: RowLSTM(shape, 6, levels=levels, n_layers=1),
    "DiagonalBiLSTM": lambda shape, levels: DiagonalBiLSTM(shape, 6, levels=levels, n_layers=1),
    "CharRNN, LSTM": lambda shape, levels: CharRNN(shape, levels, 8, end=None),
    "CharRNN, two layers of GRU": lambda shape, levels: CharRNN(shape, levels, 8, layers=2, cell="gru", end=None),
    "WaveNet": lambda shape, levels: WaveNet(shape, levels, channels=8, skip_channels=8, n_layers=3),
    "PixelCNN": lambda shape, levels: PixelCNN(shape, levels=levels, channels=12, n_layers=1),
    "PixelCNN, small kernels": lambda shape, levels: PixelCNN(
        shape, levels=levels, channels=12, n_layers=2, first_kernel_size=3
    ),
    "GatedPixelCNN": lambda shape, levels: GatedPixelCNN(shape, levels=levels, channels=24, n_layers=2),
    "GatedPixelCNN, small kernels": lambda shape, levels: GatedPixelCNN(
        shape, levels=levels, channels=12, n_layers=4, first_kernel_size=3
    ),
    "PixelCNNPlusPlus": lambda shape, levels: PixelCNNPlusPlus(
        shape, levels=levels, channels=6, n_blocks=1, n_halvings=int(not any(s % 2 for s in shape[1:])), n_components=2
    ),
}
BINARY_ONLY = {"FVSBN", "NADE"}
BLIND = {"PixelCNN, small kernels"}  # models that see less than all that comes before, by design
LOGISTIC = {"PixelCNNPlusPlus"}  # without weights, levels have the mass of one logistic: two of them the same
SEQUENCES = {"CharRNN, LSTM", "CharRNN, two layers of GRU", "WaveNet"}  # of codes, which are no numbers
SIZES = [((1, 3, 3), 2), ((3, 1, 2), 3), ((1, 2, 4), 2), ((2, 2, 2), 2)]
LENGTHS = [((8,), 2), ((4,), 4)]
CASES = [
    pytest.param(name, shape, levels, id=f"{name}-{'x'.join(map(str, shape))}-{levels}")
    for name in MODELS
    for shape, levels in (LENGTHS if name in SEQUENCES else SIZES)
    if levels == 2 or name not in BINARY_ONLY
]
every_model = pytest.mark.parametrize(("name", "shape", "levels"), CASES)


def make(name, shape, levels, *, scale=2.0):
    """A model with large random weights, so that every dependence shows: in double precision."""
    torch.manual_seed(0)
    model = MODELS[name](shape, levels).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(scale).add_(0.3 * torch.randn_like(parameter))
    return model.eval()


def images(n, shape, levels):
    return torch.randint(levels, (n, *shape), generator=torch.Generator().manual_seed(1)).double()


def support_of(name, model, shape, levels):
    """Which logits depend on which variables, in the order of generation."""
    order = sampling.generation_order(model)
    return oracles.causality(model, shape, order=order, levels=levels if name in SEQUENCES else None)


@every_model
def test_probabilities_of_all_images_sum_to_one(name, shape, levels):
    model = make(name, shape, levels)
    with torch.no_grad():
        total = oracles.total_probability(model.log_prob, shape, levels=levels)
    assert total.item() == pytest.approx(1, abs=1e-9)


@every_model
def test_logits_depend_on_exactly_the_variables_before(name, shape, levels):
    model = make(name, shape, levels)
    support = support_of(name, model, shape, levels)
    allowed = oracles.autoregressive_support(shape)
    assert not (support & ~allowed).any()
    if name not in BLIND:
        assert torch.equal(support, allowed)


@every_model
def test_cached_sampling_equals_naive_sampling(name, shape, levels):
    model = make(name, shape, levels)
    uniforms = torch.rand(8, math.prod(shape), generator=torch.Generator().manual_seed(2))
    naive, cached = (sampling.sample(model, 8, uniforms=uniforms, cached=cached) for cached in (False, True))
    assert torch.equal(naive, cached)


@every_model
def test_cached_logits_equal_those_of_the_whole_network(name, shape, levels):
    model = make(name, shape, levels)
    x = images(5, shape, levels)
    with torch.no_grad():
        steps, whole = model.steps(5), model(x).flatten(2)  # (B, levels, D)
        for where in sampling.generation_order(model).tolist():
            torch.testing.assert_close(steps.logits(), whole[:, :, where], atol=1e-5, rtol=0)
            steps.put(x.flatten(1)[:, where].long())


@every_model
def test_samples_follow_the_exact_probabilities(name, shape, levels):
    """Pearson's statistic of 4000 draws over all images, the rare ones taken together.

    It is chi-squared with at most 511 degrees of freedom; six standard deviations above the mean are exceeded with a
    probability below 1e-6 (Wilson and Hilferty's approximation gives 1e-7); the seed is fixed.
    """
    model = make(name, shape, levels, scale=1.0)
    if getattr(model, "n_orders", 1) > 1:
        pytest.skip("one call draws all its examples in one order, so that they are not independent")
    everything = oracles.enumerate_images(shape, levels)
    with torch.no_grad():
        expected = 4000 * model.log_prob(everything.double()).exp()
    draws = model.sample(4000, generator=torch.Generator().manual_seed(3))
    weights = levels ** torch.arange(math.prod(shape) - 1, -1, -1)
    counts = torch.bincount((draws.flatten(1).long() * weights).sum(1), minlength=len(everything)).double()
    rare = expected < 5
    expected, counts = (torch.cat([t[~rare], t[rare].sum().reshape(1)]) for t in (expected, counts))
    keep = expected > 5
    statistic = ((counts - expected).square() / expected)[keep].sum()
    freedom = int(keep.sum())
    assert statistic < freedom + 6 * math.sqrt(2 * freedom) + 10


@every_model
@pytest.mark.parametrize("cached", [False, True])
def test_known_pixels_stay_and_the_others_are_drawn_given_them(name, shape, levels, cached):
    model = make(name, shape, levels)
    x = images(6, shape, levels)
    known = torch.rand(shape, generator=torch.Generator().manual_seed(4)) > 0.5
    uniforms = torch.rand(6, math.prod(shape), generator=torch.Generator().manual_seed(5))
    drawn = sampling.sample(model, 6, uniforms=uniforms, given=x, known=known, cached=cached)
    assert torch.equal(drawn.double() * known, x * known)
    with torch.no_grad():
        cumulative = model(drawn.double()).softmax(1).cumsum(1).flatten(2)  # (B, levels, D)
    for position, where in enumerate(sampling.generation_order(model).tolist()):
        if not known.flatten()[where]:
            expected = (uniforms[:, position, None] >= cumulative[:, :-1, where]).sum(1)
            assert torch.equal(drawn.flatten(1)[:, where].long(), expected)


@every_model
@pytest.mark.parametrize("cached", [False, True])
def test_a_low_temperature_takes_the_most_probable_value_of_every_variable(name, shape, levels, cached):
    model = make(name, shape, levels)
    drawn = sampling.sample(model, 3, temperature=1e-6, cached=cached)
    with torch.no_grad():
        assert torch.equal(model(drawn.double()).argmax(1), drawn.long())


@every_model
def test_masked_weights_and_causality_survive_training(name, shape, levels):
    model = make(name, shape, levels).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        (-model.log_prob(images(16, shape, levels)).mean()).backward()
        optimizer.step()
    support = support_of(name, model, shape, levels)
    assert not (support & ~oracles.autoregressive_support(shape)).any()


@every_model
def test_a_model_without_weights_is_uniform(name, shape, levels):
    """In nats, summed over pixels: -D log levels."""
    if name in LOGISTIC and levels > 2:
        pytest.skip("a logistic of mean 0 and scale 1 is not uniform; tests of its own hold it to its value")
    model = make(name, shape, levels)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        value = model.log_prob(images(3, shape, levels))
    torch.testing.assert_close(value, torch.full_like(value, -math.prod(shape) * math.log(levels)))


@every_model
def test_log_prob_is_one_number_per_example_and_does_not_depend_on_the_batch(name, shape, levels):
    model = make(name, shape, levels)
    x = images(4, shape, levels)
    together = model.log_prob(x)
    assert together.shape == (4,)
    torch.testing.assert_close(together, torch.cat([model.log_prob(row) for row in x.split(1)]))
    torch.testing.assert_close(together, model.log_prob(x.long()))


@every_model
def test_sampling_is_decided_by_the_generator_and_leaves_the_mode(name, shape, levels):
    model = make(name, shape, levels).train()
    before = torch.get_rng_state()
    first, second = (model.sample(5, generator=torch.Generator().manual_seed(6)) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(before, torch.get_rng_state())
    assert model.training
    assert first.shape == (5, *shape)
    assert first.is_floating_point() == (levels == 2)
    assert model.sample(0).shape == (0, *shape)


@every_model
def test_a_saved_state_gives_the_same_density(name, shape, levels):
    model, x = make(name, shape, levels), images(4, shape, levels)
    torch.manual_seed(99)
    other = MODELS[name](shape, levels).double().eval()
    other.load_state_dict(model.state_dict())
    torch.testing.assert_close(other.log_prob(x), model.log_prob(x))


@every_model
def test_bad_data_are_refused(name, shape, levels):
    model = make(name, shape, levels)
    with pytest.raises(ValueError, match="expected whole numbers"):
        model.log_prob(torch.full((2, *shape), 0.5))
    with pytest.raises(ValueError, match=f"expected whole numbers from 0 to {levels - 1}"):
        model.log_prob(torch.full((2, *shape), levels))
    with pytest.raises(ValueError, match=r"x has shape .*; expected \(B, "):
        model.log_prob(torch.zeros(2, 5, *shape))
    with pytest.raises(ValueError, match="label"):
        model.log_prob(images(2, shape, levels), torch.tensor([0, 1]))


@pytest.mark.parametrize("name", MODELS)
def test_place_in_the_taxonomy_is_that_of_a_tractable_density(name):
    model = MODELS[name]((4,) if name in SEQUENCES else (1, 2, 2), 2)
    assert isinstance(model, nn.Module)
    assert taxonomy.place(model) == "explicit density / tractable / factorised or closed form"
