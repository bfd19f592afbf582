"""Training steps of PixelCNN and GatedPixelCNN against the same networks written the plain way, on one thread.

The plain way, which is that of most public code, keeps whole kernels and multiplies them by their masks at every call;
it runs twice, as it is and with its images channels last in memory, which is what genlib's networks do by themselves.
All hold the same weights and give the same logits (checked first, to 1e-5), have the same loss, batch and optimiser
(Adam), and take turns; a step is forward, backward and update, on 28x28 images of zeros and ones.
"""

import statistics
import time

import torch
import torch.nn.functional as F
from _common import table
from torch import Tensor, nn

from genlib.masked import MaskedConv2d, causal_mask
from genlib.models.gated_pixel_cnn import GatedPixelCNN
from genlib.models.pixel_cnn import PixelCNN
from genlib.models.pixels import centred, sum_of_conditionals, two_levels

BATCH, SHAPE, ROUNDS = 64, (1, 28, 28), 9


class PlainMasked(nn.Conv2d):
    """A whole kernel, its mask multiplied in at every call; the weights are those of ``layer``."""

    mask: Tensor

    def __init__(self, layer: MaskedConv2d) -> None:
        height, width = layer.kernel_size
        super().__init__(layer.in_channels, layer.out_channels, (height, width), padding=(height // 2, width // 2))
        mask = causal_mask(
            layer.out_channels, layer.in_channels, (height, width), layer.mask_type, vertical=layer.vertical
        )
        self.register_buffer("mask", mask.float())
        with torch.no_grad():
            self.weight.mul_(self.mask)
            self.weight[:, :, : layer.weight.shape[2], : layer.weight.shape[3]] = layer.weight
            self.bias.copy_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.mask, self.bias, padding=self.padding)


class PlainPixelCNN(nn.Module):
    def __init__(self, model: PixelCNN) -> None:
        super().__init__()
        self.first = PlainMasked(model.first)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.ReLU(), PlainMasked(block.reduce),
                nn.ReLU(), PlainMasked(block.conv),
                nn.ReLU(), PlainMasked(block.expand),
            )
            for block in model.blocks
        )  # fmt: skip
        self.head = nn.Sequential(nn.ReLU(), PlainMasked(model.head_1), nn.ReLU(), PlainMasked(model.head_2))

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(centred(x, 2, x))
        for block in self.blocks:
            h = h + block(h)
        return two_levels(self.head(h))


class PlainGatedLayer(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.first, self.last = layer.first, layer.last
        self.vertical, self.horizontal = PlainMasked(layer.vertical), PlainMasked(layer.horizontal)
        channels, n_features = layer.link.in_channels // 2, layer.link.in_channels
        self.link = nn.Conv2d(n_features, n_features, 1)
        self.link.load_state_dict(layer.link.state_dict())
        self.skip, self.residual = nn.Conv2d(channels, channels, 1), nn.Conv2d(channels, channels, 1)
        with torch.no_grad():
            for index, conv in enumerate((self.skip, self.residual)[: 1 if self.last else 2]):
                conv.weight.copy_(layer.out.weight[index * channels : (index + 1) * channels])
                conv.bias.copy_(layer.out.bias[index * channels : (index + 1) * channels])

    def forward(self, v: Tensor, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        v_features = self.vertical(v)
        a, b = (self.horizontal(h) + self.link(v_features)).chunk(2, 1)
        gated = torch.tanh(a) * torch.sigmoid(b)
        if self.last:
            return v, h, self.skip(gated)
        a, b = v_features.chunk(2, 1)
        residual = self.residual(gated)
        return torch.tanh(a) * torch.sigmoid(b), residual if self.first else h + residual, self.skip(gated)


class PlainGatedPixelCNN(nn.Module):
    def __init__(self, model: GatedPixelCNN) -> None:
        super().__init__()
        self.layers = nn.ModuleList(PlainGatedLayer(layer) for layer in model.layers)
        self.head = nn.Sequential(nn.ReLU(), PlainMasked(model.head_1), nn.ReLU(), PlainMasked(model.head_2))

    def forward(self, x: Tensor) -> Tensor:
        v = h = centred(x, 2, x)
        skips = []
        for layer in self.layers:
            v, h, skip = layer(v, h)
            skips.append(skip)
        return two_levels(self.head(sum(skips)))


class ChannelsLast(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x.clone(memory_format=torch.channels_last))


MODELS = {
    "PixelCNN, 7 blocks, 2h = 64": (lambda: PixelCNN(SHAPE, channels=32, n_layers=7), PlainPixelCNN),
    "GatedPixelCNN, 5 layers of 32": (lambda: GatedPixelCNN(SHAPE, channels=32, n_layers=5), PlainGatedPixelCNN),
}


def step(network: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor) -> float:
    start = time.perf_counter()
    optimizer.zero_grad()
    (-sum_of_conditionals(x.long(), network(x)).mean()).backward()
    optimizer.step()
    return time.perf_counter() - start


def median_steps(model: nn.Module, plain: type, x: Tensor) -> list[float]:
    """Median seconds per step of genlib, of the plain network, and of that with channels last, in the same rounds."""
    networks = (model, plain(model), ChannelsLast(plain(model)))
    with torch.no_grad():
        ours, *theirs = (network(x) for network in networks)
        for logits in theirs:
            torch.testing.assert_close(logits, ours, atol=1e-5, rtol=0)
    optimizers = [torch.optim.Adam(network.parameters(), lr=1e-3) for network in networks]
    rounds = [
        [step(network, optimizer, x) for network, optimizer in zip(networks, optimizers, strict=True)]
        for _ in range(ROUNDS + 1)
    ][1:]  # the first to warm up
    return [statistics.median(column) for column in zip(*rounds, strict=True)]


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    x = torch.rand(BATCH, *SHAPE).round()
    rows = []
    for name, (make, plain) in MODELS.items():
        ours, *theirs = median_steps(make(), plain, x)
        times = [f"{1000 * seconds / BATCH:.2f}" for seconds in (ours, *theirs)]
        rows.append((name, *times, *(f"{seconds / ours:.2f}" for seconds in theirs)))
    header = ["model", "genlib, ms", "plain, ms", "plain, channels last, ms", "plain / genlib", "the other / genlib"]
    table(f"A training step per image, batch {BATCH}, one thread, medians of {ROUNDS} rounds in turn", header, rows)


if __name__ == "__main__":
    main()
