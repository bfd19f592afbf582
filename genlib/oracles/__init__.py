"""Exact truths to hold models against: closed forms, brute force on tiny images, quadrature, and who sees whom."""

from genlib.oracles.brute_force import (
    enumerate_images,
    jacobian_log_determinant,
    latent_quadrature,
    total_probability,
)
from genlib.oracles.dependence import autoregressive_support, causality, raster_order, receptive_field
from genlib.oracles.divergence import LINE_SHAPES, density_on, kl_integrand, kl_quadrature, line_density
from genlib.oracles.linear_gaussian import LinearGaussianVAE

__all__ = [
    "LINE_SHAPES",
    "LinearGaussianVAE",
    "autoregressive_support",
    "causality",
    "density_on",
    "enumerate_images",
    "jacobian_log_determinant",
    "kl_integrand",
    "kl_quadrature",
    "latent_quadrature",
    "line_density",
    "raster_order",
    "receptive_field",
    "total_probability",
]
