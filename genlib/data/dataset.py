"""What ``load`` returns."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """One split of a data set as tensors: ``x (N, *shape)`` and labels ``y (N,)``, or ``y=None`` where there are none.

    ``len(data)`` is the number of examples N. Raises ``ValueError`` when x and y differ in length.
    """

    x: Tensor
    y: Tensor | None
    name: str
    split: str

    def __post_init__(self) -> None:
        if self.y is not None and self.y.shape != self.x.shape[:1]:
            raise ValueError(f"y has shape {tuple(self.y.shape)}; expected one label per example, ({len(self.x)},)")

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        labels = "no labels" if self.y is None else "with labels"
        return f"Dataset({self.name!r}, {self.split!r}, x {tuple(self.x.shape)} on {self.x.device}, {labels})"

    def to(self, device: str | torch.device) -> "Dataset":
        """The same data on another device."""
        return replace(self, x=self.x.to(device), y=None if self.y is None else self.y.to(device))
