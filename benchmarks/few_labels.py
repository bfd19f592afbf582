"""Few labels: logistic regression on an encoder's features, on raw pixels and on principal components.

Encoders are trained on all training images without labels; then 10, 100 or 1,000 labels are drawn, several times, the
same ones for all features. Which encoder is the best is decided on training images that were cut off, not on the test
images of the table.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from _common import data_root, machine, table
from _goals import Goal, checked
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits
from torch import Tensor

from genlib import data
from genlib.evaluate import few_label_accuracy
from genlib.models.autoencoder import Autoencoder, ConvAutoencoder
from genlib.train import fit

LABELS, DRAWS = (10, 100, 1000), 10
Shape = tuple[int, ...]
Features = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Plan:
    """How much of what is learned for one data set."""

    latents: int
    steps: int
    conv_steps: int
    held_out: int  # of the training images, to choose the encoder by


PLANS = {"digits": Plan(32, 1500, 500, 350), "mnist": Plan(64, 1500, 600, 5000)}
RAW, COMPONENTS = "raw pixels", "principal components"
NOISY = "denoising, noise {}"
ENCODERS: dict[str, Callable[[Shape, int], Autoencoder]] = {
    "plain": lambda shape, latents: Autoencoder(shape, latents),
    NOISY.format(0.5): lambda shape, latents: Autoencoder(shape, latents, noise=0.5),
    NOISY.format(1.0): lambda shape, latents: Autoencoder(shape, latents, noise=1.0),
    "convolutional": lambda shape, latents: ConvAutoencoder(shape, latents, 8),
    "convolutional, noise 0.5": lambda shape, latents: ConvAutoencoder(shape, latents, 8, noise=0.5),
}


def encoder(name: str, x: Tensor, plan: Plan) -> Features:
    """The features of a trained encoder."""
    torch.manual_seed(0)
    model = ENCODERS[name](tuple(x.shape[1:]), plan.latents)
    fit(model, x, steps=plan.conv_steps if "conv" in name else plan.steps, progress=False)
    model.eval()

    @torch.no_grad()
    def features(images: Tensor) -> Tensor:
        return torch.cat([model.encode(batch) for batch in images.split(1000)])

    return features


def components(x: Tensor, latents: int) -> Features:
    peer = PCA(latents, random_state=0).fit(x.flatten(1).numpy())
    return lambda images: torch.from_numpy(peer.transform(images.flatten(1).numpy()))


def accuracies(features: Tensor, y: Tensor, test: Tensor, test_y: Tensor, n_labels: int) -> Tensor:
    """One for each draw of labels, the same draws for all features, ``(DRAWS,)``."""
    draw = torch.Generator().manual_seed(n_labels)
    return few_label_accuracy(features, y, test, test_y, n_labels, n_repeats=DRAWS, generator=draw)


def compared(name: str, plan: Plan) -> list[Goal]:
    """The table of one data set, and its goals."""
    train, test = (data.load(name, split, root=data_root()) for split in ("train", "test"))
    assert train.y is not None
    assert test.y is not None
    cut = len(train.x) - plan.held_out
    ways: dict[str, Features] = {RAW: lambda images: images, COMPONENTS: components(train.x, plan.latents)}
    seconds, chosen_by, found = {RAW: 0.0, COMPONENTS: 0.0}, {}, {}
    for encoder_name in ENCODERS:
        begun = time.perf_counter()
        ways[encoder_name] = encoder(encoder_name, train.x, plan)
        seconds[encoder_name] = time.perf_counter() - begun
    for way, features in ways.items():
        f = features(train.x)
        chosen_by[way] = float(accuracies(f[:cut], train.y[:cut], f[cut:], train.y[cut:], 100).mean())
        found[way] = {n: accuracies(f, train.y, features(test.x), test.y, n) for n in LABELS}
    best = max(ENCODERS, key=lambda way: chosen_by[way])
    rows = [
        (way + (" (chosen)" if way == best else ""),
         *(f"{100 * each.mean():.1f} ± {100 * each.std():.1f}" for each in found[way].values()),
         f"{100 * chosen_by[way]:.1f}", f"{seconds[way]:.0f}")
        for way in ways
    ]  # fmt: skip
    header = ["features", *(f"{n} labels" for n in LABELS), "100, cut off", "training, s"]
    table(f"{name}: % right of {len(test.x)} test images, mean and spread of {DRAWS} draws", header, rows)
    return [
        Goal(f"{name}, {n} labels: {best} over {other}, % of test images, less two standard errors",
             100 * sure_gain(found[best][n] - found[other][n]), 0, at_least=True)
        for n in LABELS for other in (RAW, COMPONENTS)
    ]  # fmt: skip


def sure_gain(differences: Tensor) -> float:
    """Mean over draws less two standard errors: both features saw the same labels in every draw."""
    return float(differences.mean() - 2 * differences.std() / len(differences) ** 0.5)


def main() -> int:
    print(f"machine: {machine()}", flush=True)
    torch.set_num_threads(1)
    goals = []
    with threadpool_limits(1):
        for name, plan in PLANS.items():
            if name == "mnist" and data_root() is None:
                print("\nMNIST is not here: set GENLIB_DATA to the folder that holds mnist/.")
                continue
            goals += compared(name, plan)
    return checked(goals)


if __name__ == "__main__":
    sys.exit(main())
