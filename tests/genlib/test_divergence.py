"""The quadrature of a KL divergence agrees with closed forms, and says infinity where the truth is infinite."""

import math

import pytest
import torch
from torch.distributions import (
    Cauchy,
    Distribution,
    Exponential,
    HalfCauchy,
    Laplace,
    Normal,
    StudentT,
    Uniform,
    kl_divergence,
)

from genlib import oracles


def at(family: type[Distribution], *parameters: float) -> Distribution:
    return family(*(torch.tensor(value, dtype=torch.float64) for value in parameters))


def cauchy_kl(loc: float, scale: float, loc_q: float, scale_q: float) -> float:
    """Closed form of Chyzak and Nielsen (arXiv:1905.10965), equation 1."""
    return math.log(((scale + scale_q) ** 2 + (loc - loc_q) ** 2) / (4 * scale * scale_q))


@pytest.mark.parametrize(
    ("p", "q"),
    [
        (at(Normal, 0, 1), at(Normal, 1, 2)),
        (at(Normal, 2, 0.05), at(Normal, -1, 1)),
        (at(Laplace, 0, 1), at(Laplace, 1.5, 0.5)),
        (at(Exponential, 2), at(Exponential, 0.5)),
        (at(Laplace, 0.5, 1), at(Normal, 0, 2)),
        (at(Uniform, -1, 1), at(Uniform, -2, 3)),
        (at(Uniform, -1, 1), at(Normal, 0, 1)),
    ],
    ids=repr,
)
def test_agrees_with_the_closed_form(p: Distribution, q: Distribution) -> None:
    assert oracles.kl_quadrature(p, q) == pytest.approx(kl_divergence(p, q).item(), abs=2e-3)


@pytest.mark.parametrize("q", [(0, 1), (1, 2), (-3, 0.4)])
def test_two_cauchy_densities_have_the_divergence_of_their_closed_form_although_tails_are_heavy(
    q: tuple[float, float],
) -> None:
    value = oracles.kl_quadrature(at(Cauchy, 0.5, 1.5), at(Cauchy, *q))
    assert value == pytest.approx(cauchy_kl(0.5, 1.5, *q), abs=1e-4)


@pytest.mark.parametrize(
    ("p", "q"),
    [
        (at(Uniform, -3, -1), at(Uniform, 1, 3)),  # disjoint
        (at(Uniform, -2, 1), at(Uniform, -1, 2)),  # neither support holds the other
        (at(Uniform, -2, 2), at(Uniform, -1, 1)),
        (at(Normal, 0, 0.05), at(Uniform, -1, 1)),  # mass outside: 6e-89
        (at(Normal, 0, 1), at(Exponential, 1)),
        (at(Cauchy, 0, 1), at(Normal, 0, 1)),  # positive everywhere, and still
        (at(Cauchy, 0, 1), at(Laplace, 0, 1)),  # grows like a logarithm
        (at(StudentT, 2), at(Normal, 0, 1)),  # no variance
        (at(HalfCauchy, 1), at(Exponential, 1)),
    ],
    ids=repr,
)
def test_is_infinite_where_mass_or_tails_are_missing(p: Distribution, q: Distribution) -> None:
    assert oracles.kl_quadrature(p, q) == math.inf


@pytest.mark.parametrize("shape", oracles.LINE_SHAPES)
@pytest.mark.parametrize("other", oracles.LINE_SHAPES)
def test_never_negative_and_zero_only_for_equal_densities(shape: str, other: str) -> None:
    value = oracles.kl_quadrature(oracles.line_density(shape), oracles.line_density(other))
    assert value == 0 if shape == other else value > 1e-3


@pytest.mark.parametrize("shape", oracles.LINE_SHAPES)
@pytest.mark.parametrize(("centre", "scale"), [(0.0, 1.0), (1.3, 0.4), (-2.0, 2.5)])
def test_line_densities_have_mass_one_and_their_median_at_the_centre(shape: str, centre: float, scale: float) -> None:
    p = oracles.line_density(shape, centre, scale)
    t = torch.linspace(-math.asinh(1e5), math.asinh(1e5), 100_001, dtype=torch.float64)
    mass = oracles.density_on(p, t.sinh()).exp() * t.cosh()
    below = t.sinh() <= centre
    assert torch.trapezoid(mass, t).item() == pytest.approx(1, abs=2e-3)
    assert torch.trapezoid(mass[below], t[below]).item() == pytest.approx(0.5, abs=2e-3)


def test_scale_of_a_line_density_stretches_it() -> None:
    x = torch.linspace(-5, 5, 41, dtype=torch.float64) + 0.01
    for shape in oracles.LINE_SHAPES:
        narrow, wide = oracles.line_density(shape), oracles.line_density(shape, 1.0, 2.0)
        stretched = oracles.density_on(wide, 1 + 2 * x)
        assert torch.allclose(stretched, oracles.density_on(narrow, x) - math.log(2))


def test_density_is_zero_outside_of_the_support_and_draws_nothing_random() -> None:
    state = torch.get_rng_state()
    values = oracles.density_on(at(Uniform, 0, 2), torch.tensor([-1.0, 1.0, 3.0], dtype=torch.float64))
    assert values.tolist() == [-math.inf, -math.log(2), -math.inf]
    assert torch.equal(torch.get_rng_state(), state)


def test_integrand_follows_the_conventions_for_zero_times_infinity() -> None:
    """0 log 0/q = 0 and p log p/0 = infinity, also where p is below the smallest number."""
    x = torch.tensor([-1.5, 0.5, 1.5, 60.0], dtype=torch.float64)
    box, normal = at(Uniform, -1, 1), at(Normal, 0, 1)
    assert oracles.kl_integrand(box, normal, x).tolist()[0::2] == [0.0, 0.0]
    assert oracles.kl_integrand(normal, box, x).isinf().tolist() == [True, False, True, True]
    assert oracles.kl_integrand(at(Uniform, 1, 2), at(Uniform, 1, 2), x).tolist() == [0.0] * 4


def test_bad_input_is_refused_with_what_was_received_and_expected() -> None:
    normal = at(Normal, 0, 1)
    with pytest.raises(ValueError, match=r"\(3,\).*expected one distribution of one variable"):
        oracles.kl_quadrature(normal, Normal(torch.zeros(3), 1.0))
    with pytest.raises(ValueError, match="limit=5"):
        oracles.kl_quadrature(normal, normal, limit=5)
    with pytest.raises(ValueError, match=r"'triangle'.*expected one of"):
        oracles.line_density("triangle")
    with pytest.raises(ValueError, match="positive"):
        oracles.line_density("normal", 0.0, 0.0)
