"""Trains the gated PixelCNN of digits that genlib ships: ``python -m genlib.pretrained.gated_pixel_cnn_mnist``.

It takes about forty minutes on one processor core. It needs MNIST (see genlib.data), can be interrupted and run
again, and writes ``gated_pixel_cnn_mnist.pt`` beside this file: weights, configuration, seed and metrics.
"""

import math
import tempfile
from pathlib import Path

import torch
from torch import Tensor

from genlib import data
from genlib.checkpoint import load_checkpoint, save_checkpoint
from genlib.device import seed_everything
from genlib.models.gated_pixel_cnn import GatedPixelCNN
from genlib.pretrained import FOLDER
from genlib.train import History, fit

NAME = "gated_pixel_cnn_mnist"
CONFIG = {"data_shape": (1, 28, 28), "channels": 32, "n_layers": 8, "kernel_size": 5, "n_classes": 10}
SEED, STEPS, BATCH_SIZE, LR = 0, 4000, 32, 2e-3
RUN = Path(tempfile.gettempdir()) / f"{NAME}-in-training.pt"  # to go on from after an interrupt


def negative_log_prob(model: GatedPixelCNN, x: Tensor, y: Tensor) -> Tensor:
    """The mean over the batch of -log p(x|y), in nats."""
    return -model.log_prob(x, y).mean()


@torch.no_grad()
def measure(model: GatedPixelCNN, n_marginal: int = 1000) -> dict[str, float]:
    """Nats per test image of MNIST, binarised anew with a fixed seed: -log p(x|y) over all 10,000, and -log p(x).

    The second one sums over labels, log p(x) = log sum_y p(x|y) / 10, on the first ``n_marginal`` images: ten passes.
    """
    test = data.load("mnist", "test")
    x, y = data.binarize(test.x, generator=torch.Generator().manual_seed(SEED)), test.y
    assert y is not None
    batches = list(zip(x.split(200), y.split(200), strict=True))
    given_label = torch.cat([model.log_prob(*batch) for batch in batches])  # (10000,)
    some = x[:n_marginal].split(100)
    joint = torch.cat([torch.stack([model.log_prob(part, label) for label in range(10)], 1) for part in some])
    predicted = joint.argmax(1)
    return {
        "test_nats_given_label": -given_label.mean().item(),
        "test_nats": -(joint.logsumexp(1) - math.log(10)).mean().item(),
        "test_accuracy_by_bayes_rule": (predicted == y[:n_marginal]).double().mean().item(),
    }


def main() -> None:
    """Train, measure and write the checkpoint."""
    torch.set_num_threads(1)
    seed_everything(SEED)
    train = data.load("mnist", "train")
    assert train.y is not None
    model = GatedPixelCNN(**CONFIG)  # type: ignore[arg-type]
    optimizer = torch.optim.Adam(model.parameters(), lr=LR)

    def anneal(_: object, history: History) -> None:
        optimizer.param_groups[0]["lr"] = LR * max(0.02, 1 - history.steps[-1] / STEPS)

    history = fit(
        model,
        (train.x, train.y),
        loss=negative_log_prob,
        optimizer=optimizer,
        steps=STEPS,
        batch_size=BATCH_SIZE,
        transform=data.binarize,
        seed=SEED,
        log_every=50,
        checkpoint=RUN,
        checkpoint_every=200,
        resume=True,
        callback=anneal,
    )
    if history.interrupted:
        print(f"interrupted after {history.steps[-1]} steps; run it again to go on")
        return
    found = measure(model.eval())
    print({name: round(value, 3) for name, value in found.items()})
    save_checkpoint(FOLDER / f"{NAME}.pt", model, step=STEPS, seed=SEED, metrics=found, config=CONFIG)
    print(load_checkpoint(FOLDER / f"{NAME}.pt")["metrics"])


if __name__ == "__main__":
    main()
