"""What to watch while two networks play against each other, since neither loss says how good the samples are."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from genlib.gan.averaging import AveragedGenerator


@dataclass
class GANHistory:
    """What happened, one entry per logged step in each list.

    ``steps``: steps of the generator done by then; ``seconds``: wall time since the beginning. ``losses`` and
    ``discriminator_losses``: means over the examples seen since the entry before; neither is comparable from one step
    to another, for the opponent changes. ``real_accuracy`` and ``fake_accuracy``: shares of real and of generated
    examples, over the same steps, that the discriminator told right before its step; 1 and 1 mean that it has won, and
    both near 1/2 that it can tell nothing, or has learned nothing. ``gradient_norms`` and
    ``discriminator_gradient_norms``: of all parameters together, in the last step. ``sample_means`` and
    ``sample_spreads``: of the last batch of generated examples, beside ``data_mean`` and ``data_spread``, as
    ``mean_and_spread`` says; a spread that falls away from the data's is what a collapse looks like.
    ``interrupted``: whether training was stopped by hand. ``averaged``: the averaged generator, if one was asked for.
    """

    steps: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    discriminator_losses: list[float] = field(default_factory=list)
    real_accuracy: list[float] = field(default_factory=list)
    fake_accuracy: list[float] = field(default_factory=list)
    gradient_norms: list[float] = field(default_factory=list)
    discriminator_gradient_norms: list[float] = field(default_factory=list)
    sample_means: list[float] = field(default_factory=list)
    sample_spreads: list[float] = field(default_factory=list)
    data_mean: float = math.nan
    data_spread: float = math.nan
    interrupted: bool = False
    averaged: AveragedGenerator | None = None

    def __repr__(self) -> str:
        if not self.steps:
            return "GANHistory(0 steps)"
        stopped = ", interrupted" if self.interrupted else ""
        return (
            f"GANHistory({self.steps[-1]} steps, accuracy on real {self.real_accuracy[-1]:.2f} and on fake "
            f"{self.fake_accuracy[-1]:.2f}, spread {self.sample_spreads[-1]:.3g} of {self.data_spread:.3g}{stopped})"
        )


def mean_and_spread(x: Tensor) -> Tensor:
    """The mean over all numbers of ``x (N, *data_shape)``, and the root of the mean variance of each over N: ``(2,)``.

    The spread is thus the standard deviation of one coordinate or pixel over the examples, typically.
    """
    flat = x.detach().flatten(1)
    return torch.stack([flat.mean(), flat.var(0, correction=0).mean().sqrt()])


def told_right(real_logits: Tensor, fake_logits: Tensor, kind: str) -> Tensor:
    """Shares of real and of generated examples that are on their side of the border between the two, ``(2,)``.

    ``real_logits`` and ``fake_logits`` are ``(N,)``. The border is where D is undecided: 1/2 for ``"least_squares"``
    and 0 for the other kinds, but for ``"wasserstein"``, whose critic is known up to a constant: there it is halfway
    between the means.
    """
    border: Tensor | float = 0.5 if kind == "least_squares" else 0.0
    if kind == "wasserstein":
        border = (real_logits.mean() + fake_logits.mean()) / 2
    return torch.stack([(real_logits > border).float().mean(), (fake_logits < border).float().mean()])


def gradient_norm(parameters: Sequence[Tensor]) -> Tensor:
    """The norm of the gradients of all ``parameters`` together, a scalar: 0 where there are none."""
    return torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
