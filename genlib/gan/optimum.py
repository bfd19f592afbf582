"""The game between two known densities on the line: the best discriminator, and what it leaves to the generator."""

import math

import torch
from torch import Tensor


def optimal_logits(log_p: Tensor, log_q: Tensor) -> Tensor:
    """log p(x) - log q(x), of the shape of both: the logits of the best D for data p and generator q, D* = p / (p + q).

    For the kinds ``"minimax"`` and ``"non_saturating"`` (Goodfellow et al., arXiv:1406.2661, proposition 1). Log
    densities are in nats; the result is infinite where one of them has no mass, and 0 where neither has.
    Raises ``ValueError`` for other shapes.
    """
    if log_p.shape != log_q.shape:
        raise ValueError(f"received log_p {tuple(log_p.shape)} and log_q {tuple(log_q.shape)}; expected one shape")
    return torch.where(log_p == log_q, 0.0, log_p - log_q)


def jensen_shannon(log_p: Tensor, log_q: Tensor, x: Tensor) -> float:
    """The Jensen-Shannon divergence in nats of densities on the line, by the trapezoidal rule over points ``x (N,)``.

    ``log_p`` and ``log_q`` are log densities at x, ``(N,)``; x must reach to where both have no mass left. It goes from
    0 to log 2, and the value of the discriminator's loss at D* is 2 log 2 - 2 JSD (arXiv:1406.2661, theorem 1).
    Raises ``ValueError`` for other shapes, or densities that do not integrate to 1 over x, to 1 %.
    """
    if log_p.shape != x.shape or log_q.shape != x.shape or x.ndim != 1 or len(x) < 2:
        raise ValueError(
            f"received log_p {tuple(log_p.shape)}, log_q {tuple(log_q.shape)}, x {tuple(x.shape)}; expected (N,) each"
        )
    log_p, log_q, x = log_p.double(), log_q.double(), x.double()
    for name, density in (("p", log_p.exp()), ("q", log_q.exp())):
        total = float(torch.trapezoid(density, x))
        if not abs(total - 1) < 0.01:
            raise ValueError(f"{name} integrates to {total:.4g} over x; expected 1: take more points, or a wider range")
    log_middle = torch.logaddexp(log_p, log_q) - math.log(2)
    parts = [torch.where(part > -math.inf, part.exp() * (part - log_middle), 0.0) for part in (log_p, log_q)]
    return float(torch.trapezoid(parts[0] + parts[1], x)) / 2
