"""What generators of GANs share: a latent z that is drawn, a map of it to an example, and no density."""

import torch
from torch import Tensor, nn

from genlib.models.labels import class_labels
from genlib.models.modes import evaluating
from genlib.models.observation import checked_shape


class ImplicitModel(nn.Module):
    """x = G(z) with z ~ N(0, I): samples without a density (Goodfellow et al., arXiv:1406.2661, section 3).

    A model derives from it and says in ``forward(z, y=None)`` what it makes of z ``(B, latent_dim)`` and, with
    ``n_classes``, of labels y ``(B,)``. Raises ``ValueError`` for sizes that are not positive.
    """

    def __init__(self, data_shape: int | tuple[int, ...], latent_dim: int, n_classes: int | None = None) -> None:
        super().__init__()
        self.data_shape = checked_shape(
            data_shape, latent_dim=latent_dim, n_classes=1 if n_classes is None else n_classes
        )
        self.latent_dim, self.n_classes = latent_dim, n_classes

    @torch.no_grad()
    def sample(self, n: int, *, y: Tensor | int | None = None, generator: torch.Generator | None = None) -> Tensor:
        """Draw n examples, ``(n, *data_shape)``: z from the prior, then G(z) in evaluation mode.

        ``y``: with ``n_classes``, int64 ``(n,)`` or one number for all. Raises ``ValueError`` for labels that are
        missing, out of range, or not expected.
        """
        with evaluating(self):
            return self(draw_latents(self, n, generator=generator), y)

    def checked_latents(self, z: Tensor, y: Tensor | int | None) -> tuple[Tensor, Tensor | None]:
        """z as it is and y as int64 ``(B,)`` or None. Raises ``ValueError`` for shapes that do not fit."""
        if z.ndim != 2 or z.shape[1] != self.latent_dim:
            raise ValueError(f"z has shape {tuple(z.shape)}; expected (B, {self.latent_dim})")
        return z, class_labels(y, len(z), self.n_classes, z.device)


def draw_latents(model: nn.Module, n: int, *, generator: torch.Generator | None = None) -> Tensor:
    """Draw z from N(0, I), ``(n, latent_dim)``, on the device and in the type of the model's parameters.

    Raises ``ValueError`` for a model without the number ``latent_dim``.
    """
    latent_dim = getattr(model, "latent_dim", None)
    if not isinstance(latent_dim, int):
        raise ValueError(
            f"{type(model).__name__} has no latent_dim; expected a generator that says how many numbers z has"
        )
    like = next(model.parameters())
    return torch.randn(n, latent_dim, generator=generator, dtype=like.dtype, device=like.device)
