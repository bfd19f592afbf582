"""Pictures of what a pixel sees show the measured dependence, and the explorer draws it for its sliders' pixel."""

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex, to_rgb
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from genlib import oracles, plot, widgets
from genlib.models.gated_pixel_cnn import GatedPixelCNN
from genlib.models.pixel_cnn import PixelCNN
from genlib.plot.pixels import KINDS

SHAPE = (5, 6)


def models() -> dict[str, torch.nn.Module]:
    torch.manual_seed(0)
    options = {"channels": 4, "first_kernel_size": 3}
    return {"plain": PixelCNN((1, *SHAPE), n_layers=4, **options), "gated": GatedPixelCNN((1, *SHAPE), **options)}


def kinds(axis) -> list[str]:
    """What each tile of a panel says that its pixel is, in raster order."""
    names = {(to_hex(color), hatch): kind for kind, (color, hatch) in KINDS.items()}
    tiles = [patch for patch in axis.patches if isinstance(patch, Rectangle)]
    return [names[to_hex(tile.get_facecolor()), tile.get_hatch() or ""] for tile in tiles]


def expected_kinds(field: torch.Tensor, here: int) -> list[str]:
    seen = (field != 0).flatten().tolist()
    before = ["seen" if seen[place] else "earlier, not seen" for place in range(here)]
    own = "output pixel, seen by itself" if seen[here] else "output pixel"
    return [*before, own, *("later, but seen" if value else "later" for value in seen[here + 1 :])]


@pytest.mark.parametrize("at", [(0, 0), (2, 3), (4, 5)])
def test_every_tile_says_what_its_pixel_is_to_the_output_pixel(at: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(at[0])
    fields = {name: torch.rand(SHAPE, generator=generator).round() for name in ("a", "b")}
    picture = plot.receptive_fields(fields, at)
    for axis, field in zip(picture.axes, fields.values(), strict=True):
        assert kinds(axis) == expected_kinds(field, at[0] * SHAPE[1] + at[1])


def test_each_kind_of_pixel_differs_in_colour_and_in_lightness_or_hatching() -> None:
    looks = list(KINDS.values())
    assert len({to_hex(color) for color, _ in looks}) == len(set(looks)) == len(KINDS)
    hatched = [hatch for _, hatch in looks if hatch]
    assert len(set(hatched)) == len(hatched)
    plain = sorted(np.mean(to_rgb(color)) for color, hatch in looks if not hatch)
    assert np.diff(plain).min() > 0.2  # those without hatching can be told apart in grey


def test_words_count_the_earlier_pixels_that_are_seen_and_those_that_should_not_be() -> None:
    field = torch.zeros(SHAPE, dtype=torch.bool)
    field[0, :4] = True
    assert "4 of 15 earlier pixels" in plot.receptive_fields({"a": field}, (2, 3)).alt
    assert "not earlier" not in plot.receptive_fields({"a": field}, (2, 3)).alt
    field[2, 3] = field[4, 0] = True
    assert "4 of 15 earlier pixels and 2 not earlier" in plot.receptive_fields({"a": field}, (2, 3)).alt


def test_legend_names_the_kinds_that_occur_and_no_others() -> None:
    picture = plot.receptive_fields({"a": torch.zeros(SHAPE)}, (2, 3))
    shown = {text.get_text() for text in picture.legends[0].get_texts()}
    assert shown == {"output pixel", "earlier, not seen", "later"}


@pytest.mark.parametrize("at", [(5, 0), (0, 6), (-1, 0)])
def test_output_pixel_outside_the_image_is_refused(at: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="row below 5 and a column below 6"):
        plot.receptive_fields({"a": torch.zeros(SHAPE)}, at)


@pytest.mark.parametrize("shapes", [[], [(3, 3), (3, 4)], [(1, 3, 3)]])
def test_fields_that_do_not_fit_together_are_refused(shapes: list[tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match="one shape"):
        plot.receptive_fields({str(i): torch.zeros(shape) for i, shape in enumerate(shapes)}, (0, 0))


def test_number_grids_write_every_number_in_its_cell_and_leave_nan_empty() -> None:
    grid = torch.arange(6.0).reshape(2, 3)
    grid[1, 0] = torch.nan
    picture = plot.number_grids({"a": grid}, rows=["top", "low"], columns=["x", "y", "z"])
    (axis,) = picture.axes
    written = {tuple(text.get_position()): text.get_text() for text in axis.texts}
    assert written == {(0, 0): "0", (1, 0): "1", (2, 0): "2", (1, 1): "4", (2, 1): "5"}
    assert [label.get_text() for label in axis.get_yticklabels()] == ["top", "low"]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["x", "y", "z"]


@pytest.mark.parametrize("grids", [{}, {"a": torch.zeros(3)}])
def test_what_is_no_grid_of_numbers_is_refused(grids: dict[str, torch.Tensor]) -> None:
    with pytest.raises(ValueError, match="expected"):
        plot.number_grids(grids)


@pytest.mark.parametrize(
    "picture",
    [
        plot.receptive_fields({"a": torch.zeros(SHAPE), "b": torch.ones(SHAPE)}, (2, 3)),
        plot.number_grids({"a": torch.eye(4), "b": torch.ones(4, 7)}, rows=["R"] * 4),
    ],
    ids=["receptive_fields", "number_grids"],
)
def test_pictures_fit_on_a_slide_in_large_type_and_say_what_they_show(picture: plot.Picture) -> None:
    png = plot.to_png(picture)
    width, height = (int.from_bytes(png[start : start + 4], "big") for start in (16, 20))
    assert width <= 1000
    assert height <= 700
    assert all(text.get_fontsize() >= 14 for text in picture.findobj(Text) if text.get_text())
    assert picture.alt


def test_explorer_draws_what_the_models_see_from_the_pixel_of_its_sliders() -> None:
    nets = models()
    explorer = widgets.pixel_explorer(nets, SHAPE)
    row, column = explorer.sliders
    assert (row.min, row.max, column.min, column.max) == (0, 4, 0, 5)
    row.value, column.value = 3, 2
    drawn = explorer.draw(row.value, column.value)
    here = 3 * SHAPE[1] + 2
    for axis, net in zip(drawn.axes, nets.values(), strict=True):
        sees = oracles.causality(net, (1, *SHAPE))[here].reshape(SHAPE)
        assert kinds(axis) == expected_kinds(sees, here)
    assert bytes(explorer.image.value) == plot.to_png(drawn)
    assert f"gated: {here} of {here} earlier pixels" in explorer.text.value
    assert f"plain: {here} of {here} earlier pixels" not in explorer.text.value


def test_explorer_redraws_for_every_slider_and_stores_one_line() -> None:
    explorer = widgets.pixel_explorer(models(), SHAPE)
    for slider in explorer.sliders:
        png, text = bytes(explorer.image.value), explorer.text.value
        slider.value = slider.value + 1
        assert bytes(explorer.image.value) != png
        assert explorer.text.value != text
        assert slider.description
        assert slider.tooltip
    assert "image/png" not in explorer._repr_mimebundle_()
    assert "run this cell" in repr(explorer)
