"""Bounds on the log-likelihood, and the unit in which likelihoods of images are reported."""

import math

import torch
from torch import Tensor


def elbo(log_likelihood: Tensor, kl: Tensor) -> Tensor:
    """The evidence lower bound E_q[log p(x|z)] - KL(q(z|x) || p(z)), one number per example, to be maximised.

    ``log_likelihood`` is ``(B,)``, or ``(K, B)`` and then averaged over its K samples of z; ``kl`` is ``(B,)``.
    The result is ``(B,)``, in nats (Kingma and Welling, arXiv:1312.6114, equation 3).
    Raises ``ValueError`` when the shapes do not fit, for example because something was averaged over the batch.
    """
    if kl.ndim != 1 or log_likelihood.ndim not in (1, 2) or log_likelihood.shape[-1:] != kl.shape:
        raise ValueError(
            f"log_likelihood {tuple(log_likelihood.shape)} and kl {tuple(kl.shape)} do not fit; expected one number "
            "per example: log_likelihood (B,) or (K, B) and kl (B,), summed over the event, not averaged over the batch"
        )
    return (log_likelihood.mean(0) if log_likelihood.ndim == 2 else log_likelihood) - kl


def iwae_bound(log_weights: Tensor) -> Tensor:
    """The importance-weighted bound log 1/K sum_k p(x, z_k) / q(z_k|x), from ``log_weights (K, B)``.

    The result is ``(B,)``, in nats. Its expectation does not decrease in K; with K = 1 it is the one-sample ELBO
    (Burda, Grosse and Salakhutdinov, arXiv:1509.00519, equation 8). Gradients flow through as they are, which is
    the gradient of the bound itself.
    Raises ``ValueError`` when ``log_weights`` is not ``(K, B)`` with K at least 1.
    """
    if log_weights.ndim != 2 or log_weights.shape[0] < 1:
        raise ValueError(f"log_weights has shape {tuple(log_weights.shape)}; expected (K, B) with K at least 1")
    return torch.logsumexp(log_weights, dim=0) - math.log(log_weights.shape[0])


def bits_per_dim(log_prob: Tensor, n_dims: int, *, levels: int | None = None) -> Tensor:
    """Negative log-likelihood in bits per dimension, from ``log_prob`` in nats per example.

    ``log_prob`` is any shape, usually ``(B,)``, and the result has that shape. ``n_dims`` counts every channel of
    every pixel. Leave ``levels`` out when ``log_prob`` is the probability of discrete values, or a density of values
    dequantised on their own scale; give ``levels=256`` when it is a density of values scaled to [0, 1), which is
    larger by a factor of 256 per dimension (Theis, van den Oord and Bethge, arXiv:1511.01844, section 3.1).
    Raises ``ValueError`` when ``n_dims`` or ``levels`` is not positive.
    """
    if n_dims < 1:
        raise ValueError(f"n_dims={n_dims}; expected the number of values in one example, at least 1")
    if levels is not None and levels < 1:
        raise ValueError(f"levels={levels}; expected the number of grey levels, for example 256, or None")
    return -log_prob / (n_dims * math.log(2)) + (0.0 if levels is None else math.log2(levels))
