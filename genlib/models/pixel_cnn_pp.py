"""PixelCNN++: a mixture of rounded logistics for every whole pixel (Salimans et al., arXiv:1701.05517)."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genlib import sampling
from genlib.likelihoods import discretized_logistic_log_mass
from genlib.models.labels import class_labels
from genlib.models.pixel_cnn_pp_layers import Features, Past, ShiftedConv2d, Stream
from genlib.models.pixels import centred, whole_numbers

MIN_LOG_SCALE = -7.0  # of a range of 2: a quarter of a grey level of 256, as in the authors' code


class PixelMixture:
    """K rounded logistics over the C colours of each pixel, chosen by one indicator (sections 2.1 and 2.2).

    ``parameters`` are ``(B, K * (1 + 2 C + C (C - 1) / 2), H, W)``: for each component its logit, C means, C log
    scales, and the coefficients by which earlier colours shift the means of later ones, through a tanh (equation 3).
    Images x are ``(B, C, H, W)`` with values from 0 to ``levels - 1``.
    """

    def __init__(self, parameters: Tensor, n_colors: int, levels: int) -> None:
        sizes = [1, n_colors, n_colors, n_colors * (n_colors - 1) // 2]
        logits, self.mean, log_scale, couplings = parameters.unflatten(1, (-1, sum(sizes))).split(sizes, 2)
        self.log_weight = logits.squeeze(2).log_softmax(1)  # (B, K, H, W)
        self.log_scale = log_scale.clamp(min=MIN_LOG_SCALE)  # (B, K, C, H, W)
        self.coefficients = couplings.tanh()  # of R in G, of R in B, of G in B
        self.n_colors, self.levels = n_colors, levels

    def shifted_mean(self, x: Tensor, color: int) -> Tensor:
        """Means of one colour given the earlier ones of the pixel, ``(B, K, H, W)``, in [-1, 1] units (equation 3)."""
        first = color * (color - 1) // 2
        coefficients = self.coefficients[:, :, first : first + color]
        return self.mean[:, :, color] + (coefficients * centred(x[:, None, :color], self.levels, self.mean)).sum(2)

    def joint(self, x: Tensor, n_colors: int) -> Tensor:
        """log p(component, the first ``n_colors`` colours) of every pixel, ``(B, K, H, W)`` in nats."""
        total = self.log_weight
        for color in range(n_colors):
            value, mean = x[:, None, color].to(self.mean.dtype), self.shifted_mean(x, color)
            total = total + discretized_logistic_log_mass(value, mean, self.log_scale[:, :, color], self.levels)
        return total

    def log_prob(self, x: Tensor) -> Tensor:
        """log p of every pixel, all colours together, ``(B, H, W)`` in nats."""
        return self.joint(x, self.n_colors).logsumexp(1)

    def conditional(self, x: Tensor, color: int) -> Tensor:
        """log p(colour | earlier colours of the pixel) of every level, ``(B, levels, H, W)``, normalised.

        What the earlier colours say about the component counts, too: their mixture is no product over colours.
        """
        posterior = self.joint(x, color).log_softmax(1).unsqueeze(2)  # (B, K, 1, H, W)
        level = torch.arange(self.levels, device=x.device, dtype=self.mean.dtype).view(-1, 1, 1)
        mean, log_scale = self.shifted_mean(x, color).unsqueeze(2), self.log_scale[:, :, color].unsqueeze(2)
        return (posterior + discretized_logistic_log_mass(level, mean, log_scale, self.levels)).logsumexp(1)


class PixelCNNPlusPlus(nn.Module):
    """p(x) as a product over whole pixels, each given those above and to the left, by two streams of features.

    ``data_shape`` is (C, H, W), H and W divisible by 2^``n_halvings``; x holds whole numbers in ``[0, levels)``.
    ``channels`` features go through ``n_blocks`` gated blocks at every resolution, down and up again. With
    ``n_classes`` it is p(x|y), y int64 ``(B,)`` or one number. The paper has 160 channels, 5 blocks, 2 halvings, 10
    components and a dropout of 0.5. Raises ``ValueError`` for sizes that do not fit.

    A pixel sees all before it if the image is at most 4 ``n_blocks`` + 2 pixels wide and high. On wider ones, with
    halvings, odd rows see no further than 4 ``n_blocks`` + 2 columns to the left, and as many to the right in the
    row above: the low resolutions, through which all the rest comes, end with even rows.
    """

    def __init__(
        self,
        data_shape: tuple[int, int, int],
        *,
        levels: int = 256,
        channels: int = 32,
        n_blocks: int = 2,
        n_halvings: int = 1,
        n_components: int = 5,
        dropout: float = 0.0,
        n_classes: int | None = None,
    ) -> None:
        super().__init__()
        self.data_shape, self.levels, self.n_classes = tuple(data_shape), levels, n_classes
        sizes = [channels, n_blocks, n_components, levels - 1, n_halvings + 1, 1 if n_classes is None else n_classes]
        if len(self.data_shape) != 3 or min(*self.data_shape, *sizes) < 1:
            raise ValueError(
                f"received {data_shape=}, {levels=}, {channels=}, {n_blocks=}, {n_halvings=}, {n_components=}, "
                f"{n_classes=}; expected (C, H, W), positive sizes and at least two levels"
            )
        C, H, W = self.data_shape
        if H % 2**n_halvings or W % 2**n_halvings:
            raise ValueError(
                f"images of {H} x {W} cannot be halved {n_halvings} times; expected multiples of {2**n_halvings}. "
                "Take fewer halvings, or pad the images."
            )
        options = {"dropout": dropout, "n_classes": n_classes}
        self.rows_above = ShiftedConv2d(C + 1, channels, (2, 3), right=False)
        self.row_above = ShiftedConv2d(C + 1, channels, (1, 3), right=False)
        self.left = ShiftedConv2d(C + 1, channels, (2, 1), right=True)
        self.down = Stream(channels, n_blocks, n_halvings, right=False, **options)  # type: ignore[arg-type]
        self.down_right = Stream(channels, n_blocks, n_halvings, right=True, **options)  # type: ignore[arg-type]
        self.out = ShiftedConv2d(channels, n_components * (1 + 2 * C + C * (C - 1) // 2), (1, 1), right=True)

    def mixture(self, x: Tensor, y: Tensor | int | None = None) -> PixelMixture:
        """The distribution of every pixel given those before it, for ``x (B, C, H, W)``."""
        labels = class_labels(y, len(x), self.n_classes, x.device)
        if x.shape[1:] != self.data_shape:
            raise ValueError(f"x has shape {tuple(x.shape)}; expected (B, {', '.join(map(str, self.data_shape))})")
        # A channel of ones tells the image from the row above and the column to the left of it, which are zero.
        image = F.pad(centred(x, self.levels, self.out.weight), (0, 0, 0, 0, 0, 1), value=1.0)
        image = F.pad(image, (1, 0, 1, 0))  # (B, C + 1, H + 1, W + 1)
        above, left = image[:, :, :-1, 1:], image[:, :, 1:, :-1]
        down = self.down(self.rows_above(above), labels)
        features = self.down_right(self.row_above(above) + self.left(left), labels, down)
        return self.head(features)

    def head(self, features: Features) -> PixelMixture:
        """The distribution of pixels from what ``down_right`` computed for them."""
        return PixelMixture(self.out(F.elu(features[0][-1])), self.data_shape[0], self.levels)

    def forward(self, x: Tensor, y: Tensor | int | None = None) -> Tensor:
        """log p(x_i | x_<i) of every level, ``(B, levels, C, H, W)``, for ``x (B, C, H, W)``: normalised logits.

        ``log_prob`` does without them: they take several tensors ``(B, K, levels, H, W)``, for one image of 32 x 32
        with 256 levels and K = 5 components 5 MB each.
        """
        mixture = self.mixture(x, y)
        return torch.stack([mixture.conditional(x, color) for color in range(self.data_shape[0])], 2)

    def log_prob(self, x: Tensor, y: Tensor | int | None = None) -> Tensor:
        """log p(x), or log p(x|y), exact, ``(B,)`` in nats, for whole numbers ``x (B, C, H, W)`` in ``[0, levels)``."""
        values = whole_numbers(x, self.levels, self.data_shape)
        return self.mixture(values, y).log_prob(values).sum((1, 2))

    def sample(
        self, n: int, *, y: Tensor | int | None = None, generator: torch.Generator | None = None, **options: Any
    ) -> Tensor:
        """Draw n examples, ``(n, C, H, W)``; ``options`` are those of ``genlib.sampling.iterate``."""
        return sampling.sample(self, n, y=y, generator=generator, **options)

    def steps(self, n: int, y: Tensor | int | None = None) -> "_Steps":
        """Sampling that computes the down stream row by row, the other one pixel by pixel, every activation once."""
        return _Steps(self, n, y)


class _Steps:
    def __init__(self, model: PixelCNNPlusPlus, n: int, y: Tensor | int | None) -> None:
        C, H, W = model.data_shape
        self.model, self.position, like = model, 0, model.out.weight
        self.labels = class_labels(y, n, model.n_classes, like.device)
        self.image = like.new_zeros(n, C + 1, H + 1, W + 1)  # with the margins that it has in ``mixture``
        self.pixel = like.new_zeros(n, C, 1, 1)  # the values of the one in work
        self.rows, self.pixels = Past(W), Past(W)  # what the two streams remember

    @torch.no_grad()
    def logits(self) -> Tensor:
        C, _, W = self.model.data_shape
        pixel, color = divmod(self.position, C)
        row, column = divmod(pixel, W)
        if color == 0:
            if column == 0:
                self._start_row(row)
            self._start_pixel(row, column)
        return self.mixture.conditional(self.pixel, color)[:, :, 0, 0]

    @torch.no_grad()
    def put(self, value: Tensor) -> None:
        C, _, W = self.model.data_shape
        pixel, color = divmod(self.position, C)
        row, column = divmod(pixel, W)
        self.pixel[:, color, 0, 0] = value.to(self.pixel.dtype)
        self.image[:, color, row + 1, column + 1] = centred(value, self.model.levels, self.pixel)
        self.image[:, C, row + 1, column + 1] = 1
        self.position += 1

    def _start_row(self, row: int) -> None:
        above = self.image[:, :, row : row + 1, 1:]  # (n, C + 1, 1, W)
        self.from_above = self.model.row_above(above)  # (n, channels, 1, W)
        self.down = self.model.down(self.model.rows_above(above, self.rows), self.labels, None, self.rows)

    def _start_pixel(self, row: int, column: int) -> None:
        left = self.image[:, :, row + 1 : row + 2, column : column + 1]  # (n, C + 1, 1, 1)
        h = self.from_above[..., column : column + 1] + self.model.left(left, self.pixels)
        fed = [  # of the lower resolutions only what they have at this pixel
            [features[..., column >> depth : (column >> depth) + 1] for features in at_depth]
            for depth, at_depth in enumerate(self.down)
            if column % 2**depth == 0
        ]
        self.mixture = self.model.head(self.model.down_right(h, self.labels, fed, self.pixels))
