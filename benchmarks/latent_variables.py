"""GaussianMixture and PPCA beside scikit-learn: time and likelihood from the same start, in float64, one thread.

python benchmarks/latent_variables.py            both; a minute
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from _common import machine, table
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture as PeerMixture

from genlib.models.gaussian_mixture import GaussianMixture
from genlib.models.ppca import PPCA

ROUNDS = 7
SIZES = ((2_000, 2, 4), (10_000, 10, 8), (5_000, 40, 10), (10_000, 64, 10))  # examples, dimensions, components
PCA_SIZES = ((2_000, 64, 10), (10_000, 784, 20), (500, 784, 20))  # examples, dimensions, latents
HEADER = [
    "examples",
    "dimensions",
    "K or L",
    "genlib, ms",
    "scikit-learn, ms",
    "time, relative",
    "steps",
    "likelihood, relative",
]
NOTE = """
Time relative to scikit-learn's: below 1 is faster. Likelihood: (ours - scikit-learn's) / |scikit-learn's|, for mixtures
at the end of the way. scikit-learn adds reg_covar to every variance; its PCA divides by N - 1 and, with fewer examples
than dimensions, takes the noise from those alone."""


def seconds(call: Callable[[], Any]) -> tuple[float, Any]:
    """How long a call takes, and what it returns."""
    begun = time.perf_counter()
    found = call()
    return time.perf_counter() - begun, found


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


def row(sizes: tuple[int, int, int], pairs: list[tuple[float, float]], steps: str, gain: float) -> tuple[object, ...]:
    """Medians of both times, in ms, the median of their ratios, and what was gained in likelihood."""
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(one / other for one, other in pairs)
    return (*sizes, f"{1e3 * ours:.1f}", f"{1e3 * theirs:.1f}", f"{ratio:.2f}", steps, f"{gain:+.1e}")


def mixtures() -> list[tuple[object, ...]]:
    """EM until a step gains less than 1e-3 nats, and for the likelihood until it gains less than 1e-10."""
    rows = []
    for sizes in SIZES:
        x = clusters(*sizes)
        start = GaussianMixture.fit(x, sizes[2], n_steps=0)
        pairs = []
        for _ in range(ROUNDS):
            ours, model = seconds(lambda: GaussianMixture.fit(x, start=start))  # noqa: B023
            theirs, peer = seconds(lambda: peer_of(start).fit(x.numpy()))  # noqa: B023
            pairs.append((ours, theirs))
        steps = f"{len(model.history) - 1} and {peer.n_iter_}"
        end = GaussianMixture.fit(x, start=start, n_steps=2000, tolerance=1e-10)
        other = peer_of(start, tol=1e-10, max_iter=2000).fit(x.numpy()).score(x.numpy())
        rows.append(row(sizes, pairs, steps, (float(end.log_prob(x).mean()) - other) / abs(other)))
    return rows


def components() -> list[tuple[object, ...]]:
    """The closed form."""
    rows = []
    for n, dim, latents in PCA_SIZES:
        generator = torch.Generator().manual_seed(0)
        draw = {"generator": generator, "dtype": torch.float64}
        x = torch.randn(n, latents, **draw) @ torch.randn(latents, dim, **draw) + torch.randn(n, dim, **draw) / 2
        pairs = []
        for _ in range(ROUNDS):
            ours, model = seconds(lambda: PPCA.fit(x, latents))  # noqa: B023
            theirs, peer = seconds(lambda: PCA(latents).fit(x.numpy()))  # noqa: B023
            pairs.append((ours, theirs))
        other = peer.score(x.numpy())
        rows.append(row((n, dim, latents), pairs, "", (float(model.log_prob(x).mean()) - other) / abs(other)))
    return rows


def main() -> None:
    torch.set_num_threads(1)
    print(f"machine: {machine()}", flush=True)
    table(f"Mixtures of Gaussians from the same start, {ROUNDS} times in turn, medians", HEADER, mixtures())
    table(f"Probabilistic PCA, closed form, {ROUNDS} times in turn, medians", HEADER, components())
    print(NOTE)


if __name__ == "__main__":
    main()
