"""A recipe for one GPU: PixelCNN, gated PixelCNN, MADE and NADE on static binarised MNIST, within minutes each.

    benchmarks/static_mnist_on_gpu.py --device cuda                       five minutes for each model
    benchmarks/static_mnist_on_gpu.py --device cuda --models MADE --minutes 2 --compile

Printed beside the test nats that were published, for networks trained much longer. The learning rate falls as half a
cosine over the time given; a running average of the weights is scored on the validation split twenty times,
and the best one is scored on the test split, in full precision. On a GPU training computes in bfloat16 where that
is safe. Without arguments it runs small networks for fifteen seconds each on the CPU, one thread, which shows
that the recipe works and says nothing about what the models can do.
"""

import argparse
import contextlib
import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from _common import data_root, table
from torch import Tensor, nn

from genlib import data, evaluate
from genlib.device import get_device
from genlib.models.gated_pixel_cnn import GatedPixelCNN
from genlib.models.made import MADE
from genlib.models.nade import NADE
from genlib.models.pixel_cnn import PixelCNN
from genlib.train import History, fit
from genlib.training_setup import adam

SHAPE = (1, 28, 28)
GPU_MINUTES, CPU_MINUTES, LOOKS = 5.0, 0.25, 20
CPU_VALIDATION = 200  # images for each look on the CPU, where all 10,000 would take longer than the training
AVERAGE_EVERY, AVERAGE_DECAY = 10, 0.95  # steps; a memory of about 200 of them
WARM_UP, LEAST = 0.02, 0.01  # the share of the time in which the rate rises, and of the rate at either end


@dataclass(frozen=True)
class Recipe:
    published: float  # test nats
    on_gpu: Callable[[], nn.Module]
    on_cpu: Callable[[], nn.Module]
    rate: float
    batch: int
    score_batch: int


# Published: PixelCNN arXiv:1601.06759, MADE (two layers, 32 masks) and NADE arXiv:1502.03509; for the gated PixelCNN
# the number that later comparisons quote.
RECIPES = {
    "PixelCNN": Recipe(
        81.30,
        lambda: PixelCNN(SHAPE, channels=64, n_layers=12),
        lambda: PixelCNN(SHAPE, channels=16, n_layers=4),
        2e-3, 64, 250,
    ),
    "GatedPixelCNN": Recipe(
        80.10,
        lambda: GatedPixelCNN(SHAPE, channels=64, n_layers=10),
        lambda: GatedPixelCNN(SHAPE, channels=16, n_layers=3),
        2e-3, 64, 250,
    ),
    # As many orders as in the paper; every one of them is asked when a batch is scored, which takes its time.
    "MADE": Recipe(
        86.64,
        lambda: MADE(SHAPE, [4000, 4000], order="random", n_orders=32),
        lambda: MADE(SHAPE, [500, 500]),
        1e-3, 100, 2500,
    ),
    # Every tensor of its hidden layers has 78,400 entries for each image and 100 units.
    "NADE": Recipe(
        88.33,
        lambda: NADE(SHAPE, 500),
        lambda: NADE(SHAPE, 50),
        1e-3, 100, 100,
    ),
}  # fmt: skip


class Training:
    """One model through ``fit``: the learning rate, the average of weights and the choice of the best one."""

    def __init__(self, model: nn.Module, recipe: Recipe, valid: Tensor, seconds: float) -> None:
        self.recipe, self.valid, self.seconds = recipe, valid, seconds
        self.optimizer = adam(model, LEAST * recipe.rate)
        self.averaged = copy.deepcopy(model)  # of the weights
        self.best, self.looked = (math.inf, copy.deepcopy(model.state_dict())), 0.0

    def loss(self, model: Any, x: Tensor) -> Tensor:
        with torch.autocast("cuda", torch.bfloat16) if x.is_cuda else contextlib.nullcontext():
            return -model.log_prob(x).mean()

    @torch.no_grad()
    def follow(self, model: nn.Module, history: History) -> None:
        progress = min(history.seconds[-1] / self.seconds, 1.0)
        rate = min(progress / WARM_UP, 0.5 * (1 + math.cos(math.pi * progress)))
        self.optimizer.param_groups[0]["lr"] = self.recipe.rate * max(rate, LEAST)
        memory = min(AVERAGE_DECAY, (len(history.steps) - 1) / (len(history.steps) + 9))  # short while all is new
        for average, weight in zip(self.averaged.parameters(), model.parameters(), strict=True):
            average.lerp_(weight, 1 - memory)
        if progress == 1 or progress - self.looked >= 1 / LOOKS:
            self.looked = progress
            found = evaluate.test_nll(self.averaged, self.valid, batch_size=self.recipe.score_batch)
            if found < self.best[0]:
                self.best = found, copy.deepcopy(self.averaged.state_dict())


def run(recipe: Recipe, device: torch.device, seconds: float, compiled: bool) -> tuple[int, int, float, float]:
    """Parameters, steps, and nats per validation and test image of the network that was best on validation."""
    train, valid, test = (
        data.load("binarized_mnist", split, root=data_root(), device=device).x for split in ("train", "valid", "test")
    )
    looked_at = valid if device.type != "cpu" else valid[:: len(valid) // CPU_VALIDATION]
    torch.manual_seed(0)
    model = (recipe.on_cpu if device.type == "cpu" else recipe.on_gpu)().to(device)
    training = Training(model, recipe, looked_at, seconds)
    if compiled:
        model.compile()  # the network, not its copy for validation; the names of the weights stay
    history = fit(
        model, train, loss=training.loss, optimizer=training.optimizer, seconds=seconds, batch_size=recipe.batch,
        log_every=AVERAGE_EVERY, callback=training.follow,
    )  # fmt: skip
    chosen = training.averaged
    chosen.load_state_dict(training.best[1])
    n_parameters = sum(p.numel() for p in chosen.parameters())
    nats = [evaluate.test_nll(chosen, x, batch_size=recipe.score_batch) for x in (looked_at, test)]
    return n_parameters, history.steps[-1], nats[0], nats[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=list(RECIPES), default=list(RECIPES))
    parser.add_argument("--minutes", type=float, help="of training for each model; 5, or 0.25 on the CPU")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compile", action="store_true", help="torch.compile the network; takes a minute of its time")
    arguments = parser.parse_args()
    root = data_root()
    if root is None or not (root / "binarized_mnist").is_dir():
        print("Static binarised MNIST is not here: set GENLIB_DATA to the folder that holds mnist/ and")
        print("binarized_mnist/. This benchmark was not run.")
        return
    device = get_device(arguments.device)
    on_cpu = device.type == "cpu"
    if on_cpu:
        torch.set_num_threads(1)
    minutes = arguments.minutes or (CPU_MINUTES if on_cpu else GPU_MINUTES)
    rows = []
    for name in arguments.models:
        recipe = RECIPES[name]
        n_parameters, steps, valid, test = run(recipe, device, 60 * minutes, arguments.compile)
        rows.append((name, n_parameters, steps, f"{valid:.2f}", f"{test:.2f}", f"{recipe.published:.2f}"))
    where = "the CPU, one thread, small networks: NOT COMPARABLE with what is published" if on_cpu else str(device)
    title = f"Static binarised MNIST, {60 * minutes:.0f} s of training each on {where}; nats per image"
    table(title, ["model", "parameters", "steps", "validation", "test", "published, test"], rows)


if __name__ == "__main__":
    main()
