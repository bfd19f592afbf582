"""Figures of the lectures: large type, colours that colour-blind readers can tell apart, and words beside them.

Every function returns a ``Picture``, a matplotlib ``Figure`` that carries a description in words (``alt``) and displays
itself in a notebook. Nothing goes through pyplot, so no figure stays alive after its cell and no window is opened.
"""

from genlib.plot.charts import clouds, contours, curves, histogram, plot_losses, waterfall
from genlib.plot.codes import code_scatter, decoded_grid, point_decoded, scores
from genlib.plot.comparisons import intervals, tables
from genlib.plot.divergences import divergences
from genlib.plot.factors import factor_planes
from genlib.plot.images import image_rows, show_images
from genlib.plot.latents import decoded, elbo_gap, latent_scatter, manifold, traverse
from genlib.plot.mass import raised_density
from genlib.plot.mixtures import em_state, em_strip, shares, soft_labels, staircase
from genlib.plot.picture import COLORS, LINES, MARKERS, STYLE, Picture, figure, style, to_png
from genlib.plot.pixels import number_grids, receptive_fields
from genlib.plot.planes import regions
from genlib.plot.sequences import connections, dilated_layers, sentences, surprise
from genlib.plot.thresholds import predicted_steps

__all__ = [
    "COLORS",
    "LINES",
    "MARKERS",
    "STYLE",
    "Picture",
    "clouds",
    "code_scatter",
    "connections",
    "contours",
    "curves",
    "decoded",
    "decoded_grid",
    "dilated_layers",
    "divergences",
    "elbo_gap",
    "em_state",
    "em_strip",
    "factor_planes",
    "figure",
    "histogram",
    "image_rows",
    "intervals",
    "latent_scatter",
    "manifold",
    "number_grids",
    "plot_losses",
    "point_decoded",
    "predicted_steps",
    "raised_density",
    "receptive_fields",
    "regions",
    "scores",
    "sentences",
    "shares",
    "show_images",
    "soft_labels",
    "staircase",
    "style",
    "surprise",
    "tables",
    "to_png",
    "traverse",
    "waterfall",
]
