"""Sprites, faces and captions: geometry against moments, symmetries and fine rasters."""

import math
from collections import Counter

import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genlib.data import FACE_RANGES, SHAPE_RANGES, SHAPES, SPLITS, caption, load, render_faces, render_shapes
from genlib.data.captions import PLACES, SCALES, SMILES, TILTS

FALSE_ALARM = 1e-6
SIDE, MARGIN = 0.3, 0.295  # written out, because the stored outputs of notebooks rest on the drawings
TRAVEL = 1 - 2 * MARGIN  # of the centre, as a fraction of the image, while x or y goes from 0 to 1
unit, angles = st.floats(0, 1), st.floats(-10, 10)
sprites = st.tuples(st.integers(0, len(SHAPES) - 1), st.floats(0.5, 1), angles, unit, unit)


def image(factors, size=28, render=render_shapes):
    return render(torch.tensor([factors], dtype=torch.float64), size)[0, 0]  # (H, W)


def centroid(picture):
    """x and y in pixels, from the left and the top edge."""
    places = torch.arange(len(picture), dtype=picture.dtype) + 0.5
    return (picture.sum(0) @ places / picture.sum()).item(), (picture.sum(1) @ places / picture.sum()).item()


@settings(deadline=None)
@given(sprites, st.sampled_from([28, 64]))
def test_area_is_that_of_the_scale_whatever_the_shape(factors, size):
    """A soft edge is exact along the axes; elsewhere it may err by a few hundredths of a pixel per pixel of edge."""
    side = SIDE * factors[1] * size
    assert image(factors, size).sum().item() == pytest.approx(side**2, abs=0.8 + 0.06 * 4 * side)


@settings(deadline=None)
@given(sprites, st.sampled_from([28, 64]))
def test_centroid_lies_at_x_and_y_whatever_the_shape(factors, size):
    expected = [size * (MARGIN + TRAVEL * place) for place in factors[3:]]
    assert centroid(image(factors, size)) == pytest.approx(expected, abs=0.13)


@settings(deadline=None)
@given(sprites, st.sampled_from([16, 28]))
def test_sprites_are_never_cut(factors, size):
    """In a corner of the range nothing is missing that shows two pixels further inside."""
    step = 2 / size / TRAVEL
    corner = [round(place) for place in factors[3:]]
    inside = [abs(place - step) for place in corner]
    whole = image((*factors[:3], *inside), size).sum()
    assert image((*factors[:3], *corner), size).sum().item() == pytest.approx(whole.item(), abs=1e-6)


@settings(deadline=None, max_examples=40)
@given(sprites)
def test_pixels_are_the_share_that_is_covered(factors):
    """A raster 16 times as fine counts what is inside; the soft edge may differ where it turns within a pixel."""
    fine = (image(factors, 28 * 16) > 0.5).double()
    share = fine.reshape(28, 16, 28, 16).mean((1, 3))
    error = image(factors) - share
    assert error.abs().max() < 0.45
    assert error.abs().sum() < 0.08 * (share > 0).sum()


@settings(deadline=None, max_examples=40)
@given(sprites)
def test_one_pixel_to_the_right_or_down_moves_the_image_by_one_pixel(factors):
    step = 1 / 28 / TRAVEL
    shape, scale, angle, x, y = (*factors[:3], factors[3] * (1 - step), factors[4] * (1 - step))
    here = image((shape, scale, angle, x, y))
    assert torch.allclose(image((shape, scale, angle, x + step, y)), here.roll(1, 1), atol=1e-6)
    assert torch.allclose(image((shape, scale, angle, x, y + step)), here.roll(1, 0), atol=1e-6)


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(SHAPES), angles)
def test_orientation_turns_counter_clockwise(shape, angle):
    here = image((SHAPES.index(shape), 1.0, angle, 0.5, 0.5))
    turned = image((SHAPES.index(shape), 1.0, angle + math.pi / 2, 0.5, 0.5))
    assert torch.allclose(turned, here.rot90(1), atol=1e-6)


@pytest.mark.parametrize(("shape", "period"), [("square", 90), ("triangle", 120), ("ellipse", 180), ("heart", 360)])
def test_shapes_repeat_after_their_period_and_not_before(shape, period):
    def at(degrees):
        return image((SHAPES.index(shape), 1.0, math.radians(degrees), 0.5, 0.5))

    assert torch.allclose(at(10), at(10 + period), atol=1e-6)
    for degrees in range(5, period - 4, 5):
        assert (at(10) - at(10 + degrees)).norm() > 0.3


def grid(ranges, steps):
    """All combinations of evenly spaced values of the factors."""
    axes = [torch.linspace(low, high, n) for (low, high), n in zip(ranges.values(), steps, strict=True)]
    return torch.cartesian_prod(*axes)


@pytest.mark.parametrize(("render", "ranges", "steps"), [
    (render_shapes, SHAPE_RANGES, (len(SHAPES), 4, 5, 4, 4)), (render_faces, FACE_RANGES, (11, 11)),
])  # fmt: skip
def test_different_factors_give_different_images(render, ranges, steps):
    images = render(grid(ranges, steps)).flatten(1)
    distance = torch.cdist(images, images).fill_diagonal_(math.inf)
    assert distance.min() > 0.3


@pytest.mark.parametrize("render", [render_shapes, render_faces])
def test_values_lie_in_the_unit_interval_and_keep_the_type(render):
    factors = load(render.__name__.removeprefix("render_"), "test").factors[:700]
    for dtype in (torch.float32, torch.float64):
        images = render(factors.to(dtype), 64)
        assert images.shape == (700, 1, 64, 64)
        assert images.dtype == dtype
        assert 0 <= images.min() <= images.max() <= 1
    one_by_one = torch.cat([render(row[None], 64) for row in factors[::100]])
    assert torch.allclose(one_by_one, render(factors, 64)[::100], atol=1e-6)
    assert render(factors[:0]).shape == (0, 1, 28, 28)


@pytest.mark.parametrize("name", ["shapes", "faces"])
@pytest.mark.parametrize("split", SPLITS["shapes"])
def test_images_are_drawn_from_the_factors_that_stand_beside_them(name, split):
    data = load(name, split, size=20)
    render, ranges = {"shapes": (render_shapes, SHAPE_RANGES), "faces": (render_faces, FACE_RANGES)}[name]
    assert data.factor_names == tuple(ranges)
    assert torch.equal(render(data.factors, 20), data.x)
    if name == "shapes":
        assert torch.equal(data.factors[:, 0], data.y.float())
        assert torch.bincount(data.y).tolist() == [len(data) // len(SHAPES)] * len(SHAPES)


def test_factors_are_the_same_on_every_machine():
    # Stored outputs of notebooks rest on these: a change of formula, seed or order must not go unseen.
    assert load("shapes").factors[0].tolist() == pytest.approx([0, 0.938207, -0.433357, 0.508201, 0.748142], abs=1e-5)
    assert load("faces").factors[0].tolist() == pytest.approx([-0.772191, 0.413047], abs=1e-5)


@pytest.mark.parametrize("name", ["shapes", "faces"])
def test_factors_are_uniform_and_independent(name):
    """Kolmogorov-Smirnov tests of every factor, and correlations of every pair: at most 20 at 5e-8 each."""
    data = load(name)
    ranges = {"shapes": SHAPE_RANGES, "faces": FACE_RANGES}[name]
    for column, (factor, (low, high)) in enumerate(ranges.items()):
        values = data.factors[:, column].double()
        if factor != "shape":
            assert scipy.stats.kstest(values, "uniform", (low, high - low)).pvalue > FALSE_ALARM / 20
        for other in range(column):
            assert scipy.stats.pearsonr(values, data.factors[:, other].double()).pvalue > FALSE_ALARM / 20


# ---------------------------------------------------------------- faces


@settings(deadline=None, max_examples=40)
@given(st.floats(-1, 1), angles)
def test_tilt_turns_the_whole_face_counter_clockwise_and_cuts_nothing(smile, tilt):
    here = image((smile, tilt), 28, render_faces)
    assert torch.allclose(image((smile, tilt + math.pi / 2), 28, render_faces), here.rot90(1), atol=1e-6)
    assert max(edge.max() for edge in (here[0], here[-1], here[:, 0], here[:, -1])) < 0.85


def test_smiling_bends_the_mouth_and_changes_nothing_else():
    smiles = torch.linspace(-1, 1, 9, dtype=torch.float64)
    faces = render_faces(torch.stack([smiles, torch.zeros_like(smiles)], 1), 128)[:, 0]
    changed = (faces - faces[0]).abs().amax(0) > 0
    rows, columns = changed.nonzero(as_tuple=True)
    assert rows.min() > 0.6 * 128
    assert columns.min() > 0.3 * 128
    assert columns.max() < 0.7 * 128
    dark = (0.85 - faces[:, 78:108]).clamp_min(0)  # between nose and chin
    height = (dark * torch.arange(dark.shape[1])[:, None]).sum(1) / dark.sum(1)  # (9, 128): of the mouth, by columns
    middle, corner = height[:, 64], height[:, 64 + 18]
    assert (middle.diff() > 0).all()  # y points down: smiling lowers the middle
    assert (corner.diff() < 0).all()  # and raises the corners
    assert corner[4] == pytest.approx(middle[4], abs=0.5)


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(("render", "factors", "size", "words"), [
    (render_shapes, [[0, 1, 0, 0.5]], 28, "shape, scale, orientation, x, y"),
    (render_shapes, [0, 1, 0, 0.5, 0.5], 28, r"expected \(N, 5\)"),
    (render_shapes, [[4, 1, 0, 0.5, 0.5]], 28, "shape goes"), (render_shapes, [[0.5, 1, 0, 0, 0]], 28, "whole numbers"),
    (render_shapes, [[0, 1.1, 0, 0.5, 0.5]], 28, "scale goes"), (render_shapes, [[0, 1, 0, -1, 0]], 28, "x goes"),
    (render_shapes, [[0, 1, float("nan"), 0, 0]], 28, "finite"),
    (render_shapes, [[0, 1, 0, 0, float("nan")]], 28, "y goes"),
    (render_shapes, [[0, 1, 0, 0.5, 0.5]], 15, "size=15"), (render_shapes, [[0, 1, 0, 0.5, 0.5]], 28.0, "size=28.0"),
    (render_faces, [[1.5, 0]], 28, "smile goes"), (render_faces, [[0, float("inf")]], 28, "finite"),
    (render_faces, [[0, 0, 0]], 28, "smile, tilt"), (render_faces, [[0, 0]], 5000, "size=5000"),
])  # fmt: skip
def test_factors_that_cannot_be_drawn_are_refused(render, factors, size, words):
    with pytest.raises(ValueError, match=words):
        render(torch.tensor(factors), size)


# ---------------------------------------------------------------- captions


def test_captions_of_sprites_can_be_read_off_the_image():
    """Scale and place by thirds, from area and centroid; factors within a pixel's error of a border are left out."""
    data, checked = load("shapes", "test", size=64), 0
    for picture, factors, label in zip(data.x[:300, 0].double(), data.factors, data.y.tolist(), strict=False):
        thirds = [3 * (picture.sum().sqrt().item() / 64 / SIDE - 0.5) / 0.5]
        thirds += [3 * (place / 64 - MARGIN) / TRAVEL for place in centroid(picture)]
        if min(abs(third - border) for third in thirds for border in (1, 2)) < 0.06:
            continue
        scale, column, row = (min(2, max(0, int(third))) for third in thirds)
        assert caption(factors) == f"a {SCALES[scale]} {SHAPES[label]} {PLACES[row][column]}"
        checked += 1
    assert checked > 200


def test_captions_say_every_combination_and_read_well():
    found = Counter(caption(row) for row in load("shapes").factors)
    assert len(found) == len(SHAPES) * 27
    assert "a small square at the top left" in found
    faces = {caption(row, "faces") for row in load("faces").factors}
    assert faces == {f"a {smile} face, {tilt}" for smile in SMILES for tilt in TILTS}
    assert caption(torch.tensor([1.0, math.pi / 6]), "faces") == "a smiling face, tilted to the left"


@pytest.mark.parametrize(("factors", "of"), [
    (torch.zeros(2), "shapes"), (torch.zeros(1, 5), "shapes"), (torch.zeros(5), "faces"), (torch.zeros(5), "digits"),
])  # fmt: skip
def test_captions_of_other_things_are_refused(factors, of):
    with pytest.raises(ValueError, match="expected"):
        caption(factors, of)
