"""What ``load`` returns."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """One split of a data set as tensors: ``x (N, *shape)`` and labels ``y (N,)``, or ``y=None`` where there are none.

    Where it is known what the examples were made from, ``factors (N, K)`` holds it, and ``factor_names`` names its
    columns. Text is codes ``x (N, T)``; ``alphabet`` has the character of each code. ``len(data)`` is the number of
    examples N. Raises ``ValueError`` when x, y and factors differ in length, or factors and their names in number.
    """

    x: Tensor
    y: Tensor | None
    name: str
    split: str
    factors: Tensor | None = None
    factor_names: tuple[str, ...] = ()
    alphabet: str | None = None

    def __post_init__(self) -> None:
        if self.y is not None and self.y.shape != self.x.shape[:1]:
            raise ValueError(f"y has shape {tuple(self.y.shape)}; expected one label per example, ({len(self.x)},)")
        found = (len(self.x), 0) if self.factors is None else tuple(self.factors.shape)
        if found != (len(self.x), len(self.factor_names)):
            raise ValueError(
                f"factors have shape {found} and the names {self.factor_names}; expected a row per example and a "
                f"column per name, ({len(self.x)}, {len(self.factor_names)})"
            )

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        parts = ["no labels" if self.y is None else "with labels"]
        if self.factor_names:
            parts.append(f"factors {', '.join(self.factor_names)}")
        if self.alphabet is not None:
            parts.append(f"alphabet of {len(self.alphabet)}")
        on = f"x {tuple(self.x.shape)} on {self.x.device}"
        return f"Dataset({self.name!r}, {self.split!r}, {on}, {', '.join(parts)})"

    def to(self, device: str | torch.device | None) -> "Dataset":
        """The same data on another device."""
        y = None if self.y is None else self.y.to(device)
        factors = None if self.factors is None else self.factors.to(device)
        return replace(self, x=self.x.to(device), y=y, factors=factors)
