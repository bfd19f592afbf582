"""RealNVP for images: dequantised, and bent at several scales (Dinh et al., arXiv:1605.08803)."""

from functools import partial

import torch
from torch import Tensor, nn

from genlib import data
from genlib.device import checks_values
from genlib.models.bijections import Chain, Logit
from genlib.models.coupling import MakeNetwork
from genlib.models.flow import Flow
from genlib.models.image_coupling import CheckerboardCoupling, Scale, residual_network
from genlib.models.observation import checked_shape


class ImageRealNVP(Flow):
    """A density of images whose pixels are real, in [0, levels): whole numbers k and noise from U[0, 1) on top.

    ``dequantize`` adds the noise and ``quantize`` takes it away, so training is
    ``fit(model, images, transform=model.dequantize)``, and bits per dimension are
    ``bits_per_dim(model.log_prob(model.dequantize(images)), n_dims)``, without any correction, for ``log_prob`` is a
    density on the scale on which levels are 1 apart. Its mean over the noise is a lower bound on log P(k) (Theis et
    al., arXiv:1511.01844, section 3.1).

    ``data_shape`` is ``(C, H, W)``; z has the same shape. A ``Logit`` with ``margin`` comes first; then ``n_scales``
    scales, each half as high and wide as the one before, and 4 checkerboard couplings at the last one. The network of
    a coupling has ``n_blocks`` residual blocks of ``hidden_dim`` channels, or is what ``network(n_in, n_out)`` makes.
    Raises ``ValueError`` for sizes that are not positive, or that cannot be halved ``n_scales - 1`` times
    with two pixels left.
    """

    def __init__(
        self,
        data_shape: tuple[int, int, int],
        levels: int = 256,
        n_scales: int = 2,
        hidden_dim: int = 32,
        *,
        n_blocks: int = 2,
        margin: float = 0.05,
        prior: str = "normal",
        network: MakeNetwork | None = None,
    ) -> None:
        checked_shape(data_shape, n_scales=n_scales, hidden_dim=hidden_dim, n_blocks=n_blocks)
        factor = 1 << (n_scales - 1)
        if len(data_shape) != 3 or data_shape[1] % factor or data_shape[2] % factor:
            raise ValueError(f"received {data_shape=}, {n_scales=}; expected (C, H, W), H and W multiples of {factor}")
        make = network or partial(residual_network, width=hidden_dim, n_blocks=n_blocks)
        super().__init__([Logit(levels, margin), *_scales(data_shape, n_scales, make)], data_shape, prior=prior)
        self.levels = levels

    def log_prob(self, x: Tensor, y: None = None) -> Tensor:
        """log p(x), exact, ``(B,)`` in nats, for ``x (B, C, H, W)`` in [0, levels), as ``dequantize`` returns it.

        Raises ``ValueError`` for whole numbers on the CPU: their density could grow without limit.
        """
        if checks_values(x) and x.numel() and torch.equal(x, x.round()):
            raise ValueError("x holds whole numbers; expected noise on top of them, see the method `dequantize`")
        return super().log_prob(x, y)

    def dequantize(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """k + noise from U[0, 1), as floats, of integers k in [0, levels), or floats k / (levels - 1) from ``load``."""
        return data.dequantize(x, self.levels, generator=generator).mul_(self.levels)

    def quantize(self, x: Tensor) -> Tensor:
        """The whole number below, int64 in [0, levels): the inverse of ``dequantize``, exactly.

        What a model draws outside goes to the nearest level. Raises ``ValueError`` on the CPU for NaN.
        """
        if checks_values(x) and x.isnan().any():
            raise ValueError("x holds values that are not numbers (NaN); expected floats in [0, levels)")
        return x.floor().clamp(0, self.levels - 1).long()


def _scales(shape: tuple[int, int, int], n_scales: int, network: MakeNetwork) -> list[nn.Module]:
    """The maps of an image of this shape and of all the smaller ones made from it."""
    if n_scales == 1:
        return [CheckerboardCoupling(shape, network, swap=index % 2 == 1) for index in range(4)]
    C, H, W = shape
    return [Scale(shape, network, Chain(_scales((2 * C, H // 2, W // 2), n_scales - 1, network)))]
