"""Distributions in the plane: two moons, rings, eight Gaussians, a Swiss roll.

Each is shifted to mean zero and scaled by one factor, known in closed form, so that E|x|^2 = 2: unit variance per
coordinate on average, the shape unchanged. The draws of a split are fixed for good: NumPy's RandomState promises the
same stream in every version.
"""

import math

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

Points = tuple[NDArray[np.float64], NDArray[np.int64] | None]
SIZES = {"train": 10_000, "valid": 2_000, "test": 2_000}


def _moons(n: int, draw: RandomState) -> Points:
    """Two interleaved half circles, noise 0.1; the label is the moon."""
    y = np.arange(n) % 2
    t = draw.uniform(0, math.pi, n)
    sign = 1 - 2 * y  # the second moon is the first one turned by half a circle about (1/2, 1/4)
    x = np.stack([sign * (np.cos(t) - 0.5), sign * (np.sin(t) - 0.25)], 1) + draw.normal(0, 0.1, (n, 2))
    # E(cos t - 1/2)^2 = 3/4 and E(sin t - 1/4)^2 = 1/2 - 1/pi + 1/16
    return _scaled(x, 0.75 + 0.5625 - 1 / math.pi + 2 * 0.1**2), y


def _rings(n: int, draw: RandomState) -> Points:
    """Four circles of radius 1 to 4 about the origin, equally likely, noise 0.1; the label is the ring, inside out."""
    y = np.arange(n) % 4
    t = draw.uniform(0, 2 * math.pi, n)
    x = (y + 1)[:, None] * np.stack([np.cos(t), np.sin(t)], 1) + draw.normal(0, 0.1, (n, 2))
    return _scaled(x, (1 + 4 + 9 + 16) / 4 + 2 * 0.1**2), y


def _eight_gaussians(n: int, draw: RandomState) -> Points:
    """Eight Gaussians on the unit circle, standard deviation 0.1; the label is the Gaussian, counted from angle 0."""
    y = np.arange(n) % 8
    t = y * (math.pi / 4)
    x = np.stack([np.cos(t), np.sin(t)], 1) + draw.normal(0, 0.1, (n, 2))
    return _scaled(x, 1 + 2 * 0.1**2), y


def _swiss_roll(n: int, draw: RandomState) -> Points:
    """The spiral (t cos t, t sin t) with t uniform on [3/2 pi, 9/2 pi], noise 0.5; no labels."""
    a, b = 1.5 * math.pi, 4.5 * math.pi
    t = draw.uniform(a, b, n)
    x = np.stack([t * np.cos(t), t * np.sin(t)], 1) + draw.normal(0, 0.5, (n, 2))
    mean = np.array([2, 2 / (3 * math.pi)])  # the integrals of t cos t and t sin t over [a, b], divided by b - a
    square = (b**3 - a**3) / (3 * (b - a)) - float(mean @ mean) + 2 * 0.5**2
    return _scaled(x - mean, square), None


def _scaled(x: NDArray[np.float64], mean_square: float) -> NDArray[np.float64]:
    return x * math.sqrt(2 / mean_square)


TOYS = {"moons": _moons, "rings": _rings, "eight_gaussians": _eight_gaussians, "swiss_roll": _swiss_roll}


def draw_toy(name: str, split: str) -> Points:
    """Points ``(N, 2)`` and labels ``(N,)`` or None of one split, in random order; every split has draws of its own."""
    seed = 10 * sorted(TOYS).index(name) + sorted(SIZES).index(split)
    draw = RandomState(seed)
    x, y = TOYS[name](SIZES[split], draw)
    order = draw.permutation(len(x))
    return x[order], None if y is None else y[order]
