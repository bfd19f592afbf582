"""A variational autoencoder whose networks are convolutional."""

from typing import Any

from genlib.models.conv_networks import conv_decoder, conv_encoder
from genlib.models.vae import VAE


class ConvVAE(VAE):
    """``VAE`` for images ``(C, H, W)``: strided convolutions in the encoder, transposed ones in the decoder.

    ``width`` is the number of channels at full size, doubled at every halving; ``options`` are those of ``VAE``.
    Raises ``ValueError`` when ``data_shape`` is no image, and as ``VAE`` does.
    """

    def __init__(self, data_shape: tuple[int, ...], latent_dim: int = 2, width: int = 32, **options: Any) -> None:
        super().__init__(
            data_shape,
            latent_dim,
            encoder=conv_encoder(tuple(data_shape), 2 * latent_dim, width),
            decoder=conv_decoder(latent_dim, tuple(data_shape), width),
            **options,
        )
