"""Figures of the lectures: large type, colours that colour-blind readers can tell apart, and words beside them.

Every function returns a ``Picture``, a matplotlib ``Figure`` that carries a description in words (``alt``) and displays
itself in a notebook. Nothing goes through pyplot, so no figure stays alive after its cell and no window is opened.
"""

from genlib.plot.charts import clouds, contours, curves, histogram, plot_losses, waterfall
from genlib.plot.images import image_rows, show_images
from genlib.plot.latents import decoded, elbo_gap, latent_scatter, manifold, traverse
from genlib.plot.picture import COLORS, LINES, MARKERS, STYLE, Picture, figure, style, to_png

__all__ = [
    "COLORS",
    "LINES",
    "MARKERS",
    "STYLE",
    "Picture",
    "clouds",
    "contours",
    "curves",
    "decoded",
    "elbo_gap",
    "figure",
    "histogram",
    "image_rows",
    "latent_scatter",
    "manifold",
    "plot_losses",
    "show_images",
    "style",
    "to_png",
    "traverse",
    "waterfall",
]
