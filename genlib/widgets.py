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
from genlib.plot.codes import box_of


class Explorer(widgets.VBox):
    """Sliders over a picture that ``draw`` makes of their values, and a line of text that says what it shows.

    ``draw`` takes the value of each slider, in order, and returns a ``Picture``; a list of choices counts as a slider.
    ``name`` is all that a notebook which is not running shows of it.
    """

    def __init__(
        self,
        name: str,
        sliders: Sequence[widgets.FloatSlider | widgets.IntSlider | widgets.Dropdown],
        draw: Callable[..., plot.Picture],
        *,
        width: int,
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


def kl_explorer() -> Explorer:
    """Choices for the shapes of two densities, sliders that move and stretch q: KL(p || q) beside KL(q || p).

    p stays at 0 with scale 1. See ``oracles.line_density`` for the shapes, and ``plot.divergences`` for the picture.
    """
    sliders = [
        widgets.Dropdown(options=oracles.LINE_SHAPES, value="two bumps", description="p", tooltip="shape of p"),
        widgets.Dropdown(options=oracles.LINE_SHAPES, value="normal", description="q", tooltip="shape of q"),
        _slider("centre of q", 0.0, 3.0, "where q has its middle"),
        widgets.FloatSlider(
            value=1.0, min=0.2, max=3.0, step=0.05, description="scale of q", tooltip="how wide q is, 1 as wide as p"
        ),
    ]

    def draw(p: str, q: str, centre: float, scale: float) -> plot.Picture:
        return plot.divergences({f"{p}, {q}": (oracles.line_density(p), oracles.line_density(q, centre, scale))})

    return Explorer("KL explorer", sliders, draw, width=640)


def em_explorer(x: Tensor, trace: Sequence[tuple[Any, Tensor]]) -> Explorer:
    """A slider through the states of expectation maximisation on points ``x (N, 2)``, and buttons that play them.

    ``trace`` holds a mixture and the q of its bound for each state, see ``plot.em_state``.
    """
    last = len(trace) - 1
    slider = widgets.IntSlider(
        value=0, min=0, max=last, description="state", tooltip="the start, then an E step, an M step, an E step, ..."
    )
    explorer = Explorer("EM explorer", [slider], lambda step: plot.em_state(x, trace, step), width=780)
    play = widgets.Play(value=0, min=0, max=last, interval=900, description="play", tooltip="play the steps")
    widgets.link((play, "value"), (slider, "value"))
    explorer.children = (play, *explorer.children)
    return explorer


def plane_explorer(model: Any, codes: Tensor, labels: Tensor) -> Explorer:
    """Sliders for a point of the plane of features, and the image that is decoded there, beside the ``codes (N, 2)``.

    ``model`` has two latents and offers ``decode``; the sliders reach a tenth beyond the codes, which are drawn as the
    numerals of their ``labels (N,)``. Raises ``ValueError`` for another number of latents.
    """
    low, high = box_of(model, codes)
    sliders = []
    for j in (0, 1):
        middle, half = float(low[j] + high[j]) / 2, float(high[j] - low[j]) / 2
        slider = _slider(f"z{j + 1}", middle, half, f"feature number {j + 1}", middle=middle)
        slider.step = half / 50
        sliders.append(slider)
    return Explorer(
        "Plane explorer",
        sliders,
        lambda first, second: plot.point_decoded(model, codes, labels, torch.tensor([first, second])),
        width=760,
    )


def edit_explorer(
    edit: Callable[[Tensor], Tensor],
    render: Callable[[Tensor], Tensor],
    ranges: Mapping[str, tuple[float, float]],
    start: Sequence[float],
) -> Explorer:
    """A slider for each factor in ``ranges``, and the image edited to those factors beside the one drawn from them.

    ``edit`` and ``render`` map factors ``(1, K)`` to images ``(1, C, H, W)`` with values in [0, 1]: the first through
    the latents of a model, the second from the factors themselves. The sliders begin at ``start``, K numbers, and go
    from low to high. Raises ``ValueError`` when a start lies outside its range, or their numbers differ.
    """
    if len(start) != len(ranges) or not all(
        low <= value <= high for value, (low, high) in zip(start, ranges.values(), strict=False)
    ):
        raise ValueError(f"received start {tuple(start)} for ranges {dict(ranges)}; expected a value in each of them")
    sliders = [
        widgets.FloatSlider(
            value=value, min=low, max=high, step=(high - low) / 40, description=name, tooltip=f"the {name} asked for"
        )
        for value, (name, (low, high)) in zip(start, ranges.items(), strict=True)
    ]

    def draw(*values: float) -> plot.Picture:
        asked = torch.tensor([values])
        pair = torch.cat([edit(asked), render(asked)])  # (2, C, H, W)
        error = float((pair[0] - pair[1]).square().mean().sqrt())
        where = ", ".join(f"{name} {value:.2f}" for name, value in zip(ranges, values, strict=True))
        alt = f"{where}: edited through the latents (left), drawn (right); they differ by {error:.3f} a pixel"
        return plot.show_images(pair, n_columns=2, titles=("edited", "drawn"), alt=alt)

    return Explorer("Edit explorer", sliders, draw, width=420)


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
