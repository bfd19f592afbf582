"""RBMs of 500 hidden units on MNIST beside scikit-learn's, with persistent contrastive divergence, in float32.

First the time of an epoch, in turn; then what both have learned in it, as the pseudo-log-likelihood of test images;
last log Z by annealed importance sampling beside its value by enumeration, for RBMs that are small.
"""

import statistics
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from _common import data_root, machine, table
from _goals import Goal, checked
from sklearn.neural_network import BernoulliRBM
from threadpoolctl import threadpool_limits
from torch import Tensor

from genlib import data
from genlib.models.rbm import RBM
from genlib.models.rbm_training import ContrastiveDivergence

HIDDEN, RATE, ROUNDS = 500, 0.05, 3
FASTER = {10: 1.5, 100: 1.1}  # the times by which an epoch is claimed to be shorter, by batch size
SMALL, SMALL_RATE, BAR = 16, 0.1, 3  # hidden units that can be enumerated; the error bar in standard errors
NOTE = """
scikit-learn goes through the images in order, genlib in a new order, which its time includes. Both take grey values as
they are, keep as many chains as a batch has images, and move them one step of Gibbs sampling for every batch."""


@contextmanager
def threads(n: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    with threadpool_limits(n):
        yield
    torch.set_num_threads(before)


def theirs(images: Tensor, batch_size: int) -> RBM:
    """scikit-learn's after an epoch, as an RBM of genlib."""
    peer = BernoulliRBM(HIDDEN, learning_rate=RATE, batch_size=batch_size, n_iter=1, random_state=0)
    peer.fit(images.numpy())
    model = RBM(images.shape[1], HIDDEN)
    with torch.no_grad():
        model.weight.copy_(torch.from_numpy(peer.components_))
        model.bias.copy_(torch.from_numpy(peer.intercept_visible_))
        model.hidden_bias.copy_(torch.from_numpy(peer.intercept_hidden_))
    return model


def ours(images: Tensor, batch_size: int, hidden_dim: int = HIDDEN, rate: float = RATE, shuffle: bool = True) -> RBM:
    torch.manual_seed(0)
    model = RBM(images.shape[1], hidden_dim, n_chains=batch_size)
    trainer = ContrastiveDivergence(model, lr=rate)
    for (x,) in data.batches(images, batch_size=batch_size, shuffle=shuffle):
        trainer.step(x)
    return model


def epochs(images: Tensor, batch_size: int, n_threads: int) -> dict[str, list[float]]:
    """Seconds of an epoch in every round."""
    times: dict[str, list[float]] = {"genlib": [], "scikit-learn": []}
    with threads(n_threads):
        for train in (ours, theirs):
            train(images[: 20 * batch_size], batch_size)  # to warm up
        for _ in range(ROUNDS):
            for name, train in (("genlib", ours), ("scikit-learn", theirs)):
                begun = time.perf_counter()
                train(images, batch_size)
                times[name].append(time.perf_counter() - begun)
    return times


def speed(images: Tensor) -> list[Goal]:
    rows, goals = [], []
    for batch_size, claimed in FASTER.items():
        for n_threads in (1, 2):
            times = epochs(images, batch_size, n_threads)
            ratio = statistics.median(b / a for a, b in zip(times["genlib"], times["scikit-learn"], strict=True))
            seconds = [f"{statistics.median(values):.2f}" for values in times.values()]
            rows.append((batch_size, n_threads, *seconds, f"{ratio:.2f}"))
            what = f"times as fast as scikit-learn, batch {batch_size}, {n_threads} thread{'s' * (n_threads > 1)}"
            goals.append(Goal(what, ratio, claimed, at_least=True))
    header = ["batch", "threads", "genlib, s", "scikit-learn, s", "ratio"]
    table(f"An epoch of {len(images):,} images, {HIDDEN} hidden units, median of {ROUNDS} in turn", header, rows)
    print(NOTE)
    return goals


def base_rates(images: Tensor) -> Tensor:
    """Logits of the pixels' means, a little smoothed."""
    return torch.logit(images.mean(0) * 0.98 + 0.01)


def pseudo_log_likelihood(model: RBM, x: Tensor) -> float:
    """The mean over x of sum_i log p(x_i | the others), in nats, from one pixel of every image drawn at random."""
    pixel = torch.randint(x.shape[1], (len(x), 1), generator=torch.Generator().manual_seed(0))
    flipped = x.scatter(1, pixel, 1 - x.gather(1, pixel))
    with torch.no_grad():
        return x.shape[1] * float(F.logsigmoid(model.energy(flipped) - model.energy(x)).mean())


def learned(images: Tensor, held_out: Tensor) -> list[Goal]:
    binary, rows, found = data.binarize(held_out, threshold=0.5), [], {}
    ways = {"genlib": ours, "genlib, images in order": partial(ours, shuffle=False), "scikit-learn": theirs}
    for name, train in ways.items():
        found[name] = [pseudo_log_likelihood(train(images, batch_size), binary) for batch_size in FASTER]
        rows.append((name, *(f"{value:.1f}" for value in found[name])))
    header = ["model", *(f"batch {batch_size}" for batch_size in FASTER)]
    table(f"Pseudo-log-likelihood of {len(binary):,} held-out images after an epoch, nats", header, rows)
    return [
        Goal(f"pseudo-log-likelihood relative to scikit-learn's, batch {batch_size}", a / b, 1.1)
        for batch_size, a, b in zip(FASTER, found["genlib"], found["scikit-learn"], strict=True)
    ]


def partition(images: Tensor | None) -> list[Goal]:
    torch.manual_seed(0)
    models = {"random weights, 8 and 6 units": (drawn(), None)}
    if images is not None:
        name = f"trained on MNIST, {images.shape[1]} and {SMALL} units"
        models[name] = ours(images, 10, SMALL, SMALL_RATE), base_rates(images)
    rows, goals = [], []
    for name, (model, base) in models.items():
        generator = torch.Generator().manual_seed(1)
        begun = time.perf_counter()
        found = model.estimate_log_z(n_chains=200, n_temperatures=2000, base_bias=base, generator=generator)
        seconds = time.perf_counter() - begun
        truth = model.log_z()
        off = abs(float(found.log_z - truth))
        error = f"{float(found.standard_error):.4f}"
        rows.append((name, f"{truth:.4f}", f"{found.log_z:.4f}", f"{off:.4f}", error, f"{seconds:.1f}"))
        goals.append(Goal(f"log Z off by so many standard errors, {name}", off / float(found.standard_error), BAR))
    header = ["RBM", "enumerated", "annealed", "off by", "standard error", "seconds"]
    table("log Z in nats: 200 chains, 2000 temperatures", header, rows)
    return goals


def drawn() -> RBM:
    model = RBM(8, 6)
    with torch.no_grad():
        for parameter, scale in zip(model.parameters(), (2.0, 1.0, 1.0), strict=True):
            parameter.normal_(std=scale)
    return model


def load(split: str, root: Path) -> Tensor:
    return data.load("mnist", split, root=root).x.flatten(1)


def main() -> int:
    print(f"machine: {machine()}", flush=True)
    warnings.filterwarnings("ignore", category=UserWarning)
    root = data_root()
    if root is None:
        print("\nMNIST is not here: set GENLIB_DATA to the folder that holds mnist/.")
        return checked(partition(None))
    images, held_out = load("train", root), load("test", root)
    goals = speed(images)
    with threads(1):  # what follows is no race
        goals += learned(images, held_out) + partition(images)
    return checked(goals)


if __name__ == "__main__":
    sys.exit(main())
