"""What autoregressive models share: whole-number values, network inputs, and log p(x) as a sum over variables."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from genlib.device import checks_values


def whole_numbers(x: Tensor, levels: int, data_shape: tuple[int, ...]) -> Tensor:
    """``x (B, *data_shape)`` as int64, when it holds whole numbers from 0 to ``levels - 1``, as floats or integers.

    Raises ``ValueError`` for another shape and, on the CPU, for other values: grey images have to be binarised or
    quantised before.
    """
    if x.shape[1:] != data_shape:
        raise ValueError(f"x has shape {tuple(x.shape)}; expected (B, {', '.join(map(str, data_shape))})")
    if checks_values(x) and x.numel():
        low, high = (float(v) for v in torch.aminmax(x))
        whole = not x.is_floating_point() or torch.equal(x, x.round())
        if not (low >= 0 and high <= levels - 1 and whole):  # written so that NaN fails, too
            raise ValueError(
                f"x holds values from {low:.4g} to {high:.4g}{'' if whole else ', not all of them whole'}; expected "
                f"whole numbers from 0 to {levels - 1}. See genlib.data.binarize and genlib.data.quantize."
            )
    return x.long()


def centred(x: Tensor, levels: int, like: Tensor) -> Tensor:
    """Values 0 .. levels - 1 as a network likes them, in [-1, 1], in the type of ``like``."""
    return x.to(like.dtype) * (2 / (levels - 1)) - 1


def two_levels(logits: Tensor) -> Tensor:
    """Logits (0, l), ``(B, 2, *event)``, of the values 0 and 1, from the logits l of the value 1, ``(B, *event)``."""
    return torch.stack([torch.zeros_like(logits), logits], 1)


def sum_of_conditionals(x: Tensor, logits: Tensor) -> Tensor:
    """log p(x) = sum_i log p(x_i | x_<i), ``(B,)`` in nats.

    x is int64 ``(B, *event)``, logits are ``(B, levels, *event)``. By the chain rule this is
    exact, and normalised whatever the network is, as long as the logits of variable i depend on x_<i alone.
    """
    if logits.shape[1] == 2:  # the same number by the logistic function, in less time than a softmax over two levels
        log_odds = logits[:, 1] - logits[:, 0]
        chosen = -F.binary_cross_entropy_with_logits(log_odds, x.to(log_odds.dtype), reduction="none")
    else:
        chosen = logits.log_softmax(1).gather(1, x.unsqueeze(1)).squeeze(1)  # (B, *event)
    return chosen.reshape(len(x), math.prod(x.shape[1:])).sum(1)
