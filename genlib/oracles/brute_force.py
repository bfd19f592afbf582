"""Truths by brute force: sums over tiny images and grids of latents, and determinants of whole Jacobians."""

import itertools
import math
from collections.abc import Callable

import torch
from torch import Tensor

from genlib.models.modes import evaluating
from genlib.models.vae import VAE


@torch.no_grad()
def latent_quadrature(model: VAE, x: Tensor, *, n_points: int = 201, limit: float = 6.0) -> Tensor:
    """log p(x) of a VAE with one or two latents, ``(B,)`` in nats, by a sum over a grid on [-limit, limit]^latent_dim.

    ``n_points`` per axis must resolve the posterior: double it and see that the result stays.
    Raises ``ValueError`` for more than two latents, where a grid is hopeless, or fewer than two points.
    """
    if model.latent_dim > 2:
        raise ValueError(f"received a model with {model.latent_dim} latents; a grid is exact for at most 2")
    if n_points < 2 or not limit > 0:
        raise ValueError(f"received {n_points=} and {limit=}; expected at least 2 points and a positive limit")
    like = next(model.parameters())
    axis = torch.linspace(-limit, limit, n_points, dtype=like.dtype, device=like.device)
    z = torch.cartesian_prod(*[axis] * model.latent_dim).reshape(-1, model.latent_dim)  # (P, latent_dim)
    log_prior = -0.5 * (z.square() + math.log(2 * math.pi)).sum(-1)  # (P,)
    log_cell = model.latent_dim * torch.log(axis[1] - axis[0])
    rows = max(1, 20_000_000 // (len(z) * math.prod(model.data_shape)))
    with evaluating(model):
        parameters = model.decode(z).unsqueeze(1)  # (P, 1, *data_shape)
        scores = [
            model.score(part, parameters.expand(-1, len(part), *model.data_shape)) + log_prior.unsqueeze(1)  # (P, rows)
            for part in x.split(rows)
        ]
    return torch.cat([torch.logsumexp(score, 0) for score in scores]) + log_cell


def enumerate_images(shape: tuple[int, ...], levels: int = 2) -> Tensor:
    """Every image of ``shape`` with values in ``0 .. levels - 1``: ``(levels ** prod(shape), *shape)``, int64.

    Raises ``ValueError`` when there are more than 2^20 of them.
    """
    n_dims = math.prod(shape)
    if n_dims * math.log2(levels) > 20:
        raise ValueError(f"shape {shape} with {levels} levels has {levels}^{n_dims} images; expected at most 2^20")
    values = torch.tensor(list(itertools.product(range(levels), repeat=n_dims)))
    return values.reshape(-1, *shape)


@torch.no_grad()
def total_probability(
    log_prob: Callable[[Tensor], Tensor], shape: tuple[int, ...], *, levels: int = 2, batch_size: int = 4096
) -> Tensor:
    """The sum of exp(log_prob(x)) over every image x of ``shape``, a scalar: 1 when the model is normalised.

    ``log_prob`` takes float images ``(B, *shape)`` with values in ``0 .. levels - 1`` and returns ``(B,)`` in nats.
    Raises ``ValueError`` when there are more than 2^20 images or ``log_prob`` returns another shape.
    """
    parts = []
    for images in enumerate_images(shape, levels).split(batch_size):
        values = log_prob(images.float())
        if values.shape != images.shape[:1]:
            raise ValueError(f"log_prob returned shape {tuple(values.shape)}; expected {tuple(images.shape[:1])}")
        parts.append(values.double())
    return torch.logsumexp(torch.cat(parts), 0).exp()


def jacobian_log_determinant(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """log |det d function / d x| by autograd, ``(B,)``, for a function of one example applied to ``x (B, *event)``.

    ``function`` maps ``(1, *event)`` to a tensor with as many values. Raises ``ValueError`` when it does not.
    """
    n = x[0].numel()
    results = []
    for row in x:
        jacobian = torch.autograd.functional.jacobian(function, row.unsqueeze(0))
        if jacobian.numel() != n * n:
            raise ValueError(
                f"the function maps {n} values to {jacobian.numel() // n}; expected as many as it was given"
            )
        results.append(torch.linalg.slogdet(jacobian.reshape(n, n)).logabsdet)
    return torch.stack(results)
