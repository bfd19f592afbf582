"""Who sees whom, layer by layer, and text: its sentences, and how much each character surprises a model."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from genlib.plot.picture import COLORS, LINES, MARKERS, Picture, array, figure, legend, style

MONO = {"family": "DejaVu Sans Mono", "fontsize": 15}


def connections(
    panels: Mapping[str, Tensor], *, x_label: str = "from", y_label: str = "to", alt: str | None = None
) -> Picture:
    """Matrices ``(rows, columns)`` of zeros and ones side by side; a dark square is a connection.

    Raises ``ValueError`` for no panel, another shape, or values that are neither 0 nor 1.
    """
    matrices = {name: array(matrix) for name, matrix in panels.items()}
    wrong = [name for name, m in matrices.items() if m.ndim != 2 or not m.size or not np.isin(m, (0, 1)).all()]
    if not matrices or wrong:
        raise ValueError(f"received panels {list(matrices)}, wrong: {wrong}; expected matrices of zeros and ones")
    tallest, widths = max(len(m) for m in matrices.values()), [max(m.shape[1], 3) for m in matrices.values()]
    cell = min(0.4, 5.2 / tallest, (10 - 0.9 * len(widths)) / sum(widths))  # inches, the same in every panel
    size = {"width": cell * sum(widths) + 0.9 * len(widths), "height": cell * tallest + 1.4}
    picture, axes = figure(1, len(widths), **size, squeeze=False, gridspec_kw={"width_ratios": widths})
    with style():
        for index, (axis, (name, matrix)) in enumerate(zip(axes[0], matrices.items(), strict=True)):
            axis.pcolormesh(matrix, cmap="Blues", vmin=0, vmax=1.25, edgecolors="0.6", linewidth=0.5)
            axis.set(title=name, xlabel=x_label, ylabel=y_label if index == 0 else "", aspect="equal")
            axis.invert_yaxis()
            for direction, n in (("x", matrix.shape[1]), ("y", matrix.shape[0])):
                step = max(1, -(-n // 9))
                numbers = range(0, n, step)
                getattr(axis, f"set_{direction}ticks")([i + 0.5 for i in numbers], [str(i + 1) for i in numbers])
            axis.tick_params(length=0)
            axis.grid(False)
    picture.alt = alt or "Dark squares where there is a connection: " + ", ".join(
        f"{name} ({int(matrix.sum())} of {matrix.size})" for name, matrix in matrices.items()
    )
    return picture


def dilated_layers(kernel_size: int, dilations: Sequence[int]) -> Picture:
    """What one output of a stack of dilated causal convolutions sees, and through which units.

    The lowest convolution leaves out the present code, those above it have the ``dilations`` given, as in ``WaveNet``.
    The moments that are seen are drawn, and at most 40. Raises ``ValueError`` for sizes below 1.
    """
    if min((kernel_size, *dilations)) < 1:
        raise ValueError(f"received {kernel_size=}, dilations {tuple(dilations)}; expected at least 1")
    edges = _paths(kernel_size, dilations)
    seen = {below for _, below in edges[0]}
    shown = min(max(seen) + 2, 40)
    picture, axis = figure(width=10, height=0.62 * len(edges) + 1.5)
    with style():
        segments = [[(-below, row), (-above, row + 1)] for row, pairs in enumerate(edges) for above, below in pairs]
        axis.add_collection(LineCollection(segments, colors=COLORS[0], linestyles="-", linewidths=1.5))
        for row in range(len(edges) + 1):
            ages = seen if row == 0 else {above for above, _ in edges[row - 1]}
            axis.scatter(range(1 - shown, 1), [row] * shown, s=22, color="0.75", linewidths=0, zorder=3)
            axis.scatter([-age for age in ages], [row] * len(ages), s=46, color=COLORS[1], linewidths=0, zorder=4)
        names = ["codes", "first", *(f"dilation {dilation}" for dilation in dilations)]
        axis.set_yticks(range(len(names)), names)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.set(xlabel="time, from the code that is predicted", xlim=(0.5 - shown, 0.5))
        axis.grid(False)
    what = "1 code" if len(seen) == 1 else f"{len(seen)} codes"
    dots = ", ".join(str(dilation) for dilation in dilations)
    picture.alt = f"Kernels of {kernel_size}, dilations {dots}: the receptive field holds {what}"
    return picture


def _paths(kernel_size: int, dilations: Sequence[int]) -> list[list[tuple[int, int]]]:
    """Pairs (age above, age below) that each layer joins, from the lowest layer up, below an output of age 0."""
    edges, seen = [], {0}
    for dilation, delay in [*((dilation, 0) for dilation in reversed(dilations)), (1, 1)]:
        edges.append([(age, age + delay + tap * dilation) for age in sorted(seen) for tap in range(kernel_size)])
        seen = {below for _, below in edges[-1]}
    return edges[::-1]


def sentences(groups: Mapping[str, Sequence[str]], valid: Mapping[str, Sequence[bool]], *, alt: str) -> Picture:
    """Sentences under the names of those who wrote them, with a tick before those that are ``valid``, else a cross.

    At most 64 characters of each are drawn. Raises ``ValueError`` unless there is a verdict for every sentence.
    """
    if {name: len(lines) for name, lines in groups.items()} != {name: len(marks) for name, marks in valid.items()}:
        raise ValueError(f"received sentences of {list(groups)}, verdicts of {list(valid)}; expected one for each")
    n_lines = sum(len(lines) + 1 for lines in groups.values())
    picture, axis = figure(width=9.6, height=0.34 * n_lines + 0.2)
    with style():
        y = 0
        for name, lines in groups.items():
            axis.text(0, y, name, va="top", fontsize=15, fontweight="bold")
            for line, is_valid in zip(lines, valid[name], strict=True):
                y += 1
                mark, color = ("✓", COLORS[2]) if is_valid else ("✗", COLORS[1])
                axis.text(0.015, y, mark, va="top", color=color, **MONO)
                axis.text(0.05, y, line[:64], va="top", color="black" if is_valid else COLORS[1], **MONO)
            y += 1
        axis.set(xlim=(0, 1), ylim=(y, -0.1))
        axis.set_axis_off()
    picture.alt = alt
    return picture


def surprise(text: str, bits: Mapping[str, Tensor], *, alt: str | None = None) -> Picture:
    """How many bits each character of ``text`` costs each model: ``bits`` maps names to tensors ``(len(text),)``.

    Raises ``ValueError`` when a model has another number of values than the text has characters.
    """
    values = {name: array(each) for name, each in bits.items()}
    wrong = {name: each.shape for name, each in values.items() if each.shape != (len(text),)}
    if not values or not text or wrong:
        raise ValueError(f"received {wrong or list(values)} for {len(text)} characters; expected one number for each")
    picture, axis = figure(width=12, height=4)
    with style():
        for index, (name, each) in enumerate(values.items()):
            color, marker = COLORS[index % len(COLORS)], MARKERS[index % len(MARKERS)]
            line = LINES[index % len(LINES)]
            axis.plot(each, color=color, marker=marker, linestyle=line, markersize=6, linewidth=1.4, label=name)
        shown = ["␣" if character == " " else "⏎" if character == "\n" else character for character in text]
        axis.set_xticks(range(len(text)), shown, family=MONO["family"])
        axis.set(ylabel="bits", xlim=(-0.5, len(text) - 0.5))
        axis.tick_params(axis="x", length=0)
        axis.margins(y=0.08)
        legend(axis)
    picture.alt = alt or f"Bits that each of {len(text)} characters costs under {', '.join(values)}"
    return picture
