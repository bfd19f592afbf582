"""MADE and the gated PixelCNN on dynamically binarised MNIST: what equal time on one core buys, beside a plain peer.

The peer is the same network in the plain way of most public code: whole kernels, weights of nn.Linear and nn.Conv2d,
masks multiplied in at every call. It starts from the same weights (the same nats per pixel to 1e-5, checked first) and
goes through the same loop, learning rate and batches. The two take turns of a tenth of their time, so that whatever
else the machine does falls on both. Nats per image, exact, on all 10,000 test images, binarised with a fixed seed.

`--models`, `--made-seconds` and `--gated-seconds` shorten it. `--validation` scores on the last 10,000 training images
after training on the others, which is how the settings below were chosen.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from _common import data_root, table
from pixel_training import PlainGatedPixelCNN
from torch import Tensor, nn

from genlib import data, evaluate
from genlib.models.gated_pixel_cnn import GatedPixelCNN
from genlib.models.made import MADE
from genlib.models.pixels import sum_of_conditionals
from genlib.train import History, fit
from genlib.training_setup import adam

SHAPE, TURNS, LAST_RATE = (1, 28, 28), 10, 0.02


class PlainMADE(nn.Module):
    """One Bernoulli logit per pixel from linear layers whose weights are masked at every call."""

    def __init__(self, model: MADE) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(layer.in_features, layer.out_features) for layer in model.layers)
        for index, (mine, layer) in enumerate(zip(self.layers, model.layers, strict=True)):
            mine.load_state_dict({"weight": layer.weight, "bias": layer.bias})
            self.register_buffer(f"mask_{index}", layer.mask.clone())

    def logits(self, x: Tensor) -> Tensor:
        h = 2 * x.flatten(1) - 1
        for index, layer in enumerate(self.layers):
            h = F.linear(F.relu(h) if index else h, layer.weight * getattr(self, f"mask_{index}"), layer.bias)
        return h

    def log_prob(self, x: Tensor) -> Tensor:
        return -F.binary_cross_entropy_with_logits(self.logits(x), x.flatten(1), reduction="none").sum(1)


class PlainGated(PlainGatedPixelCNN):
    """The peer of pixel_training.py with a likelihood."""

    def log_prob(self, x: Tensor) -> Tensor:
        return sum_of_conditionals(x.long(), self(x))


@dataclass(frozen=True)
class Entry:
    make: Callable[[], nn.Module]
    plain: Callable[..., nn.Module]
    seconds: float
    rate: float  # of Adam, falling linearly to a fiftieth
    batch: int
    log_every: int


# Tried in short runs of genlib's networks on a busy machine, scored on 1,000 validation images. MADE, 20 s: batch 100
# at rates 1e-3, 2e-3, 4e-3, and batch 50 at 2e-3, which was best; 3,000 steps of batch 50 at 5e-3 and 1e-2 were worse.
# Gated PixelCNN, 35 s: 5 layers of 24 channels with kernels of 3, batch 16 at 2e-3, 4e-3, 8e-3 and batch 8 at 4e-3;
# 3 layers of 24 with kernels of 5, batch 16 at 4e-3: the best, with about as many weights and faster steps.
MODELS = {
    "MADE-500": Entry(lambda: MADE(SHAPE, [500]), PlainMADE, 100.0, 2e-3, 50, 50),
    "gated PixelCNN": Entry(
        lambda: GatedPixelCNN(SHAPE, channels=24, n_layers=3, kernel_size=5), PlainGated, 240.0, 4e-3, 16, 10
    ),
}


class Contestant:
    def __init__(self, model: nn.Module, entry: Entry, images: Tensor, folder: Path) -> None:
        self.model, self.entry, self.images = model, entry, images
        self.optimizer = adam(model, entry.rate)
        self.checkpoint = folder / f"{type(model).__name__}.pt"
        self.history, self.cpu_seconds = History(), 0.0

    def anneal(self, _: nn.Module, history: History) -> None:
        remaining = 1 - history.seconds[-1] / self.entry.seconds
        for group in self.optimizer.param_groups:
            group["lr"] = self.entry.rate * max(LAST_RATE, remaining)

    def train_until(self, seconds: float) -> None:
        start = time.process_time()
        self.history = fit(
            self.model, self.images, transform=data.binarize, optimizer=self.optimizer, seconds=seconds,
            batch_size=self.entry.batch, log_every=self.entry.log_every, callback=self.anneal, progress=False,
            checkpoint=self.checkpoint, resume=True,
        )  # fmt: skip
        self.cpu_seconds += time.process_time() - start


def train(entry: Entry, images: Tensor) -> dict[str, Contestant]:
    """Genlib's network and the plain one, trained in turns."""
    torch.manual_seed(0)
    model = entry.make()
    plain = entry.plain(model)
    with torch.no_grad():
        x = torch.bernoulli(images[:16])
        per_pixel = (network.log_prob(x) / x[0].numel() for network in (plain, model))
        torch.testing.assert_close(*per_pixel, atol=1e-5, rtol=0)
    with tempfile.TemporaryDirectory() as folder:
        both = {
            "genlib": Contestant(model, entry, images, Path(folder)),
            "plain": Contestant(plain, entry, images, Path(folder)),
        }
        for turn in range(1, TURNS + 1):
            for contestant in both.values():
                contestant.train_until(entry.seconds * turn / TURNS)
    return both


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--made-seconds", type=float, default=MODELS["MADE-500"].seconds)
    parser.add_argument("--gated-seconds", type=float, default=MODELS["gated PixelCNN"].seconds)
    parser.add_argument("--rate", type=float, help="learning rate in place of the one chosen")
    parser.add_argument("--batch", type=int, help="batch size in place of the one chosen")
    parser.add_argument("--validation", action="store_true", help="score on validation images, cut from training")
    arguments = parser.parse_args()
    if data_root() is None:
        print("MNIST is not here: set GENLIB_DATA to the folder that holds mnist/. This benchmark was not run.")
        return
    torch.set_num_threads(1)
    seconds = {"MADE-500": arguments.made_seconds, "gated PixelCNN": arguments.gated_seconds}
    images = data.load("mnist", root=data_root()).x
    held_out = data.load("mnist", "test", root=data_root()).x
    if arguments.validation:
        images, held_out = images[:50_000], images[50_000:]
    scored = data.binarize(held_out, generator=torch.Generator().manual_seed(1))
    rows = []
    for name in arguments.models:
        entry = MODELS[name]
        changed = {"rate": arguments.rate or entry.rate, "batch": arguments.batch or entry.batch}
        entry = replace(entry, seconds=seconds[name], **changed)
        for contestant, run in train(entry, images).items():
            n_parameters = sum(p.numel() for p in run.model.parameters())
            nats = evaluate.test_nll(run.model, scored, batch_size=100)
            cost = f"{entry.seconds:.0f}", f"{run.cpu_seconds:.0f}"
            rows.append((name, contestant, n_parameters, *cost, run.history.steps[-1], f"{nats:.2f}"))
    images_scored = "the last 10,000 training images" if arguments.validation else "10,000 test images"
    header = ["model", "code", "parameters", "wall s", "processor s", "steps", "nats per image"]
    table(f"Dynamically binarised MNIST, one thread: {images_scored} (lower is better)", header, rows)


if __name__ == "__main__":
    main()
