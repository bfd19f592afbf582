"""Latents against known factors: where in the plane each factor rises, and along which way."""

from collections.abc import Mapping

from matplotlib import colormaps
from torch import Tensor

from genlib.plot.picture import COLORS, LINES, Picture, array, figure, style


def factor_planes(
    codes: Tensor,
    factors: Mapping[str, Tensor],
    *,
    paths: Mapping[str, Mapping[str, Tensor]] | None = None,
    alt: str | None = None,
) -> Picture:
    """Codes ``(N, 2)`` in one panel for each factor ``(N,)``, the darker a point the smaller the factor there.

    ``paths`` maps names of lines to their points ``(P, 2)`` in the panel of each factor; a line of one name has the
    same colour and stroke in every panel, and ends in an arrow.
    Raises ``ValueError`` when codes do not lie in a plane, or a factor or the panel of a line is not there.
    """
    if codes.ndim != 2 or codes.shape[1] != 2 or any(values.shape != codes.shape[:1] for values in factors.values()):
        shapes = {name: tuple(values.shape) for name, values in factors.items()}
        raise ValueError(f"received codes {tuple(codes.shape)}, factors {shapes}; expected (N, 2) and (N,) for each")
    lines = paths or {}
    strange = {panel for points in lines.values() for panel in points} - set(factors)
    if not factors or strange:
        raise ValueError(
            f"received lines in {sorted(strange)}; expected at least one factor, and lines in their panels"
        )
    picture, axes = figure(1, len(factors), width=9.8, height=4.8, sharex=True, sharey=True, squeeze=False)
    x, y = array(codes).T
    shades = colormaps["cividis"].resampled(12)  # few colours and hard edges keep the PNG small
    with style():
        for axis, (panel, values) in zip(axes[0], factors.items(), strict=True):
            shown = axis.scatter(x, y, c=array(values), s=18, cmap=shades, linewidths=0, antialiased=False)
            picture.colorbar(shown, ax=axis, orientation="horizontal", fraction=0.06, label=panel)
            for index, (name, points) in enumerate(lines.items()):
                if panel in points:
                    color, line = COLORS[(1, 6, 2)[index % 3]], LINES[index % len(LINES)]
                    *_, before, end = array(points[panel])
                    axis.plot(*array(points[panel]).T, color=color, linestyle=line, linewidth=3.2, label=name)
                    arrow = {"arrowstyle": "-|>", "color": color, "linewidth": 3, "mutation_scale": 24}
                    axis.annotate("", xy=end, xytext=before, arrowprops=arrow)
            axis.set(xlabel="$z_1$", aspect="equal")
        axes[0, 0].set_ylabel("$z_2$")
        if lines:
            drawn = {line.get_label(): line for axis in axes[0] for line in axis.get_lines()}
            picture.legend(drawn.values(), drawn.keys(), loc="outside upper center", ncols=len(drawn))
    picture.alt = alt or f"{len(codes)} codes in the plane of two latents, shaded by {', '.join(factors)}" + (
        f", with lines: {', '.join(lines)}" if lines else ""
    )
    return picture
