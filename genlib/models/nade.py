"""The fully visible sigmoid belief network and its successor, the neural autoregressive distribution estimator."""

import math
from typing import Any, cast

import torch
from torch import Tensor, nn

from genlib import sampling
from genlib.masked import MaskedLinear
from genlib.models.pixels import sum_of_conditionals, two_levels, whole_numbers


class FVSBN(nn.Module):
    """Binary x with p(x_i = 1 | x_<i) = sigmoid(b_i + sum_{j<i} W_ij x_j) (Frey, Hinton and Dayan, NIPS 1996).

    A logistic regression for every variable, in raster order. ``data_shape`` is the shape of one example, for
    instance ``(1, 28, 28)`` or 784; x holds zeros and ones.
    """

    levels = 2

    def __init__(self, data_shape: int | tuple[int, ...]) -> None:
        super().__init__()
        self.data_shape = (data_shape,) if isinstance(data_shape, int) else tuple(data_shape)
        degrees = sampling.generation_order(self).argsort()  # the place of every variable in the order
        self.linear = MaskedLinear(degrees, degrees, strict=True)

    def forward(self, x: Tensor, y: None = None) -> Tensor:
        """Logits of every variable given those before it, ``(B, 2, *data_shape)``, for ``x (B, *data_shape)``."""
        _no_labels(y)
        return two_levels(self.linear(x.flatten(1).to(self.linear.weight.dtype)).reshape(x.shape))

    def log_prob(self, x: Tensor, y: None = None) -> Tensor:
        """log p(x), exact, ``(B,)`` in nats, for ``x (B, *data_shape)`` of zeros and ones."""
        return sum_of_conditionals(whole_numbers(x, 2, self.data_shape), self(x, y))

    def sample(self, n: int, *, y: None = None, generator: torch.Generator | None = None, **options: Any) -> Tensor:
        """Draw n examples, ``(n, *data_shape)``; ``options`` are those of ``genlib.sampling.iterate``."""
        return sampling.sample(self, n, y=y, generator=generator, **options)

    def steps(self, n: int, y: None = None) -> "_FVSBNSteps":
        """Sampling in which every value is added once to the logits of the variables behind it."""
        _no_labels(y)
        return _FVSBNSteps(self, n)


class _FVSBNSteps:
    def __init__(self, model: FVSBN, n: int) -> None:
        self.order, self.position = sampling.generation_order(model).tolist(), 0
        self.weight = model.linear.masked_weight()  # (D, D)
        self.pending = cast(Tensor, model.linear.bias).expand(n, -1).clone()  # logits so far, (n, D)

    def logits(self) -> Tensor:
        return two_levels(self.pending[:, self.order[self.position]])

    def put(self, value: Tensor) -> None:
        column = self.weight[:, self.order[self.position]]  # (D,)
        self.pending += value.to(column.dtype).unsqueeze(1) * column
        self.position += 1


class NADE(nn.Module):
    """Binary x whose conditionals share one hidden layer (Larochelle and Murray, AISTATS 2011, equations 2 to 4).

    h_i = sigmoid(c + W[:, <i] x_<i), p(x_i = 1 | x_<i) = sigmoid(b_i + V_i h_i): since the sum inside h_i grows by one
    term from variable to variable, all D conditionals cost O(D H), not O(D^2 H). ``data_shape`` is the shape of one
    example and ``hidden_dim`` is H; x holds zeros and ones, in raster order.
    """

    levels = 2

    def __init__(self, data_shape: int | tuple[int, ...], hidden_dim: int = 500) -> None:
        super().__init__()
        self.data_shape = (data_shape,) if isinstance(data_shape, int) else tuple(data_shape)
        n_dims = math.prod(self.data_shape)
        if hidden_dim < 1:
            raise ValueError(f"received {hidden_dim=}; expected at least 1")
        self.in_weight = nn.Parameter(torch.empty(n_dims, hidden_dim))  # W, transposed
        self.out_weight = nn.Parameter(torch.empty(n_dims, hidden_dim))  # V
        self.hidden_bias = nn.Parameter(torch.zeros(hidden_dim))  # c
        self.bias = nn.Parameter(torch.zeros(n_dims))  # b
        for weight, fan_in in ((self.in_weight, n_dims), (self.out_weight, hidden_dim)):
            nn.init.uniform_(weight, -(fan_in**-0.5), fan_in**-0.5)

    def forward(self, x: Tensor, y: None = None) -> Tensor:
        """Logits of every variable given those before it, ``(B, 2, *data_shape)``, for ``x (B, *data_shape)``.

        All hidden layers exist at once, ``(B, D, H)``: at 100 images of 784 pixels and 500 units, 157 MB each.
        """
        _no_labels(y)
        order = sampling.generation_order(self).to(x.device)
        values = x.flatten(1)[:, order].to(self.bias.dtype)  # (B, D), in the order of generation
        terms = values.unsqueeze(2) * self.in_weight[order]  # (B, D, H)
        before = torch.cat([torch.zeros_like(terms[:, :1]), terms[:, :-1]], 1).cumsum(1)  # sums over j < i
        hidden = torch.sigmoid(self.hidden_bias + before)
        logits = torch.einsum("bdh,dh->bd", hidden, self.out_weight[order]) + self.bias[order]
        return two_levels(torch.empty_like(logits).index_copy(1, order, logits).reshape(x.shape))

    def log_prob(self, x: Tensor, y: None = None) -> Tensor:
        """log p(x), exact, ``(B,)`` in nats, for ``x (B, *data_shape)`` of zeros and ones."""
        return sum_of_conditionals(whole_numbers(x, 2, self.data_shape), self(x, y))

    def sample(self, n: int, *, y: None = None, generator: torch.Generator | None = None, **options: Any) -> Tensor:
        """Draw n examples, ``(n, *data_shape)``; ``options`` are those of ``genlib.sampling.iterate``."""
        return sampling.sample(self, n, y=y, generator=generator, **options)

    def steps(self, n: int, y: None = None) -> "_NADESteps":
        """Sampling that carries the sum inside the hidden layer along."""
        _no_labels(y)
        return _NADESteps(self, n)


class _NADESteps:
    def __init__(self, model: NADE, n: int) -> None:
        self.model, self.position = model, 0
        self.order = sampling.generation_order(model).tolist()
        self.sum = model.hidden_bias.expand(n, -1).clone()  # (n, H)

    def logits(self) -> Tensor:
        where = self.order[self.position]
        return two_levels(torch.sigmoid(self.sum) @ self.model.out_weight[where] + self.model.bias[where])

    def put(self, value: Tensor) -> None:
        row = self.model.in_weight[self.order[self.position]]  # (H,)
        self.sum += value.to(row.dtype).unsqueeze(1) * row
        self.position += 1


def _no_labels(y: object) -> None:
    if y is not None:
        raise ValueError("received labels y, but this model is not conditional; leave y out")
