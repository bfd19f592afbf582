"""Explorers redraw what the sliders ask for and store nothing in a notebook but a line of text."""

import inspect

import ipywidgets
import pytest
import torch

from genlib import plot, widgets
from genlib.models.vae import VAE
from genlib.oracles import LinearGaussianVAE


def image_model(latent_dim: int = 2) -> VAE:
    torch.manual_seed(0)
    return VAE((1, 4, 4), latent_dim=latent_dim, hidden_dim=8)


def one_latent() -> tuple[LinearGaussianVAE, torch.Tensor]:
    return LinearGaussianVAE(3, 1, generator=torch.Generator().manual_seed(0)), torch.tensor([[1.0, -0.5, 0.2]])


def bell() -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.linspace(-2, 4, 301)
    return x, torch.exp(-0.5 * (x - 1).square())


def parts(widget: ipywidgets.Widget) -> list[ipywidgets.Widget]:
    return [widget, *(part for child in getattr(widget, "children", ()) for part in parts(child))]


EXPLORERS = {
    "latent": lambda: widgets.latent_explorer(image_model()),
    "gap": lambda: widgets.gap_explorer(*one_latent()),
    "mass": lambda: widgets.mass_explorer(*bell(), width=0.3),
}


@pytest.mark.parametrize("name", EXPLORERS)
def test_moving_any_slider_redraws_the_picture_and_the_words(name: str) -> None:
    explorer = EXPLORERS[name]()
    for slider in explorer.sliders:
        png, text = bytes(explorer.image.value), explorer.text.value
        slider.value = slider.value + 1.0
        assert bytes(explorer.image.value).startswith(b"\x89PNG")
        assert bytes(explorer.image.value) != png
        assert explorer.text.value != text


@pytest.mark.parametrize("dimensions", [(0, 1), (2, 0), (1,)])
def test_latent_explorer_draws_the_decoder_at_the_sliders_and_at_z_elsewhere(dimensions: tuple[int, ...]) -> None:
    model, z = image_model(3), torch.tensor([0.3, -0.7, 1.1])
    explorer = widgets.latent_explorer(model, dimensions=dimensions, z=z)
    assert [slider.value for slider in explorer.sliders] == pytest.approx([z[d].item() for d in dimensions], abs=0.05)
    point = z.clone()
    for slider, dimension, value in zip(explorer.sliders, dimensions, (1.5, -2.0), strict=False):
        slider.value = value
        point[dimension] = value
    assert bytes(explorer.image.value) == plot.to_png(plot.decoded(model, point))


def test_gap_explorer_closes_the_gap_at_the_posterior() -> None:
    model, x = one_latent()
    explorer = widgets.gap_explorer(model, x)
    mean, covariance = model.posterior(x)
    explorer.sliders[0].value, explorer.sliders[1].value = mean.item(), covariance.log().item()
    # A slider stops at multiples of 0.05, which is at most 0.025 away in mean and log-variance.
    worst = 0.025**2 / (2 * covariance.item()) + 0.025**2 / 4 + 1e-4
    gap = model.gap(x, torch.tensor([[explorer.sliders[0].value]]), torch.tensor([[explorer.sliders[1].value]]))
    assert gap.item() <= worst
    assert f"gap {gap.item():.2f} nats" in explorer.text.value


def test_mass_explorer_reaches_every_place_and_draws_the_density_raised_there() -> None:
    x, density = bell()
    explorer = widgets.mass_explorer(x, density, width=0.3)
    place, gain = explorer.sliders
    assert (place.min, place.max) == (-2, 4)
    place.value, gain.value = 0.34, -1.5
    expected = plot.raised_density(x, density, center=0.34, gain=-1.5, width=0.3)
    assert bytes(explorer.image.value) == plot.to_png(expected)
    assert "the area below the curve is 1.00" in explorer.text.value


@pytest.mark.parametrize("name", EXPLORERS)
def test_explorer_works_by_keyboard_and_says_what_each_slider_is(name: str) -> None:
    explorer = EXPLORERS[name]()
    assert all(isinstance(slider, ipywidgets.FloatSlider) for slider in explorer.sliders)  # they take the arrow keys
    assert all(slider.description and slider.tooltip and not slider.disabled for slider in explorer.sliders)
    assert explorer.text.value


@pytest.mark.parametrize("name", EXPLORERS)
def test_notebook_stores_one_line_without_addresses_or_pictures(name: str) -> None:
    explorer = EXPLORERS[name]()
    bundle = explorer._repr_mimebundle_()
    text = bundle["text/plain"]
    assert "run this cell" in text
    assert "0x" not in text
    assert "\n" not in text
    assert "image/png" not in bundle
    assert repr(EXPLORERS[name]()) == repr(explorer)


@pytest.mark.parametrize("name", EXPLORERS)
def test_nothing_is_drawn_through_output_widgets_or_interact(name: str) -> None:
    assert not [part for part in parts(EXPLORERS[name]()) if isinstance(part, ipywidgets.Output)]
    assert "interact" not in inspect.getsource(widgets).replace("interactive", "")


def test_the_mode_of_the_model_is_left_as_it_was() -> None:
    model = image_model()
    model.train()
    explorer = widgets.latent_explorer(model)
    explorer.sliders[0].value = 1.0
    assert model.training


@pytest.mark.parametrize("dimensions", [(), (2,), (-1,)])
def test_latents_that_do_not_exist_are_refused(dimensions: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        widgets.latent_explorer(image_model(), dimensions=dimensions)


def test_mass_explorer_refuses_what_is_no_density() -> None:
    x, density = bell()
    with pytest.raises(ValueError, match="from 0 on"):
        widgets.mass_explorer(x, density - 1, width=0.3)


def test_gap_explorer_refuses_more_than_one_latent() -> None:
    with pytest.raises(ValueError, match="expected 1"):
        widgets.gap_explorer(LinearGaussianVAE(3, 2), torch.zeros(1, 3))
