"""RealNVP in the plane beside nflows and normflows: time of a training step, and nats after the same time.

Four distributions of 10,000 points; 8 affine couplings with networks of two layers of 64 ReLUs; batches of 256, Adam;
float32, one thread. All take the very same batches in turn, in slices of time, so that what else the machine does
falls on all of them alike. "nflows, as it comes" is its SimpleRealNVP, whose networks have a residual block of two
layers more; the other peers have networks of our size.

python benchmarks/flows.py               nine minutes
python benchmarks/flows.py --quick       one distribution, once, and a fifth of the time
"""

import argparse
import math
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import normflows
import torch
from _common import machine, table
from _goals import Goal, checked
from nflows.distributions.normal import StandardNormal
from nflows.flows.base import Flow as PeerFlow
from nflows.flows.realnvp import SimpleRealNVP
from nflows.transforms.base import CompositeTransform
from nflows.transforms.coupling import AffineCouplingTransform
from torch import Tensor, nn

from genlib import data
from genlib.models.coupling import mlp
from genlib.models.real_nvp import RealNVP

TOYS = ("moons", "eight_gaussians", "rings", "swiss_roll")
LAYERS, HIDDEN, N_HIDDEN, BATCH, RATE = 8, 64, 2, 256, 2e-3
SECONDS, SLICE, SEEDS = 10.0, 0.5, 3
CLOSE = 0.01  # nats; what two seeds of one model differ by is more
NOTE = """
Medians over seeds, and for times over slices of time; "time, relative" is ours over theirs, slice by slice: below 1 is
faster. Nats are the mean log-likelihood of 2,000 test points; a Gaussian with the covariance of the test points is the
line to beat; -inf is a training that has diverged."""


class SameNetwork(nn.Module):
    """Our network as nflows calls it, with a context."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.layers = mlp(n_in, n_out, hidden_dim=HIDDEN, n_hidden=N_HIDDEN)

    def forward(self, x: Tensor, context: None = None) -> Tensor:
        return self.layers(x)


def with_nflows() -> nn.Module:
    masks = (torch.tensor([1.0, -1.0]), torch.tensor([-1.0, 1.0]))
    layers = [AffineCouplingTransform(masks[index % 2], SameNetwork) for index in range(LAYERS)]
    return PeerFlow(CompositeTransform(layers), StandardNormal([2]))


def with_normflows() -> nn.Module:
    layers: list[nn.Module] = []
    for _ in range(LAYERS):
        network = normflows.nets.MLP([1, *[HIDDEN] * N_HIDDEN, 2], init_zeros=True)
        layers += [normflows.flows.AffineCouplingBlock(network), normflows.flows.Permute(2, mode="swap")]
    return normflows.NormalizingFlow(normflows.distributions.DiagGaussian(2, trainable=False), layers)


OURS = "genlib"
CONTESTANTS: dict[str, Callable[[], nn.Module]] = {
    OURS: lambda: RealNVP(2, LAYERS, HIDDEN, n_hidden=N_HIDDEN),
    "nflows, as it comes": lambda: SimpleRealNVP(2, HIDDEN, LAYERS, 1),
    "nflows": with_nflows,
    "normflows": with_normflows,
}
PEERS = [name for name in CONTESTANTS if name != OURS]


@dataclass
class Run:
    """A model in training: how many steps it has done, and what one took in every slice of time."""

    model: nn.Module
    x: Tensor
    seed: int
    steps: int = 0
    step_seconds: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.optimizer = torch.optim.Adam(self.model.parameters(), RATE, fused=True)
        self.draw = torch.Generator().manual_seed(self.seed)

    def advance(self, seconds: float) -> None:
        """Train for one slice of time."""
        start, before = time.perf_counter(), self.steps
        while (now := time.perf_counter()) - start < seconds:
            batch = self.x[torch.randint(len(self.x), (BATCH,), generator=self.draw)]
            self.optimizer.zero_grad()
            (-self.model.log_prob(batch).mean()).backward()
            self.optimizer.step()
            self.steps += 1
        self.step_seconds.append((now - start) / (self.steps - before))

    @torch.no_grad()
    def nats(self, x: Tensor) -> float:
        found = float(self.model.eval().log_prob(x).mean())
        return found if math.isfinite(found) else -math.inf  # training has diverged


@dataclass
class Result:
    """One contestant on one distribution: a number for each seed, and the time of a step in each slice."""

    nats: list[float] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    step_seconds: list[float] = field(default_factory=list)


def compete(toy: str, seeds: int, seconds: float) -> dict[str, Result]:
    x, test = data.load(toy).x, data.load(toy, "test").x
    results = {name: Result() for name in CONTESTANTS}
    for seed in range(seeds):
        runs = {}
        for name, make in CONTESTANTS.items():
            torch.manual_seed(seed)
            runs[name] = Run(make(), x, seed)
            Run(make(), x, seed).advance(SLICE / 5)  # warm up
        for _ in range(round(seconds / SLICE)):
            for run in runs.values():
                run.advance(SLICE)
        for name, run in runs.items():
            results[name].nats.append(run.nats(test))
            results[name].steps.append(run.steps)
            results[name].step_seconds += run.step_seconds
    return results


def gaussian_nats(toy: str) -> float:
    x = data.load(toy, "test").x
    best = torch.distributions.MultivariateNormal(x.mean(0), x.T.cov(correction=0))
    return float(best.log_prob(x).mean())


def relative(results: dict[str, Result], peer: str) -> float:
    """Our time of a step over the peer's, the median over slices of time."""
    pairs = zip(results[OURS].step_seconds, results[peer].step_seconds, strict=True)
    return statistics.median(ours / theirs for ours, theirs in pairs)


def cells(toy: str, name: str, results: dict[str, Result]) -> list[str]:
    result = results[name]
    spread = f"{min(result.nats):.3f} to {max(result.nats):.3f}"
    return [
        toy,
        name,
        f"{1e3 * statistics.median(result.step_seconds):.2f}",
        "" if name == OURS else f"{relative(results, name):.2f}",
        f"{statistics.median(result.steps):.0f}",
        f"{statistics.median(result.nats):.3f}",
        spread,
        f"{gaussian_nats(toy):.3f}",
    ]


def goals(found: dict[str, dict[str, Result]]) -> list[Goal]:
    made = []
    for toy, results in found.items():
        slowest = max(relative(results, peer) for peer in PEERS)
        made.append(Goal(f"{toy}: time of a step relative to the fastest peer's", slowest, 1.0))
        ours = statistics.median(results[OURS].nats)
        best = max(statistics.median(results[peer].nats) for peer in PEERS)
        made.append(Goal(f"{toy}: nats above the best peer's", ours - best, -CLOSE, at_least=True))
        made.append(Goal(f"{toy}: nats above a Gaussian's", ours - gaussian_nats(toy), 0.1, at_least=True))
    return made


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one distribution, one seed, a fifth of the time")
    quick = parser.parse_args().quick
    print(f"machine: {machine()}", flush=True)
    torch.set_num_threads(1)
    seeds, seconds = (1, SECONDS / 5) if quick else (SEEDS, SECONDS)
    found = {toy: compete(toy, seeds, seconds) for toy in (TOYS[:1] if quick else TOYS)}
    sizes = {name: sum(p.numel() for p in make().parameters()) for name, make in CONTESTANTS.items()}
    table("Size", ["", "parameters"], list(sizes.items()))
    table(
        f"After {seconds:g} seconds of training, {seeds} seeds",
        ["distribution", "", "ms per step", "time, relative", "steps", "nats", "of the seeds", "a Gaussian"],
        [cells(toy, name, results) for toy, results in found.items() for name in CONTESTANTS],
    )
    print(NOTE)
    missed = checked(goals(found))
    return 0 if quick else missed


if __name__ == "__main__":
    sys.exit(main())
