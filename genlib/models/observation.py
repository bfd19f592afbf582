"""What a decoder's numbers say of an example: Bernoulli or normal, its log-probability, mean and draws."""

import torch
from torch import Tensor, nn

from genlib.likelihoods import bernoulli_log_prob, normal_log_prob


class Observation(nn.Module):
    """p(x|z) from what a decoder returns: logits of a Bernoulli, or means of a normal with one learned variance.

    ``likelihood="bernoulli"`` is for binary data (or, with ``soft=True``, for grey values in [0, 1]), ``"normal"`` for
    real ones; then ``logvar`` is a parameter. Raises ``ValueError`` for another likelihood.
    """

    def __init__(self, likelihood: str, *, soft: bool = False) -> None:
        super().__init__()
        if likelihood not in ("bernoulli", "normal"):
            raise ValueError(f"{likelihood=} is unknown; expected 'bernoulli' or 'normal'")
        self.likelihood, self.soft = likelihood, soft
        self.logvar = nn.Parameter(torch.zeros(())) if likelihood == "normal" else None

    def mean(self, parameters: Tensor) -> Tensor:
        """E[x|z], of the shape of ``parameters``; in [0, 1] for a Bernoulli."""
        return parameters if self.logvar is not None else parameters.sigmoid()

    def log_prob(self, x: Tensor, parameters: Tensor) -> Tensor:
        """log p(x|z) in nats, ``(*sample, B)``; x ``(B, *data_shape)``, parameters ``(*sample, B, *data_shape)``."""
        if self.logvar is None:
            return bernoulli_log_prob(x, parameters, soft=self.soft)
        return normal_log_prob(x, parameters, self.logvar)

    def draw(self, mean: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """An example around every ``mean``, noise and all, of the same shape."""
        if self.logvar is None:
            return torch.bernoulli(mean, generator=generator)
        noise = torch.randn(mean.shape, generator=generator, dtype=mean.dtype, device=mean.device)
        return mean + torch.exp(0.5 * self.logvar) * noise


def checked_shape(data_shape: int | tuple[int, ...], **sizes: int) -> tuple[int, ...]:
    """``data_shape`` as a tuple. Raises ``ValueError`` unless it and the other sizes are positive."""
    shape = (data_shape,) if isinstance(data_shape, int) else tuple(data_shape)
    if min((*shape, *sizes.values())) < 1:
        rest = "".join(f", {name}={value}" for name, value in sizes.items())
        raise ValueError(f"received data_shape={data_shape}{rest}; expected positive sizes")
    return shape
