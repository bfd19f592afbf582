"""The beta-VAE on sprites with known factors: beta 1, beta tuned, and PCA with as many dimensions beside them.

The weight beta is chosen by the mutual information gap on validation images with the first seed, from a few values.
Then figures are of test images, for several seeds: mean, and from the least to the greatest.
"""

import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from _common import data_root, machine, table
from _goals import Goal, checked
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from genlib import data
from genlib.data.shapes import SHAPE_RANGES, SHAPES, render_shapes
from genlib.evaluate import active_units, beta_vae_score, mutual_information_gap
from genlib.models.vae import VAE
from genlib.train import fit

LATENTS, HIDDEN, BATCH, RATE, STEPS = 6, 256, 64, 2e-3, 3000
BETAS, SEEDS, KEPT = (4.0, 8.0, 16.0), (0, 1, 2), 2000
VOTES = 500
NOTE = f"""
{LATENTS} latents; {STEPS} steps of {BATCH} images with Adam at {RATE:g}, two hidden layers of {HIDDEN}. Gap: the
mutual information gap, from 0 to 1; "estimate": how much one such figure varies with the images that it is taken from.
Score: the beta-VAE score, from chance, 0.2 with five factors, to 1. Squared error: of the reconstruction, per pixel.
Active: of the latents; those of PCA all are. dSprites is averaged over 2 by 2 pixels, to 32 by 32; its score draws
sprites from dsprites_downsampled.npz, where all combinations of its values of the factors stand."""


@dataclass(frozen=True)
class Sprites:
    """Images and factors of three splits, and how to draw factors and images of them."""

    name: str
    train: Tensor
    valid: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]
    draw: Callable[[int, torch.Generator], Tensor] | None
    render: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Found:
    """What the latents of one model are worth."""

    gap: float
    estimate: float
    score: float
    error: float
    active: int


def draw_shapes(n: int, generator: torch.Generator) -> Tensor:
    low, high = torch.tensor(list(SHAPE_RANGES.values())).unbind(1)
    factors = low + (high - low) * torch.rand(n, len(low), generator=generator)
    factors[:, 0] = torch.randint(len(SHAPES), (n,), generator=generator)
    return factors


def shapes() -> Sprites:
    train, valid, test = (data.load("shapes", split) for split in ("train", "valid", "test"))
    assert valid.factors is not None
    assert test.factors is not None
    return Sprites("shapes", train.x, (valid.x, valid.factors), (test.x, test.factors), draw_shapes, render_shapes)


def smaller(x: Tensor) -> Tensor:
    return avg_pool2d(x, 2)


def dsprites() -> Sprites | None:
    """The real ones, where they are."""
    root = data_root()
    if root is None or not (root / "dsprites").is_dir():
        return None
    train, test = (data.load("dsprites", split, root=root) for split in ("train", "test"))
    assert train.factors is not None
    assert test.factors is not None
    x, grid = smaller(train.x), Grid.read(root)
    return Sprites(
        "dsprites",
        x[:-KEPT],
        (x[-KEPT:], train.factors[-KEPT:]),
        (smaller(test.x), test.factors),
        grid.draw if grid else None,
        grid.render if grid else smaller,
    )


@dataclass(frozen=True)
class Grid:
    """Sprites of every combination of some values of the factors; a factor is told by the position of its value."""

    images: Tensor  # (N, 64, 64), the last factor changing fastest
    sizes: tuple[int, ...]

    @classmethod
    def read(cls, root: Path) -> "Grid | None":
        path = root / "dsprites" / "dsprites_downsampled.npz"
        try:
            with np.load(path, allow_pickle=False) as arrays:
                images, values = torch.from_numpy(arrays["imgs"]), arrays["latents_values"][:, -5:]
        except FileNotFoundError:
            return None
        order = np.lexsort(values.T[::-1])
        sizes = tuple(len(np.unique(column)) for column in values.T)
        assert int(np.prod(sizes)) == len(images)
        return cls(images[torch.from_numpy(order)], sizes)

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        return torch.stack([torch.randint(size, (n,), generator=generator) for size in self.sizes], 1)

    def render(self, factors: Tensor) -> Tensor:
        rows = torch.zeros(len(factors), dtype=torch.int64)
        for column, size in zip(factors.unbind(1), self.sizes, strict=True):
            rows = rows * size + column
        return smaller(self.images[rows].unsqueeze(1).float())


def trained(sprites: Sprites, beta: float, seed: int) -> VAE:
    torch.manual_seed(seed)
    shape = tuple(sprites.train.shape[1:])
    size = int(np.prod(shape))
    encoder = nn.Sequential(nn.Flatten(), *layers(size, HIDDEN, HIDDEN, 2 * LATENTS))
    decoder = nn.Sequential(*layers(LATENTS, HIDDEN, HIDDEN, size))
    model = VAE(shape, LATENTS, beta=beta, soft=True, encoder=encoder, decoder=decoder)
    fit(model, sprites.train, steps=STEPS, batch_size=BATCH, lr=RATE, seed=seed, progress=False)
    return model.eval()


def layers(*sizes: int) -> list[nn.Module]:
    listed: list[nn.Module] = []
    for before, after in pairwise(sizes):
        listed += [nn.Linear(before, after), nn.ReLU()]
    return listed[:-1]


@torch.no_grad()
def found(sprites: Sprites, encode: Callable[[Tensor], Tensor], again: Tensor, active: int, seed: int) -> Found:
    """The figures of test images, given their reconstructions."""
    x, factors = sprites.test
    gap = mutual_information_gap(encode(x), factors)
    score = float("nan")
    if sprites.draw is not None:
        score = beta_vae_score(encode, sprites.draw, sprites.render, n_votes=VOTES, n_repeats=1, seed=seed).value
    return Found(gap.value, gap.spread, score, float((again - x).square().mean()), active)


def of_vae(sprites: Sprites, model: VAE, seed: int) -> Found:
    x = sprites.test[0]
    active = int(active_units(model, x).sum())
    return found(sprites, lambda images: model.encode(images)[0], model.reconstruct(x), active, seed)


def of_pca(sprites: Sprites, seed: int) -> Found:
    x = sprites.test[0]
    peer = PCA(LATENTS, random_state=seed).fit(sprites.train.flatten(1).numpy())

    def encode(images: Tensor) -> Tensor:
        return torch.from_numpy(peer.transform(images.flatten(1).numpy()))

    again = torch.from_numpy(peer.inverse_transform(encode(x).numpy())).reshape(x.shape)
    return found(sprites, encode, again, LATENTS, seed)


def tuned(sprites: Sprites) -> tuple[float, VAE]:
    """The beta with the greatest gap on validation images, and the model of the first seed that has it."""
    x, factors = sprites.valid
    models = {beta: trained(sprites, beta, SEEDS[0]) for beta in BETAS}
    with torch.no_grad():
        gaps = {beta: mutual_information_gap(model.encode(x)[0], factors).value for beta, model in models.items()}
    listed = ", ".join(f"{gap:.3f} with beta {beta:g}" for beta, gap in gaps.items())
    print(f"\n{sprites.name}: gaps of validation images: {listed}", flush=True)
    best = max(gaps, key=gaps.__getitem__)
    return best, models[best]


def spread(values: Sequence[float], digits: int) -> str:
    mean, low, high = (f"{value:.{digits}f}" for value in (statistics.mean(values), min(values), max(values)))
    return mean if low == high else f"{mean} ({low} to {high})"


def compared(sprites: Sprites) -> list[Goal]:
    """The table of one data set, and its goals."""
    beta, first = tuned(sprites)
    plain = [of_vae(sprites, trained(sprites, 1.0, seed), seed) for seed in SEEDS]
    better = [of_vae(sprites, first, SEEDS[0])]
    better += [of_vae(sprites, trained(sprites, beta, seed), seed) for seed in SEEDS[1:]]
    linear = [of_pca(sprites, seed) for seed in SEEDS]
    rows = [
        (name, spread([f.gap for f in each], 3), f"{statistics.mean(f.estimate for f in each):.3f}",
         spread([f.score for f in each], 2), spread([f.error for f in each], 4), spread([f.active for f in each], 0))
        for name, each in (("PCA", linear), ("beta 1", plain), (f"beta {beta:g}, tuned", better))
    ]  # fmt: skip
    header = ["model", "gap", "estimate", "score", "squared error", "active"]
    table(f"{sprites.name}: {len(sprites.test[0])} test images, {len(SEEDS)} seeds", header, rows)
    gap = {name: statistics.mean(f.gap for f in each) for name, each in (("1", plain), ("b", better), ("pca", linear))}
    worst, pca = (max(f.error for f in each) for each in (better, linear))
    return [
        Goal(f"{sprites.name}: gap with beta tuned less that with beta 1", gap["b"] - gap["1"], 0, at_least=True),
        Goal(f"{sprites.name}: gap with beta tuned less that of PCA", gap["b"] - gap["pca"], 0, at_least=True),
        Goal(f"{sprites.name}: squared error with beta 1 relative to PCA's", max(f.error for f in plain) / pca, 1),
        Goal(f"{sprites.name}: squared error with beta tuned relative to PCA's", worst / pca, 1),
    ]


def main() -> int:
    print(f"machine: {machine()}", flush=True)
    torch.set_num_threads(1)
    goals = []
    with threadpool_limits(1):
        for sprites in (shapes(), dsprites()):
            if sprites is None:
                print("\ndSprites is not here: set GENLIB_DATA to the folder that holds dsprites/.")
                continue
            goals += compared(sprites)
    print(NOTE)
    return checked(goals)


if __name__ == "__main__":
    sys.exit(main())
