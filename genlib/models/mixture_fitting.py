"""What fitting a mixture of Gaussians needs: weighted moments, covariances with a floor, a start from K-means."""

import torch
import torch.nn.functional as F
from torch import Tensor

COVARIANCES = ("full", "diagonal", "spherical")


def moments(x: Tensor, q: Tensor, covariance: str) -> tuple[Tensor, Tensor, Tensor]:
    """Sums of the weights ``(K,)``, weighted means ``(K, D)`` and covariances ``(K, D, D)`` of ``x (N, D)``.

    Example n belongs to component k with weight ``q[n, k]``, ``(N, K)``; the covariance is restricted to its diagonal
    or to a multiple of the identity as ``covariance`` says. A component without any weight has a mean of zeros.
    """
    totals = q.sum(0)  # (K,)
    share = (q / totals.clamp_min(torch.finfo(q.dtype).tiny)).mT  # (K, N)
    mean = share @ x  # (K, D)
    if covariance == "full":
        return totals, mean, torch.stack([_scatter(x, m, s) for m, s in zip(mean, share, strict=True)])
    variance = torch.stack([s @ (x - m).square() for m, s in zip(mean, share, strict=True)])  # (K, D)
    if covariance == "spherical":
        variance = variance.mean(1, keepdim=True).expand_as(variance)
    return totals, mean, torch.diag_embed(variance)


def _scatter(x: Tensor, mean: Tensor, share: Tensor) -> Tensor:
    centred = x - mean
    return (centred * share.unsqueeze(1)).mT @ centred


def cholesky_with_floor(covariance: Tensor, floor: float) -> tuple[Tensor, Tensor]:
    """Covariances ``(K, D, D)`` with eigenvalues of at least ``floor``, and their Cholesky factors.

    Of all such matrices, the one whose small eigenvalues are raised to the floor has the highest likelihood for data
    with this covariance. Raises ``ValueError`` when a matrix is not positive definite and there is no floor.
    """
    identity = torch.eye(covariance.shape[-1], dtype=covariance.dtype, device=covariance.device)
    low = torch.linalg.cholesky_ex(covariance - floor * identity)[1] != 0  # (K,): an eigenvalue is below the floor
    if floor > 0 and bool(low.any()):
        values, vectors = torch.linalg.eigh(covariance[low])
        covariance = covariance.clone()
        covariance[low] = (vectors * values.clamp_min(floor).unsqueeze(-2)) @ vectors.mT
    factor, info = torch.linalg.cholesky_ex(covariance)
    if bool(info.any()):
        which = int((info != 0).nonzero()[0])
        raise ValueError(
            f"the covariance of component {which} is not positive definite: too few examples for "
            f"{covariance.shape[-1]} dimensions, or values that never change. Raise min_variance."
        )
    return covariance, factor


def kmeans_start(
    x: Tensor, n_components: int, covariance: str, min_variance: float, seed: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Weight, mean and covariance of the clusters that scikit-learn's K-means finds in ``x (N, D)``."""
    from sklearn.cluster import KMeans

    if not 1 <= n_components <= len(x):
        raise ValueError(f"received {n_components=} for {len(x)} examples; expected 1 to {len(x)} components")
    labels = KMeans(n_components, n_init=1, random_state=seed).fit(x.detach().cpu().numpy()).labels_
    q = F.one_hot(torch.from_numpy(labels).long(), n_components).to(x)  # (N, K)
    totals, mean, scatter = moments(x, q, covariance)
    return totals / totals.sum(), mean, cholesky_with_floor(scatter, min_variance)[0]
