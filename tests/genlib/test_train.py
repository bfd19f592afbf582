"""Training: exact resumption, interrupts, budgets, what is logged, and what is refused."""

import math
import signal
import threading
import time
from functools import partial
from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from genlib import checkpoint as checkpoint_module
from genlib import train
from genlib.data import Dataset, binarize
from genlib.device import checks_values
from genlib.train import History, fit, load_checkpoint, save_checkpoint
from genlib.training_setup import default_loss


class Noisy(nn.Module):
    """A model whose objective draws random numbers, with dropout and batch statistics: all that is hard to resume."""

    def __init__(self, dim=6):
        super().__init__()
        self.inner = nn.Linear(dim, 8)
        self.norm = nn.BatchNorm1d(8)
        self.dropout = nn.Dropout(0.3)
        self.outer = nn.Linear(8, dim)

    def objective(self, x):
        h = self.dropout(self.norm(self.inner(x)))
        return -(self.outer(h + 0.1 * torch.randn_like(h)) - x).square().sum(1)  # (B,)


class Gaussian(nn.Module):
    """N(mean, I) up to a constant: its loss is known in closed form."""

    def __init__(self, dim=2):
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(dim))

    def log_prob(self, x):
        return -0.5 * (x - self.mean).square().sum(1)  # (B,)


def made(model=Noisy, seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return model()


def grey(n=50, dim=6):
    return torch.rand(n, dim, generator=torch.Generator().manual_seed(1))


def same(a, b):
    return all(torch.equal(p, b.state_dict()[name]) for name, p in a.state_dict().items())


quiet = partial(
    fit, progress=False, batch_size=16, transform=binarize
)  # 50 examples: 4 steps an epoch, the last ragged
sgd = partial(torch.optim.SGD, lr=0.0)


# ---------------------------------------------------------------- resumption


@pytest.mark.parametrize("kind", ["adam", "sgd"])
@pytest.mark.parametrize("pause", [1, 3, 4, 10, 19])
def test_resumed_run_equals_one_without_a_break(tmp_path, pause, kind):
    def optimizer(model):
        return torch.optim.SGD(model.parameters(), lr=1e-2, momentum=0.9) if kind == "sgd" else None

    straight, broken = made(), made()
    quiet(straight, grey(), steps=20, optimizer=optimizer(straight), checkpoint=tmp_path / "straight.pt")
    quiet(broken, grey(), steps=pause, optimizer=optimizer(broken), checkpoint=tmp_path / "broken.pt")
    assert not same(straight, broken)
    fresh = made(seed=99)
    history = quiet(fresh, grey(), steps=20, optimizer=optimizer(fresh), checkpoint=tmp_path / "broken.pt", resume=True)
    assert same(straight, fresh)
    assert history.steps == [pause, 20]
    ends = [load_checkpoint(tmp_path / f"{name}.pt") for name in ("straight", "broken")]
    assert nested_equal(*[{key: end[key] for key in ("model", "optimizer", "rng", "step")} for end in ends])


def nested_equal(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(nested_equal(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(nested_equal(v, w) for v, w in zip(a, b, strict=True))
    return a == b


def raising(error, at, calls):
    def loss(model, x):
        calls.append(len(x))
        value = -model.objective(x).mean()
        if len(calls) == at:
            error()
        return value

    return loss


def raise_interrupt():
    raise KeyboardInterrupt


@pytest.mark.parametrize("error", [raise_interrupt, partial(signal.raise_signal, signal.SIGINT)])
@pytest.mark.parametrize("at", [1, 6, 9])
def test_interrupted_run_keeps_what_it_learned_and_continues_exactly(tmp_path, error, at):
    straight, broken = made(), made()
    if error is raise_interrupt:  # statistics that a cut forward pass has gathered cannot be taken back
        straight.norm = broken.norm = nn.Identity()
    expected = quiet(straight, grey(), steps=20, log_every=5)
    history = quiet(broken, grey(), steps=20, log_every=5, checkpoint=tmp_path / "c.pt", loss=raising(error, at, []))
    assert history.interrupted
    # A signal lets the step finish; an exception out of the loss cannot, and that step is taken back.
    done = at if error is not raise_interrupt else at - 1
    assert (history.steps[-1] if history.steps else 0) == done
    assert load_checkpoint(tmp_path / "c.pt")["step"] == done
    resumed = quiet(broken, grey(), steps=20, log_every=5, checkpoint=tmp_path / "c.pt", resume=True)
    assert same(straight, broken)
    assert not resumed.interrupted
    assert resumed.steps[-1] == expected.steps[-1] == 20


def test_interrupt_in_a_callback_or_validation_keeps_the_step(tmp_path):
    straight, broken = made(), made()
    quiet(straight, grey(), steps=12)
    calls = []

    def callback(model, history):
        torch.rand(7)
        calls.append(history.steps[-1])
        if len(calls) == 2:
            raise KeyboardInterrupt

    history = quiet(broken, grey(), steps=12, log_every=3, callback=callback, checkpoint=tmp_path / "c.pt")
    assert (history.interrupted, history.steps) == (True, [3, 6])
    quiet(broken, grey(), steps=12, checkpoint=tmp_path / "c.pt", resume=True)
    assert same(straight, broken)


def test_interrupted_validation_is_marked_and_lists_stay_aligned():
    def loss(model, x):
        if not model.training:
            raise KeyboardInterrupt
        return -model.objective(x).mean()

    history = quiet(made(), grey(), steps=9, log_every=4, validation=grey(), loss=loss)
    assert history.interrupted
    assert history.steps == [4]
    assert len(history.losses) == len(history.seconds) == 1
    assert math.isnan(history.validation[0])


def test_second_interrupt_stops_at_once():
    def loss(model, x):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        pytest.fail("the second signal was put off")

    history = quiet(made(), grey(), steps=5, loss=loss)
    assert history.interrupted
    assert history.steps == []


def test_signal_handler_is_given_back_and_a_foreign_one_respected():
    before = signal.getsignal(signal.SIGINT)
    assert before is signal.default_int_handler
    quiet(made(), grey(), steps=2)
    assert signal.getsignal(signal.SIGINT) is before
    received = []
    signal.signal(signal.SIGINT, lambda *_: received.append(1))
    try:
        loss = raising(partial(signal.raise_signal, signal.SIGINT), 2, [])
        history = quiet(made(), grey(), steps=4, loss=loss)
    finally:
        signal.signal(signal.SIGINT, before)
    assert received == [1]
    assert (history.steps, history.interrupted) == ([4], False)


def test_training_outside_the_main_thread_gives_the_same():
    models = made(), made()
    quiet(models[0], grey(), steps=5)
    thread = threading.Thread(target=quiet, args=(models[1], grey()), kwargs={"steps": 5})
    thread.start()
    thread.join()
    assert same(*models)


def test_stop_button_of_a_notebook_keeps_what_was_learned():
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(startup_timeout=120)
    code = """
import torch
from genlib.train import fit
model = torch.nn.Linear(2, 1)
history = fit(model, torch.ones(64, 2), loss=lambda m, x: m(x).square().mean(), steps=10**9, progress=False,
              log_every=1, callback=lambda m, h: h.steps[-1] == 3 and print("running", flush=True))
print(history.interrupted, len(history.steps) >= 3, model(torch.ones(2)).isfinite().item())
"""
    printed = []

    def on_output(message):
        if message["msg_type"] == "stream":
            printed.append(message["content"]["text"])
            if "running" in message["content"]["text"]:
                manager.interrupt_kernel()

    try:
        reply = client.execute_interactive(code, timeout=120, output_hook=on_output)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert reply["content"]["status"] == "ok"
    assert "".join(printed).split() == ["running", "True", "True", "True"]


def test_resume_without_a_file_begins_and_after_the_end_changes_nothing(tmp_path):
    straight, model = made(), made()
    quiet(straight, grey(), steps=6)
    quiet(model, grey(), steps=6, checkpoint=tmp_path / "new" / "c.pt", resume=True)
    assert same(straight, model)
    content = (tmp_path / "new" / "c.pt").read_bytes()
    history = quiet(model, grey(), steps=6, checkpoint=tmp_path / "new" / "c.pt", resume=True)
    assert same(straight, model)
    assert history.steps == [6]
    assert (tmp_path / "new" / "c.pt").read_bytes() == content


@pytest.mark.parametrize("change", [{"batch_size": 8}, {"seed": 1}, {"data": grey(40)}, {"optimizer": sgd}])
def test_resume_with_other_arguments_is_refused_and_changes_nothing(tmp_path, change):
    quiet(made(), grey(), steps=3, checkpoint=tmp_path / "c.pt")
    model = made(seed=5)
    if "optimizer" in change:
        change = {"optimizer": change["optimizer"](model.parameters())}
    arguments = {"data": grey(), "steps": 6, "checkpoint": tmp_path / "c.pt", "resume": True, **change}
    with pytest.raises(ValueError, match="was written with"):
        quiet(model, arguments.pop("data"), **arguments)
    assert same(model, made(seed=5))


def test_checkpoint_is_written_on_the_way(tmp_path):
    path, seen = tmp_path / "c.pt", []

    def callback(model, history):
        seen.append((history.steps[-1], load_checkpoint(path)["step"] if path.exists() else None))

    quiet(made(), grey(), steps=13, log_every=2, checkpoint=path, checkpoint_every=5, callback=callback)
    # written at the first logged step that is 5 or more after the one before: 4, 10 (and 13, the end)
    assert seen == [(2, None), (4, None), (6, 4), (8, 4), (10, 4), (12, 10), (13, 10)]
    assert load_checkpoint(path)["step"] == 13


# ---------------------------------------------------------------- what training leaves alone


@pytest.mark.parametrize("options", [
    {"validation": grey(33)},
    {"callback": lambda model, history: (torch.rand(5), np.random.rand(), model.eval())},
    {"log_every": 1},
    {"log_every": 7, "validation": grey(3), "checkpoint_every": 1},
])  # fmt: skip
def test_looking_does_not_change_what_is_learned(tmp_path, options):
    plain, watched = made(), made()
    quiet(plain, grey(), steps=15)
    quiet(watched, grey(), steps=15, checkpoint=tmp_path / "c.pt", **options)
    assert same(plain, watched)


def test_seed_decides_and_the_global_state_is_left_as_it_was():
    torch.manual_seed(3), np.random.seed(3)
    expected = torch.rand(3).tolist(), np.random.rand(3).tolist()
    models = [made() for _ in range(3)]
    torch.manual_seed(3), np.random.seed(3)
    quiet(models[0], grey(), steps=5, seed=1, validation=grey())
    assert (torch.rand(3).tolist(), np.random.rand(3).tolist()) == expected
    quiet(models[1], grey(), steps=5, seed=1)
    quiet(models[2], grey(), steps=5, seed=2)
    assert same(models[0], models[1])
    assert not same(models[0], models[2])


@pytest.mark.parametrize("fails", [False, True])
def test_training_modes_are_given_back(fails):
    model, seen = made(), []
    model.eval()
    model.dropout.train()

    def loss(model, x):
        seen.append(model.training and model.norm.training)
        if fails and len(seen) == 2:
            raise ZeroDivisionError
        return -model.objective(x).mean()

    if fails:
        with pytest.raises(ZeroDivisionError):
            quiet(model, grey(), steps=3, loss=loss)
    else:
        quiet(model, grey(), steps=3, loss=loss)
    assert all(seen)
    assert [module.training for module in model.modules()] == [False, False, False, True, False]


# ---------------------------------------------------------------- batches, budgets, history


@settings(deadline=None, max_examples=25)
@given(n=st.integers(1, 30), batch_size=st.integers(1, 40), epochs=st.integers(1, 3))
def test_each_epoch_shows_every_example_once_with_its_label(n, batch_size, epochs):
    x, seen = torch.arange(n).float()[:, None], []

    def loss(model, x, y):
        assert torch.equal(x[:, 0].long(), y)
        seen.append(y.tolist())
        return model(x).mean()

    model = nn.Linear(1, 1)
    history = fit(model, (x, torch.arange(n)), loss=loss, epochs=epochs, batch_size=batch_size, progress=False)
    per_epoch = math.ceil(n / batch_size)
    assert len(seen) == history.steps[-1] == epochs * per_epoch
    orders = [list(chain.from_iterable(seen[e * per_epoch : (e + 1) * per_epoch])) for e in range(epochs)]
    assert all(sorted(order) == list(range(n)) for order in orders)


def test_epochs_come_in_different_orders():
    seen = []

    def loss(model, x):
        seen.append(x[:, 0].tolist())
        return model(x).mean()

    fit(nn.Linear(1, 1), torch.arange(50.0)[:, None], loss=loss, epochs=3, batch_size=50, progress=False)
    assert len({tuple(order) for order in seen}) == 3


@given(
    epochs=st.integers(1, 5) | st.none(), steps=st.integers(1, 30) | st.none(), seconds=st.integers(1, 30) | st.none()
)
@settings(deadline=None, max_examples=40)
def test_the_first_budget_spent_ends_training(epochs, steps, seconds):
    if epochs is steps is seconds is None:
        with pytest.raises(ValueError, match="no budget"):
            quiet(made(), grey())
        return
    now = [0.0]

    def loss(model, x):
        now[0] += 1.0  # every step takes a second by this clock
        return -model.objective(x).mean()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train.time, "perf_counter", lambda: now[0])
        history = quiet(made(), grey(), loss=loss, epochs=epochs, steps=steps, seconds=seconds)
    budgets = [b for b in (None if epochs is None else 4 * epochs, steps, seconds) if b is not None]
    assert history.steps[-1] == min(budgets)
    assert history.seconds[-1] == min(budgets)


@pytest.mark.parametrize("log_every", [1, 3, 5, 100])
def test_logged_losses_are_means_over_the_examples_since_the_last(log_every):
    seen = []

    def loss(model, x):
        value = -model.objective(x).mean()
        seen.append((value.item(), len(x)))
        return value

    history = quiet(made(), grey(), steps=11, log_every=log_every, loss=loss)
    assert history.steps == sorted({*range(log_every, 12, log_every), 11})
    for begin, end, value in zip([0, *history.steps], history.steps, history.losses, strict=False):
        part = seen[begin:end]
        assert value == pytest.approx(sum(v * n for v, n in part) / sum(n for _, n in part), rel=1e-6)
    assert len(history.seconds) == len(history.steps)
    assert history.validation == []
    assert history.seconds == sorted(history.seconds)


@pytest.mark.parametrize("batch_size", [1, 7, 64, 1000])
def test_validation_is_the_mean_over_its_examples_whatever_the_batch_size(batch_size):
    model, held_out = Gaussian(), torch.randn(101, 2, generator=torch.Generator().manual_seed(2)) * 3
    history = fit(
        model, held_out[:9], optimizer=sgd(model.parameters()), validation=held_out, steps=1, batch_size=batch_size,
        progress=False,
    )  # fmt: skip
    assert history.validation == [pytest.approx(0.5 * held_out.square().sum(1).mean().item(), rel=1e-6)]


def test_validation_is_in_evaluation_mode_with_the_same_noise_each_time():
    model = made()
    history = quiet(model, grey(), steps=6, log_every=2, validation=grey(20), optimizer=sgd(model.parameters()))
    model.norm.momentum = 0.0
    frozen = quiet(model, grey(), steps=6, log_every=2, validation=grey(20), optimizer=sgd(model.parameters()))
    assert len(history.validation) == 3
    assert len(set(frozen.validation)) == 1


def test_training_finds_the_mean_of_the_data():
    x = torch.randn(500, 2, generator=torch.Generator().manual_seed(0)) + torch.tensor([1.0, -2.0])
    model = Gaussian()
    history = fit(model, x, epochs=500, lr=0.1, batch_size=500, progress=False)
    torch.testing.assert_close(model.mean.detach(), x.mean(0), atol=1e-3, rtol=0)
    assert history.losses[-1] < history.losses[0]


def test_history_prints_without_times():
    assert (
        repr(History([10], [1.25], [0.1], [2.5], True)) == "History(10 steps, loss 1.25, validation 2.5, interrupted)"
    )
    assert repr(History()) == "History(0 steps)"


# ---------------------------------------------------------------- losses, data, transforms


def test_default_loss_is_per_example_and_takes_the_best_offer():
    x = grey(10, 2)
    model = Gaussian()
    loss = default_loss(model)
    assert loss(model, x).item() == pytest.approx(0.5 * x.square().sum(1).mean().item())
    torch.testing.assert_close(loss(model, torch.cat([x, x])), loss(model, x))
    model.elbo = lambda x: model.log_prob(x) - 1
    assert default_loss(model)(model, x) == loss(model, x)
    model.objective = lambda x: model.log_prob(x) - 2
    torch.testing.assert_close(default_loss(model)(model, x), loss(model, x) + 2)
    only = nn.Linear(2, 1)
    only.elbo = lambda x: only(x)[:, 0]
    assert default_loss(only)(only, x) == -only(x).mean()


def test_dataset_trains_on_x_alone():
    data, seen = Dataset(grey(), torch.arange(50), "a", "train"), []

    def loss(model, *batch):
        seen.append(len(batch))
        return -model.objective(batch[0]).mean()

    models = made(), made()
    quiet(models[0], data, steps=5, loss=loss, validation=data)
    assert set(seen) == {1}
    quiet(models[1], grey(), steps=5)
    assert same(*models)


def test_integer_data_reach_the_loss_as_integers():
    model = nn.Embedding(10, 1)
    seen = set()

    def loss(model, x):
        seen.add(x.dtype)
        return model(x).mean()

    fit(model, torch.arange(10), loss=loss, steps=3, progress=False)
    assert seen == {torch.int64}


def test_transform_draws_anew_for_every_batch_if_it_takes_a_generator():
    seen = []

    def loss(model, x):
        seen.append(x)
        return model(x).mean()

    def double(x):
        return 2 * x

    x = torch.full((20, 3), 0.5)
    fit(nn.Linear(3, 1), x, loss=loss, steps=2, transform=binarize, progress=False)
    assert set(torch.cat(seen).unique().tolist()) == {0.0, 1.0}
    assert not torch.equal(*seen)
    seen.clear()
    for transform, value in ((double, 1.0), (torch.negative, -0.5), (None, 0.5)):
        fit(nn.Linear(3, 1), x, loss=loss, steps=1, transform=transform, progress=False)
        assert (seen.pop() == value).all()


# ---------------------------------------------------------------- what is refused


def with_loss(loss, **options):
    return quiet(made(), grey(), **{"steps": 5, "loss": loss, **options})


@pytest.mark.parametrize(("loss", "message"), [
    (lambda m, x: -m.objective(x), r"loss returned shape \(16,\)"),
    (lambda m, x: -m.objective(x).mean()[None], r"shape \(1,\)"),
    (lambda m, x: 1.0, "a float"),
    (lambda m, x: -m.objective(x).mean().detach(), "no gradient"),
    (lambda m, x: x.mean(), "no gradient"),
    (lambda m, x: m.objective(x).mean() * math.nan, "nan at step 1"),
    (lambda m, x: m.objective(x).mean() * math.inf, "inf at step 1"),
    (lambda m, x: (x + torch.ones(1, requires_grad=True)).mean(), "received a gradient"),
])  # fmt: skip
def test_losses_that_cannot_be_trained_on_are_refused_at_the_first_step(loss, message):
    with pytest.raises(ValueError, match=message):
        with_loss(loss)


@settings(deadline=None, max_examples=20)
@given(step=st.integers(2, 14), log_every=st.integers(1, 20), value=st.sampled_from([math.nan, math.inf, -math.inf]))
def test_loss_that_is_not_finite_is_reported_with_its_step(step, log_every, value):
    calls = []

    def loss(model, x):
        calls.append(1)
        return -model.objective(x).mean() * (value if len(calls) == step else 1.0)

    with pytest.raises(ValueError, match=rf"at step {step},"):
        with_loss(loss, steps=14, log_every=log_every)
    assert len(calls) == min(14, math.ceil(step / log_every) * log_every)


def test_spoilt_parameters_do_not_replace_a_good_checkpoint(tmp_path):
    calls = []

    def loss(model, x):
        calls.append(1)
        return -model.objective(x).mean() * (math.nan if len(calls) > 7 else 1.0)

    with pytest.raises(ValueError, match="at step 8,"):
        with_loss(loss, steps=20, log_every=2, checkpoint=tmp_path / "c.pt", checkpoint_every=2)
    content = load_checkpoint(tmp_path / "c.pt")
    assert content["step"] == 6
    assert all(p.isfinite().all() for p in content["model"].values())


class Scalar(Gaussian):
    def log_prob(self, x):
        return super().log_prob(x).mean()


@pytest.mark.parametrize(("model", "data", "options", "message"), [
    (Scalar(), grey(9, 2), {}, r"log_prob returned shape \(\).*\(9,\)"),
    (nn.Linear(2, 1), grey(9, 2), {}, "none of objective, log_prob and elbo"),
    (nn.ReLU(), grey(9, 2), {}, "no parameters to train"),
    (Gaussian(), grey(0, 2), {}, "at least one"),
    (Gaussian(), (grey(3, 2), grey(4, 2)), {}, "equal numbers"),
    (Gaussian(), (), {}, "expected"),
    (Gaussian(), np.zeros((3, 2)), {}, "expected a Dataset"),
    (Gaussian(), grey(3, 2), {"validation": grey(0, 2)}, "validation holds"),
    (Gaussian(), grey(3, 2), {"batch_size": 0}, "batch_size=0"),
    (Gaussian(), grey(3, 2), {"log_every": 1.5}, "log_every=1.5"),
    (Gaussian(), grey(3, 2), {"steps": 0}, "steps=0"),
    (Gaussian(), grey(3, 2), {"epochs": -1}, "epochs=-1"),
    (Gaussian(), grey(3, 2), {"seconds": 0}, "seconds=0"),
    (Gaussian(), grey(3, 2), {"lr": 0.0}, "lr=0.0"),
    (Gaussian(), grey(3, 2), {"seed": -1}, "seed=-1"),
    (Gaussian(), grey(3, 2), {"resume": True}, "without a checkpoint"),
    (Gaussian(), grey(3, 2), {"device": "meta"}, "does not have that device"),
])  # fmt: skip
def test_arguments_that_do_not_fit_are_refused(model, data, options, message):
    with pytest.raises(ValueError, match=message):
        fit(model, data, progress=False, **{"steps": 1, **options})


# ---------------------------------------------------------------- waiting, progress, devices


class Reads(TorchDispatchMode):
    """Counts the operations that hand a value from the device to Python."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        self.count += name in ("_local_scalar_dense", "nonzero", "equal", "is_nonzero", "unique", "masked_select")
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("optimizer", [None, "sgd"])
def test_the_loop_reads_no_value_between_the_first_batch_and_the_end(optimizer):
    def count(steps, log_every):
        model = made()
        chosen = None if optimizer is None else sgd(model.parameters())
        with Reads() as reads:
            quiet(model, grey(), steps=steps, log_every=log_every, optimizer=chosen, transform=None)
        return reads.count

    with Reads() as reads:
        torch.ones(()).item()
    assert reads.count == 1  # the counter counts
    assert count(2, 100) == count(50, 100)


def test_values_are_checked_on_the_first_batch_only():
    seen = []

    def loss(model, x):
        seen.append(checks_values(torch.empty(1, device="meta")))
        return -model.objective(x).mean()

    quiet(made(), grey(), steps=3, loss=loss)
    assert seen == [True, False, False]


def test_progress_shows_loss_and_validation_or_nothing(capfd):
    quiet(made(), grey(), steps=4, validation=grey())
    assert capfd.readouterr() == ("", "")
    quiet(made(), grey(), steps=4, progress=True, validation=grey())
    out, err = capfd.readouterr()
    assert out == ""
    assert "4/4" in err
    assert "loss=" in err
    assert "validation=" in err


def test_accelerator_trains_where_the_model_is_or_is_sent():
    if not torch.accelerator.is_available():
        pytest.skip("no accelerator on this machine")
    device = torch.accelerator.current_accelerator()
    models = [made().to(device), made(), made().to(device)]
    quiet(models[0], grey(), steps=10)
    quiet(models[1], grey(), steps=10, device=device.type, validation=grey())
    assert next(models[1].parameters()).device.type == device.type
    assert same(models[0], models[1])


def test_accelerator_resumes_exactly(tmp_path):
    if not torch.accelerator.is_available():
        pytest.skip("no accelerator on this machine")
    device = torch.accelerator.current_accelerator()
    straight, broken = made().to(device), made().to(device)
    quiet(straight, grey(), steps=20)
    quiet(broken, grey(), steps=7, checkpoint=tmp_path / "c.pt")
    quiet(broken, grey(), steps=20, checkpoint=tmp_path / "c.pt", resume=True)
    assert same(straight, broken)
    on_cpu = made()
    history = quiet(on_cpu, grey(), steps=25, checkpoint=tmp_path / "c.pt", resume=True)
    assert history.steps[-1] == 25


# ---------------------------------------------------------------- checkpoint files


def saved(path, model=None, **changes):
    content = {"step": 3, "seed": 0, "metrics": {"losses": [1.0]}, "config": {"name": "a", "shape": (2, 3)}, **changes}
    save_checkpoint(path, model or made(), **content)
    return content


def test_checkpoint_holds_what_was_saved_and_loads_with_weights_only(tmp_path):
    model = made()
    content = saved(tmp_path / "c.pt", model, metrics={"losses": [np.float64(1.5), np.float32(2)], "n": np.int64(3)})
    raw = torch.load(tmp_path / "c.pt", weights_only=True)
    assert raw["metrics"] == {"losses": [1.5, 2.0], "n": 3}
    fresh = made(seed=4)
    loaded = load_checkpoint(tmp_path / "c.pt", fresh)
    assert same(model, fresh)
    assert (loaded["step"], loaded["seed"], loaded["config"]) == (3, 0, content["config"])


@pytest.mark.parametrize("value", [object(), {1, 2}, lambda: 0, b"x", np.zeros(3)])
def test_values_that_would_not_load_again_are_refused_when_saving(tmp_path, value):
    with pytest.raises(ValueError, match=r"config\['bad'\] holds"):
        saved(tmp_path / "c.pt", config={"bad": value})
    assert list(tmp_path.iterdir()) == []


def test_failed_write_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "c.pt"
    saved(path)
    before = path.read_bytes()

    def disk_full(descriptor):
        raise OSError("disk full")

    monkeypatch.setattr(checkpoint_module.os, "fsync", disk_full)
    with pytest.raises(OSError, match="disk full"):
        saved(path, step=4)
    assert [p.name for p in tmp_path.iterdir()] == ["c.pt"]
    assert path.read_bytes() == before


@settings(deadline=None, max_examples=30)
@given(where=st.floats(0, 1, exclude_max=True), truncate=st.booleans())
def test_damaged_checkpoint_is_an_error_and_the_model_unchanged(tmp_path_factory, where, truncate):
    path, model = tmp_path_factory.mktemp("damaged") / "c.pt", made(seed=1)
    saved(path)
    content = path.read_bytes()
    at = int(where * len(content))
    path.write_bytes(content[:at] + (b"" if truncate else bytes([content[at] ^ 0x55]) + content[at + 1 :]))
    with pytest.raises(ValueError, match=str(path)):
        load_checkpoint(path, model)
    assert same(model, made(seed=1))


def test_missing_or_foreign_checkpoint_is_an_error(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="there is no checkpoint"):
        load_checkpoint(tmp_path / "c.pt")
    torch.save({"weights": torch.zeros(3)}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match="cannot be read"):
        load_checkpoint(tmp_path / "other.pt")
    monkeypatch.setattr(checkpoint_module, "FORMAT", "genlib checkpoint 0")
    saved(tmp_path / "old.pt")
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"genlib checkpoint 0.*reads a 'genlib checkpoint 1'"):
        load_checkpoint(tmp_path / "old.pt")
    (tmp_path / "text.pt").write_text("hello")
    with pytest.raises(ValueError, match="cannot be read"):
        load_checkpoint(tmp_path / "text.pt")


@pytest.mark.parametrize("other", [lambda: Noisy(7), Gaussian])
def test_checkpoint_of_another_model_is_an_error_and_the_model_unchanged(tmp_path, other):
    saved(tmp_path / "c.pt")
    model = made(other)
    with pytest.raises(ValueError, match="of another model"):
        load_checkpoint(tmp_path / "c.pt", model)
    assert same(model, made(other))


def test_clock_of_a_resumed_run_goes_on(tmp_path, monkeypatch):
    now = [1000.0]

    def loss(model, x):
        now[0] += 1.0
        return -model.objective(x).mean()

    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    quiet(made(), grey(), steps=4, loss=loss, checkpoint=tmp_path / "c.pt")
    now[0] += 500.0
    history = quiet(made(), grey(), seconds=10, loss=loss, checkpoint=tmp_path / "c.pt", resume=True)
    assert (history.steps[-1], history.seconds[-1]) == (10, 10.0)
