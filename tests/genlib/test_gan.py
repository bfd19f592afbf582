"""The losses of GANs against the optimal discriminators of two known distributions, and against what trips training."""

import math

import pytest
import torch
from scipy import stats
from torch import nn

from genlib.gan import KINDS, discriminator_loss, generator_loss, gradient_penalty

WITH_LABELS = ("minimax", "non_saturating", "least_squares")
WITH_SIGMOID = ("minimax", "non_saturating")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def densities():
    """p and q on a grid of cells, two Gaussians a little apart, as probabilities of the cells."""
    grid = torch.linspace(-3, 4, 15, dtype=torch.float64)
    p = torch.from_numpy(stats.norm.pdf(grid.numpy(), 0, 1))
    q = torch.from_numpy(stats.norm.pdf(grid.numpy(), 1, 0.8))
    return p / p.sum(), q / q.sum()


def best_logits(p, q, kind, smoothing=0.0):
    """Minimise the expected discriminator's loss over one free logit per cell."""
    logits = torch.zeros_like(p, requires_grad=True)
    options = {"max_iter": 2000, "tolerance_grad": 1e-13, "tolerance_change": 0, "line_search_fn": "strong_wolfe"}
    optimizer = torch.optim.LBFGS([logits], **options)

    def closure():
        optimizer.zero_grad()
        expected_loss(logits, p, q, kind, smoothing).backward()
        return expected_loss(logits, p, q, kind, smoothing)

    optimizer.step(closure)
    return logits.detach()


def expected_loss(logits, p, q, kind, smoothing=0.0):
    """E over real ~ p and fake ~ q of the loss: pairs are independent, so every pair of cells has weight p q."""
    n = len(logits)
    real, fake = logits.repeat_interleave(n), logits.repeat(n)
    return discriminator_loss(real, fake, kind=kind, smoothing=smoothing) @ torch.outer(p, q).flatten()


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("kind", WITH_LABELS)
def test_optimal_discriminator_is_the_smoothed_share_of_the_data(kind, smoothing):
    """D* = (1 - smoothing) p / (p + q); with both labels smoothed it would be smoothing where p is 0 (trap 34).

    One cell is without data, and one has as much of either.
    """
    p, q = densities()
    p, q = torch.cat([0.8 * p, p.new_tensor([0.0, 0.2])]), torch.cat([0.6 * q, q.new_tensor([0.2, 0.2])])
    logits = best_logits(p, q, kind, smoothing)
    best = logits.sigmoid() if kind in WITH_SIGMOID else logits
    expected = (1 - smoothing) * p / (p + q)
    torch.testing.assert_close(best, expected, rtol=0, atol=1e-5)
    assert best[-1].item() == pytest.approx((1 - smoothing) / 2, abs=1e-5)
    assert best[-2].item() == pytest.approx(0, abs=1e-5)


def test_optimal_hinge_discriminator_is_the_sign_of_the_difference():
    p, q = densities()
    logits = torch.zeros_like(p, requires_grad=True)
    for rate in (0.1, 0.01, 0.001):
        for _ in range(200):
            slope = torch.autograd.grad(expected_loss(logits, p, q, "hinge"), logits)[0]
            logits = (logits - rate * slope.sign()).detach().requires_grad_()
    assert (p - q).abs().min() > 1e-4  # no cell is undecided
    torch.testing.assert_close(logits.detach(), (p - q).sign(), rtol=0, atol=2e-3)


def test_optimal_wasserstein_critic_of_bounded_slope_measures_the_earth_mover_s_distance():
    """By linear programming over critics of slope at most 1 on a grid, against scipy's distance of the two samples."""
    from scipy import optimize

    p, q = densities()
    n, step = len(p), 0.5
    logits = torch.zeros(n, dtype=torch.float64, requires_grad=True)
    slope = torch.autograd.grad(expected_loss(logits, p, q, "wasserstein"), logits)[0].numpy()  # the loss is linear
    differences = torch.eye(n - 1, n).roll(1, 1) - torch.eye(n - 1, n)
    rows = torch.cat([differences, -differences]).numpy()
    solution = optimize.linprog(slope, A_ub=rows, b_ub=[step] * len(rows), bounds=[(-100, 100)] * n)
    grid = torch.arange(n) * step
    distance = stats.wasserstein_distance(grid, grid, p, q)
    assert -solution.fun == pytest.approx(distance, abs=1e-8)


def test_value_of_the_game_at_its_optimum_is_the_jensen_shannon_divergence():
    """min_D loss = 2 log 2 - 2 JSD(p, q) (Goodfellow et al., equations 5 and 6)."""
    p, q = densities()
    middle = (p + q) / 2
    divergence = 0.5 * (p * (p / middle).log()).sum() + 0.5 * (q * (q / middle).log()).sum()
    value = expected_loss(best_logits(p, q, "minimax"), p, q, "minimax")
    assert value.item() == pytest.approx(2 * math.log(2) - 2 * divergence.item(), abs=1e-9)


@pytest.mark.parametrize("kind", WITH_SIGMOID)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_discriminator_s_loss_is_the_cross_entropy_of_its_labels(kind, smoothing):
    real, fake = torch.randn(2, 50, generator=seeded(), dtype=torch.float64) * 5
    expected = nn.functional.binary_cross_entropy_with_logits(
        real, torch.full_like(real, 1 - smoothing), reduction="none"
    ) + nn.functional.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake), reduction="none")
    torch.testing.assert_close(discriminator_loss(real, fake, kind=kind, smoothing=smoothing), expected)


def test_smoothing_touches_the_labels_of_real_examples_alone():
    """Trap 34: the gradient with respect to what D says of generated examples does not know of smoothing."""
    for kind in WITH_LABELS:
        fake = torch.randn(9, generator=seeded()).requires_grad_()
        plain, smooth = (discriminator_loss(fake.detach(), fake, kind=kind, smoothing=s).sum() for s in (0.0, 0.2))
        assert torch.equal(torch.autograd.grad(plain, fake)[0], torch.autograd.grad(smooth, fake)[0])


def test_minimax_players_sum_to_zero_where_the_fake_logits_enter():
    real, fake = torch.randn(2, 20, generator=seeded())
    fake.requires_grad_()
    of_d = torch.autograd.grad(discriminator_loss(real, fake, kind="minimax").sum(), fake)[0]
    of_g = torch.autograd.grad(generator_loss(fake, kind="minimax").sum(), fake)[0]
    torch.testing.assert_close(of_g, -of_d)


def test_non_saturating_loss_has_a_gradient_where_the_minimax_one_has_none():
    """At logit l the slopes are -s(l) and -s(-l): the same sign everywhere, the same size where D is undecided."""
    logits = torch.tensor([-20.0, -2.0, 0.0, 2.0], dtype=torch.float64, requires_grad=True)
    minimax, other = (
        torch.autograd.grad(generator_loss(logits, kind=kind).sum(), logits)[0]
        for kind in ("minimax", "non_saturating")
    )
    torch.testing.assert_close(minimax, -logits.sigmoid())
    torch.testing.assert_close(other, -(-logits).sigmoid())
    assert minimax[0].abs() < 1e-8
    assert other[0].abs() > 0.99


@pytest.mark.parametrize("kind", KINDS)
def test_generator_s_loss_falls_when_the_discriminator_is_fooled_more(kind):
    logits = torch.linspace(-3, 1, 9, requires_grad=True)
    slope = torch.autograd.grad(generator_loss(logits, kind=kind).sum(), logits)[0]
    assert (slope[:-1] < 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_discriminator_s_loss_falls_when_it_tells_the_two_apart(kind):
    real, fake = torch.linspace(-1, 0.9, 9, requires_grad=True), torch.linspace(0.1, 1, 9, requires_grad=True)
    of_real, of_fake = torch.autograd.grad(discriminator_loss(real, fake, kind=kind).sum(), (real, fake))
    assert (of_real < 0).all()
    assert (of_fake > 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_losses_are_one_number_per_example_and_carry_gradient(kind):
    """Traps 15, 23 and 33: an example's loss does not depend on its batch, so means do not depend on batch sizes."""
    real, fake = torch.randn(2, 10, generator=seeded()).requires_grad_()
    for loss in (discriminator_loss(real, fake, kind=kind), generator_loss(fake, kind=kind)):
        assert loss.shape == (10,)
        assert loss.requires_grad
    parts = [discriminator_loss(r, f, kind=kind) for r, f in zip(real.split(4), fake.split(4), strict=True)]
    torch.testing.assert_close(torch.cat(parts), discriminator_loss(real, fake, kind=kind))
    twice = discriminator_loss(torch.cat([real, real]), torch.cat([fake, fake]), kind=kind)
    torch.testing.assert_close(twice.mean(), discriminator_loss(real, fake, kind=kind).mean())


@pytest.mark.parametrize("kind", KINDS)
def test_losses_of_extreme_logits_are_finite_with_finite_gradients(kind):
    logits = torch.tensor([-200.0, 200.0, -200.0, 200.0], requires_grad=True)
    other = logits.flip(0).roll(1)
    for loss in (discriminator_loss(logits, other, kind=kind), generator_loss(logits, kind=kind)):
        assert loss.isfinite().all()
        assert torch.autograd.grad(loss.sum(), logits, retain_graph=True)[0].isfinite().all()
    if kind in WITH_SIGMOID:
        assert discriminator_loss(logits[:2], logits[:2], kind=kind).tolist() == [200.0, 200.0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_of_either_player_leaves_the_other_alone(kind):
    """Trap 31, for the two lines at the top of genlib.gan."""
    torch.manual_seed(0)
    generator, discriminator = nn.Linear(2, 3), nn.Sequential(nn.Linear(3, 1), nn.Flatten(0))
    x, z = torch.randn(8, 3), torch.randn(8, 2)
    loss = discriminator_loss(discriminator(x), discriminator(generator(z).detach()), kind=kind).mean()
    loss = loss + gradient_penalty(discriminator, x, generator(z), generator=seeded()).mean()
    loss.backward()
    assert all(p.grad is None for p in generator.parameters())
    assert discriminator[0].weight.grad.abs().sum() > 0
    before = [p.clone() for p in discriminator.parameters()]
    optimizer = torch.optim.SGD(generator.parameters(), lr=0.1)
    generator_loss(discriminator(generator(z)), kind=kind).mean().backward()
    optimizer.step()
    assert generator.weight.grad.abs().sum() > 0
    assert all(torch.equal(p, b) for p, b in zip(discriminator.parameters(), before, strict=True))


# Gradient penalty


@pytest.mark.parametrize("batch_size", [1, 7, 64])
@pytest.mark.parametrize("event", [(5,), (3, 4, 4)])
def test_critic_of_unit_gradient_pays_nothing_at_every_batch_size(batch_size, event):
    """Trap 32: a norm over the whole batch would be sqrt(B)."""
    direction = torch.randn(event, generator=seeded(), dtype=torch.float64)
    direction = direction / direction.norm()
    real, fake = torch.randn(2, batch_size, *event, generator=seeded(1), dtype=torch.float64)
    penalty = gradient_penalty(lambda x: (x * direction).flatten(1).sum(1), real, fake, generator=seeded())
    torch.testing.assert_close(penalty, torch.zeros(batch_size, dtype=torch.float64))
    doubled = gradient_penalty(lambda x: 3 * (x * direction).flatten(1).sum(1), real, fake, generator=seeded())
    torch.testing.assert_close(doubled, torch.full((batch_size,), 4.0, dtype=torch.float64))
    aimed = gradient_penalty(lambda x: 3 * (x * direction).flatten(1).sum(1), real, fake, target=3.0)
    torch.testing.assert_close(aimed, torch.zeros(batch_size, dtype=torch.float64))


def test_penalty_is_taken_at_uniform_points_between_pairs():
    """A critic x^2 / 2 has gradient x: from real 0 and fake 1 the penalty is u^2. Kolmogorov-Smirnov, p < 1e-7."""
    n = 4000
    real, fake = torch.zeros(n, 1, dtype=torch.float64), torch.ones(n, 1, dtype=torch.float64)
    penalty = gradient_penalty(lambda x: 0.5 * x.square().sum(1), real, fake, generator=seeded())
    u = 1 - penalty.detach().sqrt()
    assert ((u >= 0) & (u <= 1)).all()
    assert stats.kstest(u.numpy(), "uniform").pvalue > 1e-7


def test_penalty_uses_one_point_for_all_pixels_of_an_image():
    """Between black and white images the points are plain grey, with one grey for all pixels."""
    points = []

    def critic(x):
        points.append(x.detach())
        return x.flatten(1).sum(1)

    gradient_penalty(critic, torch.zeros(6, 1, 4, 4), torch.ones(6, 1, 4, 4), generator=seeded())
    assert points[0].flatten(1).std(1).max() == 0
    assert len(points[0].unique()) == 6
    gradient_penalty(critic, torch.zeros(6, 1, 4, 4), torch.ones(6, 1, 4, 4), generator=seeded())
    assert torch.equal(points[0], points[1])


def test_penalty_s_gradient_with_respect_to_the_critic_is_exact():
    """For a critic a |x|^2 / 2 the penalty (|a x| - 1)^2 has the derivative 2 (|a x| - 1) |x| in a."""
    a = torch.tensor(1.7, dtype=torch.float64, requires_grad=True)
    x = torch.randn(9, 3, generator=seeded(), dtype=torch.float64)
    penalty = gradient_penalty(lambda x: 0.5 * a * x.square().sum(1), x, x)  # between x and itself lies x
    norm = x.norm(dim=1)
    torch.testing.assert_close(penalty, (1.7 * norm - 1).square())
    torch.testing.assert_close(torch.autograd.grad(penalty.sum(), a)[0], (2 * (1.7 * norm - 1) * norm).sum())


def test_penalty_gives_no_gradient_to_either_batch():
    real, fake = torch.randn(2, 4, 3, generator=seeded()).requires_grad_()
    scale = torch.ones((), requires_grad=True)
    penalty = gradient_penalty(lambda x: scale * x.square().sum(1), real, fake, generator=seeded())
    gradients = torch.autograd.grad(penalty.sum(), (scale, real, fake), allow_unused=True)
    assert [gradient is None for gradient in gradients] == [False, True, True]


def test_penalty_of_a_flat_critic_has_a_finite_gradient():
    layer = nn.Linear(3, 1)
    nn.init.zeros_(layer.weight)
    penalty = gradient_penalty(lambda x: layer(x).squeeze(1), torch.randn(4, 3), torch.randn(4, 3))
    torch.testing.assert_close(penalty, torch.ones(4))
    penalty.sum().backward()
    assert layer.weight.grad.isfinite().all()


def test_penalty_can_be_reported_without_gradient():
    x = torch.randn(4, 3, generator=seeded())
    with torch.no_grad():
        penalty = gradient_penalty(lambda x: x.square().sum(1), x, x)
    assert not penalty.requires_grad
    torch.testing.assert_close(penalty, (2 * x.norm(dim=1) - 1).square())


# What is refused


@pytest.mark.parametrize("kind", KINDS)
def test_probabilities_in_place_of_logits_are_refused(kind):
    scores = torch.randn(5, 1, requires_grad=True)
    for probabilities in (scores.sigmoid().squeeze(1), scores.sigmoid().flatten(), scores.squeeze(1).sigmoid()):
        for call in (
            lambda d: discriminator_loss(d, scores.squeeze(1), kind=kind),
            lambda d: discriminator_loss(scores.squeeze(1), d, kind=kind),
            lambda d: generator_loss(d, kind=kind),
        ):
            with pytest.raises(ValueError, match="sigmoid"):
                call(probabilities)
    within = scores.sigmoid() * 1.0  # between 0 and 1, but not out of a sigmoid: such logits there may be
    assert generator_loss(within.squeeze(1), kind=kind).shape == (5,)


def test_bad_arguments_are_refused_with_what_was_expected():
    five = torch.zeros(5)
    with pytest.raises(ValueError, match="'minimax', 'non_saturating'"):
        discriminator_loss(five, five, kind="vanilla")
    with pytest.raises(ValueError, match="'minimax', 'non_saturating'"):
        generator_loss(five, kind="")
    with pytest.raises(ValueError, match=r"real_logits has shape \(5, 1\); expected \(B,\)"):
        discriminator_loss(five.unsqueeze(1), five)
    with pytest.raises(ValueError, match=r"fake_logits has shape \(\); expected \(B,\)"):
        generator_loss(five.mean())
    with pytest.raises(ValueError, match="5 real and 3 fake"):
        discriminator_loss(five, five[:3])
    with pytest.raises(ValueError, match="int64"):
        generator_loss(five.long())
    for smoothing in (-0.1, 0.5, math.nan):
        with pytest.raises(ValueError, match="smoothing"):
            discriminator_loss(five, five, smoothing=smoothing)
    for kind in ("hinge", "wasserstein"):
        with pytest.raises(ValueError, match="no labels"):
            discriminator_loss(five, five, kind=kind, smoothing=0.1)


def test_penalty_refuses_what_it_cannot_use():
    x = torch.zeros(5, 3)
    with pytest.raises(ValueError, match=r"real \(5, 3\) and fake \(4, 3\)"):
        gradient_penalty(lambda x: x.sum(1), x, x[:4])
    with pytest.raises(ValueError, match=r"expected both \(B, \*event\)"):
        gradient_penalty(lambda x: x, x[:, 0], x[:, 0])
    with pytest.raises(ValueError, match=r"shape \(5, 1\); expected \(5,\)"):
        gradient_penalty(lambda x: x.sum(1, keepdim=True), x, x)
    with pytest.raises(ValueError, match=r"shape \(1,\); expected \(5,\)"):
        gradient_penalty(lambda x: x.sum().reshape(1), x, x)
    for flat in (torch.zeros(5), torch.zeros(5, requires_grad=True)):
        with pytest.raises(ValueError, match="does not depend"):
            gradient_penalty(lambda x, flat=flat: flat * 1, x, x)
