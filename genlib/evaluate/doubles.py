"""Double precision wherever the data lie."""

from torch import Tensor


def in_double(x: Tensor) -> Tensor:
    """``x`` in float64, on its device, or on the CPU where that device has none (Apple's); without gradient."""
    x = x.detach()
    return (x.cpu() if x.device.type == "mps" else x).double()
