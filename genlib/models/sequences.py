"""What models of sequences of codes share: an end that absorbs, bits per character, and codes of sound."""

import math

import torch
from torch import Tensor

from genlib.device import checks_values
from genlib.models.pixels import whole_numbers
from genlib.sampling import Steps


def codes_of(x: Tensor, levels: int) -> Tensor:
    """``x (B, T)``, of any length T, as int64; raises ``ValueError`` unless it holds whole numbers in [0, levels)."""
    if x.ndim != 2 or x.shape[1] < 1:
        raise ValueError(f"x has shape {tuple(x.shape)}; expected (B, T) with at least one code in a row")
    return whole_numbers(x, levels, (x.shape[1],))


def check_end(end: int | None) -> None:
    """Raise ``ValueError`` unless ``end`` is 0, the code that ends a sequence, or None for streams without one."""
    if end not in (0, None):
        raise ValueError(f"received {end=}; expected 0, the code that ends a sequence, or None for streams")


def after_end(x: Tensor, end: int | None = 0) -> Tensor:
    """Whether the sequence has ended before each position, bool ``(B, T)``, for codes ``x (B, T)``."""
    check_end(end)
    is_end = torch.zeros_like(x, dtype=torch.int64) if end is None else (x == end).long()
    return is_end.cumsum(1) - is_end > 0


def lengths(x: Tensor) -> Tensor:
    """Number of codes up to and including the first 0, or all of them, int64 ``(B,)``, for codes ``x (B, T)``."""
    return (~after_end(x)).sum(1)


def absorb(logits: Tensor, x: Tensor, end: int | None) -> Tensor:
    """``logits (B, levels, T)``, but after the end of ``x (B, T)`` code 0 is certain: logit 0, the others -infinity.

    So positions after the end add nothing to log p(x), and a sequence that goes on after its end has probability 0.
    """
    if end is None:
        return logits
    certain = _certain_end(logits.shape[1], logits).unsqueeze(1)  # (levels, 1)
    return torch.where(after_end(x).unsqueeze(1), certain, logits)


def bits_per_character(log_prob: Tensor, x: Tensor, *, end: int | None = 0) -> Tensor:
    """Negative log-likelihood in bits per character of a whole set: a scalar.

    ``log_prob (B,)`` is in nats and ``x (B, T)`` holds the codes it belongs to. It is the quotient of two sums, nats
    over characters, not a mean of quotients, so that every character weighs the same. The first code 0 counts as a
    character, what comes after it does not; with ``end=None`` all T codes count. Raises ``ValueError`` when the
    shapes do not fit.
    """
    if x.ndim != 2 or log_prob.shape != x.shape[:1] or not x.numel():
        raise ValueError(
            f"log_prob {tuple(log_prob.shape)} and x {tuple(x.shape)} do not fit; expected (B,) and (B, T), not empty"
        )
    return -log_prob.sum() / (~after_end(x, end)).sum() / math.log(2)


class AbsorbingSteps:
    """Steps of sequences with an end: code 0 is certain once a row has it, and the network rests once all rows do.

    ``like`` gives the type and the device of the logits, ``(n, levels)``.
    """

    def __init__(self, steps: Steps, n: int, levels: int, like: Tensor) -> None:
        self.steps = steps
        self.certain = _certain_end(levels, like)  # (levels,)
        self.ended = torch.zeros(n, dtype=torch.bool, device=like.device)
        self.resting = False

    def logits(self) -> Tensor:
        if self.resting:
            return self.certain.expand(len(self.ended), -1)
        return torch.where(self.ended.unsqueeze(1), self.certain, self.steps.logits())

    def put(self, value: Tensor) -> None:
        self.ended = self.ended | (value == 0)
        self.resting = bool(self.ended.all())
        if not self.resting:
            self.steps.put(value)


def mu_law_encode(signal: Tensor, levels: int = 256) -> Tensor:
    """Codes in [0, levels), int64, of sound in [-1, 1]: fine steps where it is quiet, coarse ones where it is loud.

    f(x) = sign(x) log(1 + mu |x|) / log(1 + mu) with mu = levels - 1, rounded (section 2.2); any shape. Raises
    ``ValueError`` for fewer than two levels and, on the CPU, for values outside [-1, 1].
    """
    if levels < 2 or (checks_values(signal) and signal.numel() and not signal.abs().max() <= 1):
        raise ValueError(
            f"received {levels=} and a signal of {signal.abs().max():.4g}; expected 2 or more, and [-1, 1]"
        )
    mu = levels - 1
    companded = signal.sign() * torch.log1p(mu * signal.abs()) / math.log1p(mu)
    return ((companded + 1) / 2 * mu).round().long()


def mu_law_decode(codes: Tensor, levels: int = 256) -> Tensor:
    """Sound in [-1, 1] of ``codes`` in [0, levels), float of the same shape: ``mu_law_encode`` gives them back.

    Raises ``ValueError`` for fewer than two levels.
    """
    if levels < 2:
        raise ValueError(f"received {levels=}; expected at least 2")
    mu = levels - 1
    companded = 2 * codes.to(torch.get_default_dtype()) / mu - 1
    # The loudest codes could come out a rounding error above 1, which no code stands for.
    return (companded.sign() * torch.expm1(companded.abs() * math.log1p(mu)) / mu).clamp(-1, 1)


def _certain_end(levels: int, like: Tensor) -> Tensor:
    certain = like.new_full((levels,), -math.inf)
    certain[0] = 0
    return certain
