"""Who sees whom: which output of a model depends on which variable, measured and not read off its masks."""

import copy
import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

Function = Callable[[Tensor], Tensor]


def causality(
    function: Function,
    shape: tuple[int, ...],
    *,
    order: Tensor | Sequence[int] | None = None,
    levels: int | None = None,
    n_inputs: int = 8,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float64,
    batch_size: int = 256,
) -> Tensor:
    """Whether the outputs for variable i depend on variable j: bool ``(D, D)``, both in the order of generation.

    ``function`` maps ``(B, *shape)`` to ``(B, *extra, *shape)``: Bernoulli logits ``(B, C, H, W)``, categorical ones
    ``(B, levels, C, H, W)``, or ``log p(x_i | x_<i)`` for every i; what belongs to a whole pixel is to be expanded to
    its colours. A module is checked as a copy in evaluation mode, on the CPU and in ``dtype``; any other function must
    take such tensors itself. ``order[k]`` is the index, in the flattened ``shape``, of the variable that is generated
    k-th; left out, it is ``raster_order(shape)``. An autoregressive model that sees all it may has
    ``torch.equal(causality(model, shape), autoregressive_support(shape))``.

    An entry is the union over ``n_inputs`` random inputs, so that a unit that happens to be off hides nothing, and
    over two checks, each of which finds what the other misses. The gradient, of a random mixture of the outputs for
    variable i, is exactly zero where no path leads, however faint the paths elsewhere. The change of the outputs when
    x_j takes another value also finds paths without gradient (rounding, arg max, detach), but only above the rounding
    error. Inputs are normal, or with ``levels`` int64 in ``[0, levels)``, which leaves the second check alone.

    Raises ``ValueError`` for outputs of another shape, NaN in outputs or gradients (which would hide dependence), or
    an order that is no permutation.
    """
    n_dims = math.prod(shape)
    order = raster_order(shape) if order is None else torch.as_tensor(order)
    if not torch.equal(order.sort().values, torch.arange(n_dims)):
        raise ValueError(f"order is no permutation of 0 .. {n_dims - 1}; expected each index of {shape} once")
    function = _prepared(function, dtype)
    support = torch.zeros(n_dims, n_dims, dtype=torch.bool)
    for x in _inputs(shape, n_inputs, levels, generator, dtype):
        support |= _moved(function, x, levels, generator, batch_size)
        if x.is_floating_point():
            for rows in torch.arange(n_dims).split(batch_size):
                support[rows] |= _gradient(function, x, rows, generator).flatten(1) != 0
    return support[order][:, order]


def receptive_field(
    function: Function,
    shape: tuple[int, ...],
    at: tuple[int, ...],
    *,
    n_inputs: int = 8,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float64,
) -> Tensor:
    """How strongly the outputs for the variable ``at`` depend on every variable, ``shape``; zero where it sees nothing.

    It is the mean absolute gradient, over random inputs, of a random mixture of those outputs; ``function`` is as for
    ``causality``, and ``at`` an index into ``shape``, for instance ``(c, h, w)``. What has no gradient is not seen.
    Raises ``ValueError`` when ``at`` lies outside ``shape``, and as ``causality`` does.
    """
    if len(at) != len(shape) or not all(0 <= index < size for index, size in zip(at, shape, strict=True)):
        raise ValueError(f"received at={at}; expected an index into the shape {shape}")
    function = _prepared(function, dtype)
    row = torch.arange(math.prod(shape)).reshape(shape)[at].reshape(1)
    inputs = _inputs(shape, n_inputs, None, generator, dtype)
    return torch.stack([_gradient(function, x, row, generator)[0].abs() for x in inputs]).mean(0)


def autoregressive_support(shape: tuple[int, ...], *, include_self: bool = False) -> Tensor:
    """What an autoregressive model may see: bool ``(D, D)``, entry [i, j] true where j < i, or j <= i with the self."""
    n_dims = math.prod(shape)
    return torch.ones(n_dims, n_dims, dtype=torch.bool).tril(0 if include_self else -1)


def raster_order(shape: tuple[int, ...]) -> Tensor:
    """The order of generation ``(D,)``, int64, as indices into the flattened ``shape``.

    Of ``(C, H, W)`` and ``(C, T)`` the first dimension, the colours, runs fastest; ``(D,)`` stays as it is.
    """
    index = torch.arange(math.prod(shape)).reshape(shape)
    return index.movedim(0, -1).flatten()


def _prepared(function: Function, dtype: torch.dtype) -> Function:
    if isinstance(function, nn.Module):
        return copy.deepcopy(function).to("cpu", dtype).eval()
    return function


def _inputs(
    shape: tuple[int, ...], n: int, levels: int | None, generator: torch.Generator | None, dtype: torch.dtype
) -> Iterator[Tensor]:
    if n < 1 or (levels is not None and levels < 2):
        raise ValueError(f"received n_inputs={n} and {levels=}; expected at least 1 input and at least 2 levels")
    for _ in range(n):
        if levels is None:
            yield torch.randn(shape, generator=generator, dtype=dtype)
        else:
            yield torch.randint(levels, shape, generator=generator)


def _gradient(function: Function, x: Tensor, rows: Tensor, generator: torch.Generator | None) -> Tensor:
    """The gradients of the outputs for the variables ``rows (R,)`` at x ``shape``: ``(R, *shape)``.

    The input is repeated, and the r-th copy asked for the r-th variable alone: one backward pass serves them all.
    """
    copies = x.expand(len(rows), *x.shape).clone().requires_grad_()
    with torch.enable_grad():
        outputs = _outputs(function, copies)  # (R, E, D)
        chosen = outputs[torch.arange(len(rows)), :, rows]  # (R, E)
        # A plain sum is constant where the outputs for a variable add up to one, as probabilities do.
        mixture = (chosen * torch.randn(chosen.shape, generator=generator, dtype=chosen.dtype)).sum()
    if not mixture.requires_grad:
        return torch.zeros_like(copies)
    gradient = torch.autograd.grad(mixture, copies, allow_unused=True, materialize_grads=True)[0]
    if gradient.isnan().any():
        raise ValueError("a gradient of the outputs is NaN, which tells nothing; expected numbers")
    return gradient


@torch.no_grad()
def _moved(
    function: Function, x: Tensor, levels: int | None, generator: torch.Generator | None, batch_size: int
) -> Tensor:
    """Whether another value of x_j moves the outputs for variable i: bool ``(D, D)``, entry [i, j]."""
    flat = x.flatten()
    if levels is None:
        values = torch.randn(flat.shape, generator=generator, dtype=x.dtype)
    else:
        values = (flat + torch.randint(1, levels, flat.shape, generator=generator)) % levels  # never the old one
    moved = []
    for columns in torch.arange(len(flat)).split(batch_size):
        batch = flat.repeat(len(columns) + 1, 1)  # the last row stays as it is
        batch[torch.arange(len(columns)), columns] = values[columns]
        outputs = _outputs(function, batch.reshape(-1, *x.shape))  # (columns + 1, E, D)
        # Rows of one batch may be summed in different orders; what differs by less than that is the same.
        scale = outputs[outputs.isfinite()].abs().max() if outputs.isfinite().any() else 0.0
        tolerance = 1e4 * torch.finfo(outputs.dtype).eps * float(scale)
        same = torch.isclose(outputs[:-1], outputs[-1], rtol=0, atol=tolerance)
        moved.append(~same.all(1))  # (columns, D)
    return torch.cat(moved).mT


def _outputs(function: Function, x: Tensor) -> Tensor:
    """What the function gives for ``x (B, *shape)``, as ``(B, E, D)``."""
    outputs, shape = function(x), x.shape[1:]
    if outputs.ndim < x.ndim or outputs.shape[0] != len(x) or outputs.shape[outputs.ndim - len(shape) :] != shape:
        raise ValueError(
            f"the function maps {tuple(x.shape)} to {tuple(outputs.shape)}; expected (B, *extra, *shape), outputs for "
            f"every variable of the shape {tuple(shape)}"
        )
    if outputs.isnan().any():
        raise ValueError("the outputs hold NaN, which tells nothing; expected numbers")
    outputs = outputs if outputs.is_floating_point() else outputs.double()
    return outputs.reshape(len(x), -1, math.prod(shape))
