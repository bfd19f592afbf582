"""Pictures of mixtures, of EM and of divergences draw the numbers that they name, and their explorers play them."""

import copy
import math
from collections.abc import Callable

import ipywidgets
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from torch.distributions import Uniform

from genlib import oracles, plot, widgets
from genlib.models.gaussian_mixture import GaussianMixture
from genlib.plot.picture import COLORS, MARKERS

State = tuple[GaussianMixture, torch.Tensor]


def em(n_steps: int = 3, n: int = 60) -> tuple[torch.Tensor, list[State]]:
    """Points of two components, and the states of EM from a poor start."""
    eye = torch.eye(2, dtype=torch.float64)
    weight, mean = torch.tensor([0.6, 0.4]).double(), torch.tensor([[-1.5, 0.0], [1.5, 0.5]]).double()
    truth = GaussianMixture(weight, mean, 0.4 * eye.expand(2, 2, 2))
    x = truth.sample(n, generator=torch.Generator().manual_seed(0))
    model = GaussianMixture(torch.tensor([0.5, 0.5]).double(), 0.2 * mean, torch.diag(eye[0] + 0.5).expand(2, 2, 2))
    trace = [(copy.deepcopy(model), torch.full((n, 2), 0.5, dtype=torch.float64))]
    for _ in range(n_steps):
        q = model.responsibilities(x)
        trace.append((copy.deepcopy(model), q))
        model.em_step(x, q)
        trace.append((copy.deepcopy(model), q))
    return x, trace


def heights(x: torch.Tensor, trace: list[State]) -> tuple[list[float], list[float]]:
    return (
        [model.elbo(x, q).mean().item() for model, q in trace],
        [model.log_prob(x).mean().item() for model, _ in trace],
    )


def thirds() -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    x = torch.linspace(0, 1, 11)
    return x, {"a": 1 + x, "b": 2 - x, "c": torch.ones(11)}


def boxes() -> dict[str, tuple[Uniform, Uniform]]:
    low, high = torch.tensor(-2.0).double(), torch.tensor(1.0).double()
    return {"boxes": (Uniform(low, high), Uniform(-high, -low))}


def test_shares_are_stacked_to_the_sum_above_and_to_one_below() -> None:
    x, parts = thirds()
    top, bottom = plot.shares(x, parts, x_label="x").axes
    (line,) = top.get_lines()
    assert np.allclose(line.get_ydata(), sum(parts.values()))
    ends = np.cumsum([part.numpy() for part in parts.values()], 0)
    for axis, edges in ((top, ends), (bottom, ends / ends[-1])):
        for area, upper, lower in zip(axis.collections, edges, [0 * edges[0], *edges], strict=False):
            x_y = area.get_paths()[0].vertices
            at = np.isclose(x_y[:, 0], 0.5)
            assert np.isclose(x_y[at, 1].max(), upper[5])
            assert np.isclose(x_y[at, 1].min(), lower[5])
    assert len({area.get_hatch() for area in top.collections}) == 3  # not by colour alone


def test_points_have_the_marker_of_the_likeliest_component_and_the_blended_colour_of_all() -> None:
    x = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    q = torch.tensor([[1.0, 0.0], [0.25, 0.75], [0.5, 0.5]])
    soft, grey = plot.soft_labels(x, {"soft": q, "none": None}).axes
    drawn = {}
    for marks in soft.collections:
        for place, color in zip(np.asarray(marks.get_offsets()), marks.get_facecolors(), strict=True):
            drawn[tuple(place)] = color[:3]
    palette = np.array([to_rgb(color) for color in COLORS[:2]])
    for point, shares in zip(x.tolist(), q.numpy(), strict=True):
        assert np.allclose(drawn[tuple(point)], shares @ palette)
    assert len(soft.collections) == 2  # a marker for each component that claims a point
    assert len({marks.get_paths()[0].vertices.tobytes() for marks in soft.collections}) == 2
    assert len(grey.collections) == 1
    assert len(set(grey.collections[0].get_facecolors()[0][:3])) == 1


def test_ellipses_lie_two_deviations_from_the_means() -> None:
    x, trace = em()
    model, _ = trace[4]
    left, _ = plot.em_state(x, trace, 4).axes
    rings = [line for line in left.get_lines() if len(line.get_xdata()) > 1]
    for ring, mean, covariance in zip(rings, model.mean, model.covariance, strict=True):
        offset = torch.from_numpy(np.stack(ring.get_data(), 1)) - mean
        distance = (offset @ torch.linalg.inv(covariance) * offset).sum(1).sqrt()
        assert torch.allclose(distance, torch.full_like(distance, 2.0))
    dots = [line for line in left.get_lines() if len(line.get_xdata()) == 1]
    assert [dot.get_marker() for dot in dots] == list(MARKERS[:2])
    assert torch.allclose(torch.tensor([dot.get_xydata()[0].tolist() for dot in dots]).double(), model.mean)


@pytest.mark.parametrize("step", [0, 3, 6])
def test_staircase_shows_the_bound_and_log_prob_up_to_the_step_and_their_gap(step: int) -> None:
    x, trace = em()
    bounds, log_probs = heights(x, trace)
    _, right = plot.em_state(x, trace, step).axes
    log_prob_stairs, bound_stairs = right.patches
    assert np.allclose(bound_stairs.get_data().values, bounds[: step + 1])
    assert np.allclose(log_prob_stairs.get_data().values, log_probs[: step + 1])
    gaps = [np.ptp(area.get_paths()[0].vertices[:, 1]) for area in right.collections]
    assert np.allclose(gaps, np.subtract(log_probs, bounds)[: step + 1])
    assert right.get_xlim() == (-0.5, 6.5)  # of the whole trace, so that it stands still while it is played
    assert right.get_ylim() == plot.em_state(x, trace, 6).axes[1].get_ylim()


def test_states_are_named_in_the_order_of_expectation_maximisation() -> None:
    x, trace = em()
    names = [plot.em_state(x, trace, step).axes[0].get_title() for step in range(7)]
    assert names == ["start", "E step 1", "M step 1", "E step 2", "M step 2", "E step 3", "M step 3"]
    labels = [label.get_text() for label in plot.staircase(x, trace).axes[0].get_xticklabels()]
    assert labels == ["0", "E", "M", "E", "M", "E", "M"]
    assert [axis.get_title() for axis in plot.em_strip(x, trace, (0, 3)).axes] == ["start", "E step 2"]


def test_long_traces_count_whole_steps() -> None:
    x, trace = em(n_steps=20)
    labels = [label.get_text() for label in plot.staircase(x, trace).axes[0].get_xticklabels()]
    assert labels[:2] == ["0", "3"]
    assert len(labels) <= 16


def test_words_of_em_pictures_are_the_numbers_of_the_model() -> None:
    x, trace = em()
    bounds, log_probs = heights(x, trace)
    state = plot.em_state(x, trace, 2).alt
    assert f"bound {bounds[2]:.3f}" in state
    assert f"gap {log_probs[2] - bounds[2]:.3f}" in state
    assert f"E step 1: bound {bounds[1]:.2f}" in plot.em_strip(x, trace, (1, 2)).alt
    assert f"{bounds[-1]:.2f} and {log_probs[-1]:.2f}" in plot.staircase(x, trace).alt


def test_divergences_draw_both_densities_and_both_integrands() -> None:
    p, q = oracles.line_density("two bumps"), oracles.line_density("normal", 0.5, 0.8)
    top, bottom = plot.divergences({"a": (p, q)}).axes
    x = torch.from_numpy(top.get_lines()[0].get_xdata())
    for line, density in zip(top.get_lines(), (p, q), strict=True):
        assert np.allclose(line.get_ydata(), density.log_prob(x).exp())
    _, *lines = bottom.get_lines()
    for line, pair in zip(lines, ((p, q), (q, p)), strict=True):
        assert np.allclose(line.get_ydata(), oracles.kl_integrand(*pair, x))
        inside = torch.trapezoid(torch.from_numpy(line.get_ydata()), x).item()
        assert inside == pytest.approx(oracles.kl_quadrature(*pair), abs=1e-3)
    assert f"{oracles.kl_quadrature(p, q):.2f}" in top.get_title()


def test_places_where_only_one_density_has_mass_are_hatched_and_the_words_say_infinite() -> None:
    picture = plot.divergences(boxes())
    _, bottom = picture.axes
    spans = [area.get_paths()[0].get_extents() for area in bottom.collections]
    assert [(span.x0, span.x1) for span in spans] == [
        pytest.approx((-2, -1), abs=0.02),  # p is alone
        pytest.approx((1, 2), abs=0.02),  # q is alone
    ]
    assert len({area.get_hatch() for area in bottom.collections}) == 2
    assert picture.alt.count("is infinite") == 2
    assert picture.axes[0].get_title().count("infty") == 2


PICTURES = {
    "shares": lambda: plot.shares(*thirds(), x_label="x"),
    "soft_labels": lambda: plot.soft_labels(em()[0], {"q": em()[1][1][1], "none": None}),
    "em_state": lambda: plot.em_state(*em(), 3),
    "em_strip": lambda: plot.em_strip(*em(), (0, 2, 4, 6)),
    "staircase": lambda: plot.staircase(*em(8)),
    "divergences": lambda: plot.divergences(boxes() | {"again": boxes()["boxes"], "third": boxes()["boxes"]}),
}


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_fit_on_a_slide_in_large_type_and_say_what_they_show(name: str) -> None:
    picture = PICTURES[name]()
    png = plot.to_png(picture)
    width, height = (int.from_bytes(png[start : start + 4], "big") for start in (16, 20))
    assert width <= 1000
    assert height <= 700
    assert all(text.get_fontsize() >= 14 for text in picture.findobj(Text) if text.get_text())
    assert picture.alt


EXPLORERS = {"kl": widgets.kl_explorer, "em": lambda: widgets.em_explorer(*em())}


@pytest.mark.parametrize("name", EXPLORERS)
def test_every_control_redraws_the_picture_and_the_words(name: str) -> None:
    explorer = EXPLORERS[name]()
    for control in explorer.sliders:
        png, text = bytes(explorer.image.value), explorer.text.value
        is_choice = isinstance(control, ipywidgets.Dropdown)
        control.value = next(o for o in control.options if o != control.value) if is_choice else control.value + 1
        assert bytes(explorer.image.value).startswith(b"\x89PNG")
        assert bytes(explorer.image.value) != png
        assert explorer.text.value != text
        assert control.description
        assert control.tooltip
    bundle = explorer._repr_mimebundle_()
    assert "image/png" not in bundle
    assert "run this cell" in bundle["text/plain"]
    assert "0x" not in bundle["text/plain"]


def test_kl_explorer_draws_the_divergences_of_what_is_chosen() -> None:
    explorer = widgets.kl_explorer()
    p, q, centre, scale = explorer.sliders
    p.value, q.value, centre.value, scale.value = "Cauchy", "Laplace", -1.5, 0.4
    pair = oracles.line_density("Cauchy"), oracles.line_density("Laplace", -1.5, 0.4)
    assert "KL(p || q) is infinite" in explorer.text.value
    assert f"KL(q || p) {oracles.kl_quadrature(*reversed(pair)):.2f} nats" in explorer.text.value
    assert bytes(explorer.image.value) == plot.to_png(plot.divergences({"Cauchy, Laplace": pair}))
    assert set(p.options) == set(q.options) == set(oracles.LINE_SHAPES)


def test_em_explorer_plays_every_state_of_the_trace() -> None:
    x, trace = em()
    explorer = widgets.em_explorer(x, trace)
    (slider,) = explorer.sliders
    play, *rest = explorer.children
    assert isinstance(play, ipywidgets.Play)
    assert slider in rest
    assert (play.min, play.max, slider.min, slider.max) == (0, 6, 0, 6)
    for step in range(7):
        play.value = step  # what the browser does while it plays
        assert slider.value == step
        assert explorer.text.value == plot.em_state(x, trace, step).alt
    assert bytes(explorer.image.value) == plot.to_png(plot.em_state(x, trace, 6))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: plot.shares([0, 1], {"a": [1, 1, 1]}, x_label="x"), "wrong: ['a']"),
        (lambda: plot.shares([0, 1], {"a": [1, -1]}, x_label="x"), "wrong: ['a']"),
        (lambda: plot.shares([0, 1], {}, x_label="x"), "parts []"),
        (lambda: plot.soft_labels(torch.zeros(4, 3), {"a": None}), "(4, 3)"),
        (lambda: plot.soft_labels(torch.zeros(4, 2), {"a": torch.ones(3, 2)}), "(3, 2)"),
        (lambda: plot.em_state(*em(), 7), "step=7"),
        (lambda: plot.em_state(*em(), -1), "step=-1"),
        (lambda: plot.divergences({"a": (Uniform(torch.zeros(2), torch.ones(2)),) * 2}), "(2,)"),
    ],
)
def test_bad_input_is_refused_with_what_was_received_and_expected(call: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError, match="expected") as error:
        call()
    assert words in str(error.value)


def test_soft_labels_of_certain_points_are_the_colours_of_the_palette() -> None:
    x, trace = em()
    certain = F.one_hot(trace[-1][1].argmax(1), 2).double()
    (axis,) = plot.soft_labels(x, {"certain": certain}).axes
    colors = {tuple(np.round(c[:3], 6)) for marks in axis.collections for c in marks.get_facecolors()}
    assert colors == {tuple(np.round(to_rgb(color), 6)) for color in COLORS[:2]}
    assert math.isclose(sum(len(marks.get_offsets()) for marks in axis.collections), len(x))
