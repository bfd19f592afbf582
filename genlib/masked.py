"""Layers that see only what comes before: masked convolutions, masked linear layers, causal convolutions in time.

The image order is raster, row by row from the top left, with the colours of a pixel running fastest. Type A leaves out
the variable itself and belongs first in a network; type B lets a feature of the variable itself through and belongs
everywhere behind it (van den Oord et al., PixelRNN, arXiv:1601.06759, section 3.4 and figure 2).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def causal_mask(
    out_channels: int,
    in_channels: int,
    kernel_size: int | tuple[int, int],
    mask_type: str,
    *,
    n_colors: int = 1,
    vertical: bool = False,
) -> Tensor:
    """Which weights of a convolution look back only: bool ``(out_channels, in_channels, height, width)`` of the kernel.

    All rows above the centre are open, and the centre row up to the centre. At the centre itself channel ``c``, of
    input and output alike, belongs to colour ``c % n_colors``, and an output sees the inputs of earlier colours (type
    ``"A"``), and of its own (type ``"B"``): R sees nothing or R, G sees R or R, G, and so on. Channels dealt out in
    turn keep their colour when features are concatenated or cut in two, and ``(B, levels * n_colors, H, W)`` is
    ``(B, levels, n_colors, H, W)`` by a view.

    With ``vertical=True`` whole rows are generated one after another: type ``"A"`` sees the rows above, type ``"B"``
    the own row too, and colours play no part (the vertical stack of the gated PixelCNN, arXiv:1606.05328, section 2.2).
    Raises ``ValueError`` for an even kernel, an unknown type, or channels that ``n_colors`` does not divide.
    """
    height, width = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
    _check_type(mask_type)
    if height < 1 or width < 1 or height % 2 == 0 or width % 2 == 0:
        raise ValueError(f"received {kernel_size=}; expected odd numbers, for an even kernel has no centre")
    if n_colors < 1 or min(out_channels, in_channels) < 1 or out_channels % n_colors or in_channels % n_colors:
        raise ValueError(f"received {out_channels=}, {in_channels=}, {n_colors=}; expected multiples of n_colors")
    if vertical and n_colors > 1:
        raise ValueError(f"received vertical=True and {n_colors=}; expected n_colors=1: a row comes with all colours")
    row, column = height // 2, width // 2
    mask = torch.zeros(out_channels, in_channels, height, width, dtype=torch.bool)
    mask[:, :, :row] = True
    if vertical:
        mask[:, :, row] = mask_type == "B"
        return mask
    mask[:, :, row, :column] = True
    color_out, color_in = torch.arange(out_channels) % n_colors, torch.arange(in_channels) % n_colors
    mask[:, :, row, column] = _sees(color_out, color_in, strict=mask_type == "A")
    return mask


class _Masked(nn.Module):
    """A weight that counts only where ``mask`` is 1.

    Elsewhere it starts at zero and stays there under every optimiser, for its gradient is exactly zero. The mask is
    applied at every call all the same: beside a convolution that costs too little to be measured, and so nothing that
    writes into ``weight`` (``nn.init``, ``.data``, an average of weights) can open a view of what is to come.
    """

    mask: Tensor

    def __init__(self, mask: Tensor, *, bias: bool, persistent: bool) -> None:
        super().__init__()
        # Numbers, not bool: on a CPU multiplying by them is five times as fast, and they follow .to(dtype).
        self.register_buffer("mask", mask.to(torch.get_default_dtype()), persistent=persistent)
        self.weight = nn.Parameter(torch.empty_like(self.mask))
        self.bias = nn.Parameter(self.mask.new_empty(len(mask))) if bias else None
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw weights and biases from U(-1/sqrt(n), 1/sqrt(n)), n the number of inputs that the output can see.

        This is what torch does for layers without a mask. Were n to count masked inputs too, the variance would
        shrink from layer to layer by the share that is masked, about a half.
        """
        bound = self.mask.flatten(1).sum(1).clamp(min=1).rsqrt()  # (out,)
        self.weight.uniform_(-1, 1).mul_(bound.view(-1, *[1] * (self.mask.ndim - 1))).mul_(self.mask)
        if self.bias is not None:
            self.bias.uniform_(-1, 1).mul_(bound)

    def masked_weight(self) -> Tensor:
        """The weight with zeros outside the mask, in the shape of ``weight``."""
        return self.weight * self.mask


class MaskedConv2d(_Masked):
    """A convolution over images ``(B, in_channels, H, W)`` of any size whose outputs see only what comes before them.

    The result is ``(B, out_channels, H, W)``; ``causal_mask`` says what the arguments mean. The kernel is stored
    without the rows, and where it has only one row without the columns, that no output sees: ``weight`` and ``mask``
    are ``(out_channels, in_channels, rows, columns)``, for instance 4 x 7 of a 7 x 7 kernel and 1 x 2 of a 1 x 3 one.
    Raises ``ValueError`` for an even kernel, an unknown type, channels that ``n_colors`` does not divide, or an input
    of another shape.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        mask_type: str,
        *,
        n_colors: int = 1,
        vertical: bool = False,
        bias: bool = True,
    ) -> None:
        mask = causal_mask(out_channels, in_channels, kernel_size, mask_type, n_colors=n_colors, vertical=vertical)
        height, width = mask.shape[2:]
        seen = mask.any(0).any(0)  # (height, width); what is seen starts at the top left
        rows, columns = int(seen.any(1).sum()) or height // 2 + 1, int(seen.any(0).sum()) or width // 2 + 1
        super().__init__(mask[:, :, :rows, :columns], bias=bias, persistent=False)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.mask_type, self.n_colors, self.vertical = (height, width), mask_type, n_colors, vertical
        # An output sits where the centre of the uncut kernel would be; a negative number cuts the image's edge off.
        self._above, self._below = height // 2, rows - 1 - height // 2
        self._left, self._right = width // 2, columns - 1 - width // 2

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            raise ValueError(f"x has shape {tuple(x.shape)}; expected (B, {self.in_channels}, H, W)")
        # Equal margins left and right are the convolution's own business, which saves the copy of every row.
        own = self._left if self._left == self._right else 0
        margins = (self._left - own, self._right - own, self._above, self._below)
        if any(margins):
            x = F.pad(x, margins)  # (B, in_channels, H + rows - 1, W + columns - 1 - 2 * own)
        return F.conv2d(x, self.masked_weight(), self.bias, padding=(0, own))

    def _load_from_state_dict(self, state_dict, prefix, *args):  # type: ignore[no-untyped-def]
        # Weights from elsewhere may hold anything where this layer has nothing, even NaN, which no product removes.
        super()._load_from_state_dict(state_dict, prefix, *args)
        with torch.no_grad():
            self.weight.masked_fill_(self.mask == 0, 0)

    def extra_repr(self) -> str:
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, mask_type={self.mask_type!r}, "
            f"n_colors={self.n_colors}, vertical={self.vertical}, bias={self.bias is not None}"
        )


class MaskedLinear(_Masked):
    """A linear layer of MADE: unit k' sees input k when its degree is at least that of the input.

    ``in_degrees`` and ``out_degrees`` are whole numbers, one for each input and output; a variable has its place in
    the order as its degree, a hidden unit the number of the last variable that it may see. ``strict=True`` is for the
    output layer, where a variable's own degree must not be seen: out > in in place of out >= in (Germain et al.,
    arXiv:1502.03509, section 4). x is ``(..., len(in_degrees))``, the result ``(..., len(out_degrees))``;
    ``weight`` and ``mask`` are ``(out, in)``. The mask is saved with the weights, since degrees may be random.
    Raises ``ValueError`` when degrees are no whole numbers in a row, or x has another size.
    """

    def __init__(
        self,
        in_degrees: Tensor | Sequence[int],
        out_degrees: Tensor | Sequence[int],
        *,
        strict: bool = False,
        bias: bool = True,
    ) -> None:
        mask = _sees(_degrees(out_degrees, "out_degrees"), _degrees(in_degrees, "in_degrees"), strict=strict)
        super().__init__(mask, bias=bias, persistent=True)
        self.out_features, self.in_features, self.strict = *mask.shape, strict

    @torch.no_grad()
    def connect(self, in_degrees: Tensor | Sequence[int], out_degrees: Tensor | Sequence[int]) -> None:
        """Give the units other degrees, for training on many orders: weights stay, and those never seen before are 0.

        Raises ``ValueError`` when the numbers of inputs and outputs are not those of the layer.
        """
        mask = _sees(_degrees(out_degrees, "out_degrees"), _degrees(in_degrees, "in_degrees"), strict=self.strict)
        if mask.shape != self.mask.shape:
            received, expected = tuple(mask.shape), tuple(self.mask.shape)
            raise ValueError(f"received degrees of (out, in) = {received} units; expected {expected}")
        self.mask.copy_(mask)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1:] != (self.in_features,):
            raise ValueError(f"x has shape {tuple(x.shape)}; expected (..., {self.in_features})")
        return F.linear(x, self.masked_weight(), self.bias)

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.out_features}, strict={self.strict}, bias={self.bias is not None}"


class CausalConv1d(nn.Conv1d):
    """A convolution over sequences ``(B, in_channels, T)`` in which output t sees inputs up to t, or up to t - 1.

    Type ``"B"`` sees t, t - dilation, ..., ``kernel_size`` inputs in all; type ``"A"`` sees the same ones one step
    earlier, so no weight of either is masked. ``weight`` is ``(out_channels, in_channels, kernel_size)``, its last
    entry the latest input; the result is ``(B, out_channels, T)`` (van den Oord et al., WaveNet, arXiv:1609.03499,
    section 2.1). Raises ``ValueError`` for an unknown type, sizes below 1 or an input of another shape.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        mask_type: str = "B",
        *,
        dilation: int = 1,
        bias: bool = True,
    ) -> None:
        _check_type(mask_type)
        if min(in_channels, out_channels, kernel_size, dilation) < 1:
            sizes = f"{in_channels=}, {out_channels=}, {kernel_size=}, {dilation=}"
            raise ValueError(f"received {sizes}; expected numbers of at least 1")
        super().__init__(in_channels, out_channels, kernel_size, dilation=dilation, bias=bias)
        self.mask_type, self.delay = mask_type, int(mask_type == "A")

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 3 or x.shape[1] != self.in_channels:
            raise ValueError(f"x has shape {tuple(x.shape)}; expected (B, {self.in_channels}, T)")
        span = (self.kernel_size[0] - 1) * self.dilation[0]
        return super().forward(F.pad(x, (span + self.delay, -self.delay)))


def _sees(out_degrees: Tensor, in_degrees: Tensor, *, strict: bool) -> Tensor:
    out_degrees, in_degrees = out_degrees.unsqueeze(1), in_degrees.unsqueeze(0)
    return out_degrees > in_degrees if strict else out_degrees >= in_degrees


def _degrees(degrees: Tensor | Sequence[int], name: str) -> Tensor:
    degrees = torch.as_tensor(degrees)
    if degrees.ndim != 1 or not len(degrees) or degrees.is_floating_point() or degrees.dtype == torch.bool:
        raise ValueError(f"{name} is {degrees.dtype} of shape {tuple(degrees.shape)}; expected whole numbers in a row")
    return degrees


def _check_type(mask_type: str) -> None:
    if mask_type not in ("A", "B"):
        raise ValueError(f"received {mask_type=}; expected 'A' (without the variable itself) or 'B' (with it)")
