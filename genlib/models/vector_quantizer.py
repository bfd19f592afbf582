"""Vector quantisation with a straight-through gradient (van den Oord, Vinyals and Kavukcuoglu, arXiv:1711.00937)."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Quantized(NamedTuple):
    """What a quantiser makes of encodings ``(B, D, *places)``.

    ``values``, of the same shape, are the codes' vectors, with the gradient of the encodings; ``codes (B, *places)``
    int64 say which; ``loss (B,)`` is to be added to what is minimised, a sum over places and dimensions.
    """

    values: Tensor
    codes: Tensor
    loss: Tensor


class VectorQuantizer(nn.Module):
    """A codebook of ``n_codes`` vectors with ``dim`` numbers; every encoding is replaced by the nearest of them.

    The choice has no derivative: backwards the encoding gets the gradient of its replacement, as if the quantiser were
    the identity ("straight-through"). The loss, equation 3 without its first term, is
    |sg(z) - e|^2 + beta |z - sg(e)|^2 where sg stops the gradient: the first term moves codes to encodings, the second
    encodings to codes. With ``decay`` the codebook has no gradient: every code follows a moving average of the
    encodings that chose it (appendix A.1), and the loss has the second term only. The averages start as one encoding
    at each code, so that codes stay in the convex hull of where they were and what they saw.

    A code that was chosen less than ``revive_below`` times a batch, in the moving average, is moved onto an encoding
    of the batch, drawn at random, while training; 0 revives none.
    Raises ``ValueError`` for sizes or weights that do not fit.
    """

    usage: Tensor
    sums: Tensor
    counts: Tensor

    def __init__(
        self,
        n_codes: int,
        dim: int,
        *,
        beta: float = 0.25,
        decay: float | None = None,
        revive_below: float = 0.1,
        revival_decay: float = 0.9,
    ) -> None:
        super().__init__()
        if n_codes < 2 or dim < 1 or beta < 0 or revive_below < 0:
            raise ValueError(
                f"received {n_codes=}, {dim=}, {beta=}, {revive_below=}; expected 2 codes or more, none below 0"
            )
        for name, value in (("decay", 0.0 if decay is None else decay), ("revival_decay", revival_decay)):
            if not 0 <= value < 1:
                raise ValueError(f"received {name}={value}; expected a number from 0 to below 1")
        self.beta, self.decay, self.revive_below, self.revival_decay = beta, decay, revive_below, revival_decay
        self.codebook = nn.Parameter(torch.randn(n_codes, dim), requires_grad=decay is None)
        self.register_buffer("usage", torch.ones(n_codes))  # choices per batch, a moving average
        if decay is not None:  # of the encodings that chose each code
            self.register_buffer("sums", self.codebook.detach().clone())
            self.register_buffer("counts", torch.ones(n_codes))

    @property
    def n_codes(self) -> int:
        """Number of vectors in the codebook."""
        return len(self.codebook)

    def nearest(self, z: Tensor) -> Tensor:
        """The code nearest to every encoding: int64 ``(B, *places)`` for ``z (B, D, *places)``."""
        flat = self._flat(z)
        # |z - e|^2 without |z|^2, which is the same for every code
        distance = self.codebook.square().sum(1) - 2 * flat @ self.codebook.mT  # (N, n_codes)
        return distance.argmin(1).reshape(z.shape[:1] + z.shape[2:])

    def lookup(self, codes: Tensor) -> Tensor:
        """The vectors of codes: ``(B, D, *places)`` for int64 ``codes (B, *places)``."""
        if codes.is_floating_point() or codes.ndim < 1:
            raise ValueError(f"codes have dtype {codes.dtype} and shape {tuple(codes.shape)}; expected int64 (B, ...)")
        return F.embedding(codes, self.codebook).movedim(-1, 1)

    def forward(self, z: Tensor, *, generator: torch.Generator | None = None) -> Quantized:
        """Replace the encodings ``z (B, D, *places)``; in training mode also update the averages and revive codes.

        ``generator`` draws the encodings on which codes are revived.
        """
        codes = self.nearest(z)
        chosen = self.lookup(codes)
        loss = self.beta * _squared(z, chosen.detach())
        if self.decay is None:
            loss = loss + _squared(z.detach(), chosen)
        values = z + (chosen - z).detach()
        if self.training:
            self._learn(self._flat(z.detach()), codes.flatten(), generator)
        return Quantized(values, codes, loss)

    @torch.no_grad()
    def _learn(self, flat: Tensor, codes: Tensor, generator: torch.Generator | None) -> None:
        counts = torch.bincount(codes, minlength=self.n_codes).to(flat.dtype)  # (n_codes,)
        self.usage.lerp_(counts, 1 - self.revival_decay)
        if self.decay is not None:
            totals = torch.zeros_like(self.sums).index_add_(0, codes, flat)
            self.counts.lerp_(counts, 1 - self.decay)
            self.sums.lerp_(totals, 1 - self.decay)
            seen = self.counts > torch.finfo(flat.dtype).tiny  # one that nobody chose for ever stays where it is
            self.codebook[seen] = self.sums[seen] / self.counts[seen].unsqueeze(1)
        dead = self.usage < self.revive_below
        if bool(dead.any()):
            self._revive(dead.nonzero().squeeze(1), flat, generator)

    def _revive(self, dead: Tensor, flat: Tensor, generator: torch.Generator | None) -> None:
        rows = torch.randint(len(flat), (len(dead),), generator=generator, device=flat.device)
        self.codebook[dead] = flat[rows]
        self.usage[dead] = 1.0
        if self.decay is not None:
            self.sums[dead] = flat[rows]
            self.counts[dead] = 1.0

    def _flat(self, z: Tensor) -> Tensor:
        if z.ndim < 2 or z.shape[1] != self.codebook.shape[1]:
            raise ValueError(f"z has shape {tuple(z.shape)}; expected (B, {self.codebook.shape[1]}, ...)")
        return z.movedim(1, -1).reshape(-1, z.shape[1])


def _squared(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).flatten(1).square().sum(1)
