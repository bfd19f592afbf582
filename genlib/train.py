"""Training: one loop for every model, with progress, history, budgets, interrupts and exact resumption."""

import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from genlib.checkpoint import load_checkpoint, save_checkpoint
from genlib.data import batches
from genlib.device import (
    checking_values,
    derive_seed,
    preserved_rng,
    rng_state,
    seed_everything,
    set_rng_state,
    set_torch_rng_state,
    torch_rng_state,
)
from genlib.models.modes import evaluating
from genlib.training_setup import (
    Data,
    Loss,
    Transform,
    adam,
    check_gradient,
    check_loss,
    check_positive,
    default_loss,
    place,
    step_limit,
    tensors_of,
    with_generator,
)

__all__ = ["History", "fit", "load_checkpoint", "save_checkpoint"]

ORDER, NOISE, VALIDATION = range(3)  # what numbers are drawn for: each use has a stream of its own


@dataclass
class History:
    """What happened, one entry per logged step in each list.

    ``steps``: steps done by then. ``losses``: mean over the examples seen since the entry before. ``seconds``: wall
    time since the beginning. ``validation``: mean over the validation examples; empty without validation data, NaN
    where an interrupt left no time for it. ``interrupted``: whether training was stopped by hand.
    """

    steps: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    interrupted: bool = False

    def __repr__(self) -> str:
        if not self.steps:
            return "History(0 steps)"
        validation = f", validation {self.validation[-1]:.4g}" if self.validation else ""
        stopped = ", interrupted" if self.interrupted else ""
        return f"History({self.steps[-1]} steps, loss {self.losses[-1]:.4g}{validation}{stopped})"


def fit(
    model: nn.Module,
    data: Data,
    *,
    loss: Loss | None = None,
    optimizer: torch.optim.Optimizer | None = None,
    lr: float = 1e-3,
    epochs: int | None = None,
    steps: int | None = None,
    seconds: float | None = None,
    batch_size: int = 128,
    transform: Transform | None = None,
    validation: Data | None = None,
    seed: int = 0,
    log_every: int = 50,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: int = 1000,
    resume: bool = False,
    device: str | torch.device | None = None,
    progress: bool = True,
    callback: Callable[[nn.Module, History], Any] | None = None,
) -> History:
    """Minimise ``loss(model, *batch)``, a mean over the batch, until the first of the budgets given is spent.

    ``data``: tensors ``(N, ...)`` of equal length; of a ``Dataset``, x alone (for labels pass ``(data.x, data.y)``).
    ``loss``: by default minus the mean of the model's ``objective``, else ``log_prob``, else ``elbo``, in nats.
    ``optimizer``: by default Adam with learning rate ``lr``. ``epochs``, ``steps``, ``seconds``: totals, counted from
    the beginning, also when resumed. ``transform``: applied to the first tensor of each batch, with ``generator=`` if
    it takes one, for example ``binarize``. ``validation``: its mean loss, without gradients, in evaluation mode and
    with the same noise each time, at every logged step. ``callback(model, history)``: called at every logged step, in
    evaluation mode. ``log_every``: in steps; only there the loop waits for the device.
    ``checkpoint``: a file, written at the first logged step after every ``checkpoint_every`` steps, at the end and when
    interrupted. ``resume=True`` continues from it, if it exists, to the very parameters that one run without a break
    would give on the same machine. ``device``: where model and data go; by default where the model is.

    What is drawn follows from ``seed``; the global random state and the training modes are left as they were found.
    An interrupt ends training after the step under way and returns the history; a second one does so at once.
    Raises ``ValueError`` for arguments that do not fit together, for a first loss that cannot be trained on and, at
    the next logged step, for a loss that is not finite.
    """
    check_positive(batch_size=batch_size, log_every=log_every, checkpoint_every=checkpoint_every)
    if resume and checkpoint is None:
        raise ValueError("received resume=True without a checkpoint; name the file to continue from")
    on = place(model, device)
    run = _Run(
        model,
        tensors_of(data, "data", on),
        None if validation is None else tensors_of(validation, "validation", on),
        loss or default_loss(model),
        optimizer or adam(model, lr),
        with_generator(transform),
        batch_size,
        seed,
        on,
    )
    limit = step_limit(epochs, steps, seconds, run.batches_per_epoch)
    path = None if checkpoint is None else Path(checkpoint)
    with preserved_rng(on), _training(model), stop_requests() as stop:
        run.begin(path if resume and path is not None and path.exists() else None)
        with tqdm(total=limit, initial=run.step, unit="step", disable=not progress) as bar:
            try:
                while not stop and (limit is None or run.step < limit) and run.elapsed() < (seconds or math.inf):
                    run.advance()
                    bar.update()
                    if run.step % log_every == 0:
                        run.report(bar, callback)
                        if path is not None and run.step - run.saved >= checkpoint_every:
                            run.save(path)
                if run.recent:
                    run.report(bar, callback)
                if path is not None and run.step != run.saved:
                    run.save(path)
            except KeyboardInterrupt:
                stop.append(signal.SIGINT)
                run.rewind()
                if path is not None and not run.updating:
                    run.save(path)
    run.history.interrupted = bool(stop)
    return run.history


class _Run:
    """A training run: takes one step at a time, and can be put away after any of them and continued."""

    def __init__(
        self,
        model: nn.Module,
        tensors: tuple[Tensor, ...],
        validation: tuple[Tensor, ...] | None,
        loss: Loss,
        optimizer: torch.optim.Optimizer,
        transform: Transform,
        batch_size: int,
        seed: int,
        device: torch.device,
    ) -> None:
        self.model, self.tensors, self.validation, self.loss = model, tensors, validation, loss
        self.optimizer, self.transform, self.batch_size = optimizer, transform, batch_size
        self.seed, self.device = seed, device
        self.batches_per_epoch = math.ceil(len(tensors[0]) / batch_size)
        self.history = History()
        self.step, self.first, self.saved = 0, 0, -1
        self.recent: list[tuple[Tensor, int]] = []  # loss and number of examples of the steps not yet logged
        self.updating = False  # whether an interrupt might have cut the optimizer's step in half

    def begin(self, path: Path | None) -> None:
        """Seed, or restore everything from a checkpoint."""
        self.noise = self._seeded(NOISE, 0)
        if path is not None:
            self._restore(path)
        self.first = self.step
        self.begun = time.perf_counter() - (self.history.seconds[-1] if self.history.seconds else 0.0)
        self.before = torch_rng_state(self.device), self.noise.get_state()

    def advance(self) -> None:
        """One step of the optimizer on the next batch; nothing in it waits for the device."""
        x, *rest = self._next_batch()
        is_first = self.step == self.first
        self.optimizer.zero_grad()
        with checking_values() if is_first else nullcontext():
            value = self.loss(self.model, self.transform(x, generator=self.noise), *rest)
        if is_first:
            check_loss(value, self.step + 1)
        value.backward()
        if is_first:
            check_gradient(self.optimizer)
        self.updating = True
        self.optimizer.step()
        self.step += 1
        self.recent.append((value.detach(), len(x)))
        self.before = torch_rng_state(self.device), self.noise.get_state()
        self.updating = False

    def _next_batch(self) -> tuple[Tensor, ...]:
        epoch, position = divmod(self.step, self.batches_per_epoch)
        if position == 0 or self.step == self.first:
            # The order of an epoch depends on seed and epoch alone, so that a resumed run finds its place in it.
            draw = torch.Generator(self.device).manual_seed(derive_seed(self.seed, ORDER, epoch))
            self.order = torch.randperm(len(self.tensors[0]), generator=draw, device=self.device)
        chosen = self.order[position * self.batch_size : (position + 1) * self.batch_size]
        return tuple(t.index_select(0, chosen) for t in self.tensors)

    def elapsed(self) -> float:
        return time.perf_counter() - self.begun

    def report(self, bar: Any, callback: Callable[[nn.Module, History], Any] | None) -> None:
        """Wait for the device, log the loss, validate and show how it goes."""
        with preserved_rng(self.device), evaluating(self.model):
            self._record(None if self.validation is None else self._validate(self.validation))
            shown = {"loss": self.history.losses[-1:], "validation": self.history.validation[-1:]}
            bar.set_postfix({name: values[0] for name, values in shown.items() if values}, refresh=False)
            if callback is not None:
                callback(self.model, self.history)

    def _record(self, validation: float | None) -> None:
        values = torch.stack([value for value, _ in self.recent]).tolist()
        sizes = [size for _, size in self.recent]
        for i, value in enumerate(values):
            if not math.isfinite(value):
                raise ValueError(
                    f"the loss is {value} at step {self.step - len(values) + i + 1}, and the parameters are spoilt; "
                    "try a smaller learning rate, and look for logarithms of 0 and overflowing exponentials in the loss"
                )
        self.history.steps.append(self.step)
        self.history.losses.append(math.fsum(v * n for v, n in zip(values, sizes, strict=True)) / sum(sizes))
        self.history.seconds.append(self.elapsed())
        if validation is not None:
            self.history.validation.append(validation)
        self.recent.clear()

    @torch.no_grad()
    def _validate(self, tensors: tuple[Tensor, ...]) -> float:
        noise = self._seeded(VALIDATION, 0)
        values, sizes = [], []
        for x, *rest in batches(*tensors, batch_size=self.batch_size):
            values.append(self.loss(self.model, self.transform(x, generator=noise), *rest))
            sizes.append(len(x))  # a short last batch counts by its length
        return math.fsum(v * n for v, n in zip(torch.stack(values).tolist(), sizes, strict=True)) / sum(sizes)

    def _seeded(self, use: int, step: int) -> torch.Generator:
        seed_everything(derive_seed(self.seed, use, step, 0))
        return torch.Generator(self.device).manual_seed(derive_seed(self.seed, use, step, 1))

    def rewind(self) -> None:
        """After an interrupt that cut a step: back to the end of the step before; buffers may have moved on."""
        if self.recent:
            self._record(None if self.validation is None else math.nan)
        states, noise = self.before
        set_torch_rng_state(states, self.device)
        self.noise.set_state(noise)

    def _config(self) -> dict[str, Any]:
        return {
            "model": type(self.model).__name__,
            "optimizer": type(self.optimizer).__name__,
            "batch_size": self.batch_size,
            "shapes": [list(t.shape) for t in self.tensors],
            "device": self.device.type,
        }

    def save(self, path: Path) -> None:
        save_checkpoint(
            path,
            self.model,
            step=self.step,
            seed=self.seed,
            metrics=asdict(self.history),
            config=self._config(),
            optimizer=self.optimizer,
            rng={**rng_state(self.device), "noise": self.noise.get_state()},
        )
        self.saved = self.step

    def _restore(self, path: Path) -> None:
        content = load_checkpoint(path)
        found, expected = {**content["config"], "seed": content["seed"]}, {**self._config(), "seed": self.seed}
        for key in expected.keys() - {"device"}:
            if found.get(key) != expected[key]:
                raise ValueError(
                    f"{path} was written with {key}={found.get(key)!r}, this run has {expected[key]!r}; "
                    "pass the same arguments as before, or leave resume=True out to start anew"
                )
        load_checkpoint(path, self.model)
        self.optimizer.load_state_dict(content["optimizer"])
        self.step = self.saved = content["step"]
        self.history = History(**{**content["metrics"], "interrupted": False})
        if found["device"] == self.device.type:
            set_rng_state(content["rng"], self.device)
            self.noise.set_state(content["rng"]["noise"])
        else:  # another kind of device draws other numbers: continue with fresh ones
            self.noise = self._seeded(NOISE, self.step)


@contextmanager
def _training(model: nn.Module) -> Iterator[None]:
    with evaluating(model):  # which puts every part back into the mode it was in
        model.train()
        yield


@contextmanager
def stop_requests() -> Iterator[list[int]]:
    """Collect interrupts (Ctrl-C, the notebook's stop button) instead of cutting a step in half; a second one cuts.

    Only the main thread receives signals, and a handler that somebody else installed is left in place.
    """
    requests: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        requests.append(number)
        if len(requests) > 1:
            raise KeyboardInterrupt

    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield requests
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield requests
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
