"""A drawn face with two known factors: how much it smiles, and how far the head is tilted."""

import math

import numpy as np
import torch
from numpy.random import RandomState
from torch import Tensor

from genlib.data.drawing import Point, check_factors, disc, ellipse, frame, in_chunks, paint, segment

FACE_FACTORS = ("smile", "tilt")
FACE_SIZES = {"train": 10_000, "valid": 2_000, "test": 2_000}
FACE_RANGES = {"smile": (-1.0, 1.0), "tilt": (-math.pi / 6, math.pi / 6)}

SKIN, HAIR, DARK, NOSE = 0.85, 0.35, 0.05, 0.6  # grey values; the background is black
MOUTH_WIDTH, MOUTH_BEND, N_STROKES = 0.16, 0.1, 4


def render_faces(factors: Tensor, size: int = 28) -> Tensor:
    """Draw faces in grey on black, values in [0, 1], ``(N, 1, size, size)`` of the type and device of ``factors``.

    Columns of ``factors (N, 2)``: smile from -1 (frown) to 1 (smile); tilt of the head in radians, counter-clockwise,
    any, the data having 30 degrees to either side. Different smiles, and tilts within a full turn, give different
    faces. Raises ``ValueError`` for values out of range, another shape, or a size below 16.
    """
    factors = check_factors(factors, FACE_FACTORS, size, {"smile": FACE_RANGES["smile"]})
    if not factors.isfinite().all():
        raise ValueError("factors hold values that are not finite; expected tilts in radians")
    return in_chunks(_draw, factors, size)


def draw_face_factors(split: str) -> np.ndarray:
    """The factors ``(N, 2)`` of one split: independent and uniform, fixed draws."""
    draw = RandomState(200 + sorted(FACE_SIZES).index(split))
    return np.stack([draw.uniform(*FACE_RANGES[name], FACE_SIZES[split]) for name in FACE_FACTORS], 1)


def _draw(factors: Tensor, size: int) -> Tensor:
    smile, tilt = factors.unbind(1)
    p = frame(size, None, tilt)
    half = p[0].abs(), p[1]  # the face is the same on both sides
    canvas = torch.zeros_like(p[0])  # (N, size, size)
    paint(canvas, disc(half, (0.36, 0.03), 0.075), 0.7)  # ears
    head = ellipse(p, 0.36, 0.43)
    paint(canvas, head, SKIN)
    fringe = p[1] + 0.2 + 0.9 * half[0] ** 2 - 0.12 * p[0]  # parted on one side
    paint(canvas, torch.maximum(head, fringe), HAIR)
    paint(canvas, disc(half, (0.145, -0.04), 0.058), DARK)  # eyes
    paint(canvas, segment(p, (0.0, 0.02), (0.0, 0.08), 0.02), NOSE)
    paint(canvas, _mouth(half, smile[:, None, None]), DARK)
    return canvas


def _mouth(half: Point, smile: Tensor) -> Tensor:
    """Distance to a parabola, in strokes from its middle to its corner; its mean height does not depend on the bend."""
    corners = [i / N_STROKES for i in range(N_STROKES + 1)]
    points = [(torch.full_like(smile, MOUTH_WIDTH * u), 0.21 + MOUTH_BEND * smile * (1 / 3 - u**2)) for u in corners]
    strokes = [segment(half, points[i], points[i + 1], 0.026) for i in range(N_STROKES)]
    return torch.stack(strokes).amin(0)
