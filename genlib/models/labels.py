"""Labels of class-conditional models: checked, and brought to one form."""

import torch
from torch import Tensor

from genlib.device import checks_values


def class_labels(y: Tensor | int | None, n: int, n_classes: int | None, device: torch.device) -> Tensor | None:
    """Labels as int64 ``(n,)`` on ``device``, from a tensor ``(n,)`` or one number for all; None without classes.

    Raises ``ValueError`` when labels are missing though the model has ``n_classes``, given though it has none, of
    another shape or type or (on the CPU) outside ``[0, n_classes)``.
    """
    if n_classes is None:
        if y is not None:
            raise ValueError("received labels y, but this model is not conditional; leave y out, or set n_classes")
        return None
    if y is None:
        raise ValueError(f"received no labels y; this model needs one of {n_classes} classes for every example")
    labels = torch.as_tensor(y, device=device)
    if labels.is_floating_point() or labels.dtype == torch.bool or labels.shape not in ((), (n,)):
        raise ValueError(f"labels are {labels.dtype} of shape {tuple(labels.shape)}; expected int64 ({n},) or a number")
    if checks_values(labels) and labels.numel() and not (labels.min() >= 0 and labels.max() < n_classes):
        low, high = int(labels.min()), int(labels.max())
        raise ValueError(f"labels go from {low} to {high}; expected 0 to {n_classes - 1}")
    return labels.long().expand(n)
