"""Which parts of a latent space are used."""

from typing import Any

import torch
from torch import Tensor

from genlib.models.modes import evaluating


@torch.no_grad()
def active_units(model: Any, x: Tensor, *, threshold: float = 0.01, batch_size: int = 512) -> Tensor:
    """Which latent dimensions tell examples apart: boolean ``(latent_dim,)``.

    A dimension is active when the variance over the examples ``x (N, ...)`` of the mean of q(z|x) is above
    ``threshold``, in squared units of the prior, whose variance is 1 (Burda et al., arXiv:1509.00519, section 5.2). One
    that has collapsed onto the prior has variance 0. ``model`` offers ``encode(x) -> (mean, logvar)``.
    Raises ``ValueError`` for fewer than two examples.
    """
    if len(x) < 2:
        raise ValueError(f"received {len(x)} examples; expected two or more, of which a variance can be taken")
    with evaluating(model):
        means = torch.cat([model.encode(batch)[0] for batch in x.split(batch_size)])
    return means.var(0) > threshold


def perplexity(codes: Tensor, n_codes: int) -> float:
    """How many codes are in use: exp of the entropy of how often each occurs in ``codes``, int64 of any shape.

    From 1, all examples have the same code, to ``n_codes``, all codes occur as often.
    Raises ``ValueError`` for an empty tensor, or codes outside [0, n_codes).
    """
    if codes.is_floating_point() or not codes.numel() or int(codes.min()) < 0 or int(codes.max()) >= n_codes:
        raise ValueError(
            f"received codes of dtype {codes.dtype} and shape {tuple(codes.shape)}; expected integers from 0 to "
            f"{n_codes - 1}, at least one"
        )
    share = torch.bincount(codes.flatten(), minlength=n_codes).double() / codes.numel()
    return float(torch.special.entr(share).sum().exp())
