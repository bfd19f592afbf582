"""What fitting class-conditional densities needs: checked labels, frequencies, scatter matrices, Cholesky factors."""

import torch
from torch import Tensor


def scatter(x: Tensor, mean: Tensor, weight: Tensor) -> Tensor:
    """sum_n weight[n] (x[n] - mean)(x[n] - mean)^T, ``(D, D)``, for ``x (N, D)``; rows of weight 0 cost nothing."""
    rows = weight > 0
    centred = x[rows] - mean
    return (centred * weight[rows].unsqueeze(1)).mT @ centred


def class_log_prior(x: Tensor, y: Tensor) -> Tensor:
    """log of the classes' frequencies, ``(C,)``; raises ``ValueError`` unless ``y (N,)`` names each of 0 .. C - 1."""
    check_labels(y, len(x), None)
    counts = torch.bincount(y)
    if len(counts) < 2 or not counts.all():
        empty = [label for label, count in enumerate(counts.tolist()) if not count]
        raise ValueError(
            f"received labels up to {len(counts) - 1} with no example of {empty or 'a second class'}; expected two or "
            "more classes, numbered from 0, with an example of each"
        )
    return (counts.to(x.dtype) / len(y)).log()


def check_labels(y: Tensor, n: int, n_classes: int | None) -> Tensor:
    """``y`` as int64; raises ``ValueError`` unless it is ``(n,)`` and holds integers from 0 (to ``n_classes - 1``)."""
    if y.is_floating_point() or y.dtype == torch.bool or y.shape != (n,):
        raise ValueError(f"y has dtype {y.dtype} and shape {tuple(y.shape)}; expected integers of shape ({n},)")
    if n and (y.min() < 0 or (n_classes is not None and y.max() >= n_classes)):
        top = "..." if n_classes is None else n_classes - 1
        raise ValueError(f"y holds labels from {int(y.min())} to {int(y.max())}; expected 0 to {top}")
    return y.long()


def cholesky_of_classes(covariance: Tensor) -> Tensor:
    """Cholesky factors of ``(C, K, D, D)``; raises ``ValueError`` naming a class whose covariance is singular."""
    factor, info = torch.linalg.cholesky_ex(covariance)
    if info.any():
        label = int(info.flatten(1).any(1).nonzero()[0])
        raise ValueError(
            f"the covariance of class {label} is singular: too few examples for {covariance.shape[-1]} dimensions, or "
            "entries that never change. Raise ridge, share the covariance, or use fewer dimensions."
        )
    return factor
