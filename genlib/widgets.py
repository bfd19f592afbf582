"""The interactive parts of the lectures: sliders that redraw a PNG.

Each explorer is an ipywidgets box, worked by mouse or keyboard (Tab to a slider, then the arrow keys), and draws into
``widgets.Image``, so that what a notebook stores of it is one line of text.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets as widgets
import torch
from torch import Tensor

from genlib import oracles, plot, sampling


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


def mass_explorer(x: Tensor, density: Tensor, *, width: float, x_label: str = "x") -> Explorer:
    """Sliders for a place and a gain: raise or lower a density there and see where the probability comes from.

    ``density`` holds its values at the sorted points ``x``, both ``(N,)``, and ``width`` says how far the change
    reaches, in units of x. Raises ``ValueError`` when the two differ in length or the density is negative.
    """
    low, high = float(x[0]), float(x[-1])
    place = _slider("place", (low + high) / 2, (high - low) / 2, "where the density is raised", middle=(low + high) / 2)
    place.step = (high - low) / 100
    gain = _slider("gain", 1.0, 3.0, "logarithm of the factor before normalising; below 0 it lowers the density")

    def draw(center: float, gain: float) -> plot.Picture:
        return plot.raised_density(x, density, center=center, gain=gain, width=width, x_label=x_label)

    return Explorer("Mass explorer", [place, gain], draw, width=640)


def receptive_field_explorer() -> Explorer:
    """Sliders for kernel, layers and blocks of a WaveNet: what one output sees, and through which units."""
    sliders = [
        _whole("kernel", 2, (1, 3), "codes that one convolution sees"),
        _whole("layers", 4, (1, 5), "layers of a block; each doubles the dilation of the one before"),
        _whole("blocks", 1, (1, 2), "how often the dilations 1, 2, 4, ... are repeated"),
    ]

    def draw(kernel_size: float, n_layers: float, n_blocks: float) -> plot.Picture:
        dilations = [2**i for i in range(int(n_layers))] * int(n_blocks)
        return plot.dilated_layers(int(kernel_size), dilations)

    return Explorer("Receptive field explorer", sliders, draw, width=760)


def temperature_explorer(model: Any, uniforms: Tensor) -> Explorer:
    """A slider for the temperature of sampling, and the images that the same ``uniforms (n, D)`` become.

    ``model`` is an autoregressive model of black and white images, see ``genlib.sampling.iterate``.
    """
    slider = widgets.FloatSlider(
        value=1.0, min=0.1, max=3.0, step=0.05, description="temperature", tooltip="divides the logits of every pixel"
    )

    def draw(temperature: float) -> plot.Picture:
        images = sampling.sample(model, len(uniforms), uniforms=uniforms, temperature=temperature)
        alt = f"At temperature {temperature:.2f} a share of {float(images.mean()):.2f} of the pixels is white"
        return plot.show_images(images, n_columns=6, alt=alt)

    return Explorer("Temperature explorer", [slider], draw, width=480)


def pixel_explorer(models: Mapping[str, Any], shape: tuple[int, int]) -> Explorer:
    """Sliders for the row and the column of an output pixel, and what each of ``models`` sees of the image from there.

    A model maps images ``(B, 1, H, W)`` to logits ``(B, levels, 1, H, W)``, with (H, W) the ``shape``; what it sees is
    measured by ``oracles.receptive_field``.
    """
    height, width = shape
    sliders = [
        _whole("row", height // 2, (0, height - 1), "row of the output pixel, counted from the top"),
        _whole("column", width // 2, (0, width - 1), "column of the output pixel, counted from the left"),
    ]

    def draw(row: float, column: float) -> plot.Picture:
        at = round(row), round(column)
        generator = torch.Generator().manual_seed(0)
        fields = {
            name: oracles.receptive_field(model, (1, *shape), (0, *at), n_inputs=2, generator=generator)[0]
            for name, model in models.items()
        }
        return plot.receptive_fields(fields, at)

    return Explorer("Pixel explorer", sliders, draw, width=720)


def _whole(name: str, value: int, limits: tuple[int, int], meaning: str) -> widgets.FloatSlider:
    low, high = limits
    return widgets.FloatSlider(
        value=value, min=low, max=high, step=1, description=name, tooltip=meaning, readout_format=".0f"
    )


def _slider(name: str, value: float, limit: float, meaning: str, *, middle: float = 0.0) -> widgets.FloatSlider:
    low, high = middle - limit, middle + limit
    return widgets.FloatSlider(
        value=value, min=low, max=high, step=0.05, description=name, tooltip=meaning, continuous_update=True
    )
