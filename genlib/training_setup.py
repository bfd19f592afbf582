"""What ``fit`` makes of its arguments, and what it checks before and at the first step."""

import inspect
import math
from collections.abc import Callable, Sequence
from numbers import Integral

import torch
from torch import Tensor, nn

from genlib.data import Dataset
from genlib.device import get_device

Loss = Callable[..., Tensor]
Transform = Callable[..., Tensor]
Data = Dataset | Tensor | Sequence[Tensor]
FUSED = ("cpu", "cuda", "mps", "xpu")  # devices for which every supported torch has Adam's update in one kernel


def check_positive(**sizes: int) -> None:
    """Raise ``ValueError`` unless every size is a whole number of at least 1."""
    for name, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, Integral) or size < 1:
            raise ValueError(f"received {name}={size!r}; expected a whole number of at least 1")


def step_limit(epochs: int | None, steps: int | None, seconds: float | None, batches_per_epoch: int) -> int | None:
    """The number of steps that epochs and steps allow, None without either; ``ValueError`` without any budget."""
    if epochs is None and steps is None and seconds is None:
        raise ValueError("received no budget; expected at least one of epochs=, steps= and seconds=")
    if seconds is not None and not seconds > 0:
        raise ValueError(f"received {seconds=}; expected a positive number")
    limits = []
    if epochs is not None:
        check_positive(epochs=epochs)
        limits.append(epochs * batches_per_epoch)
    if steps is not None:
        check_positive(steps=steps)
        limits.append(steps)
    return min(limits, default=None)


def place(model: nn.Module, device: str | torch.device | None) -> torch.device:
    """Move the model to ``device`` if one is named, and say where it is."""
    if not any(p.requires_grad for p in model.parameters()):
        raise ValueError(f"{type(model).__name__} has no parameters to train (none with requires_grad=True)")
    if device is not None:
        model.to(get_device(device))
    return next(model.parameters()).device


def tensors_of(data: Data, name: str, device: torch.device) -> tuple[Tensor, ...]:
    """The tensors of ``data`` on ``device``: x of a ``Dataset``, a tensor, or a tuple of tensors of equal length."""
    tensors = (data.x,) if isinstance(data, Dataset) else (data,) if isinstance(data, Tensor) else tuple(data)
    for t in tensors:
        if not isinstance(t, Tensor) or t.ndim == 0:
            raise ValueError(
                f"{name} holds {type(t).__name__}; expected a Dataset, a tensor (N, ...) or a tuple of them"
            )
    lengths = [len(t) for t in tensors]
    if len(set(lengths)) != 1 or lengths[0] == 0:
        raise ValueError(f"{name} holds tensors with {lengths} examples; expected equal numbers, at least one")
    return tuple(t.to(device) for t in tensors)


def default_loss(model: nn.Module) -> Loss:
    """Minus the batch mean, in nats, of the first that the model offers of ``objective``, ``log_prob``, ``elbo``."""
    offered = [name for name in ("objective", "log_prob", "elbo") if callable(getattr(model, name, None))]
    if not offered:
        raise ValueError(
            f"{type(model).__name__} offers none of objective, log_prob and elbo; pass loss=, a function of the model "
            "and a batch that returns the mean loss"
        )

    def loss(model: nn.Module, *batch: Tensor) -> Tensor:
        values = getattr(model, offered[0])(*batch)
        if values.shape != batch[0].shape[:1]:
            raise ValueError(
                f"{type(model).__name__}.{offered[0]} returned shape {tuple(values.shape)} for a batch of "
                f"{len(batch[0])}; expected one number per example, ({len(batch[0])},)"
            )
        return -values.mean()

    return loss


def adam(model: nn.Module, lr: float, betas: tuple[float, float] = (0.9, 0.999)) -> torch.optim.Adam:
    """Adam on the parameters to be trained, its update as one kernel where torch has that."""
    if not (lr > 0 and math.isfinite(lr)):
        raise ValueError(f"received {lr=}; expected a positive number")
    parameters = [p for p in model.parameters() if p.requires_grad]
    fused = all(p.device.type in FUSED and p.is_floating_point() for p in parameters)
    return torch.optim.Adam(parameters, lr=lr, betas=betas, fused=fused)


def with_generator(transform: Transform | None) -> Transform:
    """``transform`` as a function of x and generator, whether it draws or not; None changes nothing."""
    if transform is None:
        return lambda x, generator: x
    try:
        parameters = list(inspect.signature(transform).parameters.values())
    except ValueError:  # functions written in C do not tell
        parameters = []
    if any(p.name == "generator" or p.kind is p.VAR_KEYWORD for p in parameters):
        return transform
    return lambda x, generator: transform(x)


def check_loss(value: Tensor, step: int) -> None:
    """Raise ``ValueError`` unless the loss of a step is one finite number that depends on parameters."""
    if not isinstance(value, Tensor) or value.ndim != 0:
        found = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
        raise ValueError(f"loss returned {found}; expected a tensor with one number, the mean over the batch")
    if not value.requires_grad:
        raise ValueError(
            "the loss carries no gradient: it does not depend on a parameter, or was computed under torch.no_grad, "
            "detached, or made of plain numbers"
        )
    if not math.isfinite(value.item()):
        raise ValueError(
            f"the loss is {value.item()} at step {step}; look for values that are not finite in the data, and for "
            "logarithms of 0 in the loss"
        )


def check_gradient(optimizer: torch.optim.Optimizer) -> None:
    """Raise ``ValueError`` unless some parameter of the optimizer has received a gradient."""
    if all(p.grad is None for group in optimizer.param_groups for p in group["params"]):
        raise ValueError("no parameter of the optimizer received a gradient; was it made for another model?")
