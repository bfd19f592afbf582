"""Exact truths to hold models against: closed forms, brute force on tiny images, quadrature, and who sees whom."""

from genlib.oracles.brute_force import (
    enumerate_images,
    jacobian_log_determinant,
    latent_quadrature,
    total_probability,
)
from genlib.oracles.dependence import autoregressive_support, causality, raster_order, receptive_field
from genlib.oracles.linear_gaussian import LinearGaussianVAE

__all__ = [
    "LinearGaussianVAE",
    "autoregressive_support",
    "causality",
    "enumerate_images",
    "jacobian_log_determinant",
    "latent_quadrature",
    "raster_order",
    "receptive_field",
    "total_probability",
]
