"""Drawing from autoregressive models, one variable after another: naively, or with cached activations.

The naive sampler runs the whole network for every variable. A model's own ``steps`` computes every activation once;
given the same uniforms both draw the same values, which is how the second is tested.
"""

import math
from collections.abc import Iterator
from typing import Any, Protocol

import torch
from torch import Tensor

from genlib.models.modes import evaluating


class Steps(Protocol):
    """Generation in progress: ask for the logits of the next variable, then say which value it has."""

    def logits(self) -> Tensor:
        """Logits of the next variable, ``(n, levels)``; to be called once before each ``put``."""
        ...

    def put(self, value: Tensor) -> None:
        """Fix the next variable, int64 ``(n,)``, and go on to the one after it."""
        ...


def generation_order(model: Any) -> Tensor:
    """Flat indices of the variables in the order of their generation, int64 ``(D,)``.

    ``model.order`` if the model has one, else raster order with the colours of a pixel next to each other.
    """
    order = getattr(model, "order", None)
    if order is not None:
        return order
    index = torch.arange(math.prod(model.data_shape)).reshape(model.data_shape)
    return index.movedim(0, -1).flatten()


class NaiveSteps:
    """Steps of any autoregressive model: the whole network for every variable, as the definition says."""

    def __init__(self, model: Any, n: int, y: Tensor | int | None = None) -> None:
        self.model, self.y, self.position = model, y, 0
        self.order = generation_order(model).tolist()
        self.x = _blank(model, n)

    def logits(self) -> Tensor:
        """Logits of the next variable, ``(n, levels)``."""
        return self.model(self.x, self.y).flatten(2)[:, :, self.order[self.position]]

    def put(self, value: Tensor) -> None:
        """Fix the next variable, int64 ``(n,)``."""
        self.x.view(len(self.x), -1)[:, self.order[self.position]] = value.to(self.x.dtype)
        self.position += 1


def choose(logits: Tensor, uniform: Tensor, temperature: float = 1.0) -> Tensor:
    """The value whose interval of the distribution function holds ``uniform (n,)``: int64 ``(n,)``, by inversion.

    ``logits`` are ``(n, levels)``; below 1, ``temperature`` sharpens the distribution, above 1 it flattens it.
    """
    cumulative = torch.softmax(logits / temperature, 1).cumsum(1)  # (n, levels)
    return (uniform.unsqueeze(1) >= cumulative[:, :-1]).sum(1)  # the last level takes what rounding leaves


@torch.no_grad()
def iterate(
    model: Any,
    n: int,
    *,
    y: Tensor | int | None = None,
    generator: torch.Generator | None = None,
    uniforms: Tensor | None = None,
    temperature: float = 1.0,
    given: Tensor | None = None,
    known: Tensor | None = None,
    cached: bool = True,
) -> Iterator[Tensor]:
    """Draw ``n`` examples and yield them, ``(n, *data_shape)``, after every variable: one tensor that fills up.

    ``model`` offers ``data_shape``, ``levels``, logits ``(B, levels, *data_shape)`` from ``model(x, y)`` and, for
    ``cached=True``, ``steps(n, y)``. ``uniforms (n, D)``, in the order of generation, decide every draw; without them
    they come from ``generator``. In-painting: where ``known`` (bool, ``data_shape`` or ``(n, *data_shape)``) holds,
    the values are those of ``given``; a variable is then drawn given the known ones before it, not those after it.
    The model is in evaluation mode until the iterator ends. Raises ``ValueError`` for arguments that do not fit.
    """
    order = generation_order(model).tolist()
    x = _blank(model, n)
    if uniforms is None:
        uniforms = torch.rand(n, len(order), generator=generator, device=x.device)
    _check(x, uniforms, temperature, given, known)
    kept = None if given is None else torch.broadcast_to(given, x.shape).flatten(1)
    keep = None if known is None else torch.broadcast_to(known, x.shape).flatten(1)
    flat = x.view(n, -1)
    with evaluating(model):
        steps: Steps = model.steps(n, y) if cached else NaiveSteps(model, n, y)
        for position, where in enumerate(order):
            value = choose(steps.logits(), uniforms[:, position], temperature)
            if kept is not None and keep is not None:
                value = torch.where(keep[:, where], kept[:, where].long(), value)
            steps.put(value)
            flat[:, where] = value.to(x.dtype)
            yield x


def sample(model: Any, n: int, *, progress: bool = False, **options: Any) -> Tensor:
    """Draw ``n`` examples ``(n, *data_shape)``: floats 0 and 1 for two levels, else int64 in [0, levels).

    ``options`` are those of ``iterate``; ``progress`` shows a bar.
    """
    x = _blank(model, n)
    if n == 0:
        return x
    steps: Any = iterate(model, n, **options)
    if progress:
        from tqdm.auto import tqdm

        steps = tqdm(steps, total=math.prod(model.data_shape), unit="variable", leave=False)
    for x in steps:  # noqa: B007
        pass
    return x


def _blank(model: Any, n: int) -> Tensor:
    like = next(model.parameters())
    return torch.zeros(n, *model.data_shape, dtype=like.dtype if model.levels == 2 else torch.int64, device=like.device)


def _check(x: Tensor, uniforms: Tensor, temperature: float, given: Tensor | None, known: Tensor | None) -> None:
    shape = (len(x), math.prod(x.shape[1:]))
    if uniforms.shape != shape:
        raise ValueError(f"uniforms have shape {tuple(uniforms.shape)}; expected (n, D), here {shape}")
    if not temperature > 0:
        raise ValueError(f"received {temperature=}; expected a positive number")
    if (given is None) != (known is None):
        raise ValueError("received one of given and known; expected both: the values, and where they are to be kept")
    for name, tensor in (("given", given), ("known", known)):
        if tensor is not None and tensor.shape not in (x.shape, x.shape[1:]):
            raise ValueError(
                f"{name} has shape {tuple(tensor.shape)}; expected {tuple(x.shape)} or {tuple(x.shape[1:])}"
            )
    if known is not None and known.dtype != torch.bool:
        raise ValueError(f"known has dtype {known.dtype}; expected torch.bool")
