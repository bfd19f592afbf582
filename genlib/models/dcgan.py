"""Deep convolutional GANs (Radford, Metz and Chintala, arXiv:1511.06434), with or without classes."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from genlib.models.implicit import ImplicitModel
from genlib.models.labels import class_labels
from genlib.models.observation import checked_shape

SIZES = (8, 16, 28, 32, 64)
NORMS = ("batch", "spectral", "none")


class DCGANGenerator(ImplicitModel):
    """z, and a label if there are classes, to an image ``(C, S, S)`` in [0, 1] with S one of 8, 16, 28, 32, 64.

    A linear layer makes a small picture of z, and each transposed convolution of stride 2 doubles its sides and halves
    its channels, of which ``width`` are left before the last; batch normalisation and ReLU after all but the last
    (section 3 of the paper). The last is (1 + tanh) / 2: the paper's tanh, for images in [0, 1]. With ``n_classes``
    the label stands beside z as a unit vector (Mirza and Osindero, arXiv:1411.1784, section 3.2).
    Raises ``ValueError`` for another size of image.
    """

    def __init__(
        self, data_shape: tuple[int, int, int], latent_dim: int = 64, width: int = 32, n_classes: int | None = None
    ) -> None:
        super().__init__(data_shape, latent_dim, n_classes)
        start, doublings = doublings_of(self.data_shape, width)
        channels = width << (doublings - 1)
        layers: list[nn.Module] = [
            nn.Linear(latent_dim + (n_classes or 0), channels * start**2, bias=False),  # the normalisation has one
            nn.Unflatten(1, (channels, start, start)),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        ]
        for _ in range(doublings - 1):
            layers += [
                nn.ConvTranspose2d(channels, channels // 2, 4, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(channels // 2),
                nn.ReLU(inplace=True),
            ]
            channels //= 2
        layers.append(nn.ConvTranspose2d(channels, self.data_shape[0], 4, stride=2, padding=1))
        self.network = nn.Sequential(*layers)
        self.apply(initialize)

    def forward(self, z: Tensor, y: Tensor | int | None = None) -> Tensor:
        """The images ``(B, C, S, S)`` in [0, 1] of ``z (B, latent_dim)`` and labels y, int64 ``(B,)`` or a number."""
        z, labels = self.checked_latents(z, y)
        if labels is not None and self.n_classes is not None:
            z = torch.cat([z, F.one_hot(labels, self.n_classes).to(z.dtype)], 1)
        return 0.5 + 0.5 * self.network(z).tanh()


class DCGANDiscriminator(nn.Module):
    """An image ``(C, S, S)`` in [0, 1], and a label if there are classes, to one logit: from the data or generated.

    Convolutions of stride 2, each with twice the channels of the one before, the first with ``width``, and leaky ReLU
    (section 3 of the paper). ``norm="batch"`` normalises the batch after all but the first; ``"spectral"`` divides
    every weight by its largest singular value, so that the slope is bounded (Miyato et al., arXiv:1802.05957);
    ``"none"`` does neither. A gradient penalty allows the last two. With ``n_classes`` the logit is that of the image
    plus the product of its features with a vector of its class (Miyato and Koyama, arXiv:1802.05637, equation 3).
    Raises ``ValueError`` for another size of image, or an unknown ``norm``.
    """

    def __init__(
        self, data_shape: tuple[int, int, int], width: int = 32, n_classes: int | None = None, *, norm: str = "batch"
    ) -> None:
        super().__init__()
        if norm not in NORMS:
            raise ValueError(f"{norm=} is unknown; expected one of {', '.join(map(repr, NORMS))}")
        self.data_shape = checked_shape(data_shape, n_classes=1 if n_classes is None else n_classes)
        self.n_classes = n_classes
        end, halvings = doublings_of(self.data_shape, width)
        channels = [self.data_shape[0], *(width << index for index in range(halvings))]
        layers: list[nn.Module] = []
        for index in range(halvings):
            normalised = norm == "batch" and index > 0
            layers.append(nn.Conv2d(channels[index], channels[index + 1], 4, stride=2, padding=1, bias=not normalised))
            layers += [nn.BatchNorm2d(channels[index + 1])] if normalised else []
            layers.append(nn.LeakyReLU(0.2, inplace=True))
        self.features = nn.Sequential(*layers, nn.Flatten())
        n_features = channels[-1] * end**2
        self.logit = nn.Linear(n_features, 1)
        self.of_class = None if n_classes is None else nn.Embedding(n_classes, n_features)
        if norm == "batch":
            self.apply(initialize)
        if norm == "spectral":
            self.apply(normalize_spectrally)

    def forward(self, x: Tensor, y: Tensor | int | None = None) -> Tensor:
        """Logits ``(B,)`` of ``x (B, C, S, S)`` in [0, 1] and labels y, int64 ``(B,)`` or one number for all."""
        if x.shape[1:] != self.data_shape:
            raise ValueError(f"x has shape {tuple(x.shape)}; expected (B, {', '.join(map(str, self.data_shape))})")
        labels = class_labels(y, len(x), self.n_classes, x.device)
        features = self.features(2 * x - 1)  # (B, n_features)
        logits = self.logit(features).squeeze(1)  # (B,)
        if labels is not None and self.of_class is not None:
            logits = logits + (self.of_class(labels) * features).sum(1)
        return logits


def doublings_of(data_shape: tuple[int, ...], width: int) -> tuple[int, int]:
    """The side of the smallest picture, and how often it is doubled up to ``data_shape``: of 28, 7 and twice.

    Raises ``ValueError`` for what is no square image of one of ``SIZES``, or a width that is not positive.
    """
    if len(data_shape) != 3 or data_shape[1] != data_shape[2] or data_shape[1] not in SIZES or width < 1:
        raise ValueError(
            f"received {data_shape=} and {width=}; expected (C, S, S) with S one of {SIZES}, and a positive width. "
            "Pad or resize images of another size"
        )
    start = {8: 2, 28: 7}.get(data_shape[1], 4)
    return start, (data_shape[1] // start).bit_length() - 1


def initialize(module: nn.Module) -> None:
    """Weights from N(0, 0.02^2), as the paper says; meant for networks that normalise their batches."""
    if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, mean=1.0, std=0.02)


def normalize_spectrally(module: nn.Module) -> None:
    """Let the layer's weight have a largest singular value of 1, by one step of power iteration per training pass."""
    if isinstance(module, nn.Linear | nn.Conv2d | nn.Embedding):
        spectral_norm(module)
