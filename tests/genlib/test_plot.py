"""Figures show the numbers they were given, can be read by everyone, and refuse what is no image and no code."""

import base64
import io
from collections.abc import Callable

import numpy as np
import pytest
import torch
from matplotlib.image import imread
from matplotlib.text import Text

from genlib import plot
from genlib.models.vae import VAE
from genlib.oracles import LinearGaussianVAE
from genlib.train import History


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def image_model(latent_dim: int = 2) -> VAE:
    torch.manual_seed(0)
    return VAE((1, 4, 4), latent_dim=latent_dim, hidden_dim=8)


def history() -> History:
    return History(steps=[1, 2, 3], losses=[3.0, 2.0, 1.0], seconds=[0.1, 0.2, 0.3], validation=[3.5, 2.5, 2.0])


def two_gaussians(x: torch.Tensor) -> torch.Tensor:
    """log p(x, y) up to a constant for unit Gaussians at (-1, 0) and (1, 0): the boundary is the line x_1 = 0."""
    centres = torch.tensor([[-1.0, 0.0], [1.0, 0.0]], dtype=x.dtype)
    return -0.5 * (x[:, None] - centres).square().sum(-1)


def raised(center: float = 0.5, gain: float = 1.0) -> plot.Picture:
    x = torch.linspace(-4, 4, 401)
    return plot.raised_density(x, torch.exp(-0.5 * x.square()), center=center, gain=gain, width=0.5)


def standard_normal(z: torch.Tensor) -> torch.Tensor:
    return -0.5 * z.square().sum(-1)


PICTURES: dict[str, Callable[[], plot.Picture]] = {
    "show_images": lambda: plot.show_images(torch.rand(3, 1, 5, 5, generator=seeded()), titles=["a", "b", "c"]),
    "image_rows": lambda: plot.image_rows({"a": torch.zeros(3, 1, 4, 4), "b": torch.ones(3, 1, 4, 4)}, title="t"),
    "curves": lambda: plot.curves(
        [1, 2, 4], {"a": [1, 2, 3], "b": ([2, 3, 4], [1, 2, 3], [3, 4, 5])}, x_label="step", y_label="nats",
        log_x=True, log_y=True, levels={"truth": 2.0}, between=("a", "a"), marks=True,
    ),
    "plot_losses": lambda: plot.plot_losses(history()),
    "histogram": lambda: plot.histogram({"a": torch.randn(99, generator=seeded())}, x_label="x", lines={"mean": 0.0}),
    "waterfall": lambda: plot.waterfall({"one": -2.0, "two": 0.5}, "sum"),
    "contours": lambda: plot.contours({"a": standard_normal}, points=torch.zeros(3, 2)),
    "clouds": lambda: plot.clouds({"a": torch.randn(9, 2, generator=seeded()), "b": torch.zeros(9, 2)}),
    "latent_scatter": lambda: plot.latent_scatter(torch.randn(12, 2, generator=seeded()), torch.arange(12)),
    "manifold": lambda: plot.manifold(image_model(), n=4),
    "traverse": lambda: plot.traverse(image_model(3), n_steps=4),
    "decoded": lambda: plot.decoded(image_model(), torch.zeros(2)),
    "intervals": lambda: plot.intervals({"a": (0.5, 0.4, 0.7), "b": (0, 0, 0)}, x_label="accuracy", levels={"l": 0.1}),
    "tables": lambda: plot.tables(
        {"a": torch.rand(4, 10, generator=seeded()), "b": torch.ones(4, 1)}, x_label="label", y_label="image",
        row_images=torch.rand(4, 1, 2, 2, generator=seeded()),
    ),
    "regions": lambda: plot.regions(
        {"a": two_gaussians}, torch.randn(20, 2, generator=seeded()), torch.arange(20) % 2,
        densities=True,
    ),
    "raised_density": raised,
    "elbo_gap": lambda: plot.elbo_gap(LinearGaussianVAE(3, 1, generator=seeded()), torch.ones(1, 3), 0.5, -1.0),
}  # fmt: skip


def pixels(picture: plot.Picture) -> np.ndarray:
    """What is drawn inside the only axes of a picture of images: the array given to imshow."""
    (axis,) = picture.axes
    return np.asarray(axis.images[0].get_array())


@pytest.mark.parametrize("name", PICTURES)
def test_picture_is_described_large_enough_to_read_and_small_enough_to_store(name: str) -> None:
    picture = PICTURES[name]()
    assert picture.alt.strip()
    png = plot.to_png(picture)
    assert png.startswith(b"\x89PNG")
    assert len(png) < 60_000
    texts = [text for text in picture.findobj(Text) if text.get_text().strip()]
    assert all(text.get_fontsize() >= 14 for text in texts)


@pytest.mark.parametrize(
    "name", ["curves", "plot_losses", "histogram", "waterfall", "contours", "elbo_gap", "intervals", "raised_density"]
)
def test_axes_are_labelled(name: str) -> None:
    for axis in PICTURES[name]().axes:
        assert axis.get_xlabel()
        assert axis.get_ylabel() or axis.get_yticklabels() or not axis.get_yticks().size


@pytest.mark.parametrize("name", ["plot_losses", "waterfall", "elbo_gap"])
def test_quantities_in_nats_say_so(name: str) -> None:
    labels = [label for axis in PICTURES[name]().axes for label in (axis.get_xlabel(), axis.get_ylabel())]
    assert any("nats" in label for label in labels)


@pytest.mark.parametrize("name", PICTURES)
def test_the_same_call_gives_the_same_bytes_and_leaves_no_global_style_behind(name: str) -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    assert plot.to_png(PICTURES[name]()) == plot.to_png(PICTURES[name]())
    assert dict(matplotlib.rcParams) == before


def test_notebook_gets_a_png_with_its_alt_text() -> None:
    picture = PICTURES["curves"]()
    data, metadata = picture._repr_mimebundle_()
    assert base64.b64decode(data["image/png"]) == plot.to_png(picture)
    assert metadata["image/png"]["alt"] == data["text/plain"] == picture.alt


def test_colours_differ_in_brightness_or_line_so_that_no_curve_is_known_by_hue_alone() -> None:
    assert len(set(plot.COLORS)) == len(plot.COLORS) == len(plot.LINES) == len(plot.MARKERS)
    picture = plot.curves([0, 1], {str(i): [i, i] for i in range(5)}, x_label="x", y_label="y", marks=True)
    lines = picture.axes[0].get_lines()
    assert len({line.get_linestyle() for line in lines}) >= 4
    assert len({line.get_marker() for line in lines}) == 5


def test_curves_draw_the_values_given() -> None:
    band = ([2.0, 3.0, 4.0], [1.0, 2.0, 3.0], [3.0, 4.0, 5.0])
    picture = plot.curves([1, 2, 4], {"a": torch.tensor([1.0, 2.0, 3.0]), "b": band}, x_label="x", y_label="y")
    first, second = picture.axes[0].get_lines()
    assert np.array_equal(first.get_xydata(), [[1, 1], [2, 2], [4, 3]])
    assert np.array_equal(second.get_ydata(), band[0])
    assert picture.axes[0].collections[0].get_paths()[0].vertices[:, 1].max() == 5


def test_losses_are_drawn_against_their_steps() -> None:
    training, validation = plot.plot_losses(history()).axes[0].get_lines()
    assert np.array_equal(training.get_xydata(), [[1, 3], [2, 2], [3, 1]])
    assert np.array_equal(validation.get_xydata(), [[1, 3.5], [2, 2.5], [3, 2]])


def test_waterfall_ends_at_the_sum_of_its_terms() -> None:
    bars = plot.waterfall({"one": -2.0, "two": 0.5, "three": 1.0}, "sum").axes[0].patches
    starts_ends = [sorted((bar.get_x(), bar.get_x() + bar.get_width())) for bar in bars]
    assert np.allclose(starts_ends, [[-2, 0], [-2, -1.5], [-1.5, -0.5], [-0.5, 0]])


def test_contours_of_a_gaussian_lie_one_and_two_deviations_out() -> None:
    picture = plot.contours({"a": standard_normal}, limit=3, center=(0.5, 0))
    (contour,) = (c for c in picture.axes[0].collections if hasattr(c, "levels"))
    radii = [np.linalg.norm(path.vertices, axis=1) for path in contour.get_paths()]
    assert np.allclose(radii[0], 2, atol=0.01)
    assert np.allclose(radii[1], 1, atol=0.01)


def test_histogram_has_area_one() -> None:
    picture = plot.histogram({"a": torch.randn(500, generator=seeded())}, x_label="x", n_bins=20)
    outline = picture.axes[0].patches[0].get_xy()
    x, y = outline[:, 0], outline[:, 1]
    area = 0.5 * abs(np.dot(x[:-1], y[1:]) - np.dot(x[1:], y[:-1]) + x[-1] * y[0] - x[0] * y[-1])
    assert np.isclose(area, 1)


def test_intervals_reach_from_low_to_high_with_the_centre_marked() -> None:
    picture = plot.intervals({"a": (0.5, 0.4, 0.7), "b": (0.2, 0.1, 0.25)}, x_label="x")
    bars, points = picture.axes[0].get_lines()[::2], picture.axes[0].get_lines()[1::2]
    assert [list(bar.get_xdata()) for bar in bars] == [[0.4, 0.7], [0.1, 0.25]]
    assert [float(point.get_xdata()[0]) for point in points] == [0.5, 0.2]
    assert [label.get_text() for label in picture.axes[0].get_yticklabels()] == ["a", "b"]
    top, bottom = (float(point.get_ydata()[0]) for point in points)
    assert picture.axes[0].transData.transform([[0, top], [0, bottom]])[:, 1].argmax() == 0  # the first row is on top


def test_tables_show_their_numbers_row_by_row_from_zero_on() -> None:
    first, second = torch.rand(4, 6, generator=seeded()), 2 + torch.rand(4, 1, generator=seeded(1))
    images = torch.rand(4, 1, 2, 2, generator=seeded(2))
    front, *panels = plot.tables({"a": first, "b": second}, row_images=images).axes[:3]
    for axis, table in zip(panels, (first, second), strict=True):
        assert np.allclose(axis.images[0].get_array(), table)
        assert axis.images[0].get_clim()[0] == 0
    for row, (drawn, image) in enumerate(zip(front.images, images, strict=True)):
        assert np.allclose(drawn.get_array(), image[0])
        assert np.isclose(np.mean(drawn.get_extent()[2:]), row)  # where the tables have that row


def test_regions_belong_to_the_largest_score_and_meet_where_two_are_equal() -> None:
    points = torch.tensor([[-2.0, -1.0], [2.0, 1.0]])
    (axis,) = plot.regions({"a": two_gaussians}, points, torch.tensor([0, 1])).axes
    claims = np.asarray(axis.images[0].get_array())
    assert (claims[:, :80] == 0).all()
    assert (claims[:, 81:] == 1).all()
    (line,) = (path for contour in axis.collections if hasattr(contour, "levels") for path in contour.get_paths())
    assert np.allclose(line.vertices[:, 0], 0, atol=1e-6)
    assert np.ptp(line.vertices[:, 1]) > 3  # from the bottom of the picture to its top


def test_densities_of_classes_are_drawn_two_deviations_out() -> None:
    points = torch.tensor([[-4.0, -4.0], [4.0, 4.0]])
    (axis,) = plot.regions({"a": two_gaussians}, points, torch.tensor([0, 1]), densities=True).axes
    contours = [c for c in axis.collections if hasattr(c, "levels") and c.levels[0] > 0]
    for contour, centre in zip(contours, ((-1, 0), (1, 0)), strict=True):
        (path,) = contour.get_paths()
        assert np.allclose(np.linalg.norm(path.vertices - centre, axis=1), 2, atol=0.01)


@pytest.mark.parametrize("gain", [-2.0, 0.0, 1.0, 3.0])
def test_a_raised_density_keeps_its_area_and_changes_by_the_gain_between_the_center_and_far_away(gain: float) -> None:
    before, after, *_ = raised(center=0.5, gain=gain).axes[0].get_lines()
    x, y = before.get_xdata(), after.get_ydata()
    assert np.isclose(np.trapezoid(before.get_ydata(), x), 1)
    assert np.isclose(np.trapezoid(y, x), 1)
    ratio = y / before.get_ydata()
    assert np.isclose(np.log(ratio[np.abs(x - 0.5).argmin()] / ratio[0]), gain, atol=1e-3)


def test_images_appear_in_reading_order_unchanged() -> None:
    images = torch.rand(5, 1, 3, 3, generator=seeded())
    drawn = pixels(plot.show_images(images, n_columns=3))
    step = (drawn.shape[0] // 2, drawn.shape[1] // 3)
    for index, image in enumerate(images):
        top, left = step[0] * (index // 3), step[1] * (index % 3)
        assert np.allclose(drawn[top : top + 3, left : left + 3], image[0])


@pytest.mark.parametrize("size", [8, 28])
def test_titles_of_images_do_not_run_into_the_row_below(size: int) -> None:
    picture = plot.show_images(torch.zeros(20, 1, size, size), n_columns=10, titles=["9: 100%"] * 20)
    plot.to_png(picture)  # lays it out
    (axis,) = picture.axes
    step = pixels(picture).shape[0] // 2
    top_of_second_row = axis.transData.transform((0, step - 0.5))[1]
    assert axis.texts[0].get_window_extent().y0 > top_of_second_row


def test_colour_images_keep_their_channels() -> None:
    images = torch.rand(2, 3, 4, 4, generator=seeded())
    assert np.allclose(pixels(plot.show_images(images))[:4, :4], images[0].permute(1, 2, 0))


def test_rows_stand_below_each_other_under_their_names() -> None:
    a, b = torch.rand(2, 3, 1, 4, 4, generator=seeded())
    picture = plot.image_rows({"above": a, "below": b})
    drawn = pixels(picture)
    assert np.allclose(drawn[:4, :4], a[0, 0])
    assert np.allclose(drawn[drawn.shape[0] // 2 :][:4, :4], b[0, 0])
    assert [label.get_text() for label in picture.axes[0].get_yticklabels()] == ["above", "below"]


def test_manifold_tiles_are_the_decoded_quantiles_of_the_prior() -> None:
    model, n = image_model(), 4
    drawn = pixels(plot.manifold(model, n=n))
    quantiles = torch.special.ndtri((torch.arange(n) + 0.5) / n)
    step = drawn.shape[0] // n
    for row in range(n):
        for column in range(n):
            z = torch.stack([quantiles[column], quantiles[n - 1 - row]])  # z_2 grows upwards
            expected = model.decode_mean(z).detach()[0]
            tile = drawn[row * step : row * step + 4, column * step : column * step + 4]
            assert np.allclose(tile, expected, atol=1e-6)


def test_traverse_moves_one_latent_a_row_and_leaves_the_others_at_z() -> None:
    model, z = image_model(3), torch.tensor([0.5, -1.0, 2.0])
    drawn = pixels(plot.traverse(model, z, dimensions=[2, 0], limit=2, n_steps=5))
    height, width = drawn.shape[0] // 2, drawn.shape[1] // 5
    for row, dimension in enumerate([2, 0]):
        for column, value in enumerate([-2.0, -1.0, 0.0, 1.0, 2.0]):
            point = z.clone()
            point[dimension] = value
            tile = drawn[row * height : row * height + 4, column * width : column * width + 4]
            assert np.allclose(tile, model.decode_mean(point).detach()[0], atol=1e-6)


def test_drawing_leaves_the_mode_of_the_model_as_it_was() -> None:
    model = image_model()
    model.train()
    model.decoder.eval()
    plot.manifold(model, n=3)
    plot.decoded(model, torch.zeros(2))
    assert model.training
    assert not model.decoder.training


def test_gap_picture_names_the_values_of_the_oracle() -> None:
    model, x = LinearGaussianVAE(3, 1, generator=seeded()).double(), torch.ones(1, 3, dtype=torch.float64)
    q = torch.tensor([[0.5]], dtype=torch.float64), torch.tensor([[-1.0]], dtype=torch.float64)
    alt = plot.elbo_gap(model, x, 0.5, -1.0).alt
    for value in (model.exact_elbo(x, *q), model.gap(x, *q), model.log_prob(x)):
        assert f"{value.item():.2f}" in alt


def test_decoded_png_shows_the_image(tmp_path: object) -> None:
    model = image_model()
    with torch.no_grad():
        model.decoder[-1].weight.zero_()
        model.decoder[-1].bias.fill_(-9)  # every pixel almost 0: black
    drawn = imread(io.BytesIO(plot.to_png(plot.decoded(model, torch.zeros(2)))))
    middle = drawn[drawn.shape[0] // 2, drawn.shape[1] // 2, :3]
    assert middle.max() < 0.05


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: plot.show_images(torch.zeros(3, 5)), "(3, 5)"),
        (lambda: plot.show_images(torch.full((1, 1, 2, 2), 255.0)), "expected [0, 1]"),
        (lambda: plot.show_images(torch.full((1, 1, 2, 2), float("nan"))), "expected [0, 1]"),
        (lambda: plot.show_images(torch.zeros(3, 1, 2, 2), titles=["one"]), "1 titles for 3 images"),
        (lambda: plot.image_rows({"a": torch.zeros(2, 1, 2, 2), "b": torch.zeros(3, 1, 2, 2)}), "one shape for all"),
        (lambda: plot.image_rows({}), "at least one row"),
        (lambda: plot.latent_scatter(torch.zeros(5, 3)), "expected (N, 2)"),
        (lambda: plot.latent_scatter(torch.zeros(5, 2), torch.zeros(4)), "4 labels for 5 codes"),
        (lambda: plot.intervals({"a": (0.5, 0.6, 0.7)}, x_label="x"), "wrong: ['a']"),
        (lambda: plot.intervals({}, x_label="x"), "one or more"),
        (lambda: plot.tables({"a": torch.ones(3, 2), "b": torch.ones(4, 2)}), "(4, 2)"),
        (lambda: plot.tables({"a": -torch.ones(3, 2)}), "no negative number"),
        (lambda: plot.tables({"a": torch.ones(3, 2)}, row_images=torch.ones(2, 1, 2, 2)), "one R for all"),
        (lambda: plot.regions({"a": two_gaussians}, torch.zeros(3, 3), torch.zeros(3).long()), "(3, 3)"),
        (lambda: plot.regions({"a": two_gaussians}, torch.zeros(3, 2), torch.zeros(4).long()), "(4,)"),
        (lambda: plot.raised_density([0, 1], [1, 1, 1], center=0, gain=1, width=1), "(3,)"),
        (lambda: plot.raised_density([0, 1], [1, -1], center=0, gain=1, width=1), "from 0 on"),
        (lambda: plot.manifold(image_model(1)), "1 latents"),
        (lambda: plot.traverse(image_model(2), dimensions=[2]), "from 0 to 1"),
        (lambda: plot.elbo_gap(LinearGaussianVAE(3, 2), torch.zeros(1, 3), 0.0, 0.0), "2 latents"),
    ],
)
def test_bad_input_is_refused_with_what_was_received_and_expected(call: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError, match="expected") as error:
        call()
    assert words in str(error.value)
