"""Figures of connections and text show what they were given; the explorers draw what the sliders ask for."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from matplotlib.text import Text

from genlib import plot, sampling, widgets
from genlib.models.made import MADE
from genlib.models.wavenet import WaveNet

TEXT = "two dogs.\n"
PICTURES: dict[str, Callable[[], plot.Picture]] = {
    "connections": lambda: plot.connections({"a": torch.eye(9), "b": torch.ones(3, 20) > 0}),
    "dilated_layers": lambda: plot.dilated_layers(2, [1, 2, 4]),
    "sentences": lambda: plot.sentences({"a": ["one", "two"], "b": ["three"]}, {"a": [1, 0], "b": [1]}, alt="s"),
    "surprise": lambda: plot.surprise(TEXT, {"a": torch.ones(len(TEXT)), "b": torch.zeros(len(TEXT))}),
}  # fmt: skip


def made() -> MADE:
    torch.manual_seed(0)
    model = MADE((1, 3, 3), (20,))
    with torch.no_grad():
        model.layers[-1].bias.copy_(torch.linspace(-3, 3, 9))  # so that temperature matters
    return model


def uniforms(n: int = 8) -> torch.Tensor:
    return torch.rand(n, 9, generator=torch.Generator().manual_seed(1))


EXPLORERS = {
    "receptive field": widgets.receptive_field_explorer,
    "temperature": lambda: widgets.temperature_explorer(made(), uniforms()),
}


def texts(picture: plot.Picture) -> list[str]:
    """What is written inside the axes of a picture, from top to bottom."""
    return [text.get_text() for text in picture.axes[0].texts]


@pytest.mark.parametrize("name", PICTURES)
def test_picture_is_described_large_enough_to_read_and_small_enough_to_store(name: str) -> None:
    picture = PICTURES[name]()
    assert picture.alt.strip()
    png = plot.to_png(picture)
    assert png == plot.to_png(PICTURES[name]())
    assert len(png) < 60_000
    width = int.from_bytes(png[16:20], "big")
    assert width <= 1000
    assert all(text.get_fontsize() >= 14 for text in picture.findobj(Text) if text.get_text().strip())


def test_dark_squares_stand_where_the_connections_are() -> None:
    matrix = torch.tensor([[1, 0, 1], [0, 0, 1]])
    picture = plot.connections({"m": matrix, "n": 1 - matrix}, alt="")
    for axis, expected in zip(picture.axes, (matrix, 1 - matrix), strict=True):
        assert np.array_equal(np.asarray(axis.collections[0].get_array()).reshape(2, 3), expected)
        assert axis.yaxis_inverted()  # the first row is the upper one, as in the matrix
    assert "m (3 of 6), n (3 of 6)" in picture.alt


@pytest.mark.parametrize(("kernel_size", "n_layers", "n_blocks"), [(2, 1, 1), (2, 3, 1), (3, 2, 2), (1, 2, 1)])
def test_codes_drawn_as_seen_are_those_of_the_receptive_field(kernel_size: int, n_layers: int, n_blocks: int) -> None:
    model = WaveNet(5, 3, kernel_size=kernel_size, n_layers=n_layers, n_blocks=n_blocks)
    picture = plot.dilated_layers(kernel_size, [2**i for i in range(n_layers)] * n_blocks)
    seen = picture.axes[0].collections[2].get_offsets()  # behind lines and the grey dots of the lowest row
    assert sorted(seen[:, 0]) == list(range(-model.receptive_field, 0))
    assert (seen[:, 1] == 0).all()
    assert f"{model.receptive_field} code" in picture.alt


def test_lines_join_units_of_neighbouring_layers_at_the_distance_of_their_dilation() -> None:
    picture = plot.dilated_layers(2, [1, 2, 4])
    allowed = {1: {1, 2}, 2: {0, 1}, 3: {0, 2}, 4: {0, 4}}  # the lowest layer leaves the present out
    found: dict[int, set[int]] = {row: set() for row in allowed}
    for (below, row), (above, next_row) in picture.axes[0].collections[0].get_segments():
        assert next_row == row + 1
        found[int(next_row)].add(int(above - below))
    assert found == allowed


def test_at_most_forty_moments_are_drawn() -> None:
    axis = plot.dilated_layers(3, [1, 2, 4, 8, 16]).axes[0]
    assert axis.get_xlim() == (-39.5, 0.5)


def test_sentences_appear_under_their_names_with_their_verdicts() -> None:
    picture = PICTURES["sentences"]()
    assert texts(picture) == ["a", "✓", "one", "✗", "two", "b", "✓", "three"]
    heights = [text.get_position()[1] for text in picture.axes[0].texts]
    assert heights == sorted(heights)


def test_surprise_draws_the_bits_over_the_characters_and_shows_spaces_and_ends() -> None:
    bits = torch.rand(len(TEXT), generator=torch.Generator().manual_seed(0))
    picture = plot.surprise(TEXT, {"a": bits, "b": 2 * bits})
    first, second = picture.axes[0].get_lines()
    assert np.allclose(first.get_ydata(), bits)
    assert np.allclose(second.get_ydata(), 2 * bits)
    assert "".join(label.get_text() for label in picture.axes[0].get_xticklabels()) == "two␣dogs.⏎"
    assert "bits" in picture.axes[0].get_ylabel()


@pytest.mark.parametrize("name", EXPLORERS)
def test_moving_any_slider_redraws_the_picture_and_the_words(name: str) -> None:
    explorer = EXPLORERS[name]()
    for slider in explorer.sliders:
        png, text = bytes(explorer.image.value), explorer.text.value
        slider.value = slider.value + 1.0
        assert bytes(explorer.image.value) != png
        assert explorer.text.value != text
        assert slider.description
        assert slider.tooltip
    assert repr(explorer) == repr(EXPLORERS[name]())
    assert "run this cell" in repr(explorer)


def test_receptive_field_explorer_draws_the_stack_of_the_sliders() -> None:
    explorer = widgets.receptive_field_explorer()
    for slider, value in zip(explorer.sliders, (3, 2, 2), strict=True):
        slider.value = value
    assert bytes(explorer.image.value) == plot.to_png(plot.dilated_layers(3, [1, 2, 1, 2]))
    field = WaveNet(5, 3, kernel_size=3, n_layers=2, n_blocks=2).receptive_field
    assert f"{field} codes" in explorer.text.value


def test_temperature_explorer_draws_samples_from_the_same_uniforms() -> None:
    model, draws = made(), uniforms()
    model.train()
    explorer = widgets.temperature_explorer(model, draws)
    explorer.sliders[0].value = 0.5
    images = sampling.sample(model, 8, uniforms=draws, temperature=0.5)
    assert bytes(explorer.image.value) == plot.to_png(plot.show_images(images, n_columns=6))
    assert model.training


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: plot.connections({}), "received panels []"),
        (lambda: plot.connections({"m": torch.full((2, 2), 0.5)}), "wrong: ['m']"),
        (lambda: plot.connections({"m": torch.zeros(2, 2, 2)}), "wrong: ['m']"),
        (lambda: plot.dilated_layers(0, [1]), "kernel_size=0"),
        (lambda: plot.dilated_layers(2, [1, 0]), "(1, 0)"),
        (lambda: plot.sentences({"a": ["x"]}, {"a": []}, alt="s"), "verdicts of ['a']"),
        (lambda: plot.surprise("abc", {"a": torch.zeros(2)}), "for 3 characters"),
        (lambda: plot.surprise("", {"a": torch.zeros(0)}), "for 0 characters"),
    ],
)
def test_bad_input_is_refused_with_what_was_received_and_expected(call: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError, match="expected") as error:
        call()
    assert words in str(error.value)
