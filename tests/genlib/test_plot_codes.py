"""Figures of planes of features show the codes and decodings they were given; the explorer draws what it is asked."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from matplotlib.text import Text

from genlib import plot, widgets
from genlib.models.autoencoder import Autoencoder
from genlib.plot.codes import box_of, decode_images

PAD = 1


def model(latent_dim: int = 2) -> Autoencoder:
    torch.manual_seed(0)
    return Autoencoder((1, 4, 4), latent_dim, hidden_dims=(8,))


def codes(n: int = 60) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return 2 * torch.randn(n, 2, generator=generator) + 1, torch.arange(n) % 10


ROWS = {"one": (0.5, 0.25, 0.75), "two": (2.0, 1.0, 2.0)}
PICTURES: dict[str, Callable[[], plot.Picture]] = {
    "code_scatter": lambda: plot.code_scatter(*codes()),
    "code_scatter, names": lambda: plot.code_scatter(*codes(), names=[f"{i} kind" for i in range(10)]),
    "decoded_grid": lambda: plot.decoded_grid(model(), codes()[0], n=5),
    "point_decoded": lambda: plot.point_decoded(model(), *codes(), torch.tensor([0.5, -1.0])),
    "scores": lambda: plot.scores({"a": ROWS, "b": ROWS}),
}


@pytest.mark.parametrize("name", PICTURES)
def test_picture_is_described_large_enough_to_read_and_small_enough_to_store(name: str) -> None:
    picture = PICTURES[name]()
    assert picture.alt.strip()
    png = plot.to_png(picture)
    assert png.startswith(b"\x89PNG")
    assert len(png) < 80_000
    width, height = int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")
    assert width <= 1000
    assert height <= 700
    sizes = [text.get_fontsize() for text in picture.findobj(Text) if text.get_visible() and text.get_text().strip()]
    assert min(sizes) >= 14


def test_every_code_is_drawn_once_under_the_numeral_and_the_name_of_its_label() -> None:
    points, labels = codes()
    names = [f"{i} kind" for i in range(10)]
    axis = plot.code_scatter(points, labels, names=names).axes[0]
    assert len(axis.collections) == 10
    for label, drawn in enumerate(axis.collections):
        assert np.allclose(np.asarray(drawn.get_offsets()), points[labels == label])
    assert [text.get_text() for text in axis.get_legend().get_texts()] == names
    assert plot.code_scatter(points, labels).axes[0].get_legend() is None


def test_tiles_of_the_grid_are_decoded_where_its_axes_say() -> None:
    net, points = model(), codes()[0]
    n = 5
    axis = plot.decoded_grid(net, points, n=n).axes[0]
    mosaic = np.asarray(axis.images[0].get_array())
    low, high = box_of(net, points)
    first, second = torch.linspace(float(low[0]), float(high[0]), n), torch.linspace(float(low[1]), float(high[1]), n)
    for row, column in ((0, 0), (0, n - 1), (n - 1, 0), (2, 3)):
        z = torch.stack([first[column], second[n - 1 - row]])
        expected = decode_images(net, z.unsqueeze(0))[0, 0]
        top, left = row * (4 + PAD), column * (4 + PAD)
        assert np.allclose(mosaic[top : top + 4, left : left + 4], expected, atol=1e-5)
    assert [label.get_text() for label in axis.get_xticklabels()] == [f"{float(first[i]):.1f}" for i in (0, 2, 4)]
    ticks = dict(zip((t.get_text() for t in axis.get_yticklabels()), axis.get_yticks(), strict=True))
    assert ticks[f"{float(second[4]):.1f}"] < ticks[f"{float(second[0]):.1f}"]  # the largest at the top


def test_the_box_holds_every_code_with_a_tenth_to_spare() -> None:
    points = codes()[0]
    low, high = box_of(model(), points)
    size = points.amax(0) - points.amin(0)
    assert torch.allclose(points.amin(0) - low, 0.1 * size, atol=1e-5)
    assert torch.allclose(high - points.amax(0), 0.1 * size, atol=1e-5)


def test_a_point_is_drawn_with_its_decoding_and_the_distance_to_the_nearest_code() -> None:
    net, (points, labels), z = model(), codes(), torch.tensor([0.5, -1.0])
    picture = plot.point_decoded(net, points, labels, z)
    plane, image = picture.axes
    assert np.allclose(np.asarray(image.images[0].get_array()), decode_images(net, z.unsqueeze(0))[0, 0])
    assert np.allclose(plane.get_lines()[-1].get_xydata(), z.unsqueeze(0))
    distance = min(float((point - z).norm()) for point in points)
    assert f"{distance:.2f} away" in picture.alt
    assert f"{distance:.2f} away" in image.get_title()
    at_a_code = plot.point_decoded(net, points, labels, points[7])
    assert "is 0.00 away" in at_a_code.alt


def test_scores_draw_each_candidate_in_the_same_row_of_every_panel() -> None:
    other = {"one": (1.0, 1.0, 3.0), "two": (0.0, -1.0, 4.0)}
    picture = plot.scores({"a": ROWS, "b": other})
    for axis, (name, values) in zip(picture.axes, (("a", ROWS), ("b", other)), strict=True):
        assert axis.get_xlabel() == name
        lines = axis.get_lines()
        for row, (centre, low, high) in enumerate(values.values()):
            assert np.allclose(lines[2 * row].get_xydata(), [[low, row], [high, row]])
            assert np.allclose(lines[2 * row + 1].get_xydata(), [[centre, row]])
    assert [label.get_text() for label in picture.axes[0].get_yticklabels()] == ["one", "two"]
    assert "b: one 1.00, two 0.00" in picture.alt


def test_drawing_leaves_the_mode_of_the_model_as_it_was() -> None:
    net, (points, labels) = model(), codes()
    for training in (True, False):
        net.train(training)
        plot.decoded_grid(net, points, n=3)
        plot.point_decoded(net, points, labels, points[0])
        assert net.training is training


def test_explorer_reaches_the_whole_box_and_draws_the_point_of_its_sliders() -> None:
    net, (points, labels) = model(), codes()
    explorer = widgets.plane_explorer(net, points, labels)
    low, high = box_of(net, points)
    for slider, least, most in zip(explorer.sliders, low.tolist(), high.tolist(), strict=True):
        assert slider.min == pytest.approx(least, abs=1e-5)
        assert slider.max == pytest.approx(most, abs=1e-5)
        assert slider.description
        assert slider.tooltip
    for slider in explorer.sliders:
        png, text = bytes(explorer.image.value), explorer.text.value
        slider.value = slider.value + 1.0
        assert bytes(explorer.image.value) != png
        assert explorer.text.value != text
    z = torch.tensor([slider.value for slider in explorer.sliders])
    assert bytes(explorer.image.value) == plot.to_png(plot.point_decoded(net, points, labels, z))
    assert "run this cell" in repr(explorer)
    assert repr(explorer) == repr(widgets.plane_explorer(net, points, labels))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: plot.code_scatter(torch.zeros(5, 3), torch.zeros(5).long()), "codes (5, 3)"),
        (lambda: plot.code_scatter(torch.zeros(5, 2), torch.zeros(4).long()), "labels (4,)"),
        (lambda: plot.code_scatter(*codes(), names=["0", "1"]), "2 names and labels up to 9"),
        (lambda: plot.decoded_grid(model(3), codes()[0]), "received 3 latents"),
        (lambda: plot.decoded_grid(model(), codes()[0], n=1), "n=1"),
        (lambda: plot.point_decoded(model(1), *codes(), torch.zeros(2)), "received 1 latents"),
        (lambda: plot.scores({}), "rows []"),
        (lambda: plot.scores({"a": ROWS, "b": {"one": (0.0, 0.0, 0.0)}}), "['one']"),
        (lambda: plot.scores({"a": {"one": (3.0, 0.0, 1.0)}}), "3.0"),
        (lambda: widgets.plane_explorer(model(3), *codes()), "received 3 latents"),
    ],
)
def test_bad_input_is_refused_with_what_was_received_and_expected(call: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError, match="expected") as error:
        call()
    assert words in str(error.value)
