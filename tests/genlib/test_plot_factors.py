"""Figures of latents and their factors show what they were given; the edit explorer draws both sides of an edit."""

import ipywidgets
import numpy as np
import pytest
import torch
from matplotlib.text import Text

from genlib import plot, widgets
from genlib.data import render_faces


def draws(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def planes() -> plot.Picture:
    way = torch.stack([torch.linspace(0, 1, 9), torch.linspace(0, 1, 9) ** 2], 1)
    paths = {"straight": {"smile": way[[0, -1]], "tilt": way[[0, -1]]}, "curved": {"tilt": way}}
    return plot.factor_planes(draws(50, 2), {"smile": draws(50, seed=1), "tilt": draws(50, seed=2)}, paths=paths)


def steps() -> plot.Picture:
    return plot.predicted_steps([1, 2, 3, 4], [3, 2, 2, 0], [1.5, 3.5], [3, 1], x_label="beta", y_label="active")


@pytest.mark.parametrize("draw", [planes, steps], ids=["factor_planes", "predicted_steps"])
def test_picture_is_described_large_enough_to_read_and_small_enough_to_store(draw) -> None:
    picture = draw()
    png = plot.to_png(picture)
    assert picture.alt.strip()
    assert png == plot.to_png(draw())
    assert len(png) < 80_000
    assert int.from_bytes(png[16:20], "big") <= 1000
    assert all(text.get_fontsize() >= 14 for text in picture.findobj(Text) if text.get_text().strip())


def test_every_panel_holds_all_codes_shaded_by_its_own_factor() -> None:
    picture = planes()
    for axis, seed in zip(picture.axes[:2], (1, 2), strict=True):
        assert np.allclose(axis.collections[0].get_offsets(), draws(50, 2))
        assert np.allclose(axis.collections[0].get_array(), draws(50, seed=seed))
    assert "smile, tilt" in picture.alt


def test_a_line_is_drawn_in_its_panels_alone_and_looks_the_same_in_each() -> None:
    first, second = planes().axes[:2]
    lines = [{line.get_label(): line for line in axis.get_lines()} for axis in (first, second)]
    assert set(lines[0]) == {"straight"}
    assert set(lines[1]) == {"straight", "curved"}
    one, other = lines[0]["straight"], lines[1]["straight"]
    assert (one.get_color(), one.get_linestyle()) == (other.get_color(), other.get_linestyle())
    assert lines[1]["curved"].get_color() != one.get_color()
    assert np.allclose(lines[1]["curved"].get_ydata(), torch.linspace(0, 1, 9) ** 2)


def test_the_legend_names_every_line_once_wherever_it_is_drawn() -> None:
    (legend,) = planes().legends
    assert [text.get_text() for text in legend.get_texts()] == ["straight", "curved"]


def test_steps_change_where_the_prediction_does_and_dots_stand_where_it_was_measured() -> None:
    stair, dots = steps().axes[0].get_lines()
    assert list(stair.get_ydata()) == [3, 2, 2, 0]
    assert stair.get_drawstyle() == "steps-post"
    assert list(dots.get_xdata()) == [1.5, 3.5]
    assert list(dots.get_ydata()) == [3, 1]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: plot.factor_planes(draws(5, 3), {"a": draws(5)}), "codes (5, 3)"),
        (lambda: plot.factor_planes(draws(5, 2), {"a": draws(4)}), "{'a': (4,)}"),
        (lambda: plot.factor_planes(draws(5, 2), {}), "at least one factor"),
        (lambda: plot.factor_planes(draws(5, 2), {"a": draws(5)}, paths={"p": {"b": draws(3, 2)}}), "['b']"),
        (lambda: plot.predicted_steps([1, 2], [1], [1], [1], x_label="", y_label=""), "1 steps at 2 points"),
        (lambda: plot.predicted_steps([1, 2], [1, 1], [1, 2], [1], x_label="", y_label=""), "1 measurements at 2"),
        (lambda: explorer((0.0, 2.0)), "received start (0.0, 2.0)"),
        (lambda: explorer((0.0,)), "received start (0.0,)"),
    ],
)
def test_bad_input_is_refused_with_what_was_received_and_expected(call, words) -> None:
    with pytest.raises(ValueError, match="expected") as error:
        call()
    assert words in str(error.value)


RANGES = {"smile": (-1.0, 1.0), "tilt": (-0.5, 0.5)}


def render(factors: torch.Tensor) -> torch.Tensor:
    return render_faces(factors, size=16)


def upside_down(factors: torch.Tensor) -> torch.Tensor:
    return render(factors).flip(2)


def explorer(start: tuple[float, ...] = (0.5, -0.2)) -> widgets.Explorer:
    return widgets.edit_explorer(upside_down, render, RANGES, start)


def test_edit_explorer_draws_the_edit_on_the_left_and_the_truth_on_the_right() -> None:
    box = explorer()
    for slider, value in zip(box.sliders, (-0.75, 0.25), strict=True):
        slider.value = value
    asked = torch.tensor([[-0.75, 0.25]])
    pair = torch.cat([upside_down(asked), render(asked)])
    assert bytes(box.image.value) == plot.to_png(plot.show_images(pair, n_columns=2, titles=("edited", "drawn")))
    error = (pair[0] - pair[1]).square().mean().sqrt()
    assert f"smile -0.75, tilt 0.25: edited through the latents (left), drawn (right); they differ by {error:.3f}" in (
        box.text.value
    )


def test_edit_explorer_begins_at_the_start_and_covers_the_ranges() -> None:
    box = explorer()
    assert [slider.value for slider in box.sliders] == [0.5, -0.2]
    assert [(slider.min, slider.max) for slider in box.sliders] == list(RANGES.values())
    assert [slider.description for slider in box.sliders] == list(RANGES)
    assert all(isinstance(slider, ipywidgets.FloatSlider) and slider.tooltip for slider in box.sliders)


def test_moving_any_slider_redraws_the_edit_and_its_words() -> None:
    box = explorer()
    for slider in box.sliders:
        png, text = bytes(box.image.value), box.text.value
        slider.value = slider.min
        assert bytes(box.image.value) != png
        assert box.text.value != text
    assert "run this cell" in repr(box)
    assert "\n" not in repr(box)
