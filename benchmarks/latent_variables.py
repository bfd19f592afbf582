"""GaussianMixture and PPCA beside scikit-learn: time and likelihood from the same start, in float64, one thread.

python benchmarks/latent_variables.py            both; half a minute
"""

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from _common import machine, table
from _goals import Goal, checked
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture as PeerMixture
from threadpoolctl import threadpool_limits

from genlib.models.gaussian_mixture import GaussianMixture
from genlib.models.ppca import PPCA

ROUNDS = 11
SIZES = ((2_000, 2, 4), (10_000, 10, 8), (5_000, 40, 10), (10_000, 64, 10))  # examples, dimensions, components
PCA_SIZES = ((2_000, 64, 10), (10_000, 784, 20), (500, 784, 20), (200, 2_000, 10))  # examples, dimensions, latents
ROUNDING = 1e-12  # of a mean of 10,000 numbers in float64, relative
HEADER = ["examples", "dimensions", "K or L", "genlib, ms", "scikit-learn, ms", "time, relative"]
NOTE = """
Times are medians, and so is time relative to scikit-learn's, round by round: below 1 is faster. Likelihood, relative:
(ours - scikit-learn's) / |scikit-learn's|. For mixtures it is taken where EM ends, both having gone on until a step
gains less than 1e-10 nats; scikit-learn adds reg_covar = 1e-6 to every variance, ours has it as a floor.
scikit-learn's PCA does not maximise the likelihood: it divides by N - 1, and with fewer examples N than dimensions D it
takes the noise to be the mean of the N - L variances left among the examples, not of the D - L left among all
dimensions; its answers are far less likely there. "Likewise defined" is its axes and variances with the definitions of
maximum likelihood, divided by N and D - L, put into the same Gaussian."""


@dataclass(frozen=True)
class Row:
    """One size: seconds of both in every round, and what was gained in likelihood, relative."""

    sizes: tuple[int, int, int]
    seconds: list[tuple[float, float]]
    gain: float
    other: float | str  # for mixtures the steps; for PPCA the gain when both are defined alike

    @property
    def ratio(self) -> float:
        return statistics.median(ours / theirs for ours, theirs in self.seconds)

    def cells(self) -> tuple[object, ...]:
        ours, theirs = (statistics.median(column) for column in zip(*self.seconds, strict=True))
        other = self.other if isinstance(self.other, str) else f"{self.other:+.1e}"
        return (
            *self.sizes,
            f"{1e3 * ours:.1f}",
            f"{1e3 * theirs:.1f}",
            f"{self.ratio:.2f}",
            f"{self.gain:+.1e}",
            other,
        )


def in_turn(ours: Callable[[], Any], theirs: Callable[[], Any]) -> tuple[list[tuple[float, float]], Any, Any]:
    """Seconds of both calls in every round, and what they returned in the last; a first round is not counted."""
    seconds = []
    for _ in range(ROUNDS + 1):
        begun = time.perf_counter()
        found = ours()
        between = time.perf_counter()
        peer = theirs()
        seconds.append((between - begun, time.perf_counter() - between))
    return seconds[1:], found, peer


def clusters(n: int, dim: int, k: int) -> torch.Tensor:
    """Examples of k Gaussians with covariances of their own."""
    generator = torch.Generator().manual_seed(0)
    draw = {"generator": generator, "dtype": torch.float64}
    root = torch.randn(k, dim, dim, **draw) / (2 * dim**0.5) + torch.eye(dim, dtype=torch.float64)
    which = torch.randint(k, (n,), generator=generator)
    eps = torch.randn(n, dim, 1, **draw)
    return 2 * torch.randn(k, dim, **draw)[which] + (root[which] @ eps).squeeze(2)


def peer_of(start: GaussianMixture, **options: float) -> PeerMixture:
    """scikit-learn's mixture with the parameters of ours."""
    return PeerMixture(
        len(start.weight),
        weights_init=start.weight.numpy(),
        means_init=start.mean.numpy(),
        precisions_init=torch.linalg.inv(start.covariance).numpy(),
        reg_covar=1e-6,
        **options,
    )


def gain(ours: float, theirs: float) -> float:
    return (ours - theirs) / abs(theirs)


def mixture(sizes: tuple[int, int, int]) -> Row:
    """EM until a step gains less than 1e-3 nats, and for the likelihood until it gains less than 1e-10."""
    x = clusters(*sizes)
    start = GaussianMixture.fit(x, sizes[2], n_steps=0)
    seconds, model, peer = in_turn(
        lambda: GaussianMixture.fit(x, start=start, min_variance=1e-6), lambda: peer_of(start).fit(x.numpy())
    )
    steps = f"{len(model.history) - 1} and {peer.n_iter_}"
    end = GaussianMixture.fit(x, start=start, min_variance=1e-6, n_steps=2000, tolerance=1e-10)
    other = peer_of(start, tol=1e-10, max_iter=2000).fit(x.numpy()).score(x.numpy())
    return Row(sizes, seconds, gain(float(end.log_prob(x).mean()), other), steps)


def components(sizes: tuple[int, int, int]) -> Row:
    """The closed form."""
    n, dim, latents = sizes
    draw = {"generator": torch.Generator().manual_seed(0), "dtype": torch.float64}
    x = torch.randn(n, latents, **draw) @ torch.randn(latents, dim, **draw) + torch.randn(n, dim, **draw) / 2
    seconds, model, peer = in_turn(lambda: PPCA.fit(x, latents), lambda: PCA(latents, random_state=0).fit(x.numpy()))
    ours = float(model.log_prob(x).mean())
    alike = float(likewise_defined(peer, x).log_prob(x).mean())
    return Row(sizes, seconds, gain(ours, peer.score(x.numpy())), gain(ours, alike))


def likewise_defined(peer: PCA, x: torch.Tensor) -> PPCA:
    """scikit-learn's axes and variances with the definitions of maximum likelihood."""
    axes, variances = torch.from_numpy(peer.components_), torch.from_numpy(peer.explained_variance_)
    variances = variances * (len(x) - 1) / len(x)
    noise = (x.var(0, correction=0).sum() - variances.sum()) / (x.shape[1] - len(axes))
    return PPCA(axes.mT * (variances - noise).sqrt(), torch.from_numpy(peer.mean_), noise)


def goals(mixtures: list[Row], ppcas: list[Row]) -> list[Goal]:
    found = [
        Goal(f"{name}, {row.sizes[0]} x {row.sizes[1]}: time relative to scikit-learn's", row.ratio, 2)
        for name, rows in (("mixture", mixtures), ("PPCA", ppcas))
        for row in rows
    ]
    alike = [float(row.other) for row in ppcas]
    enough = [row.gain for row in ppcas if row.sizes[0] >= row.sizes[1]]
    for name, gains, low in (
        ("mixtures", [row.gain for row in mixtures], -ROUNDING),
        ("PPCA, more examples than dimensions", enough, 0.0),
        ("PPCA, likewise defined", alike, -ROUNDING),
    ):
        found.append(Goal(f"{name}: smallest gain in likelihood, relative", min(gains), low, at_least=True))
        found.append(Goal(f"{name}: largest", max(gains), 1e-6))
    fewer = [row.gain for row in ppcas if row.sizes[0] < row.sizes[1]]
    return [*found, Goal("PPCA, fewer examples than dimensions: smallest gain", min(fewer), 0.0, at_least=True)]


def main() -> int:
    print(f"machine: {machine()}", flush=True)
    torch.set_num_threads(1)
    with threadpool_limits(1):  # numpy's and scikit-learn's threads, which are not torch's
        mixtures = [mixture(sizes) for sizes in SIZES]
        title = f"{ROUNDS} rounds in turn, medians"
        likelihood = "likelihood, relative"
        table(f"Mixtures of Gaussians from the same start, {title}", [*HEADER, likelihood, "steps"],
              [row.cells() for row in mixtures])  # fmt: skip
        ppcas = [components(sizes) for sizes in PCA_SIZES]
        table(f"Probabilistic PCA, closed form, {title}", [*HEADER, likelihood, "likewise defined"],
              [row.cells() for row in ppcas])  # fmt: skip
    print(NOTE)
    return checked(goals(mixtures, ppcas))


if __name__ == "__main__":
    sys.exit(main())
