"""Training two players in turn, with progress, budgets, interrupts and a history of what to watch."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from tqdm.auto import tqdm

from genlib.device import preserved_rng
from genlib.gan.averaging import AveragedGenerator
from genlib.gan.game import Game, Optimizers, Rules
from genlib.gan.history import GANHistory
from genlib.models.modes import evaluating
from genlib.train import stop_requests
from genlib.training_setup import Data, adam, check_positive, place, step_limit, tensors_of


def fit_gan(
    generator: nn.Module,
    discriminator: nn.Module,
    data: Data,
    *,
    kind: str = "non_saturating",
    smoothing: float = 0.0,
    penalty: float = 0.0,
    penalty_at: str = "between",
    n_critic: int = 1,
    ema: float | None = None,
    lr: float | tuple[float, float] = 2e-4,
    betas: tuple[float, float] = (0.5, 0.999),
    optimizers: Optimizers | None = None,
    epochs: int | None = None,
    steps: int | None = None,
    seconds: float | None = None,
    batch_size: int = 64,
    seed: int = 0,
    log_every: int = 50,
    device: str | torch.device | None = None,
    progress: bool = True,
    callback: Callable[[nn.Module, GANHistory], Any] | None = None,
) -> GANHistory:
    """Let discriminator and generator take steps in turn until the first of the budgets given is spent.

    ``generator(z)`` gives examples of z ``(B, latent_dim)``, its attribute; ``discriminator(x)`` logits ``(B,)``.
    ``data``: x ``(N, *data_shape)``, or ``(x, y)`` with labels for ``generator(z, y)`` and ``discriminator(x, y)``,
    the generated batch having the labels of the real one. ``kind``, ``smoothing``: as in ``discriminator_loss``.
    ``penalty``: weight of the gradient penalty in the discriminator's loss; ``penalty_at="between"`` asks for a slope
    of 1 between real and generated examples (WGAN-GP, arXiv:1704.00028, with 10), ``"real"`` for a slope of 0 at real
    ones (R1, Mescheder et al., arXiv:1801.04406, equation 9, whose gamma is twice the weight). ``n_critic``: steps of
    the discriminator for one of the generator, each on its own batch. ``ema``: decay of an average of the generator,
    to be sampled from as ``history.averaged``. ``lr``: of both, or (generator's, discriminator's), for Adam with
    ``betas``; ``optimizers`` of your own, in this order, replace them. ``steps`` count the generator's,
    ``epochs`` passes of the discriminator over the data, of which a short last batch is left out.
    ``callback(generator, history)``: called at every logged step, in evaluation mode. ``log_every``: in steps; only
    there the loop waits for the device. ``device``: where both players and the data go; by default where the generator
    is.

    What is drawn follows from ``seed``; the global random state and the training modes are left as they were found.
    An interrupt ends training after the step under way and returns the history; a second one does so at once.
    Raises ``ValueError`` for arguments that do not fit together and, at the next logged step, for a loss that is not
    finite.
    """
    check_positive(batch_size=batch_size, log_every=log_every, n_critic=n_critic)
    rules = Rules(kind, smoothing, penalty, penalty_at, n_critic)
    rules.check(discriminator)
    on = place(generator, device)
    discriminator.to(on)
    rates = (lr, lr) if isinstance(lr, int | float) else lr
    if optimizers is None:
        optimizers = adam(generator, rates[0], betas), adam(discriminator, rates[1], betas)
    average = None if ema is None else AveragedGenerator(generator, ema)
    run = Game(generator, discriminator, tensors_of(data, "data", on), rules, optimizers, average, batch_size, seed, on)
    limit = step_limit(epochs, steps, seconds, max(1, run.batches_per_epoch // n_critic))
    with preserved_rng(on), evaluating(generator), evaluating(discriminator), stop_requests() as stop:
        generator.train()
        discriminator.train()
        run.begin()
        with tqdm(total=limit, unit="step", disable=not progress) as bar:
            try:
                while not stop and (limit is None or run.step < limit) and run.elapsed() < (seconds or math.inf):
                    run.advance()
                    bar.update()
                    if run.step % log_every == 0:
                        run.report(bar, callback)
                if run.recent:
                    run.report(bar, callback)
            except KeyboardInterrupt:
                stop.append(0)
                if run.recent:
                    run.record()
    run.history.interrupted = bool(stop)
    return run.history
