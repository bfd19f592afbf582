"""Batches and pixel values: what happens to data that are already tensors."""

from collections.abc import Iterator

import torch
from torch import Tensor

from genlib.device import checks_values


def batches(
    *tensors: Tensor,
    batch_size: int = 128,
    shuffle: bool = False,
    generator: torch.Generator | None = None,
    drop_last: bool = False,
) -> Iterator[tuple[Tensor, ...]]:
    """Iterate once over tensors ``(N, ...)`` of the same length in tuples of batches ``(batch_size, ...)``.

    The last batch holds what is left and may be shorter, unless ``drop_last``: a mean over the examples must weigh it
    by its length. Without shuffling, batches are views. Raises ``ValueError`` for lengths that differ, tensors
    without a first dimension or a batch size that is not positive.
    """
    if not tensors or not all(isinstance(t, Tensor) and t.ndim > 0 for t in tensors):
        raise ValueError("expected one or more tensors (N, ...), for example batches(data.x, data.y, batch_size=128)")
    if len({len(t) for t in tensors}) > 1:
        raise ValueError(f"received tensors with {[len(t) for t in tensors]} examples; expected equal numbers")
    if batch_size < 1:
        raise ValueError(f"received {batch_size=}; expected a positive number")
    n_examples = len(tensors[0])
    order = _permutation(n_examples, tensors[0].device, generator) if shuffle else None
    stop = n_examples - n_examples % batch_size if drop_last else n_examples
    return _batches(tensors, order, range(0, stop, batch_size), batch_size)


def _batches(
    tensors: tuple[Tensor, ...], order: Tensor | None, starts: range, batch_size: int
) -> Iterator[tuple[Tensor, ...]]:
    for start in starts:
        part = slice(start, start + batch_size)
        if order is None:
            yield tuple(t[part] for t in tensors)
        else:
            yield tuple(t.index_select(0, order[part].to(t.device)) for t in tensors)


def _permutation(n: int, device: torch.device, generator: torch.Generator | None) -> Tensor:
    drawn_on = device if generator is None else generator.device
    return torch.randperm(n, generator=generator, device=drawn_on).to(device)


def _uniform_like(x: Tensor, generator: torch.Generator | None) -> Tensor:
    """Draws from U[0, 1) in the shape of ``x``; a generator of another device draws there and is moved."""
    dtype = x.dtype if x.dtype in (torch.float32, torch.float64) else torch.float32  # 2^-8 is too coarse for a draw
    drawn_on = x.device if generator is None else generator.device
    return torch.rand(x.shape, generator=generator, dtype=dtype, device=drawn_on).to(x.device)


def _check_unit_interval(x: Tensor) -> None:
    if not x.is_floating_point():
        raise ValueError(f"x has dtype {x.dtype}; expected floats in [0, 1] (divide integers by their highest level)")
    if checks_values(x) and x.numel():
        low, high = (float(v) for v in torch.aminmax(x))
        if not (low >= 0 and high <= 1):  # written so that NaN fails, too
            raise ValueError(f"x holds values from {low:.4g} to {high:.4g}; expected [0, 1]")


def binarize(x: Tensor, *, generator: torch.Generator | None = None, threshold: float | None = None) -> Tensor:
    """Zeros and ones from grey values: each pixel is 1 with probability ``x``, or where ``x > threshold`` if given.

    ``x`` holds floats in [0, 1], in any shape; the result has its shape and type. Drawing anew for every batch is the
    "dynamic binarisation" of the literature. Raises ``ValueError`` for integers and values outside [0, 1].
    """
    _check_unit_interval(x)
    if threshold is not None:
        return (x > threshold).to(x.dtype)
    draw = _uniform_like(x, generator)
    return draw.lt_(x).to(x.dtype)


def dequantize(x: Tensor, levels: int = 256, *, generator: torch.Generator | None = None) -> Tensor:
    """Spread each of ``levels`` values evenly over its interval: level k becomes a draw from U[k, k + 1) / levels.

    ``x`` holds integers k in [0, levels), or floats k / (levels - 1) in [0, 1] as ``load`` returns them. The result
    is float, in (0, 1), and ``quantize`` gives k back, exactly. A density on it bounds the probability of the
    discrete image from below (Theis et al., arXiv:1511.01844). Raises ``ValueError`` for values out of range.
    """
    k = _levels_of(x, levels)
    # Without the margin, rounding could carry a draw into the next interval. It is a fraction levels / 2^23 of it.
    margin = levels / 2**23
    noise = _uniform_like(k, generator).clamp_(margin, 1 - margin)
    return noise.add_(k).div_(levels)


def quantize(x: Tensor, levels: int = 256) -> Tensor:
    """The level, an int64 in [0, levels), of floats in [0, 1]; the inverse of ``dequantize`` and of k / (levels - 1).

    Values outside [0, 1], as a model may draw them, go to the nearest level. Raises ``ValueError`` for integers and,
    on the CPU, for values that are not numbers.
    """
    _check_levels(levels)
    return _full_precision(x).mul(levels).floor_().clamp_(0, levels - 1).long()


def to_uint8(x: Tensor) -> Tensor:
    """Bytes 0 to 255 from floats in [0, 1], rounded to the nearest, values outside being clipped.

    Rounding keeps all 256 values; truncation would darken nearly all of them. Raises ``ValueError`` for integers and,
    on the CPU, for values that are not numbers.
    """
    return _full_precision(x).mul(255).round_().clamp_(0, 255).to(torch.uint8)


def _full_precision(x: Tensor) -> Tensor:
    """Floats ``x`` that are numbers, as float32 or float64: 16 bits do not tell 256 levels apart."""
    if not x.is_floating_point():
        raise ValueError(f"x has dtype {x.dtype}; expected floats in [0, 1]")
    if checks_values(x) and x.isnan().any():
        raise ValueError("x holds values that are not numbers (NaN); expected floats in [0, 1]")
    return x if x.dtype == torch.float64 else x.float()


def _check_levels(levels: int) -> None:
    if not 2 <= levels <= 4096:  # beyond, float32 would not tell the levels apart
        raise ValueError(f"received {levels=}; expected a number from 2 to 4096")


def _levels_of(x: Tensor, levels: int) -> Tensor:
    """The levels of ``x`` as floats that hold whole numbers."""
    _check_levels(levels)
    if x.is_floating_point():
        _check_unit_interval(x)
        return _full_precision(x).mul(levels - 1).round_()
    if checks_values(x) and x.numel():
        low, high = (int(v) for v in torch.aminmax(x))
        if low < 0 or high >= levels:
            raise ValueError(f"x holds values from {low} to {high}; expected integers in [0, {levels})")
    return x.float()
