"""Log-likelihoods of data under a decoder's output: nats, one number per example.

``x`` is ``(B, *event)``; parameters are ``(*sample, B, *event)``, so that several latent samples can be scored at
once; the result is ``(*sample, B)``, summed over the event. Networks emit logits, never probabilities.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from genlib.device import checks_values

LOG_2PI = math.log(2 * math.pi)


def bernoulli_log_prob(x: Tensor, logits: Tensor, *, soft: bool = False) -> Tensor:
    """Log-probability of binary ``x (B, *event)`` under independent Bernoullis with ``logits (*sample, B, *event)``.

    The result is ``(*sample, B)``, in nats. With ``soft=True`` grey values in [0, 1] are allowed; the result is then
    the negative cross-entropy, which is not a normalised density of grey images.
    Raises ``ValueError`` when shapes do not fit or (on the CPU) values lie outside {0, 1}, or outside [0, 1] if soft.
    """
    x = _check_shapes(x, logits, "logits")
    _check_binary(x, soft)
    return -_sum_event(F.binary_cross_entropy_with_logits(logits, x.expand_as(logits), reduction="none"), x)


def categorical_log_prob(x: Tensor, logits: Tensor) -> Tensor:
    """Log-probability of integers ``x (B, *event)`` under ``logits (*sample, B, levels, *event)``.

    ``x`` holds integers in ``[0, levels)``; the result is ``(*sample, B)``, in nats.
    Raises ``ValueError`` when ``x`` is no integer, shapes do not fit, or (on the CPU) values are out of range.
    """
    level_dim = logits.ndim - x.ndim  # logits end in (B, levels, *event), x is (B, *event)
    fits = x.ndim >= 1 and level_dim >= 1 and logits.select(level_dim, 0).shape[level_dim - 1 :] == x.shape
    if not fits:
        raise ValueError(
            f"x {tuple(x.shape)} and logits {tuple(logits.shape)} do not fit; "
            "expected x (B, *event) and logits (*sample, B, levels, *event)"
        )
    _check_integers(x, logits.shape[level_dim])
    index = x.long().unsqueeze(1).expand(*logits.shape[: level_dim - 1], -1, 1, *x.shape[1:])
    chosen = torch.log_softmax(logits, level_dim).gather(level_dim, index).squeeze(level_dim)
    return _sum_event(chosen, x)


def normal_log_prob(x: Tensor, mean: Tensor, logvar: Tensor | float) -> Tensor:
    """Log-density of ``x (B, *event)`` under independent normals with ``mean (*sample, B, *event)``.

    ``logvar`` is the log of the variance, a number or a tensor that broadcasts with ``mean``; the result is
    ``(*sample, B)``, in nats, and may be positive: a density is not a probability.
    Raises ``ValueError`` when the shapes do not fit.
    """
    x = _check_shapes(x, mean, "mean")
    logvar = torch.as_tensor(logvar, dtype=mean.dtype, device=mean.device)
    return _sum_event(-0.5 * (LOG_2PI + logvar + (x - mean).square() * torch.exp(-logvar)), x)


def discretized_logistic_log_prob(x: Tensor, mean: Tensor, log_scale: Tensor, *, levels: int = 256) -> Tensor:
    """Log-probability of integers ``x (B, *event)`` under logistics rounded to ``levels`` values.

    ``mean`` and ``log_scale`` are ``(*sample, B, *event)`` in units in which level 0 lies at -1 and the highest at 1;
    the first and the last level take the tails (Salimans et al., arXiv:1701.05517, equation 2). The result is
    ``(*sample, B)``, in nats. Raises ``ValueError`` as ``categorical_log_prob`` does.
    """
    _check_integers(x, levels)
    position = _check_shapes(x, mean, "mean")
    return _sum_event(discretized_logistic_log_mass(position, mean, log_scale, levels), x)


def discretized_logistic_mixture_log_prob(
    x: Tensor, logits: Tensor, mean: Tensor, log_scale: Tensor, *, levels: int = 256
) -> Tensor:
    """Log-probability of integers ``x (B, *event)`` when every value has a mixture of K rounded logistics of its own.

    ``logits`` (of the weights), ``mean`` and ``log_scale`` are ``(*sample, B, K, *event)``; the rest is as in
    ``discretized_logistic_log_prob``.
    """
    _check_integers(x, levels)
    k_dim = mean.ndim - x.ndim  # parameters end in (B, K, *event), x is (B, *event)
    if k_dim < 1 or x.ndim < 1:
        raise ValueError(
            f"x {tuple(x.shape)} and mean {tuple(mean.shape)} do not fit; expected (*sample, B, K, *event)"
        )
    position = _check_shapes(x, mean.select(k_dim, 0), "mean, without K,").unsqueeze(1)  # (B, 1, *event)
    mass = discretized_logistic_log_mass(position, mean, log_scale, levels)  # (*sample, B, K, *event)
    return _sum_event((torch.log_softmax(logits, k_dim) + mass).logsumexp(k_dim), x)


def discretized_logistic_log_mass(k: Tensor, mean: Tensor, log_scale: Tensor, levels: int) -> Tensor:
    """Log of the mass that a logistic has in the bin of level ``k``, elementwise, in nats; shapes broadcast.

    ``k`` is of the type of ``mean``; ``mean`` and ``log_scale`` are in units in which level 0 lies at -1 and the
    highest at 1; the first and the last bin take the tails (Salimans et al., arXiv:1701.05517, equation 2). With upper
    edge a and lower edge b in units of the scale, s(a) - s(b) = s(a) s(-b) (1 - exp(b - a)) for the sigmoid s: a
    product, of which no factor cancels, however far the tails or small the scale.
    """
    half = 1 / (levels - 1)
    rate = torch.exp(-log_scale)
    # The upper edge of one bin and the lower edge of the next round to the same number, so that masses add up to one.
    below = F.logsigmoid(((2 * k + 1) * half - 1 - mean) * rate)
    above = F.logsigmoid((mean - ((2 * k - 1) * half - 1)) * rate)
    width = (2 * half * rate).clamp(min=torch.finfo(mean.dtype).tiny)
    inner = below + above + torch.log(-torch.expm1(-width))
    return torch.where(k == 0, below, torch.where(k == levels - 1, above, inner))


def _check_integers(x: Tensor, levels: int) -> None:
    if x.is_floating_point() or x.is_complex() or x.dtype == torch.bool:
        raise ValueError(f"x has dtype {x.dtype}; expected integers in [0, levels), for example torch.int64")
    if checks_values(x) and x.numel():
        low, high = (int(v) for v in torch.aminmax(x))
        if low < 0 or high >= levels:
            raise ValueError(f"x holds values from {low} to {high}; expected integers in [0, {levels})")


def _check_shapes(x: Tensor, parameter: Tensor, name: str) -> Tensor:
    if x.ndim < 1 or parameter.ndim < x.ndim or parameter.shape[parameter.ndim - x.ndim :] != x.shape:
        raise ValueError(
            f"x {tuple(x.shape)} and {name} {tuple(parameter.shape)} do not fit; "
            f"expected x (B, *event) and {name} (*sample, B, *event)"
        )
    return x.to(parameter.dtype)


def _check_binary(x: Tensor, soft: bool) -> None:
    if not checks_values(x) or not x.numel():
        return
    low, high = (float(v) for v in torch.aminmax(x))
    inside = low >= 0 and high <= 1  # false for NaN
    if soft and not inside:
        raise ValueError(f"x holds values from {low:.4g} to {high:.4g}; expected grey values in [0, 1]")
    if not soft and not (inside and torch.equal(x * x, x)):  # within [0, 1], only 0 and 1 are their own squares
        raise ValueError(
            "x holds values other than 0 and 1, but a Bernoulli is a distribution over {0, 1}. Binarise the images "
            "(genlib.data.binarize), or pass soft=True to score grey values in [0, 1] by their cross-entropy."
        )


def _sum_event(values: Tensor, x: Tensor) -> Tensor:
    return values.flatten(values.ndim - x.ndim + 1).sum(-1) if x.ndim > 1 else values
