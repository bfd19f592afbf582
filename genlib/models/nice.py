"""NICE: additive coupling layers and one scaling of every dimension (Dinh et al., arXiv:1410.8516)."""

import math
from functools import partial

import torch
from torch import nn

from genlib.models.bijections import DiagonalScaling, Reorder
from genlib.models.coupling import AdditiveCoupling, MakeNetwork, mlp
from genlib.models.flow import Flow
from genlib.models.observation import checked_shape


class NICE(Flow):
    """``n_layers`` additive couplings, in which even and odd dimensions move each other in turn, and a scaling at last.

    x is real, ``(B, *data_shape)``, and z is ``(B, D)``: the even dimensions, then the odd ones. Couplings keep
    volumes; how much weight a dimension of z has is for the scaling alone to say (section 3.3). With fewer than 3
    layers not every dimension can depend on every other (section 3.2). ``prior`` is ``"logistic"`` or ``"normal"``.
    ``network(n_in, n_out)`` makes the network of one coupling; left out, it has ``n_hidden`` layers of ``hidden_dim``
    ReLUs. Raises ``ValueError`` for sizes that are not positive, fewer than 2 dimensions or an unknown prior.
    """

    def __init__(
        self,
        data_shape: int | tuple[int, ...],
        n_layers: int = 4,
        hidden_dim: int = 64,
        *,
        n_hidden: int = 2,
        prior: str = "logistic",
        network: MakeNetwork | None = None,
    ) -> None:
        shape = checked_shape(data_shape, n_layers=n_layers, hidden_dim=hidden_dim, n_hidden=n_hidden)
        make = network or partial(mlp, hidden_dim=hidden_dim, n_hidden=n_hidden)
        n_dims = math.prod(shape)
        order = torch.cat([torch.arange(0, n_dims, 2), torch.arange(1, n_dims, 2)])
        # two numbers in a row are in this order already
        transforms: list[nn.Module] = [] if shape == (2,) else [Reorder(order, shape)]
        transforms += [AdditiveCoupling(n_dims, make, swap=index % 2 == 1) for index in range(n_layers)]
        super().__init__([*transforms, DiagonalScaling(n_dims)], shape, latent_shape=(n_dims,), prior=prior)
