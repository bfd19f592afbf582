"""Samplers that need a log density alone: Metropolis-Hastings, and Langevin with and without its correction."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from genlib.mcmc.chains import Chains, LogDensity, State, Transition, check_start, columns, one_per_chain, run_chains

ProposalLogDensity = Callable[[Tensor, Tensor], Tensor]


def accepts(log_ratio: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
    """Whether each chain moves, boolean ``(n_chains,)``: with probability min(1, exp(log_ratio)), ``(n_chains,)``."""
    draw = torch.rand(log_ratio.shape, generator=generator, dtype=log_ratio.dtype, device=log_ratio.device)
    return draw < log_ratio.exp()  # false where the ratio is no number


@torch.no_grad()
def metropolis_hastings(
    log_density: LogDensity,
    start: Tensor,
    n_steps: int,
    *,
    proposal: Transition | None = None,
    proposal_log_density: ProposalLogDensity | None = None,
    step_size: float = 1.0,
    burn_in: int = 0,
    thin: int = 1,
    generator: torch.Generator | None = None,
) -> Chains:
    """Propose x', and move there with probability min(1, p(x') q(x|x') / (p(x) q(x'|x))), else stay.

    ``log_density(x)`` is log p up to a constant, ``(n_chains,)`` in nats, for ``x (n_chains, *shape)``.
    ``proposal(x, generator=generator)`` draws x' for every chain; left out, x' = x + step_size eps with eps ~ N(0, I),
    in units of x. ``proposal_log_density(to, given)`` is log q(to|given), ``(n_chains,)``; it may be left out only when
    the proposal is symmetric, q(x'|x) = q(x|x'), as that of the random walk is. ``start``, ``burn_in`` and ``thin``
    are those of ``gibbs``. Raises ``ValueError`` for shapes and numbers that do not fit, and for a start at which p
    is 0. (Hastings, 1970, Biometrika 57, 97-109, section 2.2; Metropolis et al., 1953, for a symmetric q.)
    """
    if proposal is None and proposal_log_density is not None:
        raise ValueError("received a proposal_log_density without its proposal; the random walk needs none")
    if proposal is None:
        proposal = _random_walk(start, step_size)
    log_p = one_per_chain(log_density(start), start)
    check_start(log_p)

    def step(state: tuple[Tensor, Tensor]) -> tuple[tuple[Tensor, Tensor], Tensor]:
        x, log_p = state
        candidate = proposal(x, generator=generator)
        if candidate.shape != x.shape:
            raise ValueError(f"the proposal returned shape {tuple(candidate.shape)}; expected {tuple(x.shape)}")
        candidate_log_p = one_per_chain(log_density(candidate), candidate)
        log_ratio = candidate_log_p - log_p
        if proposal_log_density is not None:
            log_ratio = log_ratio + proposal_log_density(x, candidate) - proposal_log_density(candidate, x)
        moves = accepts(log_ratio, generator=generator)
        return _moved(moves, (candidate, candidate_log_p), (x, log_p)), moves

    return run_chains(step, (start, log_p), n_steps, burn_in, thin)


@torch.no_grad()
def langevin(
    log_density: LogDensity,
    start: Tensor,
    n_steps: int,
    *,
    step_size: float,
    corrected: bool = True,
    burn_in: int = 0,
    thin: int = 1,
    generator: torch.Generator | None = None,
) -> Chains:
    """Follow the gradient and add noise: x' = x + step_size grad log p(x) + sqrt(2 step_size) eps, eps ~ N(0, I).

    ``step_size`` is in squared units of x. With ``corrected=True`` x' is a proposal of Metropolis and Hastings, and the
    chain has p as its stationary distribution at any step size (the Metropolis-adjusted Langevin algorithm). Without
    it every x' is kept, and what the chain converges to is p only in the limit of small steps: for N(0, 1) it is
    N(0, 1 / (1 - step_size / 2)). ``log_density`` must be differentiable; the other arguments are those of
    ``metropolis_hastings``. Raises ``ValueError`` also when the chains run away to values that are not finite.
    (Roberts and Tweedie, 1996, Bernoulli 2, 341-363, section 1.4, with 2 step_size for their h.)
    """
    if not (step_size > 0 and math.isfinite(step_size)):
        raise ValueError(f"received {step_size=}; expected a positive number")
    _check_real(start)
    log_p, gradient = _with_gradient(log_density, start)
    check_start(log_p)

    def step(state: tuple[Tensor, Tensor, Tensor]) -> tuple[tuple[Tensor, Tensor, Tensor], Tensor | None]:
        x, log_p, gradient = state
        there = x + step_size * gradient + math.sqrt(2 * step_size) * _normal_like(x, generator)
        found = (there, *_with_gradient(log_density, there))
        if not corrected:
            return found, None
        forth = _squared(there - x - step_size * gradient)  # log q(x'|x) = -forth / (4 step_size) + constant
        back = _squared(x - there - step_size * found[2])
        moves = accepts(found[1] - log_p + (forth - back) / (4 * step_size), generator=generator)
        return _moved(moves, found, state), moves

    chains = run_chains(step, (start, log_p, gradient), n_steps, burn_in, thin)
    if not chains.samples[-1].isfinite().all():
        raise ValueError(f"the chains ran away to values that are not finite; try a step_size below {step_size:g}")
    return chains


def _random_walk(start: Tensor, step_size: float) -> Transition:
    if not (step_size > 0 and math.isfinite(step_size)):
        raise ValueError(f"received {step_size=}; expected a positive number")
    _check_real(start)

    def propose(x: Tensor, /, *, generator: torch.Generator | None) -> Tensor:
        return x + step_size * _normal_like(x, generator)

    return propose


def _check_real(start: Tensor) -> None:
    if not start.is_floating_point():
        raise ValueError(f"start has dtype {start.dtype}; steps of any size need floats, or a proposal of your own")


def _normal_like(x: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)


def _with_gradient(log_density: LogDensity, x: Tensor) -> tuple[Tensor, Tensor]:
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        log_p = one_per_chain(log_density(x), x)
        if not log_p.requires_grad:
            raise ValueError("the log density carries no gradient for x; compute it without torch.no_grad or detach")
        (gradient,) = torch.autograd.grad(log_p.sum(), x)
    return log_p.detach(), gradient


def _squared(x: Tensor) -> Tensor:
    return x.flatten(1).square().sum(1) if x.ndim > 1 else x.square()


def _moved(moves: Tensor, there: State, here: State) -> State:
    """Of each chain the new state where it moves, and the old one where it does not."""
    parts = (torch.where(columns(moves, a), a, b) for a, b in zip(there, here, strict=True))
    return type(here)(parts)
