"""Sampling with cached activations against naive sampling, which runs the whole network for every variable; one thread.

First, 16 images of 28x28 pixels by both, from the same random numbers and compared: a naive run timed from beginning
to end. All other naive times are the median time of a forward pass times the number of variables, and the tables say
so: that is what naive sampling does, whatever has been drawn already. Cached times and training steps (64 images:
forward, backward, Adam) are medians of whole runs, in turn.
"""

import math
import statistics
import time
from collections.abc import Callable

import torch
from _common import table

from genlib import sampling
from genlib.models.gated_pixel_cnn import GatedPixelCNN
from genlib.models.pixel_cnn import PixelCNN

ROUNDS, TRAINING_BATCH = 3, 64
Model = GatedPixelCNN | PixelCNN


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def naive_by_cached(model: Model, n: int) -> None:
    """The whole of naive sampling, once, between two cached runs."""
    uniforms = torch.rand(n, math.prod(model.data_shape))
    model.sample(n)  # warm up
    images = {}

    def draw(cached: bool) -> None:
        images[cached] = sampling.sample(model, n, uniforms=uniforms, cached=cached)

    before = seconds(lambda: draw(True))
    naive = seconds(lambda: draw(False))
    cached = (before + seconds(lambda: draw(True))) / 2
    if not torch.equal(images[True], images[False]):
        raise SystemExit("the two samplers, given the same random numbers, drew different images")
    row = (n, f"{naive:.1f}", f"{cached:.3f}", f"{naive / cached:.0f}", "the same")
    title = "GatedPixelCNN, 5 layers of 32, 28x28, two levels: both samplers from beginning to end"
    table(title, ["images", "naive, s", "cached, s", "naive / cached", "images drawn"], [row])


def in_turn(model: Model, n: int) -> tuple[float, float, float]:
    """Seconds of naive sampling (forward pass times variables), of cached sampling and of a training step."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    batch = torch.randint(model.levels, (TRAINING_BATCH, *model.data_shape))

    @torch.no_grad()
    def forward() -> None:
        model(batch[:n])

    def train() -> None:
        optimizer.zero_grad()
        (-model.log_prob(batch).mean()).backward()
        optimizer.step()

    works = (forward, lambda: model.sample(n), train)
    times = [[seconds(work) for work in works] for _ in range(ROUNDS + 1)][1:]  # the first to warm up
    forward_time, cached, training = (statistics.median(column) for column in zip(*times, strict=True))
    return forward_time * math.prod(model.data_shape), cached, training


def compare(title: str, rows: list[tuple[str, Model, int]]) -> None:
    cells = []
    for name, model, n in rows:
        naive, cached, training = in_turn(model, n)
        cells.append((name, n, f"{naive:.1f}", f"{cached:.3f}", f"{naive / cached:.0f}", f"{training:.2f}"))
    header = ["model", "images", "naive, s: forward x variables", "cached, s", "naive / cached", "training step, s"]
    table(f"{title}; medians of {ROUNDS} rounds", header, cells)


def gated(size: int = 28, n_layers: int = 5) -> GatedPixelCNN:
    return GatedPixelCNN((1, size, size), channels=32, n_layers=n_layers)


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    naive_by_cached(gated(), 16)
    color = GatedPixelCNN((3, 16, 16), levels=256, channels=48, n_layers=5)
    rows: list[tuple[str, Model, int]] = [
        ("GatedPixelCNN, 5 layers of 32, 28x28", gated(), 16),
        ("GatedPixelCNN, 5 layers of 32, 28x28", gated(), 64),
        ("PixelCNN, 7 blocks, 2h = 64, 28x28", PixelCNN((1, 28, 28), channels=32, n_layers=7), 64),
        ("GatedPixelCNN, 5 layers of 48, 3x16x16, 256 levels", color, 16),
    ]
    compare(f"Cached against naive sampling, beside a training step on {TRAINING_BATCH} images", rows)
    sizes: list[tuple[str, Model, int]] = [(f"{size}x{size}", gated(size), 16) for size in (14, 20, 28)]
    compare("How it grows with the size of the image (GatedPixelCNN, 5 layers)", sizes)
    depths: list[tuple[str, Model, int]] = [(f"{depth} layers", gated(n_layers=depth), 16) for depth in (2, 5, 10)]
    compare("How it grows with the depth (GatedPixelCNN, 28x28)", depths)


if __name__ == "__main__":
    main()
