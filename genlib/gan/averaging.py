"""An average of a generator over its training, which samples better than where training happens to stand."""

import copy
from typing import Any

import torch
from torch import Tensor, nn


class AveragedGenerator(nn.Module):
    """The exponential moving average of a generator's parameters and buffers (Yazici et al., arXiv:1806.04498).

    After t updates with the values v_1 ... v_t it holds the sum of (1 - decay) decay^(t - i) v_i over i, divided by
    1 - decay^t, the sum of these weights, so that the values before training play no part: Adam's correction
    (arXiv:1412.6980, section 3). Averages of batch statistics belong to it; whole numbers are taken over as they are.
    It is called and sampled from as the generator is, and is in evaluation mode unless told otherwise.
    Raises ``ValueError`` for a decay outside [0, 1).
    """

    def __init__(self, generator: nn.Module, decay: float = 0.999) -> None:
        super().__init__()
        if not 0 <= decay < 1:
            raise ValueError(f"received {decay=}; expected 0, which keeps the last values, up to just below 1")
        self.decay, self.updates = decay, 0
        self.latent_dim = getattr(generator, "latent_dim", None)
        self.module = copy.deepcopy(generator).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, generator: nn.Module) -> None:
        """Take in the generator as it is now; nothing waits for the device."""
        self.updates += 1
        weight = (1 - self.decay) / (1 - self.decay**self.updates)
        own, new = tensors(self.module), tensors(generator)
        floating = [index for index, tensor in enumerate(own) if tensor.is_floating_point()]
        torch._foreach_lerp_([own[index] for index in floating], [new[index] for index in floating], weight)
        for mine, theirs in zip(own, new, strict=True):
            if not mine.is_floating_point():
                mine.copy_(theirs)

    def forward(self, z: Tensor, y: Tensor | int | None = None) -> Tensor:
        """What the averaged generator makes of z ``(B, latent_dim)`` and, if it has classes, of labels y ``(B,)``."""
        return self.module(z) if y is None else self.module(z, y)

    def sample(self, n: int, *, y: Tensor | int | None = None, generator: torch.Generator | None = None) -> Tensor:
        """Draw n examples as the generator's own ``sample`` does."""
        module: Any = self.module
        return module.sample(n, y=y, generator=generator)


def tensors(module: nn.Module) -> list[Tensor]:
    """Parameters and buffers, in an order that is the same for a module and its copy."""
    return [*module.parameters(), *module.buffers()]
