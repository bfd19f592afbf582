"""The sequence-to-sequence autoencoder: lengths, teacher forcing, and searches against enumeration."""

import itertools

import pytest
import torch

from genlib.device import seed_everything
from genlib.models.seq2seq import Seq2SeqAutoencoder


@pytest.fixture
def model():
    seed_everything(0)
    found = Seq2SeqAutoencoder(3, latent_dim=4, hidden_dim=8, embedding_dim=5).double()
    with torch.no_grad():
        for parameter in found.parameters():
            parameter.mul_(3)  # an untrained network is nearly uniform, and then every search finds the same
        found.head.bias[0] = -2.0  # and sequences are not to end at once
    return found


def sequences(n: int = 40, length: int = 6) -> torch.Tensor:
    x = torch.randint(3, (n, length), generator=torch.Generator().manual_seed(0))
    return x * (torch.cumsum((x == 0).long(), 1) == 0)


def every(length: int) -> torch.Tensor:
    """All sequences of three codes in which only 0 follows a 0."""
    x = torch.tensor(list(itertools.product(range(3), repeat=length)))
    return x[(x * (torch.cumsum((x == 0).long(), 1) > 0) == 0).all(1)]


def test_the_probabilities_of_all_sequences_given_z_sum_to_one(model):
    x, z = every(5), torch.randn(1, 4).double()
    assert torch.allclose(model.log_likelihood(x, z.expand(len(x), 4)).logsumexp(0), torch.zeros(()).double())


def test_padding_behind_the_end_changes_neither_the_code_nor_the_likelihood(model):
    x = sequences()
    longer = torch.cat([x, torch.zeros(len(x), 7, dtype=torch.long)], 1)
    ended = (x == 0).any(1)
    assert torch.allclose(model.encode(x)[ended], model.encode(longer)[ended])
    assert torch.allclose(model.objective(x)[ended], model.objective(longer)[ended])


def test_every_code_before_the_end_reaches_z_and_none_behind_it(model):
    x = torch.tensor([[1, 2, 1, 0, 0, 0]])
    z = model.encode(x)
    for place in range(6):
        changed = x.clone()
        changed[0, place] = 2 - x[0, place] if x[0, place] else 1
        if place < 3:
            changed[0, place] = 3 - x[0, place]
        assert torch.allclose(model.encode(changed), z) == (place > 3)


def test_the_logits_of_a_place_depend_on_the_codes_before_it_alone_and_on_z(model):
    x, z = torch.randint(1, 3, (4, 6)), torch.randn(4, 4).double()
    for place in range(6):
        changed = x.clone()
        changed[:, place:] = 3 - x[:, place:]
        assert torch.allclose(model(x, z)[:, :, : place + 1], model(changed, z)[:, :, : place + 1])
    assert not torch.allclose(model(x, z), model(x, z + 1))


def test_greedy_takes_the_most_probable_code_at_every_place(model):
    z = torch.randn(20, 4).double()
    found = model.greedy(z, 6)
    assert torch.equal(model(found, z).argmax(1), found)
    assert torch.equal(found, found * (torch.cumsum((found == 0).long(), 1) == 0))


def test_a_beam_that_is_wide_enough_finds_the_most_probable_sequence_and_says_how_probable(model):
    z, x = 3 * torch.randn(100, 4).double(), every(5)
    found, score = model.beam(z, 5, width=len(x))
    table = torch.stack([model.log_likelihood(x, row.expand(len(x), 4)) for row in z])  # (100, sequences)
    assert torch.equal(found, x[table.argmax(1)])
    assert torch.allclose(score, table.max(1).values)
    greedy = model.log_likelihood(model.greedy(z, 5), z)
    assert (greedy <= score + 1e-9).all()
    assert (greedy < score - 1e-6).any()  # there is something to be found


@pytest.mark.parametrize("width", [1, 2, 4])
def test_the_score_of_a_beam_is_the_likelihood_of_what_it_returns(model, width):
    z = torch.randn(20, 4).double()
    found, score = model.beam(z, 6, width)
    assert torch.allclose(score, model.log_likelihood(found, z))


def test_it_learns_to_repeat_sentences_that_a_greedy_writer_gets_right():
    """Eight sequences of up to five codes, learned by heart: 300 steps give all of them back."""
    seed_everything(0)
    model, x = Seq2SeqAutoencoder(5, 8, 32, 8), torch.randint(0, 5, (8, 5))
    x = x * (torch.cumsum((x == 0).long(), 1) == 0)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(300):
        optimizer.zero_grad()
        loss = -model.objective(x).mean()
        loss.backward()
        optimizer.step()
    assert torch.equal(model.reconstruct(x), x)
    assert torch.equal(model.reconstruct(x, width=3), x)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: Seq2SeqAutoencoder(1), "at least 2 levels"),
        (lambda m: m.encode(torch.zeros(3)), r"expected \(B, T\)"),
        (lambda m: m.encode(torch.full((1, 2), 3)), "whole numbers from 0 to 2"),
        (lambda m: m(torch.zeros(2, 3).long(), torch.zeros(3, 4)), r"expected \(2, 4\)"),
        (lambda m: m.beam(torch.zeros(1, 4).double(), 0), "at least 1 of each"),
        (lambda m: m.greedy(torch.zeros(1, 3).double(), 2), r"expected \(1, 4\)"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(model, call, message):
    with pytest.raises(ValueError, match=message):
        call(model)
