"""Features, latents and codes: figures with a known value, bounds that always hold, and what must not change them."""

import math

import pytest
import torch
from sklearn.metrics import mutual_info_score

from genlib.evaluate import (
    active_units,
    beta_vae_score,
    few_label_accuracy,
    few_labels,
    mutual_information,
    mutual_information_gap,
    perplexity,
)
from genlib.models.vae import VAE


def draws(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def clusters(n: int = 600) -> tuple[torch.Tensor, torch.Tensor]:
    y = torch.arange(n) % 3
    return 6 * torch.eye(3)[y] + torch.randn(n, 3, generator=torch.Generator().manual_seed(0)), y


@pytest.mark.parametrize("n", [3, 10, 100])
def test_few_labels_are_as_many_of_each_class_as_can_be_and_none_twice(n):
    y = torch.arange(300) % 3
    rows = few_labels(y, n, generator=torch.Generator().manual_seed(0))
    counts = torch.bincount(y[rows])
    assert len(rows.unique()) == n
    assert counts.max() - counts.min() <= 1
    assert torch.equal(rows, few_labels(y, n, generator=torch.Generator().manual_seed(0)))


def test_features_that_separate_the_classes_need_one_label_each_and_noise_is_worth_nothing():
    x, y = clusters()
    generator = torch.Generator().manual_seed(1)
    good = few_label_accuracy(x, y, x, y, 30, generator=generator)
    assert good.shape == (5,)
    assert good.mean() > 0.95
    noise = torch.randn(600, 3, generator=generator)
    chance = few_label_accuracy(noise[:300], y[:300], noise[300:], y[300:], 30, n_repeats=20, generator=generator)
    assert abs(float(chance.mean()) - 1 / 3) < 6 * (2 / 9 / 300) ** 0.5  # 6 standard errors of one repetition


def test_the_accuracy_does_not_depend_on_the_scale_or_the_origin_of_the_features():
    x, y = clusters()
    found = [few_label_accuracy(f, y, f, y, 9, generator=torch.Generator().manual_seed(1)) for f in (x, 1000 * x - 50)]
    assert torch.allclose(*found, atol=0.01)


def test_mutual_information_of_whole_numbers_is_scikit_learn_s_less_its_bias():
    a, b = (8 * draws(400, 2, seed=1)).long(), (5 * draws(400, 3, seed=2)).long()
    b[:, 0] = a[:, 0] // 2
    found = mutual_information(a, b)
    for i in range(2):
        for j in range(3):
            cells = (len(a[:, i].unique()) - 1) * (len(b[:, j].unique()) - 1)
            expected = mutual_info_score(a[:, i].numpy(), b[:, j].numpy()) - cells / 800
            assert float(found[i, j]) == pytest.approx(expected)


def test_independent_columns_have_no_information_on_average_and_a_copy_has_all_of_its_own():
    """The mean of 60 estimates of 0; their spread is that of chi^2 with 361 degrees of freedom over 2N: 6 errors."""
    n, estimates = 2000, []
    for seed in range(60):
        x = draws(n, 2, seed=seed)
        estimates.append(float(mutual_information(x[:, :1], x[:, 1:])[0, 0]))
    assert abs(sum(estimates) / 60) < 6 * (2 * 361) ** 0.5 / (2 * n) / 60**0.5 + 0.004  # the bias's next order
    x = draws(n, 1)
    assert float(mutual_information(x, x)[0, 0]) == pytest.approx(math.log(20), abs=0.1)


def test_mutual_information_is_symmetric_and_blind_to_monotone_changes_of_scale():
    a, b = draws(500, 2), draws(500, 2, seed=1)
    b[:, 0] += a[:, 1]
    found = mutual_information(a, b)
    assert torch.allclose(found, mutual_information(b, a).mT)
    assert torch.allclose(found, mutual_information(a.exp() * 7, 3 - b.pow(3)), atol=0.02)


def test_the_gap_is_one_for_a_copy_zero_for_a_pair_of_copies_and_small_after_a_rotation():
    factors = draws(4000, 3)
    aligned, spread = mutual_information_gap(factors.flip(1) * 5, factors)
    assert aligned > 0.95
    assert spread < 0.02
    assert abs(mutual_information_gap(torch.cat([factors, factors], 1), factors).value) < 1e-9
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64))[0]
    assert mutual_information_gap((factors - 0.5) @ turn, factors).value < 0.5 * aligned


def test_dimensions_that_say_nothing_change_the_gap_little():
    factors = draws(4000, 2)
    noise = draws(4000, 4, seed=9)
    plain = mutual_information_gap(torch.cat([factors, noise[:, :1]], 1), factors).value
    assert mutual_information_gap(torch.cat([factors, noise], 1), factors).value == pytest.approx(plain, abs=0.02)


def test_the_beta_vae_score_is_one_for_the_factors_and_chance_for_noise():
    def uniform(n, generator):
        return torch.rand(n, 4, generator=generator)

    options = {"n_votes": 200, "n_pairs": 16, "n_repeats": 3}
    assert beta_vae_score(lambda x: x, uniform, lambda f: 3 * f, **options).value == 1.0
    noise = beta_vae_score(lambda x: torch.randn_like(x), uniform, lambda f: f, **options)
    assert abs(noise.value - 0.25) < 6 * (0.25 * 0.75 / 300) ** 0.5  # 6 standard errors of 300 votes


def test_a_unit_is_active_when_its_mean_moves_with_the_examples():
    model = VAE(4, 3, 8)
    with torch.no_grad():
        model.encoder[-1].weight[1] = 0.0  # the mean of the second dimension is now the same for all
        model.encoder[-1].weight[0] *= 20
        model.encoder[-1].weight[2] *= 20
    x = draws(200, 4).float()
    assert active_units(model.train(), x).tolist() == [True, False, True]
    assert model.training
    assert not active_units(model, x, threshold=1e9).any()


def test_perplexity_counts_the_codes_in_use():
    assert perplexity(torch.arange(8).repeat(5, 3), 16) == pytest.approx(8)
    assert perplexity(torch.zeros(3, 4, dtype=torch.long), 16) == 1.0
    assert 1 < perplexity(torch.tensor([0, 0, 0, 1]), 2) < 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: few_labels(torch.arange(10), 9), "a number in between"),
        (lambda: few_labels(torch.tensor([0, 0, 0, 0, 1]), 4), "Ask for fewer labels"),
        (lambda: few_label_accuracy(*clusters(), *clusters(), 9, n_repeats=0), "at least 1"),
        (lambda: mutual_information(torch.zeros(3), torch.zeros(3, 1)), r"expected \(N, I\)"),
        (lambda: mutual_information_gap(torch.zeros(9, 1), torch.zeros(9, 1)), "L of at least 2"),
        (lambda: active_units(VAE(4), torch.zeros(1, 4)), "two or more"),
        (lambda: perplexity(torch.tensor([4]), 4), "from 0 to 3"),
        (lambda: perplexity(torch.tensor([]).long(), 4), "at least one"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(call, message):
    with pytest.raises(ValueError, match=message):
        call()
