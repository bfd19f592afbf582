"""Convolutional encoders and decoders for images: halve the image until it is small, and the way back."""

import math

from torch import nn

SMALLEST = 7  # an image of at most this width and height is not halved again


def halvings(data_shape: tuple[int, ...]) -> list[tuple[int, int]]:
    """Heights and widths of an image ``(C, H, W)`` as it is halved, the first its own, the last at most 7 by 7.

    Raises ``ValueError`` when ``data_shape`` is no image.
    """
    if len(data_shape) != 3 or min(data_shape) < 1:
        raise ValueError(f"data_shape={data_shape} is no image; expected (C, H, W), such as (1, 28, 28)")
    sizes = [(data_shape[1], data_shape[2])]
    while max(sizes[-1]) > SMALLEST:
        sizes.append((math.ceil(sizes[-1][0] / 2), math.ceil(sizes[-1][1] / 2)))
    return sizes


def conv_encoder(data_shape: tuple[int, ...], out_dim: int, width: int = 32) -> nn.Sequential:
    """A network from ``(B, C, H, W)`` to ``(B, out_dim)``: strided convolutions, then one linear layer.

    ``width`` channels at first, twice as many after every halving.
    """
    sizes = halvings(data_shape)
    layers: list[nn.Module] = [nn.Conv2d(data_shape[0], width, 3, padding=1), nn.ReLU()]
    for index in range(len(sizes) - 1):
        layers += [nn.Conv2d(width << index, width << (index + 1), 3, stride=2, padding=1), nn.ReLU()]
    channels = width << (len(sizes) - 1)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * math.prod(sizes[-1]), out_dim))


def conv_decoder(latent_dim: int, data_shape: tuple[int, ...], width: int = 32) -> nn.Sequential:
    """A network from ``(B, latent_dim)`` to ``(B, C, H, W)``: a linear layer, then transposed convolutions.

    A transposed convolution of stride 2 is the transpose of the encoder's, as a matrix; it undoes the shape, not the
    values, which is why "deconvolution" is the wrong word for it (Dumoulin and Visin, arXiv:1603.07285, chapter 4).
    """
    sizes = halvings(data_shape)
    channels = width << (len(sizes) - 1)
    layers: list[nn.Module] = [
        nn.Linear(latent_dim, channels * math.prod(sizes[-1])),
        nn.Unflatten(1, (channels, *sizes[-1])),
        nn.ReLU(),
    ]
    for index in range(len(sizes) - 1, 0, -1):
        # two sizes are halved to the same one; what is added says which of them it was
        (h, w), (H, W) = sizes[index], sizes[index - 1]
        added = (H - (2 * h - 1), W - (2 * w - 1))
        before, after = width << index, width << (index - 1)
        layers += [nn.ConvTranspose2d(before, after, 3, stride=2, padding=1, output_padding=added), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(width, data_shape[0], 3, padding=1))
