"""What shapes and faces are drawn with: signed distances in the plane, and paint with edges that are one pixel wide.

Lengths are fractions of the image's side. x points right and y down. A signed distance is negative inside.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Point = tuple[Tensor, Tensor]
CHUNK = 1 << 19  # pixels drawn at once, so that intermediate values stay in the processor's cache


def frame(size: int, centre: Point | None, angle: Tensor, scale: Tensor | float = 1.0) -> Point:
    """Every pixel's place ``(N, size, size)`` as seen from an object that is moved, scaled and turned by (N,) values.

    ``angle`` is in radians, counter-clockwise as one sees it; without ``centre`` the object stands in the middle.
    """
    middle = (torch.arange(size, dtype=angle.dtype, device=angle.device) + 0.5) / size  # centres of the pixels
    left, top = (0.5, 0.5) if centre is None else (c[:, None, None] for c in centre)
    right, down = (middle - left).expand(len(angle), 1, size), (middle[:, None] - top).expand(len(angle), size, 1)
    cosine, sine = angle.cos()[:, None, None], angle.sin()[:, None, None]
    unit = scale if isinstance(scale, float) else scale[:, None, None]
    return (cosine * right - sine * down) / unit, (cosine * down + sine * right) / unit  # turned back


def coverage(distance: Tensor, size: int) -> Tensor:
    """The part of each pixel that lies inside: 1 half a pixel within the edge, 0 half a pixel outside, 1/2 on it."""
    return (0.5 - size * distance).clamp_(0, 1)


def paint(canvas: Tensor, distance: Tensor, shade: float) -> None:
    """Cover what lies inside with a grey value in [0, 1], in place."""
    canvas.lerp_(torch.full_like(canvas, shade), coverage(distance, canvas.shape[-1]))


def disc(p: Point, centre: tuple[float, float], radius: float) -> Tensor:
    """Distance to a disc."""
    return torch.hypot(p[0] - centre[0], p[1] - centre[1]) - radius


def ellipse(p: Point, a: float, b: float) -> Tensor:
    """Distance to an ellipse with half axes a along x and b along y: exact on its edge, to first order beside it."""
    level = torch.hypot(p[0] / a, p[1] / b).clamp_min(1e-6)
    slope = torch.hypot(p[0] / a**2, p[1] / b**2).clamp_min(1e-6)
    return (level - 1) * level / slope


def segment(p: Point, start: Point | tuple[float, float], end: Point | tuple[float, float], radius: float) -> Tensor:
    """Distance to a stroke with round ends, twice ``radius`` wide, from ``start`` to ``end``."""
    along_x, along_y = end[0] - start[0], end[1] - start[1]
    x, y = p[0] - start[0], p[1] - start[1]
    share = ((x * along_x + y * along_y) / (along_x**2 + along_y**2)).clamp(0, 1)
    return torch.hypot(x - share * along_x, y - share * along_y) - radius


def in_chunks(draw: Callable[[Tensor, int], Tensor], factors: Tensor, size: int) -> Tensor:
    """``draw(factors, size)``, images ``(N, 1, size, size)``, some at a time."""
    images = factors.new_empty(len(factors), 1, size, size)
    n = max(1, CHUNK // size**2)
    for start in range(0, len(factors), n):
        images[start : start + n, 0] = draw(factors[start : start + n], size)
    return images


def check_factors(factors: Tensor, names: Sequence[str], size: int, ranges: dict[str, tuple[float, float]]) -> Tensor:
    """Factors ``(N, K)`` as floats; raises ``ValueError`` for another shape, size, or values out of range."""
    if factors.ndim != 2 or factors.shape[1] != len(names):
        raise ValueError(
            f"factors have shape {tuple(factors.shape)}; expected (N, {len(names)}), the columns {', '.join(names)}"
        )
    if not isinstance(size, int) or not 16 <= size <= 1024:
        raise ValueError(f"received {size=}; expected a side length from 16 to 1024 pixels")
    factors = factors if factors.dtype == torch.float64 else factors.float()
    for name, (low, high) in ranges.items():
        column = factors[:, list(names).index(name)]
        if not ((column >= low - 1e-6) & (column <= high + 1e-6)).all():
            raise ValueError(f"{name} goes from {column.min():.4g} to {column.max():.4g}; expected [{low:g}, {high:g}]")
    return factors
