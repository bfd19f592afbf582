"""Pictures of images as sequences: what an output pixel sees, and numbers written into a grid of pixels."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle
from torch import Tensor

from genlib.plot.picture import COLORS, Picture, array, figure, style

# What a pixel can be to an output pixel: its colour and its hatching, so that no one has to tell colours apart.
KINDS = {
    "output pixel": ("black", ""),
    "seen": (COLORS[0], ""),
    "earlier, not seen": (COLORS[4], "////"),
    "later": ("0.92", ""),
    "output pixel, seen by itself": (COLORS[1], "xxxx"),
    "later, but seen": (COLORS[3], "...."),
}


def receptive_fields(
    fields: Mapping[str, Tensor], at: tuple[int, int], *, title: str | None = None, alt: str | None = None
) -> Picture:
    """Which pixels the output at ``at`` (row, column) depends on, in raster order, a panel for each of ``fields``.

    A field ``(H, W)`` is bool, or a strength that is zero where nothing is seen (``oracles.receptive_field``). Pixels
    are seen, earlier and not seen, or later; what no model may see and this one does is marked, too. Raises
    ``ValueError`` when the fields differ in shape or ``at`` lies outside.
    """
    shapes = {name: tuple(field.shape) for name, field in fields.items()}
    if len(set(shapes.values())) != 1 or len(next(iter(shapes.values()))) != 2:
        raise ValueError(f"received fields of shapes {shapes}; expected at least one, and one shape (H, W) for all")
    height, width = next(iter(shapes.values()))
    if not (0 <= at[0] < height and 0 <= at[1] < width):
        raise ValueError(f"received at={at}; expected a row below {height} and a column below {width}")
    here = at[0] * width + at[1]
    panel = min(max(3.2, 0.16 * width), 9.6 / len(fields))
    picture, axes = figure(
        1, len(fields), width=panel * len(fields), height=panel * height / width + 1.3, squeeze=False
    )
    words, used = [], set()
    with style():
        for axis, (name, field) in zip(axes[0], fields.items(), strict=True):
            seen = (array(field) != 0).ravel()
            kinds = [_kind(place, here, bool(seen[place])) for place in range(height * width)]
            _tiles(axis, [KINDS[kind] for kind in kinds], width)
            axis.set_title(name)
            used |= set(kinds)
            leak = f" and {seen[here:].sum()} not earlier" if seen[here:].any() else ""
            words.append(f"{name}: {seen[:here].sum()} of {here} earlier pixels{leak}")
        patches = [
            Patch(facecolor=color, hatch=hatch, edgecolor="white" if hatch else "0.6", label=kind)
            for kind, (color, hatch) in KINDS.items()
            if kind in used
        ]
        picture.legend(handles=patches, loc="outside lower center", ncols=4 if len(fields) > 2 else 2)
        picture.suptitle(title or "")
    picture.alt = alt or f"What the pixel in row {at[0]}, column {at[1]} sees; " + "; ".join(words)
    return picture


def number_grids(
    grids: Mapping[str, Tensor],
    *,
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    title: str | None = None,
    alt: str | None = None,
) -> Picture:
    """Whole numbers ``(R, C)`` written into the cells of a grid, side by side; the larger, the darker, NaN is empty.

    ``rows`` and ``columns`` label the cells of every grid that has as many. Raises ``ValueError`` for a grid that is
    no table.
    """
    values = {name: array(grid) for name, grid in grids.items()}
    if not values or any(grid.ndim != 2 for grid in values.values()):
        raise ValueError(
            f"received grids of shapes { {name: grid.shape for name, grid in values.items()} }; expected (R, C)"
        )
    widths = [grid.shape[1] for grid in values.values()]
    cell = min(0.62, 9.6 / (sum(widths) + len(widths)))
    height = cell * max(grid.shape[0] for grid in values.values()) + (1.5 if columns else 1.0)
    size = cell * (sum(widths) + len(widths)) + (0.8 if rows else 0)
    picture, axes = figure(1, len(values), width=size, height=height, squeeze=False, width_ratios=widths)
    with style():
        for axis, (name, grid) in zip(axes[0], values.items(), strict=True):
            top = max(float(np.nanmax(grid)), 1.0)
            axis.imshow(grid, cmap="Blues", vmin=0, vmax=1.8 * top)  # never so dark that black does not show
            for (row, column), value in np.ndenumerate(grid):
                edge = Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor="0.75", linewidth=0.8)
                axis.add_patch(edge)
                if not np.isnan(value):
                    axis.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=min(14, 26 * cell))
            axis.grid(False)
            axis.spines[:].set_visible(False)
            axis.tick_params(length=0)
            axis.set_yticks(*((range(len(rows)), rows) if len(rows) == grid.shape[0] else ([],)))
            axis.set_xticks(*((range(len(columns)), columns) if len(columns) == grid.shape[1] else ([],)))
            axis.set_title(name)
        picture.suptitle(title or "")
    picture.alt = alt or f"Numbers in grids: {', '.join(values)}"
    return picture


def _kind(place: int, here: int, seen: bool) -> str:
    if place < here:
        return "seen" if seen else "earlier, not seen"
    if place == here:
        return "output pixel, seen by itself" if seen else "output pixel"
    return "later, but seen" if seen else "later"


def _tiles(axis: Axes, looks: Sequence[tuple[str, str]], width: int) -> None:
    """One square for each pixel, in raster order, in its colour and hatching."""
    for place, (color, hatch) in enumerate(looks):
        row, column = divmod(place, width)
        corner = column - 0.46, row - 0.46
        axis.add_patch(
            Rectangle(corner, 0.92, 0.92, facecolor=color, hatch=hatch, edgecolor="white", linewidth=0, snap=False)
        )
    height = len(looks) // width
    axis.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), aspect="equal")
    axis.set_axis_off()
