"""The KL divergence of any two densities on the line, by quadrature."""

import math

import torch
from torch import Tensor
from torch.distributions import Categorical, Cauchy, Distribution, Laplace, MixtureSameFamily, Normal, Uniform

N_POINTS = 100_001
LINE_SHAPES = ("normal", "two bumps", "Laplace", "Cauchy", "uniform")


def line_density(shape: str, centre: float = 0.0, scale: float = 1.0) -> Distribution:
    """A density on the line by the name of its shape, one of ``LINE_SHAPES``, in float64.

    ``uniform`` reaches 1.5 scales from the centre; the bumps lie there, half a scale wide.
    Raises ``ValueError`` for another shape, or a scale that is not positive.
    """
    if shape not in LINE_SHAPES or not scale > 0:
        raise ValueError(f"received {shape=} and {scale=}; expected one of {LINE_SHAPES} and a positive number")
    at, width = torch.tensor(centre, dtype=torch.float64), torch.tensor(scale, dtype=torch.float64)
    ends = torch.stack([at - 1.5 * width, at + 1.5 * width])
    if shape == "uniform":
        return Uniform(*ends)
    if shape == "two bumps":
        return MixtureSameFamily(Categorical(torch.ones_like(ends)), Normal(ends, 0.5 * width))
    return {"normal": Normal, "Laplace": Laplace, "Cauchy": Cauchy}[shape](at, width)


def density_on(distribution: Distribution, x: Tensor) -> Tensor:
    """log p(x) in nats at the points ``x (N,)``, ``(N,)``: minus infinity outside of the support."""
    inside = distribution.support.check(x)  # type: ignore[union-attr]
    values = torch.full_like(x, -math.inf)
    values[inside] = distribution.log_prob(x[inside])  # distributions refuse points outside of their support
    return values


def kl_integrand(p: Distribution, q: Distribution, x: Tensor) -> Tensor:
    """p(x) log(p(x) / q(x)) at ``x (N,)``, in nats per unit of x: 0 where p is 0, and infinite where only q is.

    These are the conventions of Cover and Thomas (2006), section 2.3.
    """
    log_p, log_q = density_on(p, x), density_on(q, x)
    values = torch.where(log_p > -math.inf, log_p.exp() * (log_p - log_q), 0.0)
    return torch.where((log_p > -math.inf) & (log_q == -math.inf), math.inf, values)  # not 0 times infinity


def kl_quadrature(p: Distribution, q: Distribution, *, limit: float = 1e6) -> float:
    """KL(p || q) in nats of two densities of one variable, by the trapezoidal rule between -limit and limit.

    The points x = sinh(t) with evenly spaced t are dense around 0, where the densities should have their mass. The
    result is infinite when p has mass where q has none, or when the integral still grows: when the outermost tenfold
    of its range contributes more than a thousandth of a nat. Raises ``ValueError`` for distributions of more than one
    variable, or a limit of less than 100.
    """
    for name, distribution in (("p", p), ("q", q)):
        if distribution.batch_shape or distribution.event_shape:
            shape = tuple(distribution.batch_shape + distribution.event_shape)
            raise ValueError(f"received {name} of shape {shape}; expected one distribution of one variable, ()")
    if not limit >= 100:
        raise ValueError(f"received {limit=}; expected at least 100, to see how the integral grows")
    end = math.asinh(limit)
    t = torch.linspace(-end, end, N_POINTS, dtype=torch.float64)
    x = t.sinh()
    values = kl_integrand(p, q, x) * t.cosh()  # dx = cosh(t) dt
    if bool(values.isinf().any()):
        return math.inf
    total = float(torch.trapezoid(values, t))
    inner = x.abs() <= limit / 10
    return math.inf if abs(total - float(torch.trapezoid(values[inner], t[inner]))) > 1e-3 else total
