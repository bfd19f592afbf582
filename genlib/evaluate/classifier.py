"""A small classifier of images, trained in place: its features for distances, its answers for what samples show."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genlib.device import derive_seed, preserved_rng
from genlib.models.conv_networks import conv_encoder
from genlib.models.modes import evaluating
from genlib.train import fit


class SmallClassifier(nn.Module):
    """A convolutional network from images ``(B, C, H, W)`` to logits ``(B, n_classes)``; ``features`` come before.

    Strided convolutions from ``width`` channels on, then ``n_features`` ReLUs, then one linear layer.
    """

    def __init__(self, data_shape: tuple[int, ...], n_classes: int, n_features: int = 64, width: int = 16) -> None:
        super().__init__()
        self.body = nn.Sequential(conv_encoder(data_shape, n_features, width), nn.ReLU())
        self.head = nn.Linear(n_features, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(B, n_classes)``."""
        return self.head(self.body(x))

    @torch.no_grad()
    def features(self, x: Tensor, *, batch_size: int = 512) -> Tensor:
        """What the last linear layer sees of ``x (N, C, H, W)``, ``(N, n_features)``, for ``frechet_distance``."""
        with evaluating(self):
            return torch.cat([self.body(batch) for batch in x.split(batch_size)])

    @torch.no_grad()
    def probabilities(self, x: Tensor, *, batch_size: int = 512) -> Tensor:
        """p(y|x) as the network sees it, ``(N, n_classes)``."""
        with evaluating(self):
            return torch.cat([self(batch).softmax(1) for batch in x.split(batch_size)])


def fit_classifier(
    x: Tensor, y: Tensor, *, steps: int = 500, batch_size: int = 128, lr: float = 2e-3, seed: int = 0
) -> SmallClassifier:
    """A ``SmallClassifier`` of images ``x (N, C, H, W)`` with labels ``y (N,)``, by cross-entropy and Adam.

    On the device of x, and the same for the same seed. Raises ``ValueError`` for shapes that do not fit.
    """
    if x.ndim != 4 or y.shape != x.shape[:1] or y.is_floating_point():
        raise ValueError(
            f"received x {tuple(x.shape)} and {y.dtype} y {tuple(y.shape)}; expected (N, C, H, W) and int64 (N,)"
        )

    def loss(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(model(images), labels)

    with preserved_rng(x.device):
        torch.manual_seed(derive_seed(seed, 0))
        model = SmallClassifier(tuple(x.shape[1:]), int(y.max()) + 1).to(x.device)
    fit(model, (x, y), loss=loss, steps=steps, batch_size=batch_size, lr=lr, seed=seed, progress=False)
    return model.eval()


class ClassQuality(NamedTuple):
    """The share of samples given to a class with confidence, and the shares of classes of those, ``(n_classes,)``."""

    confident: float
    shares: Tensor

    @property
    def effective_classes(self) -> float:
        """How many classes there are: exp of the entropy of the shares, from 1 to their number; 0 without any."""
        return float(torch.special.entr(self.shares).sum().exp()) if self.confident else 0.0


def class_quality(classifier: SmallClassifier, x: Tensor, *, threshold: float = 0.95) -> ClassQuality:
    """How many of ``x (N, C, H, W)`` the classifier gives to one class with a probability of ``threshold`` or more.

    Compare with the same of real images it has not seen: a classifier is also sure of much that is none of its classes.
    Raises ``ValueError`` for a threshold outside [0, 1].
    """
    if not 0 <= threshold <= 1 or not len(x):
        raise ValueError(f"received {threshold=} and {len(x)} images; expected a probability and at least one image")
    highest, label = classifier.probabilities(x).cpu().max(1)
    sure = highest >= threshold
    counts = torch.bincount(label[sure], minlength=classifier.head.out_features).double()
    return ClassQuality(float(sure.double().mean()), counts / counts.sum().clamp_min(1))
