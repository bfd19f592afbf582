"""Probabilistic principal component analysis (Tipping and Bishop, 1999, J. R. Statist. Soc. B 61, 611-622)."""

import math

import torch
from torch import Tensor, nn

from genlib.gaussian import LOG_2PI
from genlib.models.ppca_fitting import closed_form, maximise


class PPCA(nn.Module):
    """z ~ N(0, I), x|z ~ N(W z + mean, variance I): so x ~ N(mean, W W^T + variance I).

    ``weight (D, L)`` is W, ``mean (D,)``, ``variance`` a positive number, in squared units of x. ``data_shape`` is the
    shape of one example and has D numbers; left out, an example is ``(D,)``. ``history`` is the mean log-likelihood of
    what was observed, in nats per example, before each step of EM and after the last.
    Raises ``ValueError`` when these do not fit.
    """

    weight: Tensor
    mean: Tensor
    variance: Tensor

    def __init__(
        self, weight: Tensor, mean: Tensor, variance: Tensor | float, data_shape: tuple[int, ...] | None = None
    ) -> None:
        super().__init__()
        D = weight.shape[0]
        if weight.ndim != 2 or mean.shape != (D,) or math.prod(data_shape or (D,)) != D:
            raise ValueError(
                f"received weight {tuple(weight.shape)}, mean {tuple(mean.shape)} and data_shape {data_shape}; "
                "expected (D, L), (D,) and D numbers in one example"
            )
        if not float(variance) > 0:
            raise ValueError(f"received variance={float(variance):.3g}; expected a positive number")
        self.data_shape = tuple(data_shape or (D,))
        self.history: list[float] = []
        self.register_buffer("weight", weight)
        self.register_buffer("mean", mean)
        self.register_buffer("variance", torch.as_tensor(variance, dtype=weight.dtype, device=weight.device))

    @classmethod
    @torch.no_grad()
    def fit(cls, x: Tensor, latent_dim: int) -> "PPCA":
        """Maximum likelihood in closed form for ``x (N, *data_shape)``: equations 7 and 8 of the paper, with R = I.

        The columns of ``weight`` are principal axes, the strongest first; ``variance`` is the mean of the variances
        that are left out. Covariances are divided by N. Raises ``ValueError`` when ``latent_dim`` is not below D, or
        nothing is left out to take the variance from.
        """
        return cls(*closed_form(x.flatten(1), latent_dim), tuple(x.shape[1:]))

    @classmethod
    @torch.no_grad()
    def fit_em(
        cls,
        x: Tensor,
        latent_dim: int,
        *,
        observed: Tensor | None = None,
        n_steps: int = 100,
        tolerance: float = 1e-4,
        generator: torch.Generator | None = None,
    ) -> "PPCA":
        """The same by expectation maximisation, which needs no covariance matrix and can do without missing values.

        ``observed`` is boolean, of the shape of ``x (N, *data_shape)``; what x holds elsewhere is not looked at. Starts
        at small random axes; ends when a step gains less than ``tolerance`` nats per example. No step lowers the
        likelihood of what was observed. Raises ``ValueError`` when an entry is never observed.
        """
        flat = x.flatten(1)
        seen = None if observed is None else _checked(observed, x).flatten(1)
        if not 1 <= latent_dim < flat.shape[1]:
            raise ValueError(f"received {latent_dim=} for {flat.shape[1]} dimensions; expected 1 to D - 1")
        known = torch.ones_like(flat, dtype=torch.bool) if seen is None else seen
        count = known.sum(0)
        if bool((count == 0).any()):
            raise ValueError(f"entry {int((count == 0).nonzero()[0])} is never observed; leave it out")
        flat = torch.where(known, flat, 0.0)
        mean = flat.sum(0) / count
        variance = torch.where(known, flat - mean, 0.0).square().sum() / count.sum()
        shape = (flat.shape[1], latent_dim)
        weight = torch.randn(shape, generator=generator, dtype=x.dtype, device=x.device) * variance.sqrt() / 10
        model = cls(weight, mean, variance, tuple(x.shape[1:]))
        z, covariance, log_prob = model._infer(flat, seen)
        for _ in range(n_steps):
            model.history.append(float(log_prob.mean()))
            if len(model.history) > 1 and model.history[-1] - model.history[-2] < tolerance:
                return model
            model.weight, model.mean, model.variance = maximise(flat, seen, z, covariance)
            z, covariance, log_prob = model._infer(flat, seen)
        model.history.append(float(log_prob.mean()))
        return model

    @property
    def covariance(self) -> Tensor:
        """W W^T + variance I, ``(D, D)``."""
        identity = torch.eye(len(self.mean), dtype=self.mean.dtype, device=self.mean.device)
        return self.weight @ self.weight.mT + self.variance * identity

    def log_prob(self, x: Tensor, y: None = None) -> Tensor:
        """log p(x), exactly, ``(B,)`` in nats, for ``x (B, *data_shape)``; no matrix is larger than L by L."""
        if y is not None:
            raise ValueError("received labels y, but this model is not conditional; leave y out")
        return self._infer(self._flat(x), None)[2]

    def marginal_log_prob(self, x: Tensor, observed: Tensor) -> Tensor:
        """Log-density of the observed entries alone, ``(B,)`` in nats; ``observed`` boolean, of the shape of x."""
        seen = _checked(observed, x).flatten(1)
        return self._infer(torch.where(seen, self._flat(x), 0.0), seen)[2]

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean ``(B, L)`` and covariance ``(L, L)`` of p(z|x), which is a Gaussian: equation 6 of the paper.

        For a variance that goes to 0 the mean becomes the orthogonal projection onto the principal subspace.
        """
        mean, covariance, _ = self._infer(self._flat(x), None)
        return mean, covariance[0]

    def reconstruct(self, x: Tensor) -> Tensor:
        """W E[z|x] + mean, ``(B, *data_shape)``: drawn towards the mean, unlike an orthogonal projection."""
        return (self.posterior(x)[0] @ self.weight.mT + self.mean).reshape(x.shape)

    def fill_in(self, x: Tensor, observed: Tensor) -> Tensor:
        """The expectation of x given its observed entries, which stay as they are; both ``(B, *data_shape)``."""
        seen = _checked(observed, x).flatten(1)
        z = self._infer(torch.where(seen, self._flat(x), 0.0), seen)[0]
        return torch.where(observed, x, (z @ self.weight.mT + self.mean).reshape(x.shape).to(x.dtype))

    @torch.no_grad()
    def sample(self, n: int, *, y: None = None, generator: torch.Generator | None = None) -> Tensor:
        """Draw n examples, ``(n, *data_shape)``: a latent vector, its image, and the noise, once."""
        if y is not None:
            raise ValueError("received labels y, but this model is not conditional; leave y out")
        D, L = self.weight.shape
        noise = torch.randn(n, L + D, generator=generator, dtype=self.mean.dtype, device=self.mean.device)
        x = noise[:, :L] @ self.weight.mT + self.mean + self.variance.sqrt() * noise[:, L:]  # (n, D)
        return x.reshape(n, *self.data_shape)

    def _infer(self, flat: Tensor, seen: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Mean ``(B, L)`` and covariance ``(B or 1, L, L)`` of z given what was seen, and its log-density ``(B,)``."""
        L = self.weight.shape[1]
        factor = torch.linalg.cholesky(self._precision(seen))  # (B or 1, L, L)
        centred = flat - self.mean if seen is None else torch.where(seen, flat - self.mean, 0.0)
        z = torch.cholesky_solve((centred @ self.weight).unsqueeze(2), factor).squeeze(2)
        error = centred - z @ self.weight.mT  # (B, D)
        if seen is not None:
            error = torch.where(seen, error, 0.0)
        count = flat.shape[1] if seen is None else seen.sum(1)
        # The smallest value over z of |x - mean - W z|^2 / variance + |z|^2, which is taken at z = E[z|x], is the
        # squared distance (x - mean)^T C^-1 (x - mean): a sum of squares, where Woodbury's difference would cancel.
        distance = error.square().sum(1) / self.variance + z.square().sum(1)
        log_determinant = 2 * factor.diagonal(dim1=1, dim2=2).log().sum(1) + (count - L) * self.variance.log()
        log_prob = -0.5 * (count * LOG_2PI + log_determinant + distance)
        return z, self.variance * torch.cholesky_inverse(factor), log_prob

    def _precision(self, seen: Tensor | None) -> Tensor:
        """M = W^T W + variance I over the entries that were seen, ``(B or 1, L, L)``."""
        L = self.weight.shape[1]
        identity = torch.eye(L, dtype=self.mean.dtype, device=self.mean.device)
        if seen is None:
            return (self.weight.mT @ self.weight + self.variance * identity).unsqueeze(0)
        products = self.weight.unsqueeze(2) * self.weight.unsqueeze(1)  # (D, L, L)
        return (seen.to(products.dtype) @ products.flatten(1)).reshape(-1, L, L) + self.variance * identity

    def _flat(self, x: Tensor) -> Tensor:
        if x.shape[1:] != self.data_shape:
            raise ValueError(f"x has shape {tuple(x.shape)}; expected (B, {', '.join(map(str, self.data_shape))})")
        return x.flatten(1).to(self.mean.dtype)


def _checked(observed: Tensor, x: Tensor) -> Tensor:
    if observed.dtype != torch.bool or observed.shape != x.shape:
        raise ValueError(
            f"observed has dtype {observed.dtype} and shape {tuple(observed.shape)}; expected booleans of the shape "
            f"of x, {tuple(x.shape)}"
        )
    return observed
