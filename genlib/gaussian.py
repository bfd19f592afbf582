"""Gaussian densities, divergences and reparameterised samples.

Diagonal Gaussians are given by ``mean`` and ``logvar`` (the log of the variance, not of the standard deviation);
full ones by ``mean`` and ``covariance``. The event is always the last dimension; leading dimensions broadcast.
All results are in nats.
"""

import math

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

LOG_2PI = math.log(2 * math.pi)


def gaussian_log_prob(x: Tensor, mean: Tensor, logvar: Tensor) -> Tensor:
    """Log-density of a diagonal Gaussian, log N(x; mean, diag(exp(logvar))).

    ``x``, ``mean`` and ``logvar`` are ``(..., D)`` and broadcast; the result is ``(...)``, in nats, summed over D.
    Raises ``ValueError`` when the shapes do not broadcast.
    """
    x, mean, logvar = _broadcast(x=x, mean=mean, logvar=logvar)
    return -0.5 * (LOG_2PI + logvar + (x - mean).square() * torch.exp(-logvar)).sum(-1)


def gaussian_log_prob_full(x: Tensor, mean: Tensor, covariance: Tensor) -> Tensor:
    """Log-density of a Gaussian with a full covariance, log N(x; mean, covariance).

    ``x`` and ``mean`` are ``(..., D)``, ``covariance`` is ``(..., D, D)``; the result is ``(...)``, in nats.
    Raises ``ValueError`` when the shapes do not fit or the covariance is not positive definite.
    """
    x, mean = _broadcast(x=x, mean=mean)
    factor = _cholesky(covariance, dim=x.shape[-1])
    return -0.5 * (x.shape[-1] * LOG_2PI + _log_determinant(factor) + _mahalanobis(x - mean, factor))


def gaussian_kl(mean: Tensor, logvar: Tensor, mean_p: Tensor | None = None, logvar_p: Tensor | None = None) -> Tensor:
    """KL divergence between diagonal Gaussians, KL(N(mean, exp(logvar)) || N(mean_p, exp(logvar_p))).

    Every argument is ``(..., D)`` and broadcasts; what is left out of the second Gaussian is that of N(0, I). The
    result is ``(...)``, in nats, summed over D: 1/2 sum(mu^2 + sigma^2 - 1 - log sigma^2) for the standard normal
    (Kingma and Welling, arXiv:1312.6114, appendix B, which prints the negative of it).
    Raises ``ValueError`` when the shapes do not broadcast.
    """
    mean, logvar = _broadcast(mean=mean, logvar=logvar)
    if mean_p is None and logvar_p is None:
        return 0.5 * (mean.square() + logvar.exp() - 1 - logvar).sum(-1)
    mean_p = torch.zeros_like(mean) if mean_p is None else mean_p
    logvar_p = torch.zeros_like(logvar) if logvar_p is None else logvar_p
    mean, logvar, mean_p, logvar_p = _broadcast(mean=mean, logvar=logvar, mean_p=mean_p, logvar_p=logvar_p)
    scaled = ((mean - mean_p).square() + logvar.exp()) * torch.exp(-logvar_p)
    return 0.5 * (scaled - 1 + logvar_p - logvar).sum(-1)


def gaussian_kl_full(
    mean: Tensor, covariance: Tensor, mean_p: Tensor | None = None, covariance_p: Tensor | None = None
) -> Tensor:
    """KL divergence between Gaussians with full covariances, KL(N(mean, covariance) || N(mean_p, covariance_p)).

    Means are ``(..., D)``, covariances ``(..., D, D)``; what is left out of the second Gaussian is that of N(0, I).
    The result is ``(...)``, in nats: 1/2 (tr(S_p^-1 S) + (m_p - m)^T S_p^-1 (m_p - m) - D + log det S_p / det S).
    Raises ``ValueError`` when the shapes do not fit or a covariance is not positive definite.
    """
    dim = mean.shape[-1]
    if mean_p is None:
        mean_p = torch.zeros_like(mean)
    if covariance_p is None:
        covariance_p = torch.eye(dim, dtype=covariance.dtype, device=covariance.device)
    mean, mean_p = _broadcast(mean=mean, mean_p=mean_p)
    factor, factor_p = _cholesky(covariance, dim=dim), _cholesky(covariance_p, dim=dim)
    whitened = torch.linalg.solve_triangular(*_batched(factor_p, factor), upper=False)  # L_p^-1 L, (..., D, D)
    trace = whitened.square().sum((-2, -1))  # tr(S_p^-1 S)
    log_ratio = _log_determinant(factor_p) - _log_determinant(factor)
    return 0.5 * (trace + _mahalanobis(mean_p - mean, factor_p) - dim + log_ratio)


def gaussian_entropy(logvar: Tensor) -> Tensor:
    """Differential entropy of a diagonal Gaussian with ``logvar (..., D)``: ``(...)``, in nats; it may be negative."""
    return 0.5 * (LOG_2PI + 1 + logvar).sum(-1)


def gaussian_entropy_full(covariance: Tensor) -> Tensor:
    """Differential entropy of a Gaussian with ``covariance (..., D, D)``: ``(...)``, in nats; it may be negative.

    Raises ``ValueError`` when the covariance is not square, symmetric and positive definite.
    """
    factor = _cholesky(covariance)
    return 0.5 * (covariance.shape[-1] * (LOG_2PI + 1) + _log_determinant(factor))


def reparameterize(
    mean: Tensor, logvar: Tensor, *, n_samples: int | None = None, generator: torch.Generator | None = None
) -> Tensor:
    """Sample z = mean + exp(logvar / 2) * eps with eps ~ N(0, I), differentiable in ``mean`` and ``logvar``.

    ``mean`` and ``logvar`` are ``(..., D)``; the result is ``(..., D)``, or ``(n_samples, ..., D)`` when
    ``n_samples`` is given (Kingma and Welling, arXiv:1312.6114, section 2.4).
    Raises ``ValueError`` when the shapes do not broadcast or ``n_samples`` is below 1.
    """
    mean, logvar = _broadcast(mean=mean, logvar=logvar)
    return mean + torch.exp(0.5 * logvar) * _noise(mean, n_samples, generator)


def reparameterize_full(
    mean: Tensor,
    covariance: Tensor,
    *,
    factor: str = "cholesky",
    n_samples: int | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Sample z = mean + A eps with A A^T = covariance and eps ~ N(0, I), differentiable in both arguments.

    ``mean`` is ``(..., D)``, ``covariance (..., D, D)``; ``factor`` says which A: ``"cholesky"`` or ``"eigen"``,
    that is Q D^(1/2). The result is ``(..., D)``, or ``(n_samples, ..., D)`` when ``n_samples`` is given.
    Raises ``ValueError`` when the shapes do not fit, the covariance is not positive definite, or the factor is unknown.
    """
    _check_square(covariance, dim=mean.shape[-1])
    a = covariance_factor(covariance, factor)  # (..., D, D)
    mean = mean.expand(torch.broadcast_shapes(mean.shape, a.shape[:-1]))
    eps = _noise(mean, n_samples, generator)
    return mean + (a @ eps.unsqueeze(-1)).squeeze(-1)


def covariance_factor(covariance: Tensor, factor: str = "cholesky") -> Tensor:
    """A matrix A ``(..., D, D)`` with A A^T = ``covariance``: its Cholesky factor, or Q D^(1/2) (``"eigen"``).

    The gradient through ``"eigen"`` is right for every function of A A^T, and for expectations over rotation-invariant
    noise such as E f(A eps); it is not the derivative of Q itself, which does not exist where eigenvalues repeat.
    Raises ``ValueError`` when the covariance is not positive definite, or the factor is unknown.
    """
    if factor == "cholesky":
        return _cholesky(covariance)
    if factor == "eigen":
        _check_covariance(covariance)
        return _EigenFactor.apply(covariance)
    raise ValueError(f"factor={factor!r} is unknown; expected 'cholesky' or 'eigen'")


class _EigenFactor(torch.autograd.Function):
    """A = Q D^(1/2), with the derivative of the symmetric square root carried along by the rotation Q.

    A = P Q with P = Q D^(1/2) Q^T. Rotated noise Q eps is distributed as eps, so how Q turns with the covariance
    changes no expectation, and Q may be held fixed: dA = dP Q, where dP P + P dP = dSigma has a solution whenever
    Sigma is positive definite. In the basis of Q that equation is (dP)_ij = (dSigma)_ij / (d_i + d_j), d = D^(1/2).
    """

    @staticmethod
    def forward(ctx, covariance: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        eigenvalues, vectors = torch.linalg.eigh(covariance)
        smallest = eigenvalues[..., 0].min().item() if eigenvalues.numel() else math.inf
        if not smallest > 0:
            raise ValueError(_not_positive_definite(f"its smallest eigenvalue is {smallest:.3g}"))
        roots = eigenvalues.sqrt()
        ctx.save_for_backward(vectors, roots)
        return vectors * roots.unsqueeze(-2)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_factor: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        vectors, roots = ctx.saved_tensors
        inner = vectors.mT @ grad_factor / (roots.unsqueeze(-1) + roots.unsqueeze(-2))
        return vectors @ (0.5 * (inner + inner.mT)) @ vectors.mT


def _noise(like: Tensor, n_samples: int | None, generator: torch.Generator | None) -> Tensor:
    if n_samples is not None and n_samples < 1:
        raise ValueError(f"n_samples={n_samples}; expected at least 1, or None for one sample without that dimension")
    shape = like.shape if n_samples is None else (n_samples, *like.shape)
    return torch.randn(shape, generator=generator, dtype=like.dtype, device=like.device)


def _broadcast(**tensors: Tensor) -> tuple[Tensor, ...]:
    for name, tensor in tensors.items():
        if tensor.ndim == 0:
            raise ValueError(
                f"{name} is a single number; expected a tensor whose last dimension is the event, (..., D)"
            )
    try:
        return torch.broadcast_tensors(*tensors.values())
    except RuntimeError:
        shapes = ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in tensors.items())
        raise ValueError(f"shapes do not fit together: received {shapes}; expected (..., D) with the same D") from None


def _batched(left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    batch = torch.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    return left.expand(*batch, *left.shape[-2:]), right.expand(*batch, *right.shape[-2:])


def _check_square(covariance: Tensor, dim: int | None = None) -> None:
    shape = tuple(covariance.shape)
    if len(shape) < 2 or shape[-1] != shape[-2] or dim not in (None, shape[-1]):
        d = "D" if dim is None else dim
        raise ValueError(f"covariance has shape {shape}; expected (..., {d}, {d}), one square matrix per mean")


def _check_covariance(covariance: Tensor, dim: int | None = None) -> None:
    _check_square(covariance, dim)
    scale = covariance.detach().abs().amax() if covariance.numel() else 1.0
    if not torch.allclose(covariance, covariance.mT, rtol=0, atol=float(1e-4 * scale)):
        raise ValueError(_not_positive_definite("it is not symmetric; use (covariance + covariance.mT) / 2"))


def _cholesky(covariance: Tensor, dim: int | None = None) -> Tensor:
    _check_covariance(covariance, dim)
    factor, info = torch.linalg.cholesky_ex(covariance)
    if info.any():
        raise ValueError(_not_positive_definite(f"its factorisation breaks down at row {int(info.max())}"))
    return factor


def _not_positive_definite(why: str) -> str:
    return (
        f"covariance is not positive definite: {why}. Expected a symmetric matrix with positive eigenvalues; "
        "adding a small multiple of the identity, or float64, helps when it is nearly singular."
    )


def _log_determinant(factor: Tensor) -> Tensor:
    return 2 * torch.diagonal(factor, dim1=-2, dim2=-1).log().sum(-1)


def _mahalanobis(difference: Tensor, factor: Tensor) -> Tensor:
    if factor.ndim == 2:  # one factor for all rows: expanded, it would be solved, and stored, for each of them
        columns = difference.reshape(-1, difference.shape[-1]).mT
        whitened = torch.linalg.solve_triangular(factor, columns, upper=False)
        return whitened.square().sum(0).reshape(difference.shape[:-1])
    matrix, column = _batched(factor, difference.unsqueeze(-1))
    return torch.linalg.solve_triangular(matrix, column, upper=False).square().sum((-2, -1))
