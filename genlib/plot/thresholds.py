"""Numbers that theory predicts along an axis, and those that were measured at some places of it."""

from typing import Any

from genlib.plot.picture import COLORS, Picture, array, figure, legend, style


def predicted_steps(
    x: Any, predicted: Any, places: Any, measured: Any, *, x_label: str, y_label: str, alt: str | None = None
) -> Picture:
    """A staircase of whole numbers, ``predicted`` at the sorted ``x``, both (N,), and dots, ``measured`` at ``places``.

    x has a logarithmic axis. Raises ``ValueError`` when one of the two pairs differs in length.
    """
    x, predicted, places, measured = (array(values) for values in (x, predicted, places, measured))
    if x.shape != predicted.shape or places.shape != measured.shape:
        raise ValueError(
            f"received {len(predicted)} steps at {len(x)} points and {len(measured)} measurements at {len(places)} "
            "places; expected as many of each pair"
        )
    picture, axis = figure()
    with style():
        axis.step(x, predicted, where="post", color=COLORS[0], linestyle="-", label="predicted")
        axis.plot(places, measured, color=COLORS[1], marker="o", markersize=11, linestyle="none", label="measured")
        axis.set(xlabel=x_label, ylabel=y_label, xscale="log")
        ticks = [tick for tick in (0.1, 0.2, 0.5, 1, 2, 3, 4, 5, 7, 10, 20, 50, 100) if x[0] <= tick <= x[-1]]
        axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axis.minorticks_off()
        axis.margins(y=0.08)
        legend(axis)
    picture.alt = alt or f"{y_label} against {x_label}: predicted steps, and {len(places)} measurements"
    return picture
