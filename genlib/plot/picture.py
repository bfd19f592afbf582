"""What every figure of the lectures has in common: large type, safe colours, and words beside the picture."""

import base64
import io
from contextlib import AbstractContextManager
from typing import Any

import matplotlib
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

# Okabe and Ito's palette; yellow is left out because it vanishes on white.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), "-")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
STYLE: Any = {
    "font.size": 14,
    "axes.titlesize": 15,
    "axes.labelsize": 14,
    "xtick.labelsize": 14,
    "ytick.labelsize": 14,
    "legend.fontsize": 14,
    "axes.prop_cycle": cycler(color=COLORS) + cycler(linestyle=LINES),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "lines.linewidth": 2.2,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}


class Picture(Figure):
    """A figure that says in words what it shows (``alt``) and is a PNG wherever a notebook displays it."""

    alt = ""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, str], dict[str, Any]]:
        png = base64.b64encode(to_png(self)).decode("ascii")
        return {"image/png": png, "text/plain": self.alt}, {"image/png": {"alt": self.alt}}


def style() -> AbstractContextManager[None]:
    """The course's matplotlib settings while a ``with`` block lasts: fonts of at least 14 points, safe colours."""
    return matplotlib.rc_context(STYLE)


def figure(
    n_rows: int = 1, n_columns: int = 1, *, width: float = 8.0, height: float = 4.0, alt: str = "", **subplots: Any
) -> tuple[Picture, Any]:
    """An empty picture of ``width`` by ``height`` inches and its axes, in the course's style."""
    with style():
        picture = Picture(figsize=(width, height))
        FigureCanvasAgg(picture)
        axes = picture.subplots(n_rows, n_columns, **subplots)
    picture.alt = alt
    return picture, axes


def to_png(picture: Figure) -> bytes:
    """The figure as the bytes of a PNG file, the same bytes for the same figure."""
    buffer = io.BytesIO()
    with style():
        picture.savefig(buffer, format="png", dpi=80, bbox_inches="tight", pad_inches=0.1, metadata={"Software": None})
    return buffer.getvalue()


def array(values: Any) -> np.ndarray:
    """Values of a tensor on any device, or of a sequence, as float64."""
    return values.detach().cpu().double().numpy() if isinstance(values, Tensor) else np.asarray(values, dtype=float)


def legend(axis: Axes) -> None:
    """Above the axes, where it covers nothing."""
    names = axis.get_legend_handles_labels()[1]
    if len(names) > 1:
        n_columns = 2 if max(map(len, names)) < 34 else 1
        axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=n_columns)
