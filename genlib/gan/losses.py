"""The losses of generative adversarial networks: without state, on logits, one number per example, to be minimised.

Averages over the batch are taken in the training step, as everywhere in genlib; a mean of what is here is then the
same whatever the batch size, and examples can be weighted or looked at one by one.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

KINDS = ("minimax", "non_saturating", "least_squares", "wasserstein", "hinge")
_SHAPE_ONLY = ("View", "UnsafeView", "Squeeze", "Select")  # what makes (B,) of (B, 1) or (B, 1, 1, 1)


def discriminator_loss(
    real_logits: Tensor, fake_logits: Tensor, *, kind: str = "non_saturating", smoothing: float = 0.0
) -> Tensor:
    """What the discriminator minimises, one number per pair of a real and a generated example, ``(B,)``.

    ``real_logits`` and ``fake_logits`` are ``(B,)``, what D gives before any sigmoid. With densities p of the data and
    q of the generator, the best D at a point is, for each ``kind``:

    - ``"minimax"``, ``"non_saturating"``: -log s(D(x)) - log(1 - s(D(g))), s the sigmoid, in nats; s(D*) = p / (p + q)
      (Goodfellow et al., arXiv:1406.2661, equations 1 and 2; the two differ in the generator alone).
    - ``"least_squares"``: 1/2 (D(x) - 1)^2 + 1/2 D(g)^2; D* = p / (p + q) (Mao et al., arXiv:1611.04076, equation 2
      with a = 0 and b = 1).
    - ``"hinge"``: max(0, 1 - D(x)) + max(0, 1 + D(g)); D* = sign(p - q) (Lim and Ye, arXiv:1705.02894; Miyato et al.,
      arXiv:1802.05957, equation 16).
    - ``"wasserstein"``: D(g) - D(x), which is bounded only for a D of bounded slope: add ``gradient_penalty``
      (Arjovsky et al., arXiv:1701.07875, equation 3).

    ``smoothing`` lowers the label of real examples, and of them alone, from 1 to 1 - smoothing, where there is a label,
    in the first three kinds. D* is then (1 - smoothing) p / (p + q), which ranks points as before. Had the fake labels
    been raised too, D* would be drawn to 1/2 and the generator rewarded for staying where p is 0 (Salimans et al.,
    arXiv:1606.03498, section 3.4).

    Raises ``ValueError`` for an unknown kind, smoothing outside [0, 1/2) or without a label, and logits that are not
    ``(B,)`` each, are no floating-point numbers, or visibly come out of a sigmoid.
    """
    check_kind(kind)
    _check_logits(real_logits, "real_logits")
    _check_logits(fake_logits, "fake_logits")
    if real_logits.shape != fake_logits.shape:
        raise ValueError(
            f"received {len(real_logits)} real and {len(fake_logits)} fake logits; expected as many of one as of the "
            "other: generate as many examples as the batch holds"
        )
    if not 0 <= smoothing < 0.5:
        raise ValueError(f"received {smoothing=}; expected 0, or a little more, such as 0.1")
    if smoothing and kind in ("hinge", "wasserstein"):
        raise ValueError(f"received {smoothing=} with kind={kind!r}, which has no labels to smooth; leave it out")
    if kind == "least_squares":
        return 0.5 * ((real_logits - (1 - smoothing)).square() + fake_logits.square())
    if kind == "hinge":
        return F.relu(1 - real_logits) + F.relu(1 + fake_logits)
    if kind == "wasserstein":
        return fake_logits - real_logits
    # -log s(l) = softplus(-l), and softplus(l) = softplus(-l) + l moves the smoothed part to the other label
    return F.softplus(-real_logits) + smoothing * real_logits + F.softplus(fake_logits)


def generator_loss(fake_logits: Tensor, *, kind: str = "non_saturating") -> Tensor:
    """What the generator minimises, one number per generated example, ``(B,)``, from ``fake_logits (B,)``.

    - ``"minimax"``: log(1 - s(D(g))), the zero-sum game, whose gradient vanishes where D is sure of itself;
    - ``"non_saturating"``: -log s(D(g)), the same fixed point with a gradient there (arXiv:1406.2661, section 3);
    - ``"least_squares"``: 1/2 (D(g) - 1)^2 (arXiv:1611.04076, equation 2 with c = 1);
    - ``"wasserstein"`` and ``"hinge"``: -D(g).

    Raises ``ValueError`` for an unknown kind, and logits that are not ``(B,)``, are no floating-point numbers, or
    visibly come out of a sigmoid.
    """
    check_kind(kind)
    _check_logits(fake_logits, "fake_logits")
    if kind == "minimax":
        return -F.softplus(fake_logits)
    if kind == "non_saturating":
        return F.softplus(-fake_logits)
    if kind == "least_squares":
        return 0.5 * (fake_logits - 1).square()
    return -fake_logits


def gradient_penalty(
    critic: Callable[[Tensor], Tensor],
    real: Tensor,
    fake: Tensor,
    *,
    target: float = 1.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """(|| gradient of the critic || - target)^2, ``(B,)``, at one random point between each real and fake example.

    ``real`` and ``fake`` are ``(B, *event)`` of one shape; the point is u real + (1 - u) fake, with u uniform in [0, 1]
    drawn by ``generator``; ``critic`` maps it to logits ``(B,)``, each from its own example, so it must be without
    batch normalisation. Add about 10 times the mean to the discriminator's loss (Gulrajani et al., arXiv:1704.00028,
    equation 3). Gradients reach the critic's parameters, and neither ``real`` nor ``fake``.
    Raises ``ValueError`` when shapes differ or the critic's output is not ``(B,)`` or does not depend on its input.
    """
    if real.shape != fake.shape or real.ndim < 2:
        raise ValueError(f"received real {tuple(real.shape)} and fake {tuple(fake.shape)}; expected both (B, *event)")
    u = torch.rand(len(real), *[1] * (real.ndim - 1), generator=generator, dtype=real.dtype, device=real.device)
    point = (u * real.detach() + (1 - u) * fake.detach()).requires_grad_()
    differentiable = torch.is_grad_enabled()  # under no_grad the value is wanted, and still needs a gradient
    with torch.enable_grad():
        logits = critic(point)
        _check_logits(logits, "the critic's output", len(real))
        gradient = None
        if logits.requires_grad:
            gradient = torch.autograd.grad(logits.sum(), point, create_graph=differentiable, allow_unused=True)[0]
    if gradient is None:
        raise ValueError("the critic's output does not depend on its input; expected a differentiable critic")
    # per example: a norm over the whole batch would grow with the batch
    return (gradient.flatten(1).norm(dim=1) - target).square()


def check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise ValueError(f"received {kind=}; expected one of {', '.join(map(repr, KINDS))}")


def _check_logits(logits: Tensor, name: str, n: int | None = None) -> None:
    if logits.ndim != 1 or n not in (None, len(logits)):
        size = "B" if n is None else n
        raise ValueError(
            f"{name} has shape {tuple(logits.shape)}; expected ({size},), one number per example: squeeze or average "
            "what is left of its other dimensions"
        )
    if not logits.is_floating_point():
        raise ValueError(f"{name} has dtype {logits.dtype}; expected floating-point logits")
    if _is_sigmoid(logits.grad_fn):
        raise ValueError(
            f"{name} is the output of a sigmoid; expected logits: the loss applies the sigmoid itself, in a way that "
            "neither overflows nor loses its gradient. Leave the discriminator's last sigmoid out."
        )


def _is_sigmoid(node: Any) -> bool:
    """Whether autograd's record says so; values alone cannot, for logits may lie in [0, 1] by chance."""
    while node is not None and node.name().startswith(_SHAPE_ONLY):
        node = node.next_functions[0][0]
    return node is not None and node.name().startswith("SigmoidBackward")
