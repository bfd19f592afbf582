"""The interactive parts of the lectures: sliders that redraw a PNG.

Each explorer is an ipywidgets box, worked by mouse or keyboard (Tab to a slider, then the arrow keys), and draws into
``widgets.Image``, so that what a notebook stores of it is one line of text.
"""

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as widgets
import torch
from torch import Tensor

from genlib import plot


class Explorer(widgets.VBox):
    """Sliders over a picture that ``draw`` makes of their values, and a line of text that says what it shows.

    ``draw`` takes one float per slider, in order, and returns a ``Picture``. ``name`` is all that a notebook which is
    not running shows of it.
    """

    def __init__(
        self, name: str, sliders: Sequence[widgets.FloatSlider], draw: Callable[..., plot.Picture], *, width: int
    ) -> None:
        self.name, self.sliders, self.draw = name, tuple(sliders), draw
        self.image = widgets.Image(format="png", layout=widgets.Layout(width=f"{width}px", max_width="100%"))
        self.text = widgets.Label()
        for slider in self.sliders:
            slider.observe(self._redraw, names="value")
        self._redraw()
        super().__init__([*self.sliders, self.image, self.text])

    def __repr__(self) -> str:
        return f"{self.name}: run this cell in JupyterLab to move the sliders"

    def _redraw(self, change: Any = None) -> None:
        picture = self.draw(*(slider.value for slider in self.sliders))
        self.image.value = plot.to_png(picture)
        self.text.value = picture.alt


def latent_explorer(
    model: Any, *, dimensions: Sequence[int] = (0, 1), z: Tensor | None = None, limit: float = 3.0
) -> Explorer:
    """One slider for each latent in ``dimensions``, and the image that the decoder expects at that z.

    ``model`` offers ``latent_dim`` and ``decode_mean(z)``; the other latents stay at ``z (latent_dim,)``, or at 0.
    Raises ``ValueError`` when the model does not have these latents.
    """
    if not dimensions or not all(0 <= d < model.latent_dim for d in dimensions):
        raise ValueError(
            f"received dimensions {tuple(dimensions)} of a model with {model.latent_dim} latents; "
            f"expected at least one, from 0 to {model.latent_dim - 1}"
        )
    start = torch.zeros(model.latent_dim) if z is None else z.detach().cpu()
    sliders = [_slider(f"z{d + 1}", float(start[d]), limit, f"latent number {d + 1}") for d in dimensions]

    def draw(*values: float) -> plot.Picture:
        point = start.clone()
        point[list(dimensions)] = torch.tensor(values, dtype=point.dtype)
        where = ", ".join(f"z{d + 1} = {value:.2f}" for d, value in zip(dimensions, values, strict=True))
        return plot.decoded(model, point, alt=f"The decoder's expected image at {where}")

    return Explorer("Latent explorer", sliders, draw, width=280)


def gap_explorer(model: Any, x: Tensor) -> Explorer:
    """Sliders for the mean and the log-variance of q(z|x), and what the choice costs in nats.

    ``model`` is a ``LinearGaussianVAE`` with one latent, ``x (1, data_dim)`` one example. The best q is the
    posterior, where the gap between log p(x) and the ELBO closes. Raises ``ValueError`` for more than one latent.
    """
    sliders = [
        _slider("mean", 0.0, 3.0, "mean of the encoder's q(z|x)"),
        _slider("logvar", 0.0, 4.0, "log of the variance of the encoder's q(z|x)"),
    ]
    return Explorer("Gap explorer", sliders, lambda mean, logvar: plot.elbo_gap(model, x, mean, logvar), width=640)


def _slider(name: str, value: float, limit: float, meaning: str) -> widgets.FloatSlider:
    return widgets.FloatSlider(
        value=value, min=-limit, max=limit, step=0.05, description=name, tooltip=meaning, continuous_update=True
    )
