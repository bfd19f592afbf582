"""Latents against known factors: how far each factor has a latent dimension of its own."""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Score(NamedTuple):
    """An estimate, and the standard deviation of the estimate."""

    value: float
    spread: float


def mutual_information(a: Tensor, b: Tensor, *, n_bins: int = 20) -> Tensor:
    """I(a_i; b_j) in nats, ``(I, J)``, of the columns of ``a (N, I)`` and ``b (N, J)``, from histograms.

    A column with more than ``n_bins`` different values is cut into so many bins with equally many examples, so that
    the estimate does not depend on its scale; any other one is taken as it is. Histograms of N examples in K by L cells
    overestimate independent columns by about (K - 1)(L - 1) / 2N (Miller, 1955), which is taken off; an estimate can
    therefore be slightly below 0.
    """
    if a.ndim != 2 or b.ndim != 2 or len(a) != len(b) or len(a) < 2:
        raise ValueError(
            f"received shapes {tuple(a.shape)} and {tuple(b.shape)}; expected (N, I) and (N, J), N above 1"
        )
    one, other = ([_one_hot(column, n_bins) for column in part.unbind(1)] for part in (a, b))
    return torch.stack([torch.stack([_information(p, q) for q in other]) for p in one])


def _one_hot(column: Tensor, n_bins: int) -> Tensor:
    """Bins of a column, ``(N, bins)`` of zeros and ones."""
    values, index = column.detach().unique(return_inverse=True)
    if len(values) > n_bins:
        edges = torch.quantile(column.detach().double(), torch.linspace(0, 1, n_bins + 1).double().to(column.device))
        index = torch.bucketize(column.detach().double(), edges[1:-1].contiguous(), right=True)
        index = index.unique(return_inverse=True)[1]  # without bins that nothing falls into
    return F.one_hot(index).double()


def _information(p: Tensor, q: Tensor) -> Tensor:
    joint = p.mT @ q / len(p)
    entropies = [torch.special.entr(share).sum() for share in (joint.sum(0), joint.sum(1), joint)]
    return entropies[0] + entropies[1] - entropies[2] - (p.shape[1] - 1) * (q.shape[1] - 1) / (2 * len(p))


def mutual_information_gap(latents: Tensor, factors: Tensor, *, n_bins: int = 20, n_repeats: int = 20) -> Score:
    """The mutual information gap of ``latents (N, L)`` and true ``factors (N, K)``, from 0 to 1, and its spread.

    For every factor, the difference between the two latent dimensions that say most about it, divided by the entropy
    of the (binned) factor; the mean over factors (Chen et al., arXiv:1802.04942, section 4). It asks that a factor
    has one dimension, not that a dimension has one factor. The spread is the standard deviation over ``n_repeats``
    halves of the data drawn at random, divided by the square root of 2.
    Raises ``ValueError`` for fewer than two latents.
    """
    if latents.ndim != 2 or latents.shape[1] < 2:
        raise ValueError(f"latents have shape {tuple(latents.shape)}; expected (N, L) with L of at least 2")
    generator = torch.Generator().manual_seed(0)
    halves = []
    for _ in range(n_repeats):
        rows = torch.randperm(len(latents), generator=generator)[: len(latents) // 2].to(latents.device)
        halves.append(_gap(latents[rows], factors[rows], n_bins))
    return Score(_gap(latents, factors, n_bins), float(torch.tensor(halves).std()) / 2**0.5)


def _gap(latents: Tensor, factors: Tensor, n_bins: int) -> float:
    information = mutual_information(latents, factors, n_bins=n_bins)  # (L, K)
    best = information.clamp_min(0).topk(2, dim=0).values  # (2, K)
    shares = [_one_hot(factor, n_bins).mean(0) for factor in factors.unbind(1)]
    entropy = torch.stack([torch.special.entr(share).sum() for share in shares])  # (K,)
    return float(((best[0] - best[1]) / entropy.to(best)).mean())


def beta_vae_score(
    encode: Callable[[Tensor], Tensor],
    draw: Callable[[int, torch.Generator], Tensor],
    render: Callable[[Tensor], Tensor],
    *,
    n_votes: int = 500,
    n_pairs: int = 32,
    n_repeats: int = 5,
    seed: int = 0,
) -> Score:
    """The beta-VAE score: how well a linear classifier tells which factor two images have in common (ICLR 2017).

    ``draw(n, generator)`` gives factors ``(n, K)``, ``render(factors)`` images and ``encode(images)`` latents
    ``(n, L)``. A vote fixes one factor k, draws ``n_pairs`` pairs that agree in it, and takes the mean absolute
    difference of their latents; from half of ``n_votes`` votes logistic regression learns to say k, on the other half
    it is scored. From 1/K, chance, to 1; the spread is over ``n_repeats`` scores with other draws.
    """
    from sklearn.linear_model import LogisticRegression

    scores = []
    for repeat in range(n_repeats):
        generator = torch.Generator().manual_seed(seed + repeat)
        differences, answers = [], []
        n_factors = draw(1, generator).shape[1]
        for vote in range(n_votes):
            k = vote % n_factors
            one, other = draw(n_pairs, generator), draw(n_pairs, generator)
            other[:, k] = one[:, k]
            z = encode(render(torch.cat([one, other]))).detach()
            differences.append((z[:n_pairs] - z[n_pairs:]).abs().mean(0))
            answers.append(k)
        table, labels = torch.stack(differences), torch.tensor(answers)
        scaled = (table / table.std(0).clamp_min(1e-12)).cpu().numpy()
        half = n_votes // 2
        probe = LogisticRegression(max_iter=1000).fit(scaled[:half], labels[:half].numpy())
        scores.append(probe.score(scaled[half:], labels[half:].numpy()))
    found = torch.tensor(scores, dtype=torch.float64)
    return Score(float(found.mean()), float(found.std()) if n_repeats > 1 else float("nan"))
