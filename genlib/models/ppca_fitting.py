"""Two ways to fit probabilistic PCA: the closed form, and the M step of expectation maximisation."""

import torch
from torch import Tensor


def closed_form(x: Tensor, latent_dim: int) -> tuple[Tensor, Tensor, Tensor]:
    """Weight ``(D, L)``, mean ``(D,)`` and variance ``()`` of highest likelihood for ``x (N, D)``.

    Tipping and Bishop (1999), equations 7 and 8. Raises ``ValueError`` when ``latent_dim`` does not fit, or x lies in
    that many dimensions, where the likelihood has no maximum.
    """
    N, D = x.shape
    if not 1 <= latent_dim < D:
        raise ValueError(f"received {latent_dim=} for {D} dimensions; expected 1 to {D - 1}")
    mean = x.mean(0)
    centred = x - mean
    matrix = _square(centred if N < D else centred.mT) / N  # the same eigenvalues, but for zeros
    total = matrix.trace()
    values, axes = _greatest(matrix, min(latent_dim, N))  # (L,), (D or N, L)
    if N < D:
        axes = centred.mT @ axes
        axes = axes / axes.norm(dim=0).clamp_min(torch.finfo(x.dtype).tiny)
    variance = (total - values.sum()) / (D - latent_dim)
    if not float(variance) > 10 * torch.finfo(x.dtype).eps * float(total) / D:
        raise ValueError(
            f"nothing of the data is left outside {latent_dim} dimensions, so the noise has no variance; "
            "choose fewer dimensions, or add noise"
        )
    return axes * (values - variance).clamp_min(0).sqrt(), mean, variance


def _square(a: Tensor) -> Tensor:
    """a a^T: numpy sees that it is symmetric and computes half of it, torch computes all of it."""
    if a.device.type != "cpu":
        return a @ a.mT
    array = a.detach().numpy()
    return torch.from_numpy(array @ array.T)


def _greatest(matrix: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k greatest eigenvalues of a symmetric ``matrix (M, M)``, in falling order, and their vectors ``(M, k)``.

    LAPACK finds them without the others in a third of the time, but torch cannot ask it to.
    """
    if matrix.device.type != "cpu":
        values, vectors = torch.linalg.eigh(matrix)
        return values.flip(0)[:k], vectors.flip(1)[:, :k]
    from scipy.linalg import eigh

    values, vectors = eigh(matrix.numpy(), subset_by_index=(len(matrix) - k, len(matrix) - 1))
    return torch.from_numpy(values).flip(0), torch.from_numpy(vectors).flip(1)


def maximise(x: Tensor, seen: Tensor | None, z: Tensor, covariance: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The M step: weight, mean and variance, given the posterior of z for the entries of ``x (N, D)`` that were seen.

    ``z (N, L)`` and ``covariance (N or 1, L, L)`` are the posterior's; ``seen (N, D)`` is left out when everything was.
    Every entry d is regressed on (z, 1) over the examples in which it was seen: the exact maximum of the expected
    complete log-likelihood.
    """
    extended = torch.cat([z, z.new_ones(len(z), 1)], 1)  # (N, L + 1)
    if seen is None:
        gram = extended.mT @ extended  # (L + 1, L + 1)
        gram[:-1, :-1] += covariance.expand(len(z), -1, -1).sum(0)
        weights = torch.ones_like(x)
    else:
        second = extended.unsqueeze(2) * extended.unsqueeze(1)  # (N, L + 1, L + 1)
        second[:, :-1, :-1] += covariance
        weights = seen.to(x.dtype)
        gram = (weights.mT @ second.flatten(1)).reshape(-1, *second.shape[1:])  # (D, L + 1, L + 1)
    cross = (weights * x).mT @ extended  # (D, L + 1)
    solution = torch.linalg.solve(gram, cross.unsqueeze(2)).squeeze(2)  # (D, L + 1)
    # sum over what was seen of E(x - w^T (z, 1))^2; at the solution two of its three terms are equal
    error = (weights * x.square()).sum() - (solution * cross).sum()
    return solution[:, :-1], solution[:, -1], error / weights.sum()
