"""MADE: an autoencoder whose masks make it autoregressive (Germain et al., arXiv:1502.03509)."""

import itertools
import math
from collections.abc import Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genlib import sampling
from genlib.masked import MaskedLinear
from genlib.models.pixels import centred, sum_of_conditionals, two_levels, whole_numbers


class MADE(nn.Module):
    """One pass gives all conditionals p(x_i | x_<i), because a unit of degree m sees the first m + 1 variables alone.

    ``data_shape`` is the shape of one example; x holds whole numbers in ``[0, levels)``. ``hidden_dims`` gives one
    number for each hidden layer. ``order="natural"`` is raster order with the colours of a pixel next to each other,
    ``"random"`` is drawn from ``seed``. With ``n_orders`` above 1 there are as many orders and sets of degrees: in
    training mode every call of ``log_prob`` takes the next one, in evaluation mode it averages the probabilities that
    all of them give, a mixture and so normalised (section 4). ``use_order`` fixes one; ``sample`` draws one a call.
    Raises ``ValueError`` for sizes that are not positive or an unknown order.
    """

    def __init__(
        self,
        data_shape: int | tuple[int, ...],
        hidden_dims: Sequence[int] = (500,),
        *,
        levels: int = 2,
        order: str = "natural",
        n_orders: int = 1,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.data_shape = (data_shape,) if isinstance(data_shape, int) else tuple(data_shape)
        if not hidden_dims or min(*self.data_shape, *hidden_dims, n_orders, levels - 1) < 1:
            raise ValueError(f"received {data_shape=}, {hidden_dims=}, {levels=}, {n_orders=}; expected positive sizes")
        if order not in ("natural", "random"):
            raise ValueError(f"{order=} is unknown; expected 'natural' or 'random'")
        self.levels, self.n_orders, self.current = levels, n_orders, 0
        degrees = _draw_degrees(self.data_shape, hidden_dims, order, n_orders, torch.Generator().manual_seed(seed))
        degrees.append(degrees[0].repeat(1, 1 if levels == 2 else levels))  # one output or ``levels`` a variable
        for index, degree in enumerate(degrees):
            self.register_buffer(f"degrees_{index}", degree)  # (n_orders, units of this layer)
        self.layers: Sequence[MaskedLinear] = nn.ModuleList(  # type: ignore[assignment]
            MaskedLinear(below[0], above[0], strict=above is degrees[-1])
            for below, above in itertools.pairwise(degrees)
        )
        # Which order the masks of a checkpoint belong to is not known; those of the order in use always fit.
        self.register_load_state_dict_post_hook(lambda module, _: module.use_order(module.current))

    @property
    def order(self) -> Tensor:
        """Flat indices of the variables in the order in use, ``(D,)``."""
        return self.degrees(0).argsort()

    def degrees(self, layer: int) -> Tensor:
        """Degrees of the units of one layer in the order in use: layer 0 is the input, the last one the output."""
        return getattr(self, f"degrees_{layer}")[self.current]

    def use_order(self, which: int) -> None:
        """Connect the units for order number ``which``; raises ``ValueError`` when there is no such order."""
        if not 0 <= which < self.n_orders:
            raise ValueError(f"received order {which}; expected 0 to {self.n_orders - 1}")
        self.current = which
        for index, layer in enumerate(self.layers):
            layer.connect(self.degrees(index), self.degrees(index + 1))

    def forward(self, x: Tensor, y: None = None) -> Tensor:
        """Logits of every variable given those before it, ``(B, levels, *data_shape)``, for ``x (B, *data_shape)``."""
        if y is not None:
            raise ValueError("received labels y, but this model is not conditional; leave y out")
        hidden = centred(x.flatten(1), self.levels, self.layers[0].weight)  # (B, D)
        for layer in self.layers[:-1]:
            hidden = F.relu(layer(hidden))
        logits = self.layers[-1](hidden)
        return two_levels(logits.reshape(x.shape)) if self.levels == 2 else logits.reshape(len(x), -1, *x.shape[1:])

    def log_prob(self, x: Tensor, y: None = None) -> Tensor:
        """log p(x), exact, ``(B,)`` in nats, for whole numbers ``x (B, *data_shape)`` in ``[0, levels)``."""
        values = whole_numbers(x, self.levels, self.data_shape)
        if self.n_orders == 1:
            return sum_of_conditionals(values, self(x, y))
        if self.training:
            self.use_order((self.current + 1) % self.n_orders)
            return sum_of_conditionals(values, self(x, y))
        parts = []
        for which in range(self.n_orders):
            self.use_order(which)
            parts.append(sum_of_conditionals(values, self(x, y)))
        return torch.stack(parts).logsumexp(0) - math.log(self.n_orders)

    def sample(self, n: int, *, y: None = None, generator: torch.Generator | None = None, **options: Any) -> Tensor:
        """Draw n examples, ``(n, *data_shape)``, all in one order; ``options`` are those of ``sampling.iterate``."""
        if self.n_orders > 1:
            self.use_order(int(torch.randint(self.n_orders, (), generator=generator, device=self.order.device)))
        return sampling.sample(self, n, y=y, generator=generator, **options)

    def steps(self, n: int, y: None = None) -> "_Steps":
        """Sampling in which every hidden unit is computed once, as soon as all that it sees is known."""
        return _Steps(self, n)


class _Steps:
    def __init__(self, model: MADE, n: int) -> None:
        self.model, self.position, self.order = model, 0, model.order.tolist()
        self.weights = [layer.masked_weight() for layer in model.layers]
        self.biases = [cast(Tensor, layer.bias) for layer in model.layers]
        sizes = [layer.in_features for layer in model.layers]
        self.units = [self.weights[0].new_zeros(n, size) for size in sizes]  # inputs and hidden layers, (n, units)
        n_dims = len(self.order)
        self.ready = [  # for each hidden layer and variable, the units that wait for it alone
            [(model.degrees(layer) == place).nonzero().squeeze(1) for place in range(n_dims)]
            for layer in range(1, len(sizes))
        ]

    def logits(self) -> Tensor:
        rows = slice(self.order[self.position], None, len(self.order))
        logits = F.linear(self.units[-1], self.weights[-1][rows], self.biases[-1][rows])
        return two_levels(logits.squeeze(1)) if self.model.levels == 2 else logits

    def put(self, value: Tensor) -> None:
        self.units[0][:, self.order[self.position]] = centred(value, self.model.levels, self.weights[0])
        for index, ready in enumerate(self.ready):
            units = ready[self.position]
            if len(units):
                pre = F.linear(self.units[index], self.weights[index][units], self.biases[index][units])
                self.units[index + 1][:, units] = F.relu(pre)
        self.position += 1


def _draw_degrees(
    data_shape: tuple[int, ...], hidden_dims: Sequence[int], order: str, n_orders: int, generator: torch.Generator
) -> list[Tensor]:
    """Degrees of the inputs (their places in the order) and of each hidden layer, ``(n_orders, units)`` each."""
    n_dims = math.prod(data_shape)
    places = torch.arange(n_dims).reshape(data_shape).movedim(0, -1).flatten().argsort().expand(n_orders, -1)
    if order == "random":
        places = torch.stack([row[torch.randperm(n_dims, generator=generator)] for row in places])
    degrees = [places]
    for hidden_dim in hidden_dims:
        # Evenly spread, so that with enough units every variable is seen by all behind it.
        spread = torch.arange(hidden_dim) * max(n_dims - 1, 1) // hidden_dim
        mixed = [spread[torch.randperm(hidden_dim, generator=generator)] for _ in range(n_orders - 1)]
        degrees.append(torch.stack([spread, *mixed]))
    return degrees
