"""A mixture of Gaussians, fitted by expectation maximisation (Dempster et al., 1977; Bishop 2006, chapter 9)."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from genlib.gaussian import LOG_2PI
from genlib.models.mixture_fitting import COVARIANCES, cholesky_with_floor, kmeans_start, moments


class GaussianMixture(nn.Module):
    """p(x) = sum_k weight[k] N(x; mean[k], covariance[k]), with a latent variable that says which component it was.

    K components in D dimensions: ``weight (K,)`` sums to 1 and may hold zeros, ``mean (K, D)``, ``covariance
    (K, D, D)``. ``data_shape`` is the shape of one example and has D numbers; left out, an example is ``(D,)``.
    ``history`` is the mean log-likelihood, in nats per example, before each step of EM and after the last.
    Raises ``ValueError`` when these do not fit, or a covariance is not positive definite.
    """

    log_weight: Tensor
    mean: Tensor
    factor: Tensor

    def __init__(
        self, weight: Tensor, mean: Tensor, covariance: Tensor, data_shape: tuple[int, ...] | None = None
    ) -> None:
        super().__init__()
        shapes = [tuple(t.shape) for t in (weight, mean, covariance)]
        K, D = mean.shape if mean.ndim == 2 else (0, 0)
        if shapes != [(K,), (K, D), (K, D, D)] or math.prod(data_shape or (D,)) != D:
            raise ValueError(
                f"received weight, mean, covariance of shapes {shapes} and data_shape {data_shape}; expected (K,), "
                "(K, D), (K, D, D) and D numbers in one example"
            )
        if bool((weight < 0).any()) or abs(float(weight.sum()) - 1) > 1e-4:
            raise ValueError(f"received weights {weight.tolist()}; expected numbers of at least 0 that sum to 1")
        self.data_shape = tuple(data_shape or (D,))
        self.history: list[float] = []
        self.register_buffer("log_weight", weight.log())
        self.register_buffer("mean", mean.clone())
        self.register_buffer("factor", cholesky_with_floor(covariance, 0.0)[1])

    @classmethod
    @torch.no_grad()
    def fit(
        cls,
        x: Tensor,
        n_components: int | None = None,
        *,
        start: "GaussianMixture | None" = None,
        covariance: str = "full",
        min_variance: float = 1e-6,
        n_steps: int = 100,
        tolerance: float = 1e-3,
        seed: int = 0,
    ) -> "GaussianMixture":
        """Maximum likelihood by EM for ``x (N, *data_shape)``, ended by a step that follows one of less than
        ``tolerance`` nats per example.

        Starts at scikit-learn's K-means of ``n_components`` clusters, drawn with ``seed``, or at the mixture
        ``start``. ``covariance`` is ``"full"``, ``"diagonal"`` or ``"spherical"``. No eigenvalue of a covariance falls
        below ``min_variance``, in squared units of x: without a floor the likelihood has no maximum, for a component
        may shrink onto one example. With it, no step of EM lowers the likelihood (see ``em_step``).
        Raises ``ValueError`` for too few examples or arguments that do not fit.
        """
        if (n_components is None) == (start is None):
            raise ValueError("received n_components and start, or neither; expected one of them")
        if start is None:
            parts = kmeans_start(x.flatten(1), int(n_components or 0), covariance, min_variance, seed)
            start = cls(*parts, tuple(x.shape[1:]))
        model = cls(start.weight, start.mean, start.covariance, start.data_shape).to(start.mean)
        flat = model._flat(x)
        log_joint = model._log_joint(flat)
        for _ in range(n_steps):
            model.history.append(float(log_joint.logsumexp(1).mean()))
            model._m_step(flat, log_joint.softmax(1), covariance, min_variance)
            log_joint = model._log_joint(flat)
            if len(model.history) > 1 and model.history[-1] - model.history[-2] < tolerance:
                break
        model.history.append(float(log_joint.logsumexp(1).mean()))
        return model

    @property
    def weight(self) -> Tensor:
        """Probabilities of the components, ``(K,)``."""
        return self.log_weight.exp()

    @property
    def covariance(self) -> Tensor:
        """Covariances of the components, ``(K, D, D)``."""
        return self.factor @ self.factor.mT

    def component_log_prob(self, x: Tensor) -> Tensor:
        """log N(x; mean[k], covariance[k]) of every component, ``(B, K)`` in nats, for ``x (B, *data_shape)``."""
        return self._densities(self._flat(x))

    def log_prob(self, x: Tensor, y: None = None) -> Tensor:
        """log p(x), ``(B,)`` in nats, for ``x (B, *data_shape)``."""
        _no_labels(y)
        return self._log_joint(self._flat(x)).logsumexp(1)

    def responsibilities(self, x: Tensor) -> Tensor:
        """p(k|x), which component an example came from, ``(B, K)``: the E step, which closes the gap of the bound."""
        return self._log_joint(self._flat(x)).softmax(1)

    def elbo(self, x: Tensor, q: Tensor | None = None) -> Tensor:
        """The lower bound sum_k q[k] log(p(x, k) / q[k]), ``(B,)`` in nats, for any distributions ``q (B, K)``.

        Its distance to log p(x) is KL(q, p(k|x)); without ``q`` it is taken at the responsibilities, where it equals
        log p(x) (Neal and Hinton, 1998). Raises ``ValueError`` when a row of ``q`` is no distribution.
        """
        log_joint = self._log_joint(self._flat(x))  # (B, K)
        q = log_joint.softmax(1) if q is None else q
        if q.shape != log_joint.shape or bool((q < 0).any()) or not torch.allclose(q.sum(1), q.new_ones(()), atol=1e-4):
            raise ValueError(f"q has shape {tuple(q.shape)}; expected rows that sum to 1, {tuple(log_joint.shape)}")
        # 0 log 0 = 0, also where the joint is 0
        return torch.where(q > 0, q * (log_joint - q.log()), 0.0).sum(1)

    @torch.no_grad()
    def em_step(self, x: Tensor, q: Tensor, *, covariance: str = "full", min_variance: float = 1e-6) -> None:
        """The M step: the parameters that maximise the mean of ``elbo(x, q)``, changed in place.

        Covariances are maximal among those with eigenvalues of at least ``min_variance``, so the bound never falls if
        those before had them too. A component with no responsibility keeps its place and gets weight 0.
        """
        self._m_step(self._flat(x), q, covariance, min_variance)

    @torch.no_grad()
    def sample(self, n: int, *, y: None = None, generator: torch.Generator | None = None) -> Tensor:
        """Draw n examples, ``(n, *data_shape)``: a component, then a Gaussian."""
        return self.sample_with_component(n, y=y, generator=generator)[0]

    @torch.no_grad()
    def sample_with_component(
        self, n: int, *, y: None = None, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """The same, and the component of each example, ``(n,)`` int64."""
        _no_labels(y)
        like = self.mean
        if n == 0:
            return like.new_empty(0, *self.data_shape), torch.empty(0, dtype=torch.long, device=like.device)
        component = torch.multinomial(self.weight, n, replacement=True, generator=generator)  # (n,)
        eps = torch.randn(n, like.shape[1], generator=generator, dtype=like.dtype, device=like.device)
        x = torch.empty_like(eps)  # (n, D)
        for k, (mean, factor) in enumerate(self._components()):  # a factor for each example would take n D^2 numbers
            own = component == k
            x[own] = mean + eps[own] @ factor.mT
        return x.reshape(n, *self.data_shape), component

    def _components(self) -> Iterator[tuple[Tensor, Tensor]]:
        return zip(self.mean, self.factor, strict=True)

    def _densities(self, flat: Tensor) -> Tensor:
        identity = torch.eye(flat.shape[1], dtype=flat.dtype, device=flat.device)
        values = []
        for mean, factor in self._components():
            # the inverse once, then one product: faster than to solve for every example
            inverse = torch.linalg.solve_triangular(factor, identity, upper=False)  # (D, D)
            whitened = torch.addmm(-(inverse @ mean), flat, inverse.mT)  # (B, D)
            values.append(-0.5 * (flat.shape[1] * LOG_2PI + whitened.square().sum(1)) - factor.diagonal().log().sum())
        return torch.stack(values, 1)  # (B, K)

    def _log_joint(self, flat: Tensor) -> Tensor:
        return self._densities(flat) + self.log_weight

    def _m_step(self, flat: Tensor, q: Tensor, covariance: str, min_variance: float) -> None:
        if covariance not in COVARIANCES:
            raise ValueError(f"{covariance=} is unknown; expected one of {', '.join(COVARIANCES)}")
        totals, mean, scatter = moments(flat, q, covariance)
        alive = totals > 0
        self.log_weight.copy_((totals / totals.sum()).log())
        self.mean[alive] = mean[alive]
        self.factor[alive] = cholesky_with_floor(scatter[alive], min_variance)[1]

    def _flat(self, x: Tensor) -> Tensor:
        if x.shape[1:] != self.data_shape:
            raise ValueError(f"x has shape {tuple(x.shape)}; expected (B, {', '.join(map(str, self.data_shape))})")
        return x.flatten(1).to(self.mean.dtype)


def _no_labels(y: None) -> None:
    if y is not None:
        raise ValueError("received labels y, but this model is not conditional; leave y out")
