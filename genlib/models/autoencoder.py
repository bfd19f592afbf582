"""Autoencoders: features by reconstruction (Hinton and Salakhutdinov, Science 313, 2006), and no density at all."""

import math
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from genlib.models.conv_networks import conv_decoder, conv_encoder
from genlib.models.modes import evaluating


class Autoencoder(nn.Module):
    """An encoder z = f(x) and a decoder g(z), trained so that g(f(x)) is close to x in squared distance.

    ``data_shape`` is the shape of one example; z has ``latent_dim`` numbers. ``hidden_dims`` are the sizes of the
    encoder's hidden layers, ReLU between them, and in reverse order the decoder's; with ``()`` both are one affine map,
    and the best reconstruction is PCA's (Baldi and Hornik, 1989). The features must be kept from copying x in one of
    three ways: fewer of them than x has numbers; ``noise`` or ``mask``, so that x is reconstructed from a spoilt copy
    (Vincent et al., ICML 2008); or ``sparsity``, a price for every unit of sum |z|.

    ``noise`` is the standard deviation of added noise in units of x, ``mask`` the probability that an entry is set to
    0. Networks of your own: ``encoder`` maps ``(B, *data_shape)`` to ``(B, latent_dim)``, ``decoder`` back.
    It has no place in ``genlib.taxonomy``: nothing says which z are likely, so that there is nothing to sample from.
    Raises ``ValueError`` for sizes that are not positive, or noise that does not fit.
    """

    def __init__(
        self,
        data_shape: int | tuple[int, ...],
        latent_dim: int = 2,
        hidden_dims: tuple[int, ...] = (256,),
        *,
        noise: float = 0.0,
        mask: float = 0.0,
        sparsity: float = 0.0,
        encoder: nn.Module | None = None,
        decoder: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.data_shape = (data_shape,) if isinstance(data_shape, int) else tuple(data_shape)
        if min(*self.data_shape, latent_dim, *hidden_dims) < 1:
            raise ValueError(f"received {data_shape=}, {latent_dim=}, {hidden_dims=}; expected positive sizes")
        if noise < 0 or sparsity < 0 or not 0 <= mask < 1:
            raise ValueError(f"received {noise=}, {mask=}, {sparsity=}; expected none below 0, and mask below 1")
        self.latent_dim, self.noise, self.mask, self.sparsity = latent_dim, noise, mask, sparsity
        sizes = (math.prod(self.data_shape), *hidden_dims, latent_dim)
        self.encoder = encoder or nn.Sequential(nn.Flatten(), *_layers(sizes))
        self.decoder = decoder or nn.Sequential(*_layers(sizes[::-1]))

    def encode(self, x: Tensor) -> Tensor:
        """Features z, ``(B, latent_dim)``, of ``x (B, *data_shape)``."""
        if x.shape[1:] != self.data_shape:
            raise ValueError(f"x has shape {tuple(x.shape)}; expected (B, {', '.join(map(str, self.data_shape))})")
        z: Tensor = self.encoder(x)
        return z

    def decode(self, z: Tensor) -> Tensor:
        """The example that features stand for, ``(*sample, *data_shape)``, for ``z (*sample, latent_dim)``."""
        if z.shape[-1:] != (self.latent_dim,):
            raise ValueError(f"z has shape {tuple(z.shape)}; expected (..., {self.latent_dim})")
        return self.decoder(z.reshape(-1, self.latent_dim)).reshape(*z.shape[:-1], *self.data_shape)

    def corrupt(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """A copy of x with noise added and entries set to 0, as the model was told; x itself when it was told neither.

        What is set to 0 is set after the noise was added.
        """
        if self.noise:
            x = x + self.noise * torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
        if self.mask:
            x = x * (torch.rand(x.shape, generator=generator, dtype=x.dtype, device=x.device) >= self.mask)
        return x

    def error(self, x: Tensor, z: Tensor | None = None) -> Tensor:
        """The squared distance |x - g(z)|^2, summed over an example, ``(B,)``; without ``z`` at z = f(x)."""
        z = self.encode(x) if z is None else z
        return (x - self.decode(z)).flatten(1).square().sum(1)

    def objective(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """What training maximises, ``(B,)``: minus the squared distance and the price of the features.

        Half of it, with no price, is log N(x; g(z), I) up to a constant: squared distance is a Gaussian's likelihood.
        """
        z = self.encode(self.corrupt(x, generator=generator))
        return -self.error(x, z) - self.sparsity * z.abs().sum(1)

    @torch.no_grad()
    def reconstruct(self, x: Tensor) -> Tensor:
        """g(f(x)), ``(B, *data_shape)``, for ``x (B, *data_shape)``."""
        with evaluating(self):
            return self.decode(self.encode(x))


class ConvAutoencoder(Autoencoder):
    """An autoencoder of images ``(C, H, W)`` whose encoder halves them by strided convolutions, and decoder doubles.

    ``width`` is the number of channels at full size; ``options`` are those of ``Autoencoder``.
    """

    def __init__(self, data_shape: tuple[int, ...], latent_dim: int = 2, width: int = 32, **options: Any) -> None:
        super().__init__(
            data_shape,
            latent_dim,
            encoder=conv_encoder(tuple(data_shape), latent_dim, width),
            decoder=conv_decoder(latent_dim, tuple(data_shape), width),
            **options,
        )


def _layers(sizes: tuple[int, ...]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return layers[:-1]
