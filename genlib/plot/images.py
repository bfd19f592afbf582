"""Images in grids and rows."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor

from genlib.plot.picture import Picture, array, figure, style


def show_images(
    images: Tensor,
    *,
    n_columns: int | None = None,
    titles: Sequence[str] | None = None,
    title: str | None = None,
    alt: str | None = None,
) -> Picture:
    """A grid of ``images (N, C, H, W)`` or ``(N, H, W)`` with values in [0, 1], with a title each if ``titles`` has N.

    Raises ``ValueError`` for other shapes, values outside [0, 1] or another number of titles.
    """
    tiles = tiles_of(images)
    n = len(tiles)
    if titles is not None and len(titles) != n:
        raise ValueError(f"received {len(titles)} titles for {n} images; expected one each")
    n_columns = min(n, n_columns or math.ceil(math.sqrt(2 * n)))
    n_rows = math.ceil(n / n_columns)
    pad = 2 if titles is None else max(2, math.ceil(0.45 * tiles.shape[1]))  # room for a line of type
    mosaic = mosaic_of(tiles, n_columns, pad)
    width = min(10.0, max(3.0, 0.9 * n_columns))
    picture, axis = figure(width=width, height=width * mosaic.shape[0] / mosaic.shape[1] + (0.5 if title else 0.1))
    with style():
        draw(axis, mosaic)
        axis.set_axis_off()
        axis.set_title(title or "")
        for index, text in enumerate(titles or ()):
            row, column = divmod(index, n_columns)
            x = column * (tiles.shape[2] + pad) + tiles.shape[2] / 2
            axis.text(x, row * (tiles.shape[1] + pad) + tiles.shape[1], text, ha="center", va="top")
    picture.alt = alt or f"{n} images in {n_rows} rows and {n_columns} columns" + (f": {title}" if title else "")
    return picture


def image_rows(rows: Mapping[str, Tensor], *, title: str | None = None, alt: str | None = None) -> Picture:
    """One row of images for each name: ``rows`` maps names to ``(N, C, H, W)`` or ``(N, H, W)``, the same N for all.

    Raises ``ValueError`` when the rows do not have as many images of one size, or values lie outside [0, 1].
    """
    shapes = {name: tuple(images.shape) for name, images in rows.items()}
    if len(set(shapes.values())) != 1:
        raise ValueError(f"received rows of shapes {shapes}; expected at least one row, and one shape for all")
    tiles = torch.cat([images.detach().cpu() for images in rows.values()])
    n = len(tiles) // len(rows)
    mosaic = mosaic_of(tiles_of(tiles), n, pad := 2)
    height = 8.0 * mosaic.shape[0] / mosaic.shape[1] + (0.5 if title else 0.1)
    picture, axis = figure(width=9.6, height=height)
    with style():
        draw(axis, mosaic)
        step = mosaic.shape[0] / len(rows)
        axis.set_yticks([step * (i + 0.5) - pad / 2 for i in range(len(rows))], list(rows))
        axis.set_xticks([])
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
        axis.set_title(title or "")
    picture.alt = alt or f"{n} images in each of {len(rows)} rows, from top to bottom: {', '.join(rows)}"
    return picture


def tiles_of(images: Tensor) -> np.ndarray:
    """Images as ``(N, H, W, C)`` in [0, 1]."""
    tiles = array(images.unsqueeze(1) if images.ndim == 3 else images)
    if tiles.ndim != 4 or tiles.shape[0] < 1 or tiles.shape[1] not in (1, 3):
        raise ValueError(
            f"images have shape {tuple(images.shape)}; expected (N, H, W) or (N, C, H, W) with 1 or 3 colours"
        )
    if not (tiles.min() >= 0 and tiles.max() <= 1):
        raise ValueError(f"images hold values from {tiles.min():.3g} to {tiles.max():.3g}; expected [0, 1]")
    return tiles.transpose(0, 2, 3, 1)


def mosaic_of(tiles: np.ndarray, n_columns: int, pad: int) -> np.ndarray:
    """All tiles in one array, row by row, with ``pad`` white pixels between them; missing tiles are white."""
    n, height, width, colors = tiles.shape
    n_rows = math.ceil(n / n_columns)
    mosaic = np.ones((n_rows * (height + pad), n_columns * (width + pad), colors))
    for index, tile in enumerate(tiles):
        row, column = divmod(index, n_columns)
        top, left = row * (height + pad), column * (width + pad)
        mosaic[top : top + height, left : left + width] = tile
    return mosaic


def draw(axis: Axes, mosaic: np.ndarray) -> None:
    """A mosaic in grey or colour, 0 black and 1 white."""
    axis.imshow(mosaic.squeeze(-1) if mosaic.shape[-1] == 1 else mosaic, cmap="gray", vmin=0, vmax=1, aspect="equal")
    axis.grid(False)
