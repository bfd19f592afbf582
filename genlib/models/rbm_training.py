"""Contrastive divergence without autograd: the whole gradient is known, so that parameters change in place."""

import math

import torch
from torch import Tensor

from genlib.models.rbm import RBM


class ContrastiveDivergence:
    """Steps of stochastic ascent on an RBM's log-likelihood, with the gradient that ``RBM.objective`` has.

    Per example it is p(h=1|x) x^T of the data minus the same of the chains, and likewise for the biases; with
    ``cd_steps`` and ``chains`` as the model says (Hinton, 2002; Tieleman, ICML 2008). A step multiplies matrices three
    times when cd_steps is 1, once into the weights themselves, and allocates next to nothing. ``lr`` may be changed
    between steps; it multiplies a gradient that is averaged over the batch. An epoch is

        trainer = ContrastiveDivergence(model, lr=0.05, generator=generator)
        for (x,) in batches(images, batch_size=10, shuffle=True, generator=generator):
            trainer.step(x)

    Raises ``ValueError`` for a learning rate that is not positive.
    """

    def __init__(self, model: RBM, *, lr: float = 0.05, generator: torch.Generator | None = None) -> None:
        if not (lr > 0 and math.isfinite(lr)):
            raise ValueError(f"received {lr=}; expected a positive number")
        self.model, self.lr, self.generator = model, lr, generator
        self.size = (0, 0)  # of the data's part and of the chains' part of the buffers below

    @torch.no_grad()
    def step(self, x: Tensor) -> None:
        """Change the parameters once, for a batch ``x (B, *data_shape)`` in [0, 1]; nothing waits for the device.

        Values are not looked at: look at your data once, or call ``model.energy`` on it, which does.
        """
        model = self.model
        if x.shape[1:] != model.data_shape or len(x) < 1:
            raise ValueError(f"x has shape {tuple(x.shape)}; expected (B, {', '.join(map(str, model.data_shape))})")
        B, C = len(x), len(x if model.chains is None else model.chains)
        if self.size != (B, C):
            self._allocate(B, C)
        self.visible[:B] = x.flatten(1)
        h = self._first_hidden(B)
        for step in range(model.cd_steps):
            torch.addmm(model.bias, h, model.weight, out=self.noisy_visible)
            _draw(self.noisy_visible.sigmoid_(), self.visible_noise, self.visible[B:], self.generator)
            if step < model.cd_steps - 1:
                torch.addmm(model.hidden_bias, self.visible[B:], model.weight.T, out=self.hidden[B:])
                _draw(self.hidden[B:].sigmoid_(), self.hidden_noise, h, self.generator)
        self._update(B, C)

    def _first_hidden(self, B: int) -> Tensor:
        """Hidden units ``(C, H)`` at which the chains set out."""
        model = self.model
        if model.chains is not None:
            return model.chains
        torch.addmm(model.hidden_bias, self.visible[:B], model.weight.T, out=self.hidden[:B])
        _draw(self.hidden[:B].sigmoid_(), self.hidden_noise, self.chain_start, self.generator)
        return self.chain_start

    def _update(self, B: int, C: int) -> None:
        model, visible, hidden = self.model, self.visible, self.hidden
        # Probabilities of h, since draws would only add noise to the gradient: of the data, unless CD had to know them
        # before, and of the chains, in one product.
        rows = slice(B, None) if model.chains is None else slice(None)
        torch.addmm(model.hidden_bias, visible[rows], model.weight.T, out=hidden[rows]).sigmoid_()
        if model.chains is not None:
            _draw(hidden[B:], self.hidden_noise, model.chains, self.generator)
        hidden[B:].mul_(-B / C)
        rate = self.lr / B
        model.weight.addmm_(hidden.T, visible, alpha=rate)
        model.hidden_bias.add_(hidden.sum(0), alpha=rate)
        model.bias.addmv_(visible.T, self.sign, alpha=rate)

    def _allocate(self, B: int, C: int) -> None:
        weight = self.model.weight
        H, D = weight.shape
        self.size = (B, C)
        self.visible, self.hidden = weight.new_empty(B + C, D), weight.new_empty(B + C, H)
        self.noisy_visible, self.visible_noise = weight.new_empty(C, D), weight.new_empty(C, D)
        self.hidden_noise, self.chain_start = weight.new_empty(C, H), weight.new_empty(C, H)
        self.sign = torch.cat([weight.new_ones(B), weight.new_full((C,), -B / C)])


def _draw(probabilities: Tensor, noise: Tensor, out: Tensor, generator: torch.Generator | None) -> None:
    """Zeros and ones into ``out``; ``noise`` is overwritten."""
    noise.uniform_(generator=generator)
    torch.lt(noise, probabilities, out=out)
