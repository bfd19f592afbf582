"""The same VAE (400 hidden, 40 latent, Bernoulli) on dynamically binarised MNIST, in genlib and in pythae, on one core.

Three contestants take turns, each in a process of its own with one thread, batch 128, Adam at 1e-3:
genlib's `fit`; pythae's own trainer; and pythae's model in a bare loop over a resident tensor, the fastest way to
use it. First the time of one training step, data handling included, then what equal time buys: the bound and the
importance-weighted bound with 100 samples, in nats, on all 10,000 test images, all scored by the same code.
"""

import argparse
import itertools
import logging
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import torch
from _common import data_root, table
from torch import Tensor, nn

from genlib import data, evaluate
from genlib.models.vae import VAE
from genlib.train import fit

SHAPE, HIDDEN, LATENT, BATCH, RATE = (1, 28, 28), 400, 40, 128, 1e-3
GENLIB, TRAINER, LOOP = "genlib", "pythae, its trainer", "pythae's model, bare loop"
ROUNDS, ROUND_SECONDS, TRAIN_SECONDS = 5, 5.0, 60.0


def new_model() -> VAE:
    torch.manual_seed(0)
    return VAE(SHAPE, LATENT, HIDDEN)


def train_genlib(model: VAE, images: Tensor, seconds: float) -> int:
    return fit(
        model, images, transform=data.binarize, lr=RATE, batch_size=BATCH, seconds=seconds, progress=False
    ).steps[-1]


def pythae_model(model: VAE) -> nn.Module:
    """pythae's VAE around the very layers of `model`: what it trains can then be scored as a genlib VAE."""
    from pythae.models import VAE as PythaeVAE
    from pythae.models import VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.layers = model.encoder

        def forward(self, x: Tensor) -> ModelOutput:
            mean, logvar = self.layers(x).chunk(2, dim=-1)
            return ModelOutput(embedding=mean, log_covariance=logvar)

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.layers = model.decoder

        def forward(self, z: Tensor) -> ModelOutput:
            return ModelOutput(reconstruction=self.layers(z).sigmoid().reshape(-1, *SHAPE))

    config = VAEConfig(input_dim=SHAPE, latent_dim=LATENT, reconstruction_loss="bce")
    return PythaeVAE(config, encoder=Encoder(), decoder=Decoder())


class TimeIsUp(Exception):
    """Raised out of pythae's trainer, which knows no time budget."""


def train_with_pythae(model: VAE, images: Tensor, seconds: float) -> int:
    from pythae.data.datasets import DatasetOutput
    from pythae.trainers import BaseTrainer, BaseTrainerConfig
    from pythae.trainers.training_callbacks import TrainingCallback

    class Binarized(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return len(images)

        def __getitem__(self, index: int) -> DatasetOutput:
            return DatasetOutput(data=torch.bernoulli(images[index]))

    class Stopwatch(TrainingCallback):
        steps, end = 0, float("inf")

        def on_train_begin(self, training_config, **kwargs) -> None:  # type: ignore[no-untyped-def]
            self.end = time.perf_counter() + seconds

        def on_train_step_end(self, training_config, **kwargs) -> None:  # type: ignore[no-untyped-def]
            self.steps += 1
            if time.perf_counter() > self.end:
                raise TimeIsUp

    watch = Stopwatch()
    with tempfile.TemporaryDirectory() as folder:
        config = BaseTrainerConfig(
            output_dir=folder, num_epochs=10_000, learning_rate=RATE, per_device_train_batch_size=BATCH, no_cuda=True
        )
        trainer = BaseTrainer(pythae_model(model), Binarized(), training_config=config, callbacks=[watch])
        try:
            trainer.train()
        except TimeIsUp:
            return watch.steps
    raise SystemExit("pythae's trainer ended before its time")


def train_in_bare_loop(model: VAE, images: Tensor, seconds: float) -> int:
    peer = pythae_model(model)
    optimizer = torch.optim.Adam(peer.parameters(), lr=RATE)
    end = time.perf_counter() + seconds
    for step in itertools.count(1):
        if (step - 1) % (len(images) // BATCH) == 0:
            order = torch.randperm(len(images))
        start = (step - 1) % (len(images) // BATCH) * BATCH
        batch = torch.bernoulli(images[order[start : start + BATCH]])
        optimizer.zero_grad()
        peer({"data": batch}).loss.backward()
        optimizer.step()
        if time.perf_counter() > end:
            return step
    raise AssertionError("count() does not end")


CONTESTANTS = {GENLIB: train_genlib, TRAINER: train_with_pythae, LOOP: train_in_bare_loop}


def work(name: str, seconds: float, out: Path) -> None:
    """In a process of its own: train and leave the weights, the steps done and the seconds they took."""
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    warnings.filterwarnings("ignore")
    images = data.load("mnist", root=data_root()).x
    model = new_model()
    CONTESTANTS[name](model, images, 1.0)  # warm up: lazy imports, allocator, thread pools
    model = new_model()
    start = time.perf_counter()
    steps = CONTESTANTS[name](model, images, seconds)
    torch.save({"model": model.state_dict(), "steps": steps, "seconds": time.perf_counter() - start}, out)


def in_a_process(name: str, seconds: float) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "result.pt"
        command = [sys.executable, __file__, "--worker", name, "--seconds", str(seconds), "--out", str(out)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{name} failed:\n{done.stderr[-3000:]}")
        return torch.load(out, weights_only=True)


def step_times() -> None:
    times: dict[str, list[float]] = {name: [] for name in CONTESTANTS}
    for _ in range(ROUNDS):
        for name, values in times.items():
            result = in_a_process(name, ROUND_SECONDS)
            values.append(1000 * result["seconds"] / result["steps"])
    rows = []
    for name, values in times.items():
        ratios = [a / b for a, b in zip(values, times[GENLIB], strict=True)]
        rows.append((name, f"{statistics.median(values):.2f}", f"{statistics.median(ratios):.2f}"))
    title = f"One training step at batch {BATCH}, data handling included, one thread, {ROUNDS} rounds in turn"
    table(title, ["contestant", "median ms", "median ratio to genlib"], rows)


def equal_time() -> None:
    torch.set_num_threads(2)
    test = data.load("mnist", "test", root=data_root()).x
    test = data.binarize(test, generator=torch.Generator().manual_seed(1))
    rows = []
    for name in CONTESTANTS:
        result = in_a_process(name, TRAIN_SECONDS)
        model = new_model()
        model.load_state_dict(result["model"])
        torch.manual_seed(2)
        bound = -evaluate.test_nll(model, test)
        generator = torch.Generator().manual_seed(3)
        tight = evaluate.importance_weighted_log_prob(model, test, n_samples=100, generator=generator).mean()
        rows.append((name, result["steps"], f"{bound:.2f}", f"{tight:.2f}"))
    header = ["contestant", "steps", "ELBO, nats", "IWAE-100, nats"]
    table(f"After {TRAIN_SECONDS:.0f} s of training on one core: 10,000 test images (higher is better)", header, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worker", choices=list(CONTESTANTS))
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if arguments.worker:
        work(arguments.worker, arguments.seconds, arguments.out)
    elif data_root() is None:
        print("MNIST is not here: set GENLIB_DATA to the folder that holds mnist/. This benchmark was not run.")
    else:
        step_times()
        equal_time()


if __name__ == "__main__":
    main()
