"""What all samplers share: the loop over steps, and Gibbs sampling, which needs nothing else."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor

LogDensity = Callable[[Tensor], Tensor]
State = TypeVar("State", bound=tuple[Tensor, ...])


class Transition(Protocol):
    """One move of every chain, ``(n_chains, *shape)`` to the same shape."""

    def __call__(self, x: Tensor, /, *, generator: torch.Generator | None) -> Tensor: ...


class Chains(NamedTuple):
    """What samplers return: ``samples (n_steps, n_chains, *shape)`` and ``acceptance_rate (n_chains,)``, in [0, 1]."""

    samples: Tensor
    acceptance_rate: Tensor


@torch.no_grad()
def gibbs(
    conditionals: Sequence[Transition],
    start: Tensor,
    n_steps: int,
    *,
    burn_in: int = 0,
    thin: int = 1,
    generator: torch.Generator | None = None,
) -> Chains:
    """Gibbs sampling: a step redraws one block of variables after another, each given all others.

    ``conditionals``: a function for each block, ``conditional(x, generator=generator)``, that returns ``x (n_chains,
    *shape)`` with this block drawn anew. ``start (n_chains, *shape)`` is where the chains begin. ``burn_in`` steps are
    made first and left out, and of the others every ``thin``-th is kept, until there are ``n_steps`` of them.
    Every draw is kept, so that the acceptance rate is 1. Raises ``ValueError`` for numbers of steps that are not
    positive, no conditionals, or a conditional that changes the shape.
    (Geman and Geman, 1984, IEEE PAMI 6, 721-741, section VIII.)
    """
    if not conditionals:
        raise ValueError("received no conditionals; expected one function for each block of variables")

    def step(state: tuple[Tensor]) -> tuple[tuple[Tensor], None]:
        x = state[0]
        for conditional in conditionals:
            x = conditional(x, generator=generator)
            if x.shape != start.shape:
                raise ValueError(f"a conditional returned shape {tuple(x.shape)}; expected {tuple(start.shape)}")
        return (x,), None

    return run_chains(step, (start,), n_steps, burn_in, thin)


def run_chains(
    step: Callable[[State], tuple[State, Tensor | None]], state: State, n_steps: int, burn_in: int, thin: int
) -> Chains:
    """Repeat ``step``, which returns the next state and which chains accepted, ``(n_chains,)``, or None for all.

    The first entry of a state is x; what follows is what the sampler wants to remember about it.
    """
    start = state[0]
    if start.ndim < 1 or len(start) < 1:
        raise ValueError(f"start has shape {tuple(start.shape)}; expected (n_chains, *shape), at least one chain")
    if n_steps < 1 or burn_in < 0 or thin < 1:
        raise ValueError(f"received {n_steps=}, {burn_in=}, {thin=}; expected at least 1, 0 and 1")
    for _ in range(burn_in):
        state, _ = step(state)
    samples = start.new_empty((n_steps, *start.shape))
    moved = torch.zeros(len(start), device=start.device)
    for index in range(n_steps):
        for _ in range(thin):
            state, accepted = step(state)
            moved += 1 if accepted is None else accepted
        samples[index] = state[0]
    return Chains(samples, moved / (n_steps * thin))


def one_per_chain(value: Tensor, x: Tensor) -> Tensor:
    """``value``, a log density at ``x``; raises ``ValueError`` unless it is one number per chain, ``(n_chains,)``."""
    if value.shape != x.shape[:1]:
        raise ValueError(
            f"the log density returned shape {tuple(value.shape)} for {len(x)} chains; expected one number per chain, "
            f"({len(x)},), summed over everything else"
        )
    return value


def check_start(log_p: Tensor) -> None:
    """Raise ``ValueError`` when a chain begins where the density is 0 or no number: it might never get away."""
    bad = int((~log_p.isfinite()).sum())
    if bad:
        raise ValueError(
            f"the log density is not finite at the start of {bad} of {len(log_p)} chains; start where it is"
        )


def columns(per_chain: Tensor, like: Tensor) -> Tensor:
    """``(n_chains,)`` as ``(n_chains, 1, ..., 1)``, to broadcast with ``like (n_chains, *shape)``."""
    return per_chain.reshape(-1, *[1] * (like.ndim - 1))
