"""Class-conditional densities: a Gaussian, or a mixture of Gaussians, for each class (Bishop 2006, section 4.2).

Bayes' rule makes a classifier of them (quadratic or linear discriminant analysis), their sum is a density of all data,
each can be sampled, and missing values are integrated out exactly.
"""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genlib.gaussian import LOG_2PI
from genlib.models.class_fitting import check_labels, cholesky_of_classes, class_log_prior, scatter


class ClassConditionalMixture(nn.Module):
    """p(x|y) = sum_k weight[y, k] N(x; mean[y, k], factor[y, k] factor[y, k]^T), and a prior p(y).

    C classes with K components each, in D dimensions. ``log_prior (C,)`` and ``log_weight (C, K)`` are normalised,
    ``mean (C, K, D)``; ``factor (C, K, D, D)`` holds Cholesky factors of the covariances. ``data_shape`` is the shape
    of one example and has D numbers. Raises ``ValueError`` when these do not fit.
    """

    log_prior: Tensor
    log_weight: Tensor
    mean: Tensor
    factor: Tensor

    def __init__(
        self, log_prior: Tensor, log_weight: Tensor, mean: Tensor, factor: Tensor, data_shape: tuple[int, ...]
    ) -> None:
        super().__init__()
        shapes = [tuple(t.shape) for t in (log_prior, log_weight, mean, factor)]
        C, K, D = mean.shape
        if shapes != [(C,), (C, K), (C, K, D), (C, K, D, D)] or math.prod(data_shape) != D:
            raise ValueError(
                f"received log_prior, log_weight, mean, factor of shapes {shapes} and data_shape {data_shape}; "
                "expected (C,), (C, K), (C, K, D), (C, K, D, D) and D numbers in one example"
            )
        self.data_shape = tuple(data_shape)
        for name, value in (("log_prior", log_prior), ("log_weight", log_weight), ("mean", mean), ("factor", factor)):
            self.register_buffer(name, value)

    @classmethod
    def fit(
        cls, x: Tensor, y: Tensor, *, n_components: int = 3, ridge: float = 1e-3, seed: int = 0
    ) -> "ClassConditionalMixture":
        """Fit a mixture to each class of ``x (N, *data_shape)``, ``y (N,)`` by scikit-learn's GaussianMixture.

        ``ridge`` is added to every variance, in squared units of x; ``seed`` starts EM. Raises ``ValueError`` for
        labels that do not fit, or a class with fewer examples than components.
        """
        from sklearn.mixture import GaussianMixture

        log_prior = class_log_prior(x, y)
        flat = x.flatten(1).cpu().double().numpy()
        few = int(torch.bincount(y).min())
        if few < n_components:
            raise ValueError(f"a class has {few} examples; expected at least n_components={n_components} in each")
        fits = [
            GaussianMixture(n_components, reg_covar=ridge, random_state=seed).fit(flat[y.cpu().numpy() == label])
            for label in range(len(log_prior))
        ]
        log_weight = torch.stack([torch.from_numpy(f.weights_).log() for f in fits])  # (C, K)
        mean = torch.stack([torch.from_numpy(f.means_) for f in fits])  # (C, K, D)
        factor = cholesky_of_classes(torch.stack([torch.from_numpy(f.covariances_) for f in fits]))  # (C, K, D, D)
        return cls(log_prior, log_weight, mean, factor, tuple(x.shape[1:])).to(x)

    @property
    def n_classes(self) -> int:
        """C, the number of classes."""
        return len(self.log_prior)

    @property
    def covariance(self) -> Tensor:
        """Covariances of the components, ``(C, K, D, D)``."""
        return self.factor @ self.factor.mT

    def class_log_prob(self, x: Tensor) -> Tensor:
        """log p(x|y) of every class, ``(B, C)`` in nats, for ``x (B, *data_shape)``."""
        return (self.component_log_prob(x) + self.log_weight).logsumexp(2)

    def log_prob(self, x: Tensor, y: Tensor | int | None = None) -> Tensor:
        """log p(x|y) for labels ``y (B,)``, or without them log p(x) = log sum_y p(y) p(x|y): ``(B,)`` in nats."""
        values = self.class_log_prob(x)  # (B, C)
        if y is None:
            return (values + self.log_prior).logsumexp(1)
        return values.gather(1, self._labels(y, len(x)).unsqueeze(1)).squeeze(1)

    def log_posterior(self, x: Tensor) -> Tensor:
        """log p(y|x) of every class by Bayes' rule, ``(B, C)`` in nats."""
        return torch.log_softmax(self.class_log_prob(x) + self.log_prior, 1)

    def classify(self, x: Tensor) -> Tensor:
        """The most probable class of each example, ``(B,)`` int64."""
        return self.log_posterior(x).argmax(1)

    @torch.no_grad()
    def sample(self, n: int, *, y: Tensor | int | None = None, generator: torch.Generator | None = None) -> Tensor:
        """Draw n examples ``(n, *data_shape)`` from p(x|y) for labels ``y (n,)``, or without them from p(x)."""
        if n == 0:
            return self.mean.new_empty(0, *self.data_shape)
        if y is None:
            y = torch.multinomial(self.log_prior.exp(), n, replacement=True, generator=generator)
        labels = self._labels(y, n)
        component = torch.multinomial(self.log_weight.exp()[labels], 1, generator=generator).squeeze(1)  # (n,)
        eps = torch.randn(n, self.mean.shape[2], generator=generator, dtype=self.mean.dtype, device=self.mean.device)
        x = torch.empty_like(eps)  # (n, D)
        for label, k in torch.stack([labels, component], 1).unique(dim=0).tolist():
            rows = (labels == label) & (component == k)
            x[rows] = self.mean[label, k] + eps[rows] @ self.factor[label, k].mT
        return x.reshape(n, *self.data_shape)

    def marginal(self, observed: Tensor) -> "ClassConditionalMixture":
        """The density of some entries alone, the others integrated out: a model of x[:, observed], ``(B, O)``.

        ``observed`` is boolean, of the shape of one example. A marginal of a Gaussian is the Gaussian of those rows and
        columns (Bishop 2006, equation 2.98), so that the result classifies, samples and scores as this model does.
        """
        seen = self._pattern(observed, self.data_shape).flatten()
        covariance = self.covariance[..., seen, :][..., seen]  # (C, K, O, O)
        factor = cholesky_of_classes(covariance)
        n_observed = int(seen.sum())
        return ClassConditionalMixture(self.log_prior, self.log_weight, self.mean[..., seen], factor, (n_observed,))

    def marginal_log_prob(self, x: Tensor, observed: Tensor) -> Tensor:
        """Log-density of the observed entries alone, ``(B,)`` in nats.

        ``observed`` is boolean, ``(B, *data_shape)`` or ``data_shape``; what x holds elsewhere is not looked at.
        """
        values = x.new_empty(len(x), dtype=self.mean.dtype)
        for rows, seen, flat in self._by_pattern(x, observed):
            values[rows] = self.marginal(seen).log_prob(flat[:, seen.flatten()])
        return values

    def fill_in(self, x: Tensor, observed: Tensor) -> Tensor:
        """The expectation of x given its observed entries, ``(B, *data_shape)``; observed entries stay as they are.

        It averages the conditional means of the components, mean_m + S_mo S_oo^-1 (x_o - mean_o) (Bishop 2006,
        equation 2.81), by their probability given what is observed. Arguments as in ``marginal_log_prob``.
        """
        filled = x.flatten(1).clone()  # (B, D)
        for rows, pattern, flat in self._by_pattern(x, observed):
            seen, part = pattern.flatten(), self.marginal(pattern)
            known = flat[:, seen]  # (rows, O)
            log_joint = part.component_log_prob(known) + part.log_weight + part.log_prior.unsqueeze(1)  # (rows, C, K)
            responsibility = log_joint.flatten(1).softmax(1)  # (rows, C K)
            expected = flat.new_zeros(len(flat), int((~seen).sum()))  # (rows, M)
            tensors = (self.mean, self.covariance, part.factor)
            for j, (mean, covariance, factor) in enumerate(zip(*(t.flatten(0, 1) for t in tensors), strict=True)):
                gain = torch.cholesky_solve(covariance[seen][:, ~seen], factor)  # S_oo^-1 S_om, (O, M)
                expected += responsibility[:, j, None] * (mean[~seen] + (known - mean[seen]) @ gain)
            filled[rows.unsqueeze(1), (~seen).nonzero().T] = expected.to(filled.dtype)
        return filled.reshape(x.shape)

    def component_log_prob(self, x: Tensor) -> Tensor:
        """Log-density of every component, ``(B, C, K)`` in nats; one component at a time, to save memory."""
        flat, values = self._flat(x), []
        for centre, root in zip(self.mean.flatten(0, 1), self.factor.flatten(0, 1), strict=True):
            whitened = torch.linalg.solve_triangular(root, (flat - centre).mT, upper=False)  # (D, B)
            log_root = root.diagonal().log().sum()  # half the log-determinant of the covariance
            values.append(-0.5 * (flat.shape[1] * LOG_2PI + whitened.square().sum(0)) - log_root)
        return torch.stack(values, 1).reshape(len(flat), *self.mean.shape[:2])

    def _by_pattern(self, x: Tensor, observed: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Rows with the same entries observed, these entries ``data_shape``, and the rows' values ``(rows, D)``."""
        flat = self._flat(x)
        if observed.shape == self.data_shape:
            yield torch.arange(len(x), device=x.device), self._pattern(observed, self.data_shape), flat
            return
        kinds, which = self._pattern(observed, tuple(x.shape)).unique(dim=0, return_inverse=True)
        for index, pattern in enumerate(kinds):
            rows = (which == index).nonzero().squeeze(1)
            yield rows, pattern, flat[rows]

    @staticmethod
    def _pattern(observed: Tensor, shape: tuple[int, ...]) -> Tensor:
        if observed.dtype != torch.bool or observed.shape != shape:
            raise ValueError(
                f"observed has dtype {observed.dtype} and shape {tuple(observed.shape)}; expected booleans of the "
                f"shape {shape}, or of one example"
            )
        return observed

    def _flat(self, x: Tensor) -> Tensor:
        if x.shape[1:] != self.data_shape:
            raise ValueError(f"x has shape {tuple(x.shape)}; expected (B, {', '.join(map(str, self.data_shape))})")
        return x.flatten(1).to(self.mean.dtype)

    def _labels(self, y: Tensor | int, n: int) -> Tensor:
        labels = torch.as_tensor(y, device=self.mean.device)
        labels = labels.expand(n) if labels.ndim == 0 else labels
        return check_labels(labels, n, self.n_classes)


class ClassConditionalGaussian(ClassConditionalMixture):
    """One Gaussian for each class, p(x|y) = N(x; mean[y], covariance[y]): a mixture with one component."""

    @classmethod
    def fit(  # type: ignore[override]
        cls, x: Tensor, y: Tensor, *, covariance: str = "full", ridge: float = 1e-3
    ) -> "ClassConditionalGaussian":
        """Maximum likelihood in closed form for ``x (N, *data_shape)`` and ``y (N,)`` int64.

        ``covariance="full"`` gives each class its own (quadratic discriminant analysis), ``"shared"`` one to all
        (linear discriminant analysis). ``ridge`` is added to every variance, in squared units of x: pixels that never
        change need it. Raises ``ValueError`` for labels that do not fit, and when a covariance is singular.
        """
        log_prior = class_log_prior(x, y)
        weights = F.one_hot(y, len(log_prior)).to(x.dtype)  # (N, C)
        return cls.from_weights(x, weights, covariance=covariance, ridge=ridge)

    @classmethod
    def from_weights(
        cls, x: Tensor, weights: Tensor, *, covariance: str = "full", ridge: float = 1e-3
    ) -> "ClassConditionalGaussian":
        """The same when example n belongs to class c with weight ``weights[n, c]``, ``(N, C)``: the M step of EM."""
        if covariance not in ("full", "shared"):
            raise ValueError(f"{covariance=} is unknown; expected 'full' or 'shared'")
        flat, totals = x.flatten(1), weights.sum(0)  # (N, D), (C,)
        mean = weights.mT @ flat / totals.unsqueeze(1)  # (C, D)
        scatters = torch.stack([scatter(flat, m, w) for m, w in zip(mean, weights.mT, strict=True)])  # (C, D, D)
        if covariance == "shared":
            matrix = (scatters.sum(0) / totals.sum()).expand_as(scatters)
        else:
            matrix = scatters / totals[:, None, None]
        # In double precision and on the CPU: not every accelerator has it.
        ridged = matrix.cpu().double() + ridge * torch.eye(flat.shape[1], dtype=torch.float64)
        factor = cholesky_of_classes(ridged.unsqueeze(1)).to(x)  # (C, 1, D, D)
        log_prior = (totals / totals.sum()).log()
        return cls(log_prior, torch.zeros_like(totals).unsqueeze(1), mean.unsqueeze(1), factor, tuple(x.shape[1:]))
