"""Parzen windows: the log-likelihood that was once reported for GANs, and why it should not be."""

import math

import torch
from torch import Tensor

from genlib.evaluate.doubles import in_double


def parzen_log_prob(x: Tensor, samples: Tensor, bandwidth: float, *, chunk: int = 256) -> Tensor:
    """log of the mean over ``samples (N, ...)`` of N(x; sample, bandwidth^2 I), ``(B,)`` in nats, for ``x (B, ...)``.

    A warning: this is the likelihood of another model, the samples with noise added. In more than a few dimensions it
    is far below the likelihood of the model that drew them, however many there are, and ranks models wrongly: one that
    always draws the mean of the data can beat the distribution that the data come from (Theis, van den Oord and Bethge,
    arXiv:1511.01844, section 3.2). It is here because older papers report it, and to show its failure.
    Raises ``ValueError`` for other shapes, or a bandwidth that is not positive.
    """
    if x.shape[1:] != samples.shape[1:] or x.ndim < 2 or not len(samples):
        raise ValueError(
            f"received x {tuple(x.shape)} and samples {tuple(samples.shape)}; expected (B, ...) and (N, ...)"
        )
    if not bandwidth > 0 or chunk < 1:
        raise ValueError(f"received {bandwidth=} and {chunk=}; expected positive numbers")
    centres = in_double(samples.flatten(1))
    constant = math.log(len(centres)) + centres.shape[1] * (math.log(bandwidth) + 0.5 * math.log(2 * math.pi))
    found = [
        torch.logsumexp(-0.5 * (torch.cdist(part, centres) / bandwidth).square(), 1)
        for part in in_double(x.flatten(1)).to(centres.device).split(chunk)
    ]
    return torch.cat(found) - constant


def parzen_bandwidth(x: Tensor, samples: Tensor, candidates: Tensor) -> float:
    """The one of ``candidates (K,)`` with the greatest mean of ``parzen_log_prob`` on validation data ``x (B, ...)``.

    Raises ``ValueError`` as ``parzen_log_prob`` does.
    """
    means = [float(parzen_log_prob(x, samples, float(candidate)).mean()) for candidate in candidates]
    return float(candidates[max(range(len(means)), key=means.__getitem__)])
