"""What a trained model is worth on data: averages that do not depend on how the data were split into batches."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from genlib.bounds import iwae_bound
from genlib.models.modes import evaluating


@torch.no_grad()
def average(function: Callable[[Tensor], Tensor], x: Tensor, *, batch_size: int = 512) -> float:
    """The mean over the examples of ``x (N, ...)`` of a function that returns one number per example, ``(B,)``.

    Every example counts the same, also those of a short last batch. Raises ``ValueError`` when ``x`` is empty or
    the function returns anything but ``(B,)``.
    """
    return float(_per_example(function, x, batch_size).double().mean())


def test_nll(model: Any, x: Tensor, *, batch_size: int = 512) -> float:
    """Mean negative log-likelihood of ``x (N, ...)`` in nats: exact with ``log_prob``, else an upper bound by ``elbo``.

    Raises ``ValueError`` when the model offers neither.
    """
    function = getattr(model, "log_prob", None) or getattr(model, "elbo", None)
    if function is None:
        raise ValueError(f"{type(model).__name__} offers neither log_prob nor elbo; it has no likelihood to report")
    with evaluating(model):
        return -average(function, x, batch_size=batch_size)


@torch.no_grad()
def importance_weighted_log_prob(
    model: Any, x: Tensor, *, n_samples: int = 100, batch_size: int = 64, generator: torch.Generator | None = None
) -> Tensor:
    """The importance-weighted bound on log p(x) with ``n_samples`` draws, ``(N,)`` in nats, for ``x (N, ...)``.

    ``model`` offers ``log_weights(x, n_samples=, generator=)``. The bound is below log p(x) in expectation and
    tightens with ``n_samples`` (Burda et al., arXiv:1509.00519, theorem 1).
    """

    def bound(batch: Tensor) -> Tensor:
        return iwae_bound(model.log_weights(batch, n_samples=n_samples, generator=generator))

    with evaluating(model):
        return _per_example(bound, x, batch_size)


def _per_example(function: Callable[[Tensor], Tensor], x: Tensor, batch_size: int) -> Tensor:
    if batch_size < 1 or len(x) == 0:
        raise ValueError(f"received {len(x)} examples and batch_size={batch_size}; expected at least one of each")
    results = []
    for batch in x.split(batch_size):
        values = function(batch)
        if values.shape != batch.shape[:1]:
            raise ValueError(
                f"the function returned shape {tuple(values.shape)} for a batch of {len(batch)}; "
                "expected one number per example, (B,)"
            )
        results.append(values)
    return torch.cat(results)


# pytest would otherwise collect the function by its name, wherever a test module imports it.
test_nll.__test__ = False  # type: ignore[attr-defined]
