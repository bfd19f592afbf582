"""Sentences with an end, streams whose state is carried on, and bits per character; the rest is in the shared suite."""

import itertools
import math

import pytest
import torch

from genlib import oracles, sampling
from genlib.models.char_rnn import CharRNN
from genlib.models.pixels import sum_of_conditionals
from genlib.models.sequences import after_end, bits_per_character

CELLS = pytest.mark.parametrize(("cell", "layers"), [("lstm", 1), ("lstm", 2), ("gru", 1), ("gru", 2)])


def make(length=5, levels=3, **options):
    torch.manual_seed(0)
    model = CharRNN(length, levels, 7, embedding_dim=4, **options).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
    return model.eval()


def codes(n, length, levels, seed=1):
    return torch.randint(levels, (n, length), generator=torch.Generator().manual_seed(seed))


def sentences(length, levels):
    """Every sentence of at most ``length`` codes that has nothing but zeros after its first zero, by enumeration."""
    rows = {tuple(row) for n in range(length) for row in _padded(n, length, levels)}
    return torch.tensor(sorted(rows | set(itertools.product(range(1, levels), repeat=length))))


def _padded(n, length, levels):
    return ([*head, *[0] * (length - n)] for head in itertools.product(range(1, levels), repeat=n))


@CELLS
def test_probabilities_of_all_sentences_sum_to_one(cell, layers):
    model = make(cell=cell, layers=layers)
    with torch.no_grad():
        assert model.log_prob(sentences(5, 3)).exp().sum().item() == pytest.approx(1, abs=1e-12)
        assert oracles.total_probability(model.log_prob, (5,), levels=3).item() == pytest.approx(1, abs=1e-9)


def test_log_prob_counts_up_to_and_including_the_first_end():
    """The same weights score every prefix as a stream: the sentence is its prefix up to the end."""
    model, stream = make(), make(end=None)
    stream.load_state_dict(model.state_dict())
    rows = sentences(5, 3)
    for row in rows:
        zeros = (row == 0).nonzero()
        length = int(zeros[0]) + 1 if len(zeros) else len(row)
        torch.testing.assert_close(model.log_prob(row[None]), stream.log_prob(row[None, :length]))
    assert not torch.isclose(model.log_prob(rows), stream.log_prob(rows)).all()


def test_a_sentence_that_goes_on_after_its_end_is_impossible():
    x = torch.tensor([[1, 0, 2, 0, 0], [0, 0, 0, 0, 1], [1, 0, 0, 0, 0]])
    assert make().log_prob(x).isneginf().tolist() == [True, True, False]
    assert make(end=None).log_prob(x).isfinite().all()


def test_gradients_are_finite_and_do_not_come_from_behind_the_end():
    """A row of zeros is scored by its first code alone, so it has the gradient of that code as a sequence of one."""
    model = make()
    gradients = []
    for x in (torch.zeros(2, 5, dtype=torch.int64), torch.zeros(2, 1, dtype=torch.int64)):
        model.zero_grad()
        model.log_prob(x).sum().backward()
        gradients.append([parameter.grad.clone() for parameter in model.parameters()])
    for long, short in zip(*gradients, strict=True):
        assert long.isfinite().all()
        torch.testing.assert_close(long, short)


@CELLS
def test_cached_sampling_of_sentences_equals_naive_sampling(cell, layers):
    model = make(length=9, cell=cell, layers=layers)
    uniforms = torch.rand(40, 9, generator=torch.Generator().manual_seed(2))
    naive, cached = (sampling.sample(model, 40, uniforms=uniforms, cached=cached) for cached in (False, True))
    assert torch.equal(naive, cached)
    assert not (cached[after_end(cached)]).any()
    assert after_end(cached).any()
    assert (cached != 0).any()


def test_known_codes_that_go_on_after_the_end_do_not_undo_it():
    """As in the naive sampler, what is drawn behind an end is 0, whatever known codes stand in between."""
    model = make(length=8)
    known = torch.tensor([False, True, False, True, False, False, True, False])
    given = torch.tensor([0, 0, 0, 2, 0, 0, 1, 0])
    uniforms = torch.rand(20, 8, generator=torch.Generator().manual_seed(4))
    options = {"uniforms": uniforms, "given": given, "known": known}
    naive, cached = (sampling.sample(model, 20, cached=cached, **options) for cached in (False, True))
    assert torch.equal(naive, cached)
    assert torch.equal(cached[:, 1:], given[1:].expand(20, -1))


def test_a_sample_takes_one_step_of_the_network_for_every_character():
    model, lengths = make(length=30, end=None), []
    model.rnn.register_forward_hook(lambda module, args, output: lengths.append(args[0].shape[1]))
    model.sample(4)
    assert lengths == [1] * 30


def test_the_network_rests_once_every_sentence_has_ended():
    """The steps that it takes are as many as the longest sentence of the batch has characters, with its end."""
    model, lengths = make(length=200), []
    model.rnn.register_forward_hook(lambda module, args, output: lengths.append(args[0].shape[1]))
    x = model.sample(4, generator=torch.Generator().manual_seed(3))
    longest = int((~after_end(x)).sum(1).max())
    assert longest < 200
    assert lengths == [1] * longest


@CELLS
def test_a_carried_state_scores_windows_as_the_whole_stream(cell, layers):
    model = make(cell=cell, layers=layers, end=None)
    x, state, parts = codes(6, 11, 3), None, []
    for window in x.split([4, 1, 6], 1):
        logits, state = model.run(window, state)
        parts.append(sum_of_conditionals(window, logits))
    torch.testing.assert_close(sum(parts), model.log_prob(x))
    fresh = sum_of_conditionals(x[:, 5:], model.run(x[:, 5:])[0])
    assert not torch.isclose(parts[2], fresh).any()


@CELLS
def test_gradients_stop_between_windows(cell, layers):
    model = make(cell=cell, layers=layers, end=None)
    logits, state = model.run(codes(2, 4, 3))
    logits.sum().backward()
    model.run(codes(2, 4, 3, seed=2), state)[0].sum().backward()  # through the first window it would fail


@pytest.mark.parametrize("end", [0, None])
def test_a_uniform_model_needs_log2_levels_bits_for_every_character(end):
    model = make(levels=5, end=end)
    torch.nn.init.zeros_(model.head.weight)
    torch.nn.init.zeros_(model.head.bias)
    x = sentences(5, 5)
    assert bits_per_character(model.log_prob(x), x, end=end).item() == pytest.approx(math.log2(5), rel=1e-12)


def test_bits_per_character_weigh_every_character_the_same():
    x = torch.tensor([[1, 1, 1, 0], [0, 0, 0, 0], [2, 2, 2, 2]])  # 4, 1 and 4 characters
    log_prob = -math.log(2) * torch.tensor([8.0, 7.0, 12.0])
    assert bits_per_character(log_prob, x).item() == pytest.approx(27 / 9)
    assert bits_per_character(log_prob, x, end=None).item() == pytest.approx(27 / 12)


def test_bad_arguments_are_refused():
    for options in ({"length": 0}, {"length": (2, 2)}, {"levels": 1}, {"layers": 0}):
        with pytest.raises(ValueError, match="expected one length, at least 2 levels"):
            make(**options)
    with pytest.raises(ValueError, match="expected one of lstm, gru"):
        make(cell="rnn")
    with pytest.raises(ValueError, match="received end=1; expected 0"):
        make(end=1)
    with pytest.raises(ValueError, match="expected whole numbers from 0 to 2"):
        make().run(torch.full((2, 5), 3))
    with pytest.raises(ValueError, match="at least one code"):
        make().log_prob(torch.zeros(2, 0, dtype=torch.int64))
    with pytest.raises(ValueError, match="do not fit"):
        bits_per_character(torch.zeros(3), torch.zeros(2, 5, dtype=torch.int64))
