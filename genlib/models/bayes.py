"""Bayes' rule as code: a classifier made of densities, and a conditional generator made of a classifier."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from genlib.models.class_fitting import check_labels
from genlib.models.modes import evaluating


class BayesClassifier(nn.Module):
    """p(y|x) = p(x|y) p(y) / sum_y' p(x|y') p(y'): a classifier made of one density for each class.

    ``densities`` holds C models with ``log_prob(x) -> (B,)`` in nats, ``log_prior (C,)`` is log p(y), normalised.
    Raises ``ValueError`` when there are fewer than two, or the prior does not fit.
    """

    log_prior: Tensor

    def __init__(self, densities: Sequence[Any], log_prior: Tensor) -> None:
        super().__init__()
        if len(densities) < 2:
            raise ValueError(f"received {len(densities)} densities; expected one for each of two or more classes")
        self.densities: Iterable[Any] = densities
        if all(isinstance(density, nn.Module) for density in densities):
            self.densities = nn.ModuleList(densities)  # so that parameters are found and moved
        self.register_buffer("log_prior", _checked_prior(log_prior, len(densities)))

    def forward(self, x: Tensor) -> Tensor:
        """log p(x|y) + log p(y) for every class, ``(B, C)`` in nats: logits, since they lack only log p(x)."""
        return torch.stack([density.log_prob(x) for density in self.densities], 1) + self.log_prior

    def log_posterior(self, x: Tensor) -> Tensor:
        """log p(y|x), ``(B, C)`` in nats."""
        return torch.log_softmax(self(x), 1)

    def classify(self, x: Tensor) -> Tensor:
        """The most probable class of each example, ``(B,)`` int64."""
        return self(x).argmax(1)


class BayesGenerator(nn.Module):
    """p(x|y) = p(y|x) p(x) / p(y): a conditional generative model made of a classifier, a density and a prior.

    ``classifier(x)`` returns logits ``(B, C)``, ``density`` offers ``log_prob(x) -> (B,)`` and ``sample(n)``, and
    ``log_prior (C,)`` is log p(y). When the three were learned separately, they need not belong to one joint
    distribution: p(x|y) then integrates to E_{p(x)}[p(y|x)] / p(y), which is not 1; ``log_normalizer`` measures it.
    """

    log_prior: Tensor

    def __init__(self, classifier: Callable[[Tensor], Tensor], density: Any, log_prior: Tensor) -> None:
        super().__init__()
        self.classifier, self.density = classifier, density
        self.register_buffer("log_prior", _checked_prior(log_prior, log_prior.numel()))

    def log_prob(self, x: Tensor, y: Tensor | int | None = None) -> Tensor:
        """log p(y|x) + log p(x) - log p(y), ``(B,)`` in nats, for labels ``y (B,)``; without them log p(x).

        By Bayes' rule this is log p(x|y), but it is normalised only as far as the three parts agree.
        """
        if y is None:
            return self.density.log_prob(x)
        labels = self._labels(y, len(x))  # (B,)
        log_posterior = self._log_posterior(x).gather(1, labels.unsqueeze(1)).squeeze(1)  # (B,)
        return log_posterior + self.density.log_prob(x) - self.log_prior[labels]

    @torch.no_grad()
    def log_normalizer(self, *, n_samples: int = 10_000, generator: torch.Generator | None = None) -> Tensor:
        """The log of the integral of exp(log_prob(x, y)) over x, for every class, ``(C,)`` in nats; 0 is normalised.

        An estimate: log E_{p(x)}[p(y|x)] - log p(y) by ``n_samples`` draws from the density.
        """
        with evaluating(self):
            log_posterior = self._log_posterior(self.density.sample(n_samples, generator=generator))  # (S, C)
        return log_posterior.logsumexp(0) - math.log(n_samples) - self.log_prior

    @torch.no_grad()
    def sample(
        self,
        n: int,
        *,
        y: Tensor | int | None = None,
        generator: torch.Generator | None = None,
        max_proposals: int = 1_000_000,
    ) -> Tensor:
        """Draw n examples from what is proportional to p(y|x) p(x), for labels ``y (n,)``; without them from p(x).

        Rejection sampling, exact: a draw from p(x) is kept with probability p(y|x). Raises ``ValueError`` when
        ``max_proposals`` draws for one class have not yielded enough; the classifier then finds y in few of them.
        """
        if y is None:
            return self.density.sample(n, generator=generator)
        labels = self._labels(y, n)
        x: Tensor | None = None
        for label in labels.unique().tolist():
            rows = labels == label
            drawn = self._accepted(label, int(rows.sum()), generator, max_proposals)
            x = drawn.new_empty(n, *drawn.shape[1:]) if x is None else x
            x[rows] = drawn
        return self.density.sample(0, generator=generator) if x is None else x

    def _accepted(self, label: int, n: int, generator: torch.Generator | None, max_proposals: int) -> Tensor:
        kept, n_kept, n_drawn = [], 0, 0
        while n_kept < n:
            if n_drawn >= max_proposals:
                raise ValueError(
                    f"{n_drawn} draws from p(x) gave {n_kept} of {n} samples of class {label}; p(y|x) is near 0 on "
                    "them. Raise max_proposals, or look whether density and classifier were fitted to the same data."
                )
            with evaluating(self):
                x = self.density.sample(max(256, 2 * (n - n_kept)), generator=generator)  # (S, *data_shape)
                probability = self._log_posterior(x)[:, label].exp()  # (S,)
            uniform = torch.rand(probability.shape, generator=generator, device=x.device, dtype=x.dtype)
            kept.append(x[uniform < probability])
            n_kept, n_drawn = n_kept + len(kept[-1]), n_drawn + len(x)
        return torch.cat(kept)[:n]

    def _log_posterior(self, x: Tensor) -> Tensor:
        logits = self.classifier(x)
        if logits.shape != (len(x), len(self.log_prior)):
            raise ValueError(
                f"the classifier returned shape {tuple(logits.shape)}; expected logits ({len(x)}, "
                f"{len(self.log_prior)}), one for each class of the prior"
            )
        return torch.log_softmax(logits, 1)

    def _labels(self, y: Tensor | int, n: int) -> Tensor:
        labels = torch.as_tensor(y, device=self.log_prior.device)
        return check_labels(labels.expand(n) if labels.ndim == 0 else labels, n, len(self.log_prior))


def _checked_prior(log_prior: Tensor, n_classes: int) -> Tensor:
    total = float(log_prior.exp().sum())
    if log_prior.shape != (n_classes,) or abs(total - 1) > 1e-4:
        raise ValueError(
            f"log_prior has shape {tuple(log_prior.shape)} and its probabilities sum to {total:.4g}; expected "
            f"({n_classes},) and 1"
        )
    return log_prior
