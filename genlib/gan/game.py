"""The game of two players: its rules, and a run of it, one step of the generator at a time."""

import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from genlib.device import checking_values, derive_seed, preserved_rng, seed_everything
from genlib.gan.averaging import AveragedGenerator
from genlib.gan.history import GANHistory, gradient_norm, mean_and_spread, told_right
from genlib.gan.losses import check_kind, discriminator_loss, generator_loss, gradient_penalty
from genlib.models.implicit import draw_latents
from genlib.models.modes import evaluating
from genlib.training_setup import check_gradient, check_loss

Optimizers = tuple[torch.optim.Optimizer, torch.optim.Optimizer]
ORDER, NOISE = range(2)  # what numbers are drawn for: each use has a stream of its own


@dataclass(frozen=True)
class Rules:
    """The rules of the game."""

    kind: str
    smoothing: float
    penalty: float
    penalty_at: str
    n_critic: int

    def check(self, discriminator: nn.Module) -> None:
        check_kind(self.kind)
        if not (self.penalty >= 0 and math.isfinite(self.penalty)) or self.penalty_at not in ("between", "real"):
            raise ValueError(
                f"received penalty={self.penalty}, penalty_at={self.penalty_at!r}; expected a weight of 0 or more, and "
                "'between' or 'real'"
            )
        if self.penalty and any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in discriminator.modules()):
            raise ValueError(
                "received a gradient penalty for a discriminator with batch normalisation, in which an example's logit "
                "depends on its batch, and its gradient with it; leave the one or the other out"
            )

    def penalize(self, discriminator: nn.Module, x: Tensor, fake: Tensor, y: tuple[Tensor, ...], noise: Any) -> Tensor:
        between = self.penalty_at == "between"
        values = gradient_penalty(
            lambda point: discriminator(point, *y),
            x,
            fake if between else x,
            target=1.0 if between else 0.0,
            generator=noise,
        )
        return self.penalty * values.mean()


class Game:
    """A training run, which takes one step of the generator at a time."""

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        tensors: tuple[Tensor, ...],
        rules: Rules,
        optimizers: Optimizers,
        average: AveragedGenerator | None,
        batch_size: int,
        seed: int,
        device: torch.device,
    ) -> None:
        if len(tensors) > 2:
            raise ValueError(f"received {len(tensors)} tensors; expected x, or x and labels y")
        self.generator, self.discriminator, self.tensors, self.rules = generator, discriminator, tensors, rules
        self.for_generator, self.for_discriminator = optimizers
        self.average, self.seed, self.device = average, seed, device
        self.batch_size = min(batch_size, len(tensors[0]))
        self.batches_per_epoch = len(tensors[0]) // self.batch_size
        self.parameters = [p for p in discriminator.parameters() if p.requires_grad]
        self.history = GANHistory(averaged=average)
        self.step, self.batch = 0, 0
        self.recent: list[tuple[Tensor, ...]] = []  # both losses and both kinds of logits of the steps not yet logged

    def begin(self) -> None:
        seed_everything(derive_seed(self.seed, NOISE, 0))
        self.noise = torch.Generator(self.device).manual_seed(derive_seed(self.seed, NOISE, 1))
        self.history.data_mean, self.history.data_spread = mean_and_spread(self.tensors[0]).tolist()
        self.begun = time.perf_counter()

    def advance(self) -> None:
        """``n_critic`` steps of the discriminator, then one of the generator; nothing in it waits for the device."""
        with checking_values() if self.step == 0 else nullcontext():
            for turn in range(self.rules.n_critic):
                x, *y = self._next_batch()
                # the generator's step goes on from the last of the batches that the discriminator was shown
                with torch.set_grad_enabled(turn == self.rules.n_critic - 1):
                    fake = self._generate(len(x), y)
                watched = self._discriminator_step(x, fake, y)
            loss = self._generator_step(fake, y)
        if self.average is not None:
            self.average.update(self.generator)
        self.step += 1
        self.fake = fake.detach()
        self.recent.append((loss, *watched))

    def _generate(self, n: int, y: list[Tensor]) -> Tensor:
        return self.generator(draw_latents(self.generator, n, generator=self.noise), *y)

    def _discriminator_step(self, x: Tensor, fake: Tensor, y: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        rules, shown = self.rules, fake.detach()  # nothing of this step reaches the generator
        self.for_discriminator.zero_grad()
        real_logits, fake_logits = self.discriminator(x, *y), self.discriminator(shown, *y)
        loss = discriminator_loss(real_logits, fake_logits, kind=rules.kind, smoothing=rules.smoothing).mean()
        if rules.penalty:
            loss = loss + rules.penalize(self.discriminator, x, shown, tuple(y), self.noise)
        self._take(self.for_discriminator, loss)
        return loss.detach(), real_logits.detach(), fake_logits.detach()

    def _generator_step(self, fake: Tensor, y: list[Tensor]) -> Tensor:
        self.for_generator.zero_grad()
        for parameter in self.parameters:
            parameter.requires_grad_(False)  # it judges, and does not learn from this
        try:
            loss = generator_loss(self.discriminator(fake, *y), kind=self.rules.kind).mean()
            self._take(self.for_generator, loss)
        finally:
            for parameter in self.parameters:
                parameter.requires_grad_(True)
        return loss.detach()

    def _take(self, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        if self.step == 0:
            check_loss(loss, 1)
        loss.backward()
        if self.step == 0:
            check_gradient(optimizer)
        optimizer.step()

    def _next_batch(self) -> tuple[Tensor, ...]:
        epoch, position = divmod(self.batch, self.batches_per_epoch)
        if position == 0:
            draw = torch.Generator(self.device).manual_seed(derive_seed(self.seed, ORDER, epoch))
            self.order = torch.randperm(len(self.tensors[0]), generator=draw, device=self.device)
        self.batch += 1
        chosen = self.order[position * self.batch_size : (position + 1) * self.batch_size]
        return tuple(t.index_select(0, chosen) for t in self.tensors)

    def elapsed(self) -> float:
        return time.perf_counter() - self.begun

    def report(self, bar: Any, callback: Callable[[nn.Module, GANHistory], Any] | None) -> None:
        """Wait for the device, note what to watch and show how it goes."""
        with preserved_rng(self.device), evaluating(self.generator), evaluating(self.discriminator):
            self.record()
            history = self.history
            shown = {"real": history.real_accuracy[-1], "fake": history.fake_accuracy[-1]}
            bar.set_postfix({**shown, "spread": history.sample_spreads[-1]}, refresh=False)
            if callback is not None:
                callback(self.generator, history)

    @torch.no_grad()
    def record(self) -> None:
        """Wait for the device, and add an entry to every list of the history."""
        losses, of_discriminator, real_logits, fake_logits = zip(*self.recent, strict=True)
        values = torch.stack([
            torch.stack(losses).mean(),
            torch.stack(of_discriminator).mean(),
            *told_right(torch.cat(real_logits), torch.cat(fake_logits), self.rules.kind),
            gradient_norm(list(self.generator.parameters())),
            gradient_norm(self.parameters),
            *mean_and_spread(self.fake),
        ]).tolist()  # fmt: skip
        history = self.history
        if not all(math.isfinite(value) for value in values[:2]):
            raise ValueError(
                f"a loss among the steps up to {self.step} is not finite, and the parameters are spoilt; try smaller "
                "learning rates, or a gradient penalty"
            )
        history.steps.append(self.step)
        history.seconds.append(self.elapsed())
        for entries, value in zip((
            history.losses, history.discriminator_losses, history.real_accuracy, history.fake_accuracy,
            history.gradient_norms, history.discriminator_gradient_norms, history.sample_means, history.sample_spreads,
        ), values, strict=True):  # fmt: skip
            entries.append(value)
        self.recent.clear()
