"""The VQ-VAE (van den Oord, Vinyals and Kavukcuoglu, arXiv:1711.00937): discrete latents, and a prior over them."""

from typing import Any

import torch
from torch import Tensor, nn

from genlib.models.gated_pixel_cnn import GatedPixelCNN
from genlib.models.modes import evaluating
from genlib.models.observation import Observation
from genlib.models.vector_quantizer import Quantized, VectorQuantizer


class VQVAE(nn.Module):
    """Images ``(C, H, W)`` as small maps of codes: an encoder, a ``VectorQuantizer``, a decoder, and a prior of codes.

    The image is halved ``n_halvings`` times, so that there are ``code_shape`` codes, each one of ``n_codes`` vectors
    with ``code_dim`` numbers. Training has two parts: ``objective`` for everything but the prior, then the prior, which
    is any model of whole numbers ``(B, 1, h, w)`` with ``log_prob`` and ``sample``, on the codes of the data:
    ``fit(model.prior, model.encode(x).unsqueeze(1))``. Until then samples are noise.

    ``likelihood`` is ``"normal"``, with one learned variance, or ``"bernoulli"``, with ``soft=True`` for grey values in
    [0, 1]. ``options`` are those of ``VectorQuantizer``. Raises ``ValueError`` for sizes that do not fit.
    """

    def __init__(
        self,
        data_shape: tuple[int, int, int],
        n_codes: int = 64,
        code_dim: int = 16,
        width: int = 32,
        *,
        n_halvings: int = 2,
        likelihood: str = "normal",
        soft: bool = False,
        prior: nn.Module | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        if len(data_shape) != 3 or min(*data_shape, code_dim, width, n_halvings) < 1:
            raise ValueError(
                f"received {data_shape=}, {code_dim=}, {width=}, {n_halvings=}; expected (C, H, W) and positive sizes"
            )
        if data_shape[1] % 2**n_halvings or data_shape[2] % 2**n_halvings:
            raise ValueError(f"{data_shape=} cannot be halved {n_halvings} times; expected H and W with that divisor")
        self.data_shape, self.observation = tuple(data_shape), Observation(likelihood, soft=soft)
        self.code_shape = (data_shape[1] >> n_halvings, data_shape[2] >> n_halvings)
        self.encoder = _encoder(data_shape[0], code_dim, width, n_halvings)
        self.quantizer = VectorQuantizer(n_codes, code_dim, **options)
        self.decoder = _decoder(data_shape[0], code_dim, width, n_halvings)
        self.prior = prior or GatedPixelCNN((1, *self.code_shape), levels=n_codes, channels=32, n_layers=4)

    def quantize(self, x: Tensor, *, generator: torch.Generator | None = None) -> Quantized:
        """The quantised encoding of ``x (B, C, H, W)``: values ``(B, code_dim, h, w)``, codes ``(B, h, w)``, loss."""
        if x.shape[1:] != self.data_shape:
            raise ValueError(f"x has shape {tuple(x.shape)}; expected (B, {', '.join(map(str, self.data_shape))})")
        found: Quantized = self.quantizer(self.encoder(x), generator=generator)
        return found

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """The codes of ``x (B, C, H, W)``, int64 ``(B, h, w)``; nothing is learned from looking."""
        with evaluating(self):
            return self.quantize(x).codes

    def decode(self, codes: Tensor) -> Tensor:
        """Logits (Bernoulli) or means (normal) of p(x|codes), ``(B, C, H, W)``, for ``codes (B, h, w)``."""
        if codes.shape[1:] != self.code_shape:
            raise ValueError(
                f"codes have shape {tuple(codes.shape)}; expected (B, {', '.join(map(str, self.code_shape))})"
            )
        parameters: Tensor = self.decoder(self.quantizer.lookup(codes))
        return parameters

    def decode_mean(self, codes: Tensor) -> Tensor:
        """E[x|codes], ``(B, C, H, W)``, for ``codes (B, h, w)``."""
        return self.observation.mean(self.decode(codes))

    def objective(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """What training of everything but the prior maximises: log p(x|codes) minus the quantiser's loss, ``(B,)``."""
        values, _, loss = self.quantize(x, generator=generator)
        return self.observation.log_prob(x, self.decoder(values)) - loss

    def elbo(self, x: Tensor) -> Tensor:
        """log p(x|codes) + log p(codes), ``(B,)`` in nats, at the codes of x: a lower bound on log p(x).

        All of q(codes|x) lies on these codes, so that it has no entropy to add; log p(x) sums over all codes.
        """
        codes = self.encode(x)
        return self.observation.log_prob(x, self.decode(codes)) + self.prior.log_prob(codes.unsqueeze(1))  # type: ignore[operator]

    @torch.no_grad()
    def reconstruct(self, x: Tensor) -> Tensor:
        """E[x|codes of x], ``(B, C, H, W)``."""
        with evaluating(self):
            return self.decode_mean(self.quantize(x).codes)

    @torch.no_grad()
    def sample(self, n: int, *, y: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        """Draw n examples, ``(n, C, H, W)``: codes from the prior, then x from p(x|codes), noise and all."""
        if y is not None:
            raise ValueError("received labels y, but this model is not conditional; leave y out")
        with evaluating(self):
            return self.observation.draw(
                self.decode_mean(self.sample_codes(n, generator=generator)), generator=generator
            )

    @torch.no_grad()
    def sample_codes(self, n: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Draw n maps of codes from the prior, int64 ``(n, h, w)``."""
        return self.prior.sample(n, generator=generator).squeeze(1).long()  # type: ignore[operator]


def _encoder(channels: int, code_dim: int, width: int, n_halvings: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for index in range(n_halvings):
        layers += [nn.Conv2d(width if index else channels, width, 4, stride=2, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, code_dim, 1))


def _decoder(channels: int, code_dim: int, width: int, n_halvings: int) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(code_dim, width, 3, padding=1), nn.ReLU()]
    for index in range(n_halvings):
        last = index == n_halvings - 1
        layers.append(nn.ConvTranspose2d(width, channels if last else width, 4, stride=2, padding=1))
        layers += [] if last else [nn.ReLU()]
    return nn.Sequential(*layers)
