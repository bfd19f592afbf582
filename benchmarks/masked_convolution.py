"""A masked convolution of genlib, which stores half the kernel, against three others on 28x28 images, batch 64.

Its peers: the whole kernel with the mask multiplied in at every call, as most public code has it; torch's convolution
without a mask; and genlib's own half kernel without its mask, which says what applying the mask at every call costs.
Forward under no_grad as in sampling, and forward with backward as in training; one thread, contestants in turn.
"""

import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from _common import table
from torch import Tensor, nn

from genlib.masked import MaskedConv2d, causal_mask

BATCH, SIZE, ROUNDS = 64, 28, 15
CASES = [("A", 7, 1, 64), ("A", 7, 32, 64), ("B", 3, 32, 32), ("B", 3, 64, 64), ("B", 7, 64, 64)]
GENLIB = "genlib: half the kernel, masked at every call"


class MultipliedIn(nn.Conv2d):
    """The whole kernel, its mask multiplied in at every call."""

    mask: Tensor

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, mask_type: str) -> None:
        super().__init__(in_channels, out_channels, kernel_size, padding=kernel_size // 2)
        self.register_buffer("mask", causal_mask(out_channels, in_channels, kernel_size, mask_type).float())

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.mask, self.bias, padding=self.padding)


class HalfWithoutMask(MaskedConv2d):
    """What genlib's layer would be if it relied on its weights being zero outside the mask."""

    def masked_weight(self) -> Tensor:
        return self.weight


def contestants(mask_type: str, kernel_size: int, in_channels: int, out_channels: int) -> dict[str, nn.Module]:
    arguments = (in_channels, out_channels, kernel_size)
    return {
        GENLIB: MaskedConv2d(*arguments, mask_type),
        "half the kernel, never masked": HalfWithoutMask(*arguments, mask_type),
        "whole kernel, masked at every call": MultipliedIn(*arguments, mask_type),
        "whole kernel, no mask (torch)": nn.Conv2d(*arguments, padding=kernel_size // 2),
    }


def forward(layer: nn.Module, x: Tensor) -> None:
    with torch.no_grad():
        layer(x)


def forward_and_backward(layer: nn.Module, x: Tensor) -> None:
    # the data need no gradient, features do
    x = x.detach().requires_grad_(x.shape[1] > 1)
    layer.zero_grad()
    layer(x).square().mean().backward()


def in_turn(layers: dict[str, nn.Module], x: Tensor, work: Callable[[nn.Module, Tensor], None]) -> dict[str, list]:
    times: dict[str, list[float]] = {name: [] for name in layers}
    for round_ in range(-2, ROUNDS):  # two to warm up
        for name, layer in layers.items():
            start = time.perf_counter()
            work(layer, x)
            if round_ >= 0:
                times[name].append(1000 * (time.perf_counter() - start))
    return times


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    for mask_type, kernel_size, in_channels, out_channels in CASES:
        layers = contestants(mask_type, kernel_size, in_channels, out_channels)
        x = torch.randn(BATCH, in_channels, SIZE, SIZE)
        columns = [in_turn(layers, x, work) for work in (forward, forward_and_backward)]
        rows = []
        for name in layers:
            cells = []
            for times in columns:
                ratios = [a / b for a, b in zip(times[name], times[GENLIB], strict=True)]
                cells += [f"{statistics.median(times[name]):.2f}", f"{statistics.median(ratios):.2f}"]
            rows.append((name, *cells))
        title = f"{kernel_size}x{kernel_size}, type {mask_type}, {in_channels} to {out_channels} channels"
        header = ["contestant", "forward, ms", "ratio to genlib", "with backward, ms", "ratio to genlib"]
        table(f"{title}, {ROUNDS} rounds in turn, medians", header, rows)


if __name__ == "__main__":
    main()
