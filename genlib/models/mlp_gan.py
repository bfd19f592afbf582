"""A generator and a discriminator with a few fully connected layers, for points in the plane and other vectors."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genlib.models.dcgan import normalize_spectrally
from genlib.models.implicit import ImplicitModel
from genlib.models.labels import class_labels
from genlib.models.observation import checked_shape


class MLPGenerator(ImplicitModel):
    """z, and a label if there are classes, to an example of any range: ``n_hidden`` layers of ``hidden_dim`` ReLUs.

    With ``n_classes`` the label stands beside z as a unit vector. Raises ``ValueError`` for sizes that are not
    positive.
    """

    def __init__(
        self,
        data_shape: int | tuple[int, ...],
        latent_dim: int = 2,
        hidden_dim: int = 128,
        n_hidden: int = 2,
        n_classes: int | None = None,
    ) -> None:
        super().__init__(data_shape, latent_dim, n_classes)
        checked_shape(data_shape, hidden_dim=hidden_dim, n_hidden=n_hidden)
        given = latent_dim + (n_classes or 0)
        self.network = layers(given, math.prod(self.data_shape), hidden_dim, n_hidden, nn.ReLU())

    def forward(self, z: Tensor, y: Tensor | int | None = None) -> Tensor:
        """The examples ``(B, *data_shape)`` of ``z (B, latent_dim)`` and labels y, int64 ``(B,)`` or a number."""
        z, labels = self.checked_latents(z, y)
        return self.network(beside(z, labels, self.n_classes)).reshape(len(z), *self.data_shape)


class MLPDiscriminator(nn.Module):
    """An example, and a label if there are classes, to one logit: ``n_hidden`` layers of ``hidden_dim`` leaky ReLUs.

    ``norm="spectral"`` divides every weight by its largest singular value (Miyato et al., arXiv:1802.05957), ``"none"``
    leaves it. Raises ``ValueError`` for an unknown norm and sizes that are not positive.
    """

    def __init__(
        self,
        data_shape: int | tuple[int, ...],
        hidden_dim: int = 128,
        n_hidden: int = 2,
        n_classes: int | None = None,
        *,
        norm: str = "none",
    ) -> None:
        super().__init__()
        if norm not in ("none", "spectral"):
            raise ValueError(f"{norm=} is unknown; expected 'none' or 'spectral'")
        self.data_shape = checked_shape(
            data_shape, hidden_dim=hidden_dim, n_hidden=n_hidden, n_classes=1 if n_classes is None else n_classes
        )
        self.n_classes = n_classes
        given = math.prod(self.data_shape) + (n_classes or 0)
        self.network = layers(given, 1, hidden_dim, n_hidden, nn.LeakyReLU(0.2))
        if norm == "spectral":
            self.apply(normalize_spectrally)

    def forward(self, x: Tensor, y: Tensor | int | None = None) -> Tensor:
        """Logits ``(B,)`` of ``x (B, *data_shape)`` and labels y, int64 ``(B,)`` or one number for all."""
        if x.shape[1:] != self.data_shape:
            raise ValueError(f"x has shape {tuple(x.shape)}; expected (B, {', '.join(map(str, self.data_shape))})")
        labels = class_labels(y, len(x), self.n_classes, x.device)
        return self.network(beside(x.flatten(1), labels, self.n_classes)).squeeze(1)


def layers(n_in: int, n_out: int, hidden_dim: int, n_hidden: int, activation: nn.Module) -> nn.Sequential:
    """Fully connected layers from ``(B, n_in)`` to ``(B, n_out)`` with ``n_hidden`` layers in between."""
    listed: list[nn.Module] = []
    for width in [n_in, *[hidden_dim] * (n_hidden - 1)]:
        listed += [nn.Linear(width, hidden_dim), activation]
    return nn.Sequential(*listed, nn.Linear(hidden_dim, n_out))


def beside(x: Tensor, labels: Tensor | None, n_classes: int | None) -> Tensor:
    """x ``(B, D)`` with the labels beside it as unit vectors, ``(B, D + n_classes)``; x alone without labels."""
    if labels is None or n_classes is None:
        return x
    return torch.cat([x, F.one_hot(labels, n_classes).to(x.dtype)], 1)
