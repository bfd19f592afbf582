"""Bits per dimension of 8 x 8 colour patches, 256 levels: PixelCNN++ against models without a network.

A histogram of the 256 levels for each of the 192 variables knows nothing of neighbours, and so do independent
Gaussians. The full-covariance Gaussian knows every linear dependence. It appears twice: as a density on dequantised
pixels, where the mean over the noise bounds the log-probability of the discrete image from below, and its bits bound
from above; and exactly discrete, as a product over variables: the Gaussian conditional, given the whole numbers before,
has some mass on the interval of each level, and the outermost levels take the tails.

Everything that is chosen (smoothing, ridge, when to stop) is chosen on the validation split; the table has the test
split, which comes from other parts of the two photographs. A uniform model has 8 bits, which is checked.
"""

import argparse
import math
import time

import torch
from _common import table
from torch import Tensor

from genlib import data, evaluate
from genlib.models.pixel_cnn_pp import PixelCNNPlusPlus
from genlib.train import History, fit
from genlib.training_setup import adam

LEVELS, SHAPE = 256, (3, 8, 8)
N_DIMS = math.prod(SHAPE)
SECONDS = 120.0
# Tried in runs of 10 to 20 s of processor time, scored on validation images: 24 channels, batch 16, rates 2e-3 and
# 5e-3; 16 channels, batch 16 at 5e-3, batch 32 at 5e-3, and batch 16 at 1e-2. The last one was best in short runs, but
# in one of three long ones it ended 0.8 bits above the others, so the rate is lower.
CHANNELS, N_BLOCKS, N_COMPONENTS, RATE, BATCH = 16, 1, 5, 4e-3, 16
SMOOTHINGS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
RIDGES = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0)  # squared levels


def bits(log_prob: Tensor) -> float:
    """Bits per dimension from log-probabilities of discrete images, ``(N,)`` in nats."""
    return -float(log_prob.double().mean()) / (N_DIMS * math.log(2))


def histogram_log_prob(train: Tensor, x: Tensor, smoothing: float) -> Tensor:
    """Every variable by itself: its histogram over the levels, ``smoothing`` added to each count; ``(N,)`` in nats."""
    index = torch.arange(N_DIMS) * LEVELS
    counts = torch.bincount((train.flatten(1) + index).flatten(), minlength=N_DIMS * LEVELS).double()
    counts = counts.reshape(N_DIMS, LEVELS) + smoothing
    log_mass = (counts / counts.sum(1, keepdim=True)).log()  # (D, levels)
    return log_mass.flatten()[x.flatten(1) + index].sum(1)


def gaussian_log_mass(k: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Log of the mass of a Gaussian on [k - 1/2, k + 1/2], elementwise; the outermost levels take the tails."""
    low = torch.where(k == 0, -math.inf, (k - 0.5 - mean) / std)
    high = torch.where(k == LEVELS - 1, math.inf, (k + 0.5 - mean) / std)
    # In the upper tail both values of the distribution function are nearly 1: reflect it into the lower tail.
    mirrored = low + high > 0
    low, high = torch.where(mirrored, -high, low), torch.where(mirrored, -low, high)
    upper, lower = torch.special.log_ndtr(high), torch.special.log_ndtr(low)
    return upper + torch.log(-torch.expm1(lower - upper))


class Gaussian:
    """A Gaussian on the levels as numbers, with covariance plus ``ridge`` on its diagonal, or its diagonal alone."""

    def __init__(self, train: Tensor, ridge: float, *, diagonal: bool = False) -> None:
        values = train.movedim(1, -1).flatten(1).double()  # (N, D), raster order, colours next to each other
        covariance = values.T.cov()
        if diagonal:
            covariance = covariance.diagonal().diag()
        self.mean = values.mean(0)  # (D,)
        self.cholesky = torch.linalg.cholesky(covariance + ridge * torch.eye(N_DIMS, dtype=torch.float64))

    def discrete_log_prob(self, x: Tensor) -> Tensor:
        """Exact log-probability of whole-number images, conditional by conditional, ``(N,)`` in nats."""
        values = x.movedim(1, -1).flatten(1).double()
        noise = torch.linalg.solve_triangular(self.cholesky, (values - self.mean).T, upper=False).T  # (N, D)
        std = self.cholesky.diagonal()
        conditional_mean = values - noise * std  # x = mean + L noise, and the conditional leaves out its last term
        return gaussian_log_mass(values, conditional_mean, std).sum(1)

    def dequantised_log_prob(self, x: Tensor) -> Tensor:
        """Log-density at one uniform draw from the unit cube around every image: a lower bound on average."""
        draw = torch.rand(x.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 0.5
        values = (x + draw).movedim(1, -1).flatten(1)
        return torch.distributions.MultivariateNormal(self.mean, scale_tril=self.cholesky).log_prob(values)


def without_networks(train: Tensor, valid: Tensor, test: Tensor) -> list[tuple[str, str, str]]:
    uniform = torch.full((len(test),), -N_DIMS * math.log(LEVELS))
    torch.testing.assert_close(bits(uniform), 8.0)
    every_level = torch.arange(LEVELS, dtype=torch.float64)
    total = gaussian_log_mass(every_level, torch.tensor(200.0), torch.tensor(3.0)).exp().sum()
    torch.testing.assert_close(float(total), 1.0)
    smoothing = min(SMOOTHINGS, key=lambda value: bits(histogram_log_prob(train, valid, value)))
    independent = Gaussian(train, 0.0, diagonal=True)
    discrete = min((Gaussian(train, r) for r in RIDGES), key=lambda g: bits(g.discrete_log_prob(valid)))
    density = min((Gaussian(train, r) for r in RIDGES), key=lambda g: bits(g.dequantised_log_prob(valid)))
    results = {
        "uniform": (uniform, "exact"),
        "independent Gaussians, discretised": (independent.discrete_log_prob(test), "exact"),
        f"histogram per variable, smoothing {smoothing}": (histogram_log_prob(train, test, smoothing), "exact"),
        "full-covariance Gaussian, dequantised": (density.dequantised_log_prob(test), "upper bound"),
        "full-covariance Gaussian, discretised": (discrete.discrete_log_prob(test), "exact"),
    }
    return [(name, f"{bits(log_prob):.3f}", kind) for name, (log_prob, kind) in results.items()]


def train_network(train: Tensor, valid: Tensor, seconds: float) -> tuple[PixelCNNPlusPlus, History]:
    """A small PixelCNN++ with the weights that were best on the validation images, looked at ten times."""
    torch.manual_seed(0)
    model = PixelCNNPlusPlus(SHAPE, channels=CHANNELS, n_blocks=N_BLOCKS, n_halvings=1, n_components=N_COMPONENTS)
    optimizer = adam(model, RATE)
    best, looked = (math.inf, model.state_dict()), 0.0

    def follow(_: torch.nn.Module, history: History) -> None:
        nonlocal best, looked
        now = history.seconds[-1]
        optimizer.param_groups[0]["lr"] = RATE * max(0.02, 1 - now / seconds)
        if now - looked >= seconds / 10 or now >= seconds:
            looked = now
            found = evaluate.test_nll(model, valid)
            if found < best[0]:
                best = found, {name: value.clone() for name, value in model.state_dict().items()}

    history = fit(
        model, train, optimizer=optimizer, seconds=seconds, batch_size=BATCH, log_every=10, callback=follow,
        progress=False,
    )  # fmt: skip
    model.load_state_dict(best[1])
    return model, history


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of training")
    seconds = parser.parse_args().seconds
    torch.set_num_threads(1)
    train, valid, test = (data.quantize(data.load("patches", split).x) for split in ("train", "valid", "test"))
    start = time.process_time()
    model, history = train_network(train, valid, seconds)
    cost = f"{seconds:.0f} s, {history.steps[-1]} steps, {time.process_time() - start:.0f} s of processor time"
    name = f"PixelCNN++, {sum(p.numel() for p in model.parameters())} parameters"
    log_prob = -torch.tensor(evaluate.test_nll(model, test))
    rows = [*without_networks(train, valid, test), (name, f"{bits(log_prob):.3f}", "exact")]
    title = f"Bits per dimension, {len(test)} test patches of 3 x 8 x 8 (lower is better); the network: {cost}"
    table(title, ["model", "bits per dimension", "of the discrete image"], rows)


if __name__ == "__main__":
    main()
