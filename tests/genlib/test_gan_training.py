"""Two players in turn: who gets a gradient when, what is recorded, the average, and D* learned from two densities."""

import math
import signal
import threading
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import Normal
from torch.utils._python_dispatch import TorchDispatchMode

from genlib.data import Dataset
from genlib.device import checks_values
from genlib.gan import (
    KINDS,
    AveragedGenerator,
    GANHistory,
    discriminator_loss,
    fit_gan,
    generator_loss,
    jensen_shannon,
    mean_and_spread,
    optimal_logits,
)
from genlib.gan.history import gradient_norm, told_right
from genlib.models.dcgan import DCGANDiscriminator, DCGANGenerator
from genlib.models.mlp_gan import MLPDiscriminator, MLPGenerator
from genlib.oracles import LINE_SHAPES, density_on, line_density

quiet = partial(fit_gan, progress=False, batch_size=16)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def points(n=100):
    return torch.randn(n, 2, generator=seeded(1))


def players(n_classes=None, norm="none"):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return MLPGenerator(2, 3, 16, n_classes=n_classes), MLPDiscriminator(2, 16, n_classes=n_classes, norm=norm)


def convolutional(norm="batch", n_classes=None):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        shape = (1, 8, 8)
        return DCGANGenerator(shape, 3, 4, n_classes), DCGANDiscriminator(shape, 4, n_classes, norm=norm)


def state(module):
    return [t.detach().clone() for t in (*module.parameters(), *module.buffers())]


def same(a, b):
    return all(torch.equal(p, q) for p, q in zip(a, b, strict=True))


# ---------------------------------------------------------------- who learns from what


class Watched(torch.optim.SGD):
    """Takes the step, and notes what is where before it and what has changed by it."""

    def __init__(self, own, other, log, name):
        super().__init__(own.parameters(), lr=0.1)
        self.watch = own, other, log, name

    def step(self):
        own, other, log, name = self.watch
        gradients = [[None if p.grad is None else p.grad.clone() for p in part.parameters()] for part in (own, other)]
        before = [part.detach().clone() for part in own.parameters()], [p.detach().clone() for p in other.parameters()]
        super().step()
        changed = [not same(b, list(m.parameters())) for b, m in zip(before, (own, other), strict=True)]
        log.append((name, gradients, changed))


@pytest.mark.parametrize("penalty_at", ["between", "real"])
@pytest.mark.parametrize("penalty", [0.0, 1.0])
@pytest.mark.parametrize("kind", KINDS)
def test_a_step_of_either_player_gives_the_other_no_gradient_and_leaves_it_alone(kind, penalty, penalty_at):
    """Trap 31. In the first step nothing is left over from an earlier one: the generator must have no gradient yet."""
    (generator, discriminator), log = players(), []
    optimizers = Watched(generator, discriminator, log, "G"), Watched(discriminator, generator, log, "D")
    options = {"penalty": penalty, "penalty_at": penalty_at}
    quiet(generator, discriminator, points(), kind=kind, steps=2, n_critic=2, optimizers=optimizers, **options)
    assert [name for name, *_ in log] == ["D", "D", "G", "D", "D", "G"]
    assert all(changed == [True, False] for *_, changed in log)
    for _, (own, other), _ in log[:2]:
        assert all(gradient.any() for gradient in own[:-1])
        assert all(gradient is None for gradient in other)
    # In the generator's step the discriminator still has the gradient of its own last step, and no more.
    of_d, kept = log[1][1][0], log[2][1][1]
    assert same(of_d, kept)
    assert all(gradient.any() for gradient in log[2][1][0])
    assert all(p.requires_grad for p in discriminator.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_steps_are_the_two_lines_of_the_package_s_docstring(kind):
    """Two steps by hand, with plain gradient descent, on the whole data set as one batch: the same parameters."""
    x, rate, seen = points(20), 0.1, []
    generator, discriminator = players()
    by_hand, judge = players()
    hook = generator.register_forward_pre_hook(lambda module, given: seen.append(given[0].clone()))
    optimizers = torch.optim.SGD(generator.parameters(), lr=rate), torch.optim.SGD(discriminator.parameters(), lr=rate)
    history = quiet(generator, discriminator, x, kind=kind, steps=2, batch_size=20, optimizers=optimizers)
    hook.remove()
    losses, own_losses = [], []
    for z in seen:
        losses.append(discriminator_loss(judge(x), judge(by_hand(z).detach()), kind=kind).mean())
        descend(judge, losses[-1], rate)
        own_losses.append(generator_loss(judge(by_hand(z)), kind=kind).mean())
        descend(by_hand, own_losses[-1], rate)
    for mine, theirs in ((by_hand, generator), (judge, discriminator)):
        for p, q in zip(mine.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(p, q, rtol=1e-4, atol=1e-6)
    assert history.losses == pytest.approx([torch.stack(own_losses).mean().item()], rel=1e-4, abs=1e-5)
    assert history.discriminator_losses == pytest.approx([torch.stack(losses).mean().item()], rel=1e-4, abs=1e-5)


def descend(module, loss, rate):
    parameters = list(module.parameters())
    with torch.no_grad():
        for p, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            p -= rate * gradient


def test_smoothing_and_penalty_enter_the_discriminator_s_loss_alone():
    def first(**options):
        history = quiet(*players(), points(), steps=1, lr=1e-9, **options)
        return history.discriminator_losses[0], history.losses[0]

    plain, smooth, penalised, heavier = (
        first(**o) for o in ({}, {"smoothing": 0.2}, {"penalty": 1.0}, {"penalty": 2.0})
    )
    assert len({plain[0], smooth[0], penalised[0], heavier[0]}) == 4
    assert plain[1] == pytest.approx(smooth[1]) == pytest.approx(penalised[1], rel=1e-4)
    assert heavier[0] - plain[0] == pytest.approx(2 * (penalised[0] - plain[0]), rel=1e-4)


def test_penalty_at_real_examples_is_r1():
    """The weight times the mean squared slope at the data, by automatic differentiation of one example at a time."""
    _, discriminator = players()
    x = points(16)
    expected = torch.stack([
        torch.autograd.functional.jacobian(lambda v: discriminator(v.unsqueeze(0)).squeeze(0), one).square().sum()
        for one in x
    ]).mean()  # fmt: skip
    plain, penalised = (
        quiet(*players(), x, steps=1, penalty=p, penalty_at="real", lr=1e-9).discriminator_losses[0] for p in (0, 3.0)
    )
    assert penalised - plain == pytest.approx(3 * expected.item(), rel=1e-3)


# ---------------------------------------------------------------- labels


def test_generated_examples_are_judged_with_the_labels_they_were_made_for():
    generator, discriminator = players(n_classes=3)
    given = {"G": [], "D": []}
    generator.register_forward_pre_hook(lambda module, args: given["G"].append(args[1].clone()))
    discriminator.register_forward_pre_hook(lambda module, args: given["D"].append((args[0].clone(), args[1].clone())))
    y = torch.arange(100) % 3
    x = points() + 100 * y.unsqueeze(1)
    quiet(generator, discriminator, (x, y), steps=2)
    assert len(given["G"]) == 2
    for step, labels in enumerate(given["G"]):
        real, fake, again = given["D"][3 * step : 3 * step + 3]
        assert torch.equal(((real[0][:, 0] + 50) / 100).floor().long(), real[1])  # x and y are of the same examples
        assert torch.equal(real[1], labels)
        assert torch.equal(fake[1], labels)
        assert torch.equal(again[1], labels)


def test_a_conditional_generator_learns_to_use_its_label():
    """Three narrow classes far apart: nearly every sample ends nearest to the centre of its own class.

    600 of 600 in each of five seeds tried, and 540 are asked for.
    """
    y = torch.arange(900) % 3
    centres = torch.tensor([[1.0, 0.0], [-0.5, 0.9], [-0.5, -0.9]])
    x = centres[y] + 0.1 * torch.randn(900, 2, generator=seeded())
    generator, discriminator = players(n_classes=3)
    quiet(generator, discriminator, (x, y), steps=300, lr=5e-3, penalty=0.1, penalty_at="real", batch_size=64)
    asked = torch.arange(600) % 3
    samples = generator.sample(600, y=asked, generator=seeded())
    assert (torch.cdist(samples, centres).argmin(1) == asked).sum() >= 540


# ---------------------------------------------------------------- what is recorded


def test_history_says_what_happened_at_every_logged_step():
    x = points() * torch.tensor([1.0, 3.0]) + 5
    generator, discriminator = players()
    history = quiet(generator, discriminator, x, steps=23, log_every=10)
    assert history.steps == [10, 20, 23]
    names = ("seconds", "losses", "discriminator_losses", "real_accuracy", "fake_accuracy", "gradient_norms",
             "discriminator_gradient_norms", "sample_means", "sample_spreads")  # fmt: skip
    for name in names:
        values = getattr(history, name)
        assert len(values) == 3, name
        assert all(math.isfinite(value) for value in values), name
    assert history.seconds == sorted(history.seconds)
    assert history.data_mean == pytest.approx(x.mean().item(), rel=1e-5)
    assert history.data_spread == pytest.approx(x.var(0, correction=0).mean().sqrt().item(), rel=1e-5)
    assert not history.interrupted
    assert history.averaged is None
    assert "23 steps" in repr(history)
    assert repr(GANHistory()) == "GANHistory(0 steps)"


def test_gradient_norms_are_those_of_the_last_step():
    (generator, discriminator), log = players(), []
    optimizers = Watched(generator, discriminator, log, "G"), Watched(discriminator, generator, log, "D")
    history = quiet(generator, discriminator, points(), steps=3, log_every=3, optimizers=optimizers)
    norms = [torch.cat([g.flatten() for g in gradients[0]]).norm().item() for _, gradients, _ in log]
    assert history.discriminator_gradient_norms == pytest.approx([norms[-2]], rel=1e-5)
    assert history.gradient_norms == pytest.approx([norms[-1]], rel=1e-5)
    assert gradient_norm([torch.zeros(3)]).item() == 0


def test_accuracy_is_the_share_told_right_over_the_steps_since_the_last_entry():
    """Real examples at 1, generated ones near 0: a fixed judge, whose border is moved between the entries."""

    class Judge(nn.Module):
        def __init__(self):
            super().__init__()
            self.border = nn.Parameter(torch.tensor(0.5))

        def forward(self, x):
            return 100 * (x.sum(1) - self.border)

    class Still(nn.Module):
        latent_dim = 1

        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.tensor(1e-6))

        def forward(self, z):
            return self.scale * z

    class Pushed(torch.optim.SGD):
        def step(self):
            with torch.no_grad():
                self.param_groups[0]["params"][0].add_(0.25)  # 0.5, 0.75, 1.0, 1.25 ... before each step

    generator, judge = Still(), Judge()
    idle = torch.optim.SGD(generator.parameters(), lr=0.0)
    history = quiet(generator, judge, torch.ones(32, 1), steps=4, log_every=2,
                    optimizers=(idle, Pushed(judge.parameters(), lr=1.0)))  # fmt: skip
    assert history.real_accuracy == pytest.approx([1.0, 0.0])  # a logit of exactly 0 is undecided, and not right
    assert history.fake_accuracy == pytest.approx([1.0, 1.0])
    assert history.sample_means == pytest.approx([0.0, 0.0], abs=1e-4)


def test_borders_lie_where_the_best_discriminator_is_undecided():
    real, fake = torch.tensor([0.6, 0.2, 3.0, -1.0]), torch.tensor([0.4, 0.7, -2.0, -3.0])
    for kind, right in (("minimax", [0.75, 0.5]), ("hinge", [0.75, 0.5]), ("least_squares", [0.5, 0.75])):
        assert told_right(real, fake, kind).tolist() == right
    assert told_right(torch.zeros(2), torch.zeros(2), "minimax").tolist() == [0, 0]  # undecided is not right
    shifted = told_right(real + 17, fake + 17, "wasserstein")  # a critic is known up to a constant
    assert torch.equal(shifted, told_right(real, fake, "wasserstein"))
    assert shifted.tolist() == [0.75, 0.5]


def test_spread_is_the_standard_deviation_of_a_typical_coordinate_and_zero_for_copies():
    x = torch.randn(50_000, 3, generator=seeded()) * torch.tensor([1.0, 2.0, 2.0]) + torch.tensor([9.0, 0.0, 0.0])
    mean, spread = mean_and_spread(x).tolist()
    assert mean == pytest.approx(3, abs=6 * 3 / math.sqrt(9 * 50_000))  # six standard deviations: 2e-9
    assert spread == pytest.approx(math.sqrt(3), rel=0.03)  # relative deviation 0.003
    assert mean_and_spread(x[:1].expand(10, 3))[1].item() == 0


class Reads(TorchDispatchMode):
    """Counts the operations that hand a value from the device to Python."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        self.count += name in ("_local_scalar_dense", "nonzero", "equal", "is_nonzero", "unique", "masked_select")
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("norm", ["none", "spectral"])
@pytest.mark.parametrize("kind", ["non_saturating", "wasserstein"])
def test_the_loop_reads_no_value_between_the_first_batch_and_a_logged_step(kind, norm, monkeypatch):
    lists = []  # made of a tensor on the CPU without an operation that would be seen
    tolist = torch.Tensor.tolist
    monkeypatch.setattr(torch.Tensor, "tolist", lambda tensor: (lists.append(1), tolist(tensor))[1])

    def count(steps, log_every, **options):
        generator, discriminator = players(norm=norm)
        lists.clear()
        with Reads() as reads:
            quiet(generator, discriminator, points(), kind=kind, steps=steps, log_every=log_every, ema=0.9, **options)
        return reads.count + len(lists)

    with Reads() as reads:
        torch.ones(2).sum().item()
    assert reads.count == 1  # the counter counts
    options = {"penalty": 1.0, "n_critic": 2}
    assert count(30, 1000, **options) == count(3, 1000, **options) < count(30, 1, **options)


def test_values_are_looked_at_in_the_first_step_alone():
    looked = []
    generator, discriminator = players()
    generator.register_forward_pre_hook(lambda module, args: looked.append(checking()))
    quiet(generator, discriminator, points(), steps=3)
    assert looked == [True, False, False]


def checking():
    """Whether values on an accelerator would be looked at now."""
    return checks_values(torch.empty(2, device="meta"))


# ---------------------------------------------------------------- seeds, modes, budgets, interrupts


def test_the_same_seed_gives_the_same_players_and_the_global_state_is_left_alone():
    def trained(seed, norm="none"):
        generator, discriminator = players(norm=norm)
        history = quiet(generator, discriminator, points(), steps=12, seed=seed, ema=0.9, penalty=1.0, log_every=5)
        return [*state(generator), *state(discriminator), *state(history.averaged)], history

    before = torch.get_rng_state(), np.random.get_state()[1].tolist()
    first, history = trained(3)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]
    torch.rand(5)
    second, again = trained(3)
    assert same(first, second)
    assert history.losses == again.losses
    assert not same(first, trained(4)[0])


def test_what_is_logged_and_the_callback_change_nothing():
    def trained(**options):
        generator, discriminator = convolutional()
        x = torch.rand(40, 1, 8, 8, generator=seeded())
        quiet(generator, discriminator, x, steps=7, **options)
        return [*state(generator), *state(discriminator)]

    def callback(generator, history):
        assert not any(part.training for part in generator.modules())
        torch.rand(3)
        generator.sample(5)

    assert same(trained(), trained(log_every=1, callback=callback))


def test_progress_shows_the_accuracies_and_the_spread_or_nothing(capfd):
    quiet(*players(), points(), steps=4)
    assert capfd.readouterr() == ("", "")
    quiet(*players(), points(), steps=4, progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert all(shown in err for shown in ("4/4", "real=", "fake=", "spread="))


def test_modes_are_left_as_they_were_and_training_is_in_training_mode():
    generator, discriminator = convolutional()
    generator.eval()
    discriminator.features.eval()
    modes = []
    generator.register_forward_pre_hook(lambda module, args: modes.append(module.network[2].training))
    discriminator.register_forward_pre_hook(lambda module, args: modes.append(module.features.training))
    quiet(generator, discriminator, torch.rand(40, 1, 8, 8), steps=2)
    assert modes == [True] * 8
    assert not any(part.training for part in generator.modules())
    assert discriminator.training
    assert not discriminator.features.training


def test_the_first_budget_spent_ends_training_and_the_discriminator_counts_epochs():
    def steps(**budget):
        generator, discriminator = players()
        seen = []
        discriminator.register_forward_pre_hook(lambda module, args: seen.append(len(args[0])))
        history = quiet(generator, discriminator, points(), **budget)
        return (history.steps or [0])[-1], len(seen), set(seen)

    assert steps(steps=5) == (5, 15, {16})
    assert steps(steps=5, n_critic=3) == (5, 35, {16})
    assert steps(epochs=2) == (12, 36, {16})  # six whole batches an epoch
    assert steps(epochs=2, n_critic=3) == (4, 28, {16})
    assert steps(epochs=2, steps=3)[0] == 3
    assert steps(steps=2, batch_size=1000) == (2, 6, {100})
    assert steps(seconds=1e-9) == (0, 0, set())
    assert steps(seconds=1e9, steps=3)[0] == 3


def test_every_example_is_shown_once_in_an_epoch_and_the_order_changes():
    generator, discriminator = players()
    shown = []
    discriminator.register_forward_pre_hook(lambda module, args: shown.append(args[0].clone()))
    x = torch.arange(64.0).unsqueeze(1).expand(64, 2).clone()
    quiet(generator, discriminator, x, epochs=2)
    real = torch.cat([batch[:, 0] for batch in shown[::3]])
    first, second = real[:64].tolist(), real[64:].tolist()
    assert sorted(first) == sorted(second) == x[:, 0].tolist()
    assert first != second


def test_an_interrupt_ends_after_the_step_under_way_with_its_history():
    generator, discriminator = players()
    calls = []

    def interrupt(module, args):
        calls.append(1)
        if len(calls) == 6:
            signal.raise_signal(signal.SIGINT)

    generator.register_forward_pre_hook(interrupt)
    history = quiet(generator, discriminator, points(), steps=100, log_every=4)
    assert (history.interrupted, history.steps) == (True, [4, 6])
    assert generator.training
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_that_cuts_a_step_keeps_what_was_done_before():
    generator, discriminator = players()
    calls = []

    def cut(module, args):
        calls.append(1)
        if len(calls) == 8:  # in the generator's step of the third
            raise KeyboardInterrupt

    discriminator.register_forward_pre_hook(cut)
    history = quiet(generator, discriminator, points(), steps=100, log_every=50, ema=0.5)
    assert (history.interrupted, history.steps, history.averaged.updates) == (True, [2], 2)
    assert all(p.requires_grad for p in discriminator.parameters())


@pytest.mark.skipif(not torch.accelerator.is_available(), reason="no accelerator on this machine")
@pytest.mark.parametrize("norm", ["batch", "spectral"])
def test_players_go_to_the_accelerator_with_their_data_and_their_average(norm):
    kind = torch.accelerator.current_accelerator().type
    generator, discriminator = convolutional(norm, 4)
    x, y = torch.rand(64, 1, 8, 8, generator=seeded()), torch.arange(64) % 4
    options = {} if norm == "batch" else {"penalty": 0.5, "n_critic": 2}
    history = quiet(generator, discriminator, (x, y), steps=4, ema=0.9, device=kind, **options)
    assert all(
        p.device.type == kind for part in (generator, discriminator, history.averaged) for p in part.parameters()
    )
    draws = torch.Generator(kind).manual_seed(0)
    assert history.averaged.sample(3, y=torch.arange(3), generator=draws).device.type == kind


def test_training_works_outside_of_the_main_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(quiet(*players(), points(), steps=2)))
    thread.start()
    thread.join()
    assert found[0].steps == [2]


@pytest.mark.parametrize("norm", ["batch", "spectral", "none"])
@pytest.mark.parametrize("n_classes", [None, 4])
def test_convolutional_players_train_with_finite_numbers(norm, n_classes):
    generator, discriminator = convolutional(norm, n_classes)
    x, y = torch.rand(64, 1, 8, 8, generator=seeded()), torch.arange(64) % 4
    data = Dataset(x, None, "grey", "train") if n_classes is None else (x, y)
    options = {} if norm == "batch" else {"penalty": 0.5}
    history = quiet(generator, discriminator, data, steps=4, ema=0.9, **options)
    assert math.isfinite(history.losses[-1])
    assert all(p.isfinite().all() for p in (*generator.parameters(), *discriminator.parameters()))
    labels = None if n_classes is None else torch.arange(3)
    assert history.averaged.sample(3, y=labels, generator=seeded()).shape == (3, 1, 8, 8)


# ---------------------------------------------------------------- the average


@pytest.mark.parametrize("decay", [0.0, 0.9, 0.999])
def test_the_average_equals_its_closed_form(decay):
    """The sum of (1 - decay) decay^(t - i) v_i over i, divided by 1 - decay^t, for parameters and buffers alike."""
    generator = DCGANGenerator((1, 8, 8), 3, 4).double()
    average, seen = AveragedGenerator(generator, decay), []
    draws = seeded()
    for _ in range(25):
        with torch.no_grad():
            for tensor in state_of(generator):
                tensor.add_(torch.randn(tensor.shape, generator=draws, dtype=torch.float64))
            generator.network[2].num_batches_tracked.add_(3)
        average.update(generator)
        seen.append([tensor.detach().clone() for tensor in state_of(generator)])
        weights = [(1 - decay) * decay ** (len(seen) - 1 - i) / (1 - decay ** len(seen)) for i in range(len(seen))]
        for index, found in enumerate(state_of(average.module)):
            expected = sum(weight * values[index] for weight, values in zip(weights, seen, strict=True))
            torch.testing.assert_close(found, expected)
    assert len(seen[0]) == sum(1 for _ in generator.parameters()) + 4  # means and variances of two normalisations
    assert int(average.module.network[2].num_batches_tracked) == 75


def state_of(module):
    return [t for t in (*module.parameters(), *module.buffers()) if t.is_floating_point()]


def test_the_average_is_of_the_generator_after_each_of_its_steps():
    generator, discriminator = players()
    seen = []
    optimizer = torch.optim.SGD(generator.parameters(), lr=0.5)
    optimizer.register_step_post_hook(lambda *_: seen.append([p.detach().clone() for p in generator.parameters()]))
    options = {"optimizers": (optimizer, torch.optim.SGD(discriminator.parameters(), lr=0.5)), "n_critic": 2}
    average = quiet(generator, discriminator, points(), steps=4, ema=0.5, **options).averaged
    assert len(seen) == 4
    weights = torch.tensor([1.0, 2.0, 4.0, 8.0]) / 15
    for index, found in enumerate(average.module.parameters()):
        expected = sum(weight * values[index] for weight, values in zip(weights, seen, strict=True))
        torch.testing.assert_close(found, expected)
        assert not found.requires_grad


def test_the_average_samples_as_a_generator_does_and_is_apart_from_it():
    generator, _ = players(n_classes=3)
    average = AveragedGenerator(generator, 0.9)
    average.update(generator)
    y = torch.tensor([0, 1, 2])
    assert torch.equal(average.sample(3, y=y, generator=seeded()), generator.sample(3, y=y, generator=seeded()))
    z = torch.randn(3, 3, generator=seeded())
    assert torch.equal(average(z, y), generator(z, y))
    assert average.latent_dim == 3
    with torch.no_grad():
        next(generator.parameters()).add_(1)
    assert not torch.equal(average(z, y), generator(z, y))
    plain, _ = players()
    assert torch.equal(AveragedGenerator(plain)(z), plain(z))


# ---------------------------------------------------------------- the best discriminator


@pytest.mark.parametrize("shift", [0.5, 2.0, 4.0])
def test_a_learned_discriminator_approaches_the_best_one_and_its_loss_the_divergence(shift):
    """p = N(0, 1), q = N(shift, 0.7^2): D by 600 steps, D* = p / (p + q), and JSD by quadrature.

    D is compared where (p + q) / 2 has its mass: a mean absolute difference of at most 0.03. The loss of D on 200,000
    fresh pairs is at least 2 log 2 - 2 JSD but for chance (its standard error is below 0.003; six are allowed: 1e-9).
    """
    p, q = Normal(0.0, 1.0), Normal(shift, 0.7)
    x = torch.linspace(-8, 8 + shift, 4001)
    log_p, log_q = p.log_prob(x), q.log_prob(x)
    torch.manual_seed(0)
    discriminator = MLPDiscriminator(1, 32)
    optimizer = torch.optim.Adam(discriminator.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, 600)
    for _ in range(600):
        optimizer.zero_grad()
        real, fake = (distribution.sample((512, 1)) for distribution in (p, q))
        discriminator_loss(discriminator(real), discriminator(fake)).mean().backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        best, learned = optimal_logits(log_p, log_q).sigmoid(), discriminator(x.unsqueeze(1)).sigmoid()
        torch.testing.assert_close(
            best, log_p.exp() / (log_p.exp() + log_q.exp()), atol=1e-5, rtol=1e-4, equal_nan=True
        )
        mass = (log_p.exp() + log_q.exp()) / 2
        assert torch.trapezoid((learned - best).abs() * mass, x) < 0.03
        real, fake = (discriminator(distribution.sample((200_000, 1))) for distribution in (p, q))
        losses = discriminator_loss(real, fake)
    least = 2 * math.log(2) - 2 * jensen_shannon(log_p, log_q, x)
    error = losses.std().item() / math.sqrt(len(losses))
    assert error < 0.003
    assert least - 6 * error < losses.mean().item() < least + 0.02 + 6 * error


@pytest.mark.parametrize("other", LINE_SHAPES)
def test_jensen_shannon_is_symmetric_bounded_and_zero_for_one_density(other):
    x = torch.linspace(-1000, 1000, 400_001, dtype=torch.float64)
    p, q = density_on(line_density("normal"), x), density_on(line_density(other, 0.5), x)
    value = jensen_shannon(p, q, x)
    assert value == pytest.approx(jensen_shannon(q, p, x), abs=1e-12)
    assert 0.01 < value < math.log(2)
    assert jensen_shannon(q, q, x) == pytest.approx(0, abs=1e-12)
    far = density_on(line_density(other, 900.0, 0.2), x)
    if other != "Cauchy":  # whose tails reach everywhere
        assert jensen_shannon(p, far, x) == pytest.approx(math.log(2), abs=1e-3)


def test_jensen_shannon_of_uniforms_is_the_closed_form():
    """On [0, 1] and [a, 1 + a] half of either lies where the other is not: JSD = a log 2."""
    x = torch.linspace(-1, 3, 400_001, dtype=torch.float64)
    for a in (0.25, 0.5, 1.0):
        p, q = (torch.where((x >= low) & (x < low + 1), 0.0, -math.inf).double() for low in (0.0, a))
        assert jensen_shannon(p, q, x) == pytest.approx(a * math.log(2), abs=1e-4)
        logits = optimal_logits(p, q)
        assert not logits.isnan().any()
        assert logits[x < 0].eq(0).all()


# ---------------------------------------------------------------- what is refused


def test_bad_arguments_are_refused_with_what_was_expected():
    x = points()
    with pytest.raises(ValueError, match="'minimax', 'non_saturating'"):
        quiet(*players(), x, steps=1, kind="vanilla")
    with pytest.raises(ValueError, match="no labels to smooth"):
        quiet(*players(), x, steps=1, kind="hinge", smoothing=0.1)
    with pytest.raises(ValueError, match="weight of 0 or more"):
        quiet(*players(), x, steps=1, penalty=-1.0)
    with pytest.raises(ValueError, match="'between' or 'real'"):
        quiet(*players(), x, steps=1, penalty_at="fake")
    with pytest.raises(ValueError, match="batch normalisation"):
        quiet(*convolutional(), torch.rand(40, 1, 8, 8), steps=1, penalty=1.0)
    with pytest.raises(ValueError, match="n_critic=0"):
        quiet(*players(), x, steps=1, n_critic=0)
    with pytest.raises(ValueError, match="budget"):
        quiet(*players(), x)
    with pytest.raises(ValueError, match="decay"):
        quiet(*players(), x, steps=1, ema=1.0)
    with pytest.raises(ValueError, match="x and labels y"):
        quiet(*players(), (x, x, x), steps=1)
    with pytest.raises(ValueError, match="latent_dim"):
        quiet(nn.Linear(2, 2), players()[1], x, steps=1)
    with pytest.raises(ValueError, match=r"expected \(16,\)|expected \(B,\)"):
        quiet(players()[0], nn.Linear(2, 1), x, steps=1)
    with pytest.raises(ValueError, match="no labels"):
        quiet(*players(n_classes=3), x, steps=1)
    with pytest.raises(ValueError, match="one shape"):
        optimal_logits(torch.zeros(3), torch.zeros(4))
    with pytest.raises(ValueError, match="integrates to"):
        jensen_shannon(torch.zeros(3), torch.zeros(3), torch.linspace(0, 9, 3))
    with pytest.raises(ValueError, match=r"\(N,\) each"):
        jensen_shannon(torch.zeros(3), torch.zeros(4), torch.zeros(3))


class Detached(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = MLPDiscriminator(2, 4)

    def forward(self, x):
        return self.inner(x.detach())


def test_a_loss_that_carries_no_gradient_is_refused():
    """Trap 33."""
    with pytest.raises(ValueError, match="carries no gradient"):
        quiet(players()[0], Detached(), points(), steps=1)


def test_a_loss_that_is_not_finite_is_reported_at_the_next_logged_step():
    with pytest.raises(ValueError, match="up to 2 is not finite"):
        quiet(*players(), points(), steps=10, log_every=2, lr=(1e30, 1e-3))
