"""What features are worth when labels are few: a linear classifier on top of them."""

import torch
from torch import Tensor


def few_labels(y: Tensor, n: int, *, generator: torch.Generator | None = None) -> Tensor:
    """Positions of ``n`` examples drawn at random, int64 ``(n,)``, as many of each class of ``y (N,)`` as can be.

    Raises ``ValueError`` when that is fewer than one for each class, or a class has not that many.
    """
    classes = y.unique().tolist()
    if not len(classes) <= n <= len(y):
        raise ValueError(f"received n={n} for {len(classes)} classes and {len(y)} labels; expected a number in between")
    order = torch.randperm(len(y), generator=generator).to(y.device)
    shares = [n // len(classes) + (index < n % len(classes)) for index in range(len(classes))]
    chosen = []
    for label, share in zip(classes, shares, strict=True):
        own = order[y[order] == label]
        if len(own) < share:
            raise ValueError(f"class {label} has {len(own)} examples; expected {share} of each. Ask for fewer labels.")
        chosen.append(own[:share])
    return torch.cat(chosen)


def few_label_accuracy(
    features: Tensor,
    y: Tensor,
    test_features: Tensor,
    test_y: Tensor,
    n_labels: int,
    *,
    n_repeats: int = 5,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Share of test examples that logistic regression gets right from ``n_labels`` labels, ``(n_repeats,)``.

    ``features (N, ...)`` with labels ``y (N,)`` are flattened; every repetition draws other labels, as many of each
    class, and their spread is the spread of the figure. Features are scaled by one number, their root mean square over
    all N examples, which needs no label and leaves their shape alone. scikit-learn's default penalty, C = 1.
    Raises ``ValueError`` as ``few_labels`` does.
    """
    from sklearn.linear_model import LogisticRegression

    if n_repeats < 1:
        raise ValueError(f"received {n_repeats=}; expected at least 1")
    flat, test_flat = features.flatten(1).detach(), test_features.flatten(1).detach()
    centre = flat.mean(0)
    scale = (flat - centre).square().mean().sqrt().clamp_min(torch.finfo(flat.dtype).tiny)
    train, test = (((part - centre) / scale).cpu().numpy() for part in (flat, test_flat))
    accuracies = []
    for _ in range(n_repeats):
        rows = few_labels(y, n_labels, generator=generator).cpu()
        probe = LogisticRegression(max_iter=1000).fit(train[rows.numpy()], y.cpu()[rows].numpy())
        accuracies.append(probe.score(test, test_y.cpu().numpy()))
    return torch.tensor(accuracies)
