"""Generative adversarial networks: losses without state, a training loop of two players, an averaged generator.

A step of each player; ``detach`` keeps the generator out of the discriminator's step, and only the generator's
optimiser acts on the second loss:

    discriminator_loss(discriminator(x), discriminator(generator(z).detach()), kind=kind).mean().backward()
    generator_loss(discriminator(generator(z)), kind=kind).mean().backward()

``fit_gan`` alternates them, and records what to watch.
"""

from genlib.gan.averaging import AveragedGenerator
from genlib.gan.history import GANHistory, mean_and_spread
from genlib.gan.losses import KINDS, discriminator_loss, generator_loss, gradient_penalty
from genlib.gan.optimum import jensen_shannon, optimal_logits
from genlib.gan.training import fit_gan

__all__ = [
    "KINDS",
    "AveragedGenerator",
    "GANHistory",
    "discriminator_loss",
    "fit_gan",
    "generator_loss",
    "gradient_penalty",
    "jensen_shannon",
    "mean_and_spread",
    "optimal_logits",
]
