"""The Frechet distance between two sets of features, and of images by a network that others have trained (FID)."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

FETCH = "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth"


def frechet_distance(features_a: Tensor, features_b: Tensor) -> float:
    """|mean_a - mean_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2)): the squared distance of two Gaussians.

    The Gaussians have the means of ``features_a (N, F)`` and ``features_b (M, F)`` and their covariances S, with N - 1
    and M - 1; nothing else of the features is seen. It is Wasserstein's squared distance of order 2 (Dowson and Landau,
    1982; Heusel et al., arXiv:1706.08500, equation 6), in squared units of the features. From samples it comes out too
    large, and more so from fewer (Chong and Forsyth, arXiv:1911.07023): compare numbers from equally many only.
    Raises ``ValueError`` for fewer than two examples of either, or other shapes.
    """
    if features_a.ndim != 2 or features_b.ndim != 2 or features_a.shape[1] != features_b.shape[1]:
        raise ValueError(
            f"received shapes {tuple(features_a.shape)} and {tuple(features_b.shape)}; expected (N, F) and (M, F): "
            "flatten what has more dimensions"
        )
    if min(len(features_a), len(features_b)) < 2:
        raise ValueError(f"received {len(features_a)} and {len(features_b)} examples; expected two or more of each")
    a, b = features_a.detach().cpu().double(), features_b.detach().cpu().double()
    factor_a, factor_b = _factor(a), _factor(b)
    # With S = R^T R the eigenvalues of S_a S_b are the squared singular values of R_a R_b^T. No matrix has to be
    # divided by, nor an asymmetric one to have a root, so that few examples or constant features do no harm.
    cross = torch.linalg.svdvals(factor_a @ factor_b.T).sum()
    distance = (a.mean(0) - b.mean(0)).square().sum() + factor_a.square().sum() + factor_b.square().sum() - 2 * cross
    return max(0.0, float(distance))


def _factor(x: Tensor) -> Tensor:
    """R with R^T R the covariance of ``x (N, F)``, ``(min(N, F), F)``."""
    return torch.linalg.qr((x - x.mean(0)) / (len(x) - 1) ** 0.5, mode="r").R


def fid(real: Tensor, fake: Tensor, *, weights: str | Path | None = None, batch_size: int = 64) -> float:
    """The Frechet inception distance of images ``real (N, C, H, W)`` and ``fake (M, C, H, W)``, floats in [0, 1].

    C is 1, repeated for the three colours, or 3. The 2048 features are those of the Inception network of 2015 in
    torch-fidelity, which reproduces the original's resizing and rounding to 256 levels (arXiv:1706.08500, section 4);
    its weights, 91 MB, are read from ``weights`` or fetched once. For photographs, with some 10,000 examples of
    each. Digits and sprites are not what the network has seen: there use ``frechet_distance`` on features of
    ``fit_classifier``, a number that compares with no other paper's, nor with another classifier's.
    Raises ``ImportError`` without the library, ``OSError`` without the weights, ``ValueError`` for other shapes.
    """
    for images in (real, fake):
        if images.ndim != 4 or images.shape[1] not in (1, 3) or not images.is_floating_point() or len(images) < 2:
            raise ValueError(
                f"received {images.dtype} of shape {tuple(images.shape)}; expected floats in [0, 1], (N, 1, H, W) or "
                "(N, 3, H, W), two or more"
            )
    network = _inception(weights).to(real.device)
    return frechet_distance(*(_inception_features(network, images, batch_size) for images in (real, fake)))


def _inception(weights: str | Path | None) -> Any:
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError as error:
        raise ImportError(
            "fid needs the package torch-fidelity: pip install 'torch-fidelity>=0.4'. Without it, use "
            "frechet_distance on features of your own, such as those of fit_classifier"
        ) from error
    if weights is not None and not Path(weights).is_file():
        raise FileNotFoundError(f"there is no file {weights}; expected the weights that are at {FETCH}")
    try:
        network = FeatureExtractorInceptionV3(
            "inception-v3-compat", ["2048"], feature_extractor_weights_path=None if weights is None else str(weights)
        )
    except OSError as error:  # urllib's errors are of this kind, and so is a folder that cannot be written
        raise OSError(
            f"the weights of the Inception network could not be fetched ({error}); fetch {FETCH} where there is a "
            "network and pass the file as weights="
        ) from error
    return network.eval()


@torch.no_grad()
def _inception_features(network: Any, images: Tensor, batch_size: int) -> Tensor:
    from genlib.data import to_uint8

    found = []
    for batch in images.split(batch_size):
        colours = to_uint8(batch).expand(-1, 3, -1, -1).to(next(network.parameters()).device)
        found.append(network(colours)[0].cpu())
    return torch.cat(found)
