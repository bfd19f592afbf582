"""RealNVP for vectors: affine coupling layers in turn (Dinh, Sohl-Dickstein and Bengio, arXiv:1605.08803)."""

from functools import partial

from genlib.models.coupling import AffineCoupling, MakeNetwork, mlp
from genlib.models.flow import Flow
from genlib.models.observation import checked_shape


class RealNVP(Flow):
    """``n_layers`` affine couplings, in which each half of the ``data_dim`` numbers of an example moves the other.

    x and z are real, ``(B, data_dim)``. ``network(n_in, n_out)`` makes the network of one coupling, with as many
    scales as shifts among its outputs; left out, it has ``n_hidden`` layers of ``hidden_dim`` ReLUs. It starts as the
    identity. ``prior`` is ``"normal"`` or ``"logistic"``. For images there is ``genlib.models.image_real_nvp``.
    Raises ``ValueError`` for sizes that are not positive, fewer than 2 dimensions or an unknown prior.
    """

    def __init__(
        self,
        data_dim: int,
        n_layers: int = 8,
        hidden_dim: int = 64,
        *,
        n_hidden: int = 2,
        prior: str = "normal",
        network: MakeNetwork | None = None,
    ) -> None:
        checked_shape(data_dim, n_layers=n_layers, hidden_dim=hidden_dim, n_hidden=n_hidden)
        make = network or partial(mlp, hidden_dim=hidden_dim, n_hidden=n_hidden)
        couplings = [AffineCoupling(data_dim, make, swap=index % 2 == 1) for index in range(n_layers)]
        super().__init__(couplings, data_dim, prior=prior)
