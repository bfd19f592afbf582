"""Two ways for samples to be bad: to lie where there are no data, and to leave out where there are."""

from typing import NamedTuple

import torch
from torch import Tensor

from genlib.evaluate.doubles import in_double


class PrecisionRecall(NamedTuple):
    """The share of generated examples among the data, and the share of the data among the generated examples."""

    precision: float
    recall: float


class ModeCoverage(NamedTuple):
    """Share of modes that are hit, share of samples near a mode, and ``counts``, int64 ``(K,)``, of those of each."""

    modes: float
    quality: float
    counts: Tensor


@torch.no_grad()
def precision_recall(real: Tensor, fake: Tensor, *, k: int = 3, chunk: int = 1024) -> PrecisionRecall:
    """Improved precision and recall of features ``real (N, F)`` and ``fake (M, F)`` (arXiv:1904.06991, equation 1).

    A set covers what lies within one of the balls around its members, each of which reaches to its ``k``-th nearest
    neighbour in the set. Precision is the share of ``fake`` that ``real`` covers: are samples plausible? Recall the
    share of ``real`` that ``fake`` covers: is everything there? One outlier with its large ball can cover much. Take as
    many of one as of the other, since more make smaller balls. ``chunk`` rows of distances are held at a time.
    Raises ``ValueError`` for other shapes or no more than k examples.
    """
    if real.ndim != 2 or fake.ndim != 2 or real.shape[1] != fake.shape[1]:
        raise ValueError(
            f"received shapes {tuple(real.shape)} and {tuple(fake.shape)}; expected (N, F) and (M, F): flatten images"
        )
    if k < 1 or min(len(real), len(fake)) <= k or chunk < 1:
        raise ValueError(
            f"received {len(real)} and {len(fake)} examples, {k=} and {chunk=}; expected more examples than k, and k "
            "and chunk of at least 1"
        )
    return PrecisionRecall(_covered(fake, real, k, chunk), _covered(real, fake, k, chunk))


def _covered(x: Tensor, by: Tensor, k: int, chunk: int) -> float:
    """The share of ``x`` in the balls around ``by``."""
    # Nearest is itself, at distance 0; matrix products would round it, and a ball might lose what is on its border.
    radii = [_distances(part, by).topk(k + 1, largest=False).values[:, k] for part in by.split(chunk)]
    radius = torch.cat(radii)
    inside = [(_distances(part, by) <= radius).any(1) for part in x.split(chunk)]
    return float(torch.cat(inside).double().mean())


def _distances(a: Tensor, b: Tensor) -> Tensor:
    return torch.cdist(in_double(a), in_double(b), compute_mode="donot_use_mm_for_euclid_dist")


def mode_coverage(samples: Tensor, centres: Tensor, std: float, *, n_std: float = 3.0, least: int = 1) -> ModeCoverage:
    """How many of K known modes the samples hit, and how many of the samples hit a mode.

    ``samples (N, D)``, ``centres (K, D)``; a sample is near the closest centre if within ``n_std`` times ``std``, the
    modes' standard deviation per coordinate: three in the plane, where it is so for 98.9 % of a Gaussian's own draws
    (Srivastava et al., arXiv:1705.07761, section 4.1). A mode is hit by ``least`` such samples; one in a few
    thousand may be chance on the way between two modes. Raises ``ValueError`` for other shapes or sizes.
    """
    if samples.ndim != 2 or centres.ndim != 2 or samples.shape[1] != centres.shape[1] or not len(samples):
        raise ValueError(
            f"received samples {tuple(samples.shape)} and centres {tuple(centres.shape)}; expected (N, D) and (K, D)"
        )
    if not (std > 0 and n_std > 0 and least >= 1):
        raise ValueError(f"received {std=}, {n_std=}, {least=}; expected positive numbers")
    points = in_double(samples)
    distance, closest = torch.cdist(points, in_double(centres).to(points.device)).min(1)
    near = distance <= n_std * std
    counts = torch.bincount(closest[near], minlength=len(centres))
    return ModeCoverage(float((counts >= least).double().mean()), float(near.double().mean()), counts)
