"""Numbers side by side: values with their uncertainty, and tables of probabilities."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from torch import Tensor

from genlib.plot.images import tiles_of
from genlib.plot.picture import COLORS, MARKERS, Picture, array, figure, style


def intervals(
    rows: Mapping[str, tuple[float, float, float]],
    *,
    x_label: str,
    levels: Mapping[str, float] | None = None,
    title: str | None = None,
    alt: str | None = None,
) -> Picture:
    """One row for each name with a point and its interval, ``(centre, low, high)``; ``levels`` are vertical lines.

    Raises ``ValueError`` when there is no row, or a centre does not lie between its low and high.
    """
    wrong = [name for name, (centre, low, high) in rows.items() if not low <= centre <= high]
    if not rows or wrong:
        raise ValueError(f"received rows {list(rows)}, wrong: {wrong}; expected low <= centre <= high for one or more")
    picture, axis = figure(height=0.62 * len(rows) + 1.3)
    with style():
        for row, values in enumerate(rows.values()):
            centre, low, high = map(float, values)
            color, marker = COLORS[row % len(COLORS)], MARKERS[row % len(MARKERS)]
            axis.plot([low, high], [row, row], color=color, linestyle="-", linewidth=3)
            axis.plot(centre, row, color=color, marker=marker, markersize=11, linestyle="none")
        for name, value in (levels or {}).items():
            axis.axvline(value, color="black", linestyle=":", label=name)
        axis.set_yticks(range(len(rows)), list(rows))
        axis.set(xlabel=x_label, title=title or "", ylim=(len(rows) - 0.5, -0.5))
        axis.margins(x=0.05)
        if levels:
            axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    picture.alt = alt or "; ".join(
        f"{name}: {float(v[0]):.3g}, from {float(v[1]):.3g} to {float(v[2]):.3g}" for name, v in rows.items()
    )
    return picture


def tables(
    panels: Mapping[str, Tensor],
    *,
    row_images: Tensor | None = None,
    x_label: str = "",
    y_label: str = "",
    alt: str | None = None,
) -> Picture:
    """Tables ``(R, K)`` of numbers from 0 on as heat maps side by side, all with the same R rows.

    Each has its own scale of colours below it, from 0 (white) to its largest value; the widths follow the numbers of
    columns. ``row_images (R, C, H, W)`` are drawn in front of the rows. Raises ``ValueError`` when the numbers of rows
    differ or a number is negative.
    """
    values = {name: array(table) for name, table in panels.items()}
    counts = {len(table) for table in values.values()} | (set() if row_images is None else {len(row_images)})
    if len(counts) != 1 or any(table.ndim != 2 or not (table >= 0).all() for table in values.values()):
        shapes = {name: table.shape for name, table in values.items()}
        raise ValueError(f"received tables of shapes {shapes}; expected (R, K), one R for all, and no negative number")
    n_rows = counts.pop()
    widths = [max(table.shape[1], 3) for table in values.values()]
    ratios = widths if row_images is None else [0.7, *widths]
    picture, axes = figure(1, len(ratios), width=9.6, height=6.0, squeeze=False, gridspec_kw={"width_ratios": ratios})
    with style():
        if row_images is not None:
            _stack(axes[0, 0], tiles_of(row_images))
        for index, (axis, (name, table)) in enumerate(zip(axes[0, -len(values) :], values.items(), strict=True)):
            shown = axis.imshow(table, cmap="Blues", vmin=0, vmax=table.max() or 1, aspect="auto")
            axis.grid(False)
            axis.set_xticks(range(0, table.shape[1], 3) if table.shape[1] > 1 else [])
            axis.set_yticks(range(n_rows) if row_images is None and index == 0 else [])
            axis.set(title=name, xlabel=x_label if table.shape[1] > 1 else "", ylabel=y_label if index == 0 else "")
            bar = picture.colorbar(shown, ax=axis, orientation="horizontal", fraction=0.05, pad=0.02)
            unit = 10.0 ** np.floor(np.log10(table.max() or 1))
            bar.set_ticks([0, float(f"{unit * np.floor(table.max() / unit):.1g}")])
    picture.alt = alt or f"Tables with {n_rows} rows side by side: {'; '.join(values)}".replace("\n", ", ")
    return picture


def _stack(axis: Axes, tiles: np.ndarray) -> None:
    """Images below each other, each in a row of height 1."""
    height, width = tiles.shape[1:3]
    half = 0.38 * min(1.0, width / height), 0.38
    for row, tile in enumerate(tiles):
        extent = (-half[0], half[0], row + half[1], row - half[1])
        axis.imshow(tile.squeeze(), cmap="gray", vmin=0, vmax=1, extent=extent, aspect="auto")
        axis.plot(*_frame(extent), color="0.5", linestyle="-", linewidth=0.8)
    axis.set(xlim=(-0.5, 0.5), ylim=(len(tiles) - 0.5, -0.5))
    axis.set_axis_off()


def _frame(extent: tuple[float, float, float, float]) -> tuple[list[float], list[float]]:
    left, right, bottom, top = extent
    return [left, right, right, left, left], [bottom, bottom, top, top, bottom]
