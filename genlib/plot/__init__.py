"""Figures of the lectures: large type, colours that colour-blind readers can tell apart, and words beside them.

Every function returns a ``Picture``, a matplotlib ``Figure`` that carries a description in words (``alt``) and displays
itself in a notebook. Nothing goes through pyplot, so no figure stays alive after its cell and no window is opened.
"""

from genlib.plot.charts import clouds, contours, curves, histogram, plot_losses, waterfall
from genlib.plot.comparisons import intervals, tables
from genlib.plot.images import image_rows, show_images
from genlib.plot.latents import decoded, elbo_gap, latent_scatter, manifold, traverse
from genlib.plot.mass import raised_density
from genlib.plot.picture import COLORS, LINES, MARKERS, STYLE, Picture, figure, style, to_png
from genlib.plot.pixels import number_grids, receptive_fields
from genlib.plot.planes import regions
from genlib.plot.sequences import connections, dilated_layers, sentences, surprise

__all__ = [
    "COLORS",
    "LINES",
    "MARKERS",
    "STYLE",
    "Picture",
    "clouds",
    "connections",
    "contours",
    "curves",
    "decoded",
    "dilated_layers",
    "elbo_gap",
    "figure",
    "histogram",
    "image_rows",
    "intervals",
    "latent_scatter",
    "manifold",
    "number_grids",
    "plot_losses",
    "raised_density",
    "receptive_fields",
    "regions",
    "sentences",
    "show_images",
    "style",
    "surprise",
    "tables",
    "to_png",
    "traverse",
    "waterfall",
]
