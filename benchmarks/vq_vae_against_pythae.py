"""The VQ-VAE of genlib and of pythae: the same layers and initial weights, data, batches, steps and optimizer.

Each learns its codebook by gradient (straight-through) and by moving averages (EMA). First what they reach on held-out
images after the same steps, for several seeds; then the time of one step, in turn, on one thread.
"""

import copy
import logging
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from _common import data_root, machine, table
from _goals import Goal, checked
from torch import Tensor, nn

from genlib import data
from genlib.evaluate import perplexity
from genlib.models.vqvae import VQVAE
from genlib.train import fit

SHAPE, CODES, DIM, WIDTH, DECAY, BATCH, RATE = (1, 28, 28), 256, 16, 16, 0.99, 64, 1e-3
BETA = 0.25  # the weight of the commitment, pythae's default too
STEPS, SEEDS = 600, (0, 1, 2)
ROUNDS, ROUND_STEPS = 11, 20
TRAINING = 10_000  # images of training among which dead codes are looked for
NOTE = f"""
{CODES} codes of {DIM} numbers, {STEPS} steps of {BATCH} images; means over seeds, and from the least to the greatest.
Squared error: of held-out images, per pixel. Perplexity: of their codes, from 1 to {CODES}. Dead: codes that not one of
{TRAINING:,} training images has. pythae averages what the quantiser adds to the loss over places and dimensions, where
the paper has a sum, as for the squared error; "as the paper" multiplies its two weights by their number. genlib weighs
the squared error by a learned variance, and revives dead codes; "no revival" is the same without that, one seed."""


@dataclass(frozen=True)
class Found:
    """What one model reaches."""

    error: float
    perplexity: float
    dead: int


@dataclass(frozen=True)
class Contestant:
    """A model with its loss on a batch, and how to get its reconstructions and codes of images."""

    model: nn.Module
    loss: Callable[[nn.Module, Tensor], Tensor]
    look: Callable[[Tensor], tuple[Tensor, Tensor]]

    def train(self, images: Tensor, steps: int, seed: int = 0) -> None:
        fit(self.model, images, loss=self.loss, lr=RATE, batch_size=BATCH, steps=steps, seed=seed, progress=False)

    @torch.no_grad()
    def found(self, images: Tensor, held_out: Tensor) -> Found:
        self.model.eval()
        again, codes = (torch.cat(parts) for parts in zip(*map(self.look, held_out.split(500)), strict=True))
        seen = torch.cat([self.look(batch)[1] for batch in images[:TRAINING].split(500)])
        error = float((again - held_out).square().mean())
        return Found(error, perplexity(codes, CODES), CODES - len(seen.unique()))


def genlib_model(seed: int, **options: float | None) -> VQVAE:
    torch.manual_seed(seed)
    return VQVAE(SHAPE, CODES, DIM, WIDTH, beta=BETA, **options)


def ours(seed: int, **options: float | None) -> Contestant:
    model = genlib_model(seed, **options)
    return Contestant(model, lambda net, x: -net.objective(x).mean(), lambda x: (model.reconstruct(x), model.encode(x)))


def theirs(seed: int, *, use_ema: bool, as_paper: bool) -> Contestant:
    """pythae's model around the very layers that ours begins with."""
    from pythae.models import VQVAE as PythaeVQVAE
    from pythae.models import VQVAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder

    like = genlib_model(seed)

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.layers = copy.deepcopy(like.encoder)

        def forward(self, x: Tensor) -> ModelOutput:
            return ModelOutput(embedding=self.layers(x))

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.layers = copy.deepcopy(like.decoder)

        def forward(self, z: Tensor) -> ModelOutput:
            return ModelOutput(reconstruction=self.layers(z))

    scale = DIM * like.code_shape[0] * like.code_shape[1] if as_paper else 1
    config = VQVAEConfig(
        input_dim=SHAPE, latent_dim=DIM, num_embeddings=CODES, use_ema=use_ema, decay=DECAY,
        commitment_loss_factor=BETA * scale, quantization_loss_factor=1.0 * scale,
    )  # fmt: skip
    model = PythaeVQVAE(config, encoder=Encoder(), decoder=Decoder())

    def look(x: Tensor) -> tuple[Tensor, Tensor]:
        output = model({"data": x})
        return output.recon_x, output.quantized_indices.squeeze(1)

    return Contestant(model, lambda net, x: net({"data": x}).loss, look)


STRAIGHT, EMA = "straight-through", "EMA"
CONTESTANTS: dict[tuple[str, str], Callable[[int], Contestant]] = {
    ("genlib", STRAIGHT): lambda seed: ours(seed),
    ("genlib", EMA): lambda seed: ours(seed, decay=DECAY),
    ("genlib, no revival", STRAIGHT): lambda seed: ours(seed, revive_below=0.0),
    ("genlib, no revival", EMA): lambda seed: ours(seed, decay=DECAY, revive_below=0.0),
    ("pythae", STRAIGHT): lambda seed: theirs(seed, use_ema=False, as_paper=False),
    ("pythae", EMA): lambda seed: theirs(seed, use_ema=True, as_paper=False),
    ("pythae, as the paper", STRAIGHT): lambda seed: theirs(seed, use_ema=False, as_paper=True),
    ("pythae, as the paper", EMA): lambda seed: theirs(seed, use_ema=True, as_paper=True),
}


def reached(images: Tensor, held_out: Tensor) -> dict[tuple[str, str], list[Found]]:
    found: dict[tuple[str, str], list[Found]] = {name: [] for name in CONTESTANTS}
    for name, make in CONTESTANTS.items():
        for seed in SEEDS if name[0] != "genlib, no revival" else SEEDS[:1]:
            contestant = make(seed)
            contestant.train(images, STEPS, seed)
            found[name].append(contestant.found(images, held_out))
    return found


def spread(values: Iterable[float], digits: int) -> str:
    listed = list(values)
    mean, low, high = (f"{value:.{digits}f}" for value in (statistics.mean(listed), min(listed), max(listed)))
    return f"{mean} ({low} to {high})" if len(listed) > 1 else mean


def step_times(images: Tensor) -> dict[tuple[str, str], list[float]]:
    """Milliseconds of a step, in every round."""
    contestants = {name: CONTESTANTS[name](0) for name in CONTESTANTS if name[0] in ("genlib", "pythae")}
    times: dict[tuple[str, str], list[float]] = {name: [] for name in contestants}
    for contestant in contestants.values():
        contestant.train(images, ROUND_STEPS)
    for _ in range(ROUNDS):
        for name, contestant in contestants.items():
            begun = time.perf_counter()
            contestant.train(images, ROUND_STEPS)
            times[name].append(1e3 * (time.perf_counter() - begun) / ROUND_STEPS)
    return times


def goals(name: str, found: dict[tuple[str, str], list[Found]]) -> list[Goal]:
    listed = []
    for way in (STRAIGHT, EMA):
        own, peers = found["genlib", way], [found["pythae", way], found["pythae, as the paper", way]]
        error = min(statistics.mean(f.error for f in peer) for peer in peers)
        used = max(statistics.mean(f.perplexity for f in peer) for peer in peers)
        listed += [
            Goal(f"{name}, {way}: squared error relative to the better of pythae's",
                 statistics.mean(f.error for f in own) / error, 1),
            Goal(f"{name}, {way}: perplexity relative to the better of pythae's",
                 statistics.mean(f.perplexity for f in own) / used, 1, at_least=True),
            Goal(f"{name}, {way}: dead codes, the most of any seed", max(f.dead for f in own), 0),
        ]  # fmt: skip
    return listed


def main() -> int:
    print(f"machine: {machine()}", flush=True)
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    warnings.filterwarnings("ignore")
    kept: list[Goal] = []
    header = ["model", "codebook", "squared error", "perplexity", "dead codes"]
    for name in ("shapes", "mnist"):
        if name == "mnist" and data_root() is None:
            print("\nMNIST is not here: set GENLIB_DATA to the folder that holds mnist/.")
            continue
        images, held_out = (data.load(name, split, root=data_root()).x for split in ("train", "test"))
        found = reached(images, held_out)
        rows = [
            (*which, spread((f.error for f in each), 5), spread((f.perplexity for f in each), 1),
             spread((f.dead for f in each), 0))
            for which, each in found.items()
        ]  # fmt: skip
        table(f"{name}: {len(held_out)} held-out images, {len(SEEDS)} seeds", header, rows)
        kept += goals(name, found)
    print(NOTE)
    times = step_times(images)
    ratios = {
        name: statistics.median(a / b for a, b in zip(values, times["pythae", name[1]], strict=True))
        for name, values in times.items()
    }
    rows = [(*name, f"{statistics.median(values):.2f}", f"{ratios[name]:.2f}") for name, values in times.items()]
    table(f"One step, one thread, {ROUNDS} rounds in turn", ["model", "codebook", "median ms", "to pythae's"], rows)
    kept += [Goal(f"time of a step relative to pythae's, {way}", ratios["genlib", way], 1) for way in (STRAIGHT, EMA)]
    return checked(kept)


if __name__ == "__main__":
    sys.exit(main())
