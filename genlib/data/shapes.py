"""Sprites with known factors, as in dSprites (Matthey et al., 2017) but with soft edges, drawn from formulas.

All four shapes have the same area at the same scale and their centroid at (x, y): no factor gives away another.
Different factors give different images: a square repeats after a turn by 90 degrees, a triangle after 120, an ellipse
after 180, and the data turn by at most 30 to either side.
"""

import math

import numpy as np
import torch
from numpy.random import RandomState
from torch import Tensor

from genlib.data.drawing import Point, check_factors, coverage, disc, ellipse, frame, in_chunks, segment

SHAPES = ("square", "ellipse", "heart", "triangle")  # the first three stand in the order of dSprites
SHAPE_FACTORS = ("shape", "scale", "orientation", "x", "y")
SHAPE_SIZES = {"train": 10_000, "valid": 2_000, "test": 2_000}
SHAPE_RANGES = {
    "shape": (0.0, len(SHAPES) - 1.0),
    "scale": (0.5, 1.0),
    "orientation": (-math.pi / 6, math.pi / 6),
    "x": (0.0, 1.0),
    "y": (0.0, 1.0),
}
SIDE = 0.3  # of the square at scale 1, as a fraction of the image; the other shapes have its area
MARGIN = 0.295  # from the image's edge to the nearest centre: no sprite is ever cut, not even at 16 pixels


def render_shapes(factors: Tensor, size: int = 28) -> Tensor:
    """Draw sprites: white on black, values in [0, 1], ``(N, 1, size, size)`` of the type and device of ``factors``.

    Columns of ``factors (N, 5)``: shape, an index into ``SHAPES``; scale in [0.5, 1], a length; orientation in radians,
    counter-clockwise, any; x from 0 (leftmost) to 1 and y from 0 (topmost) to 1, as in dSprites. Sprites lie within
    the image, whatever the factors. Raises ``ValueError`` for values out of these ranges, another shape, or a
    size below 16.
    """
    ranges = {name: bounds for name, bounds in SHAPE_RANGES.items() if name != "orientation"}
    factors = check_factors(factors, SHAPE_FACTORS, size, ranges)
    if not factors[:, 2].isfinite().all() or (factors[:, 0] != factors[:, 0].round()).any():
        raise ValueError(f"expected whole numbers as shapes (0 to {len(SHAPES) - 1}) and finite orientations")
    return in_chunks(_draw, factors, size)


def draw_shape_factors(split: str) -> np.ndarray:
    """The factors ``(N, 5)`` of one split: independent and uniform, as many of each shape, fixed draws."""
    n, draw = SHAPE_SIZES[split], RandomState(100 + sorted(SHAPE_SIZES).index(split))
    columns = [draw.permutation(np.arange(n) % len(SHAPES)).astype(float)]
    columns += [draw.uniform(*SHAPE_RANGES[name], n) for name in SHAPE_FACTORS[1:]]
    return np.stack(columns, 1)


def _draw(factors: Tensor, size: int) -> Tensor:
    shape, scale, orientation, x, y = factors.unbind(1)
    centre = MARGIN + (1 - 2 * MARGIN) * x, MARGIN + (1 - 2 * MARGIN) * y
    unit = SIDE * scale
    images = factors.new_zeros(len(factors), size, size)
    for index, distance in enumerate((_square, _ellipse, _heart, _triangle)):
        chosen = (shape == index).nonzero()[:, 0]
        p = frame(size, (centre[0][chosen], centre[1][chosen]), orientation[chosen], unit[chosen])
        images[chosen] = coverage(distance(p) * unit[chosen, None, None], size)
    return images


# Each of these has area 1 and its centroid at the origin.


def _square(p: Point) -> Tensor:
    x, y = p[0].abs() - 0.5, p[1].abs() - 0.5
    return torch.hypot(x.clamp_min(0), y.clamp_min(0)) + torch.maximum(x, y).clamp_max(0)


def _ellipse(p: Point) -> Tensor:
    b = 1 / math.sqrt(1.8 * math.pi)  # lying, 1.8 times as wide as high: pi a b = 1
    return ellipse(p, 1.8 * b, b)


def _triangle(p: Point) -> Tensor:
    x, y, inradius = p[0].abs(), p[1], 3**-0.75  # equilateral, standing on a side
    right, top = (math.sqrt(3) * inradius, inradius), (0.0, -2 * inradius)
    inside = torch.maximum(y, math.sqrt(0.75) * x - 0.5 * y) - inradius
    outside = torch.minimum(segment((x, y), (0.0, inradius), right, 0.0), segment((x, y), top, right, 0.0))
    return torch.where(inside < 0, inside, outside)


def _heart(p: Point) -> Tensor:
    """Two overlapping unit discs around (+-SPREAD, 0), and what lies between them and their tangents through a tip."""
    x, y = p[0].abs() * HEART_UNIT, p[1] * HEART_UNIT + HEART_CENTROID
    cosine, sine = math.cos(TANGENT), math.sin(TANGENT)
    tangent = cosine * (x - SPREAD) + sine * y - 1
    radius = cosine * y - sine * (x - SPREAD)  # crosses the line from the disc's centre to the point of contact
    wedge = torch.maximum(tangent, torch.maximum(-radius, -math.sin(NOTCH) - y))
    return torch.minimum(disc((x, y), (SPREAD, 0.0), 1.0), wedge) / HEART_UNIT


SPREAD, TIP = 0.85, 2.2  # the tip lies below the discs' centres, at (0, TIP)
TANGENT = math.atan2(TIP, -SPREAD) - math.acos(1 / math.hypot(SPREAD, TIP))  # direction of the point of contact
NOTCH = math.acos(SPREAD)  # the discs meet in the notch, at (0, -sin NOTCH)


def _heart_moments() -> tuple[float, float]:
    """Area and y of the centroid, by Green's theorem along tip, contact, right arc, notch, and by symmetry."""
    first, last = TANGENT, -(math.pi - NOTCH)  # angles where the arc begins and ends
    x, y = SPREAD + math.cos(first), math.sin(first)
    area = 0.5 * TIP * x + 0.5 * (first - last - SPREAD * (math.sin(last) - math.sin(first)))
    cubes = [math.cos(a) - math.cos(a) ** 3 / 3 for a in (first, last)]
    moment = x * (TIP**2 + TIP * y + y**2) / 6 + 0.5 * (cubes[1] - cubes[0])
    return 2 * area, moment / area


HEART_UNIT, HEART_CENTROID = math.sqrt(_heart_moments()[0]), _heart_moments()[1]
