"""Two-sample tests: whether samples of a model can be told from data, when there is no likelihood to compare."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from genlib.evaluate.doubles import in_double


class TwoSampleTest(NamedTuple):
    """A statistic, greater when the samples differ more, and the p-value of "both come from one distribution".

    If they do, the p-value is at most alpha with a probability of at most alpha, whatever the distribution and the
    number of examples. A small one says that the samples differ, and not by how much; a large one may also mean that
    the test does not see the difference, or that there are too few examples.
    """

    statistic: float
    p_value: float


def maximum_mean_discrepancy(a: Tensor, b: Tensor, *, bandwidth: float | None = None) -> float:
    """The squared maximum mean discrepancy of samples ``a (N, ...)`` and ``b (M, ...)``, estimated without bias.

    The kernel is exp(-|u - v|^2 / (2 bandwidth^2)), ``bandwidth`` being in units of the data and by default the median
    distance of two examples. It is 0 on average when the distributions are equal, so that an estimate may be negative
    (Gretton et al., JMLR 2012, equation 3). Raises ``ValueError`` for fewer than two examples or other shapes.
    """
    kernel = _kernel(*_flat(a, b), bandwidth)
    return float(_discrepancies(kernel, _indicator(len(a), len(kernel)).unsqueeze(0))[0])


def mmd_test(
    a: Tensor,
    b: Tensor,
    *,
    bandwidth: float | None = None,
    n_permutations: int = 500,
    generator: torch.Generator | None = None,
) -> TwoSampleTest:
    """Whether ``a (N, ...)`` and ``b (M, ...)`` differ: their squared MMD, beside those of random divisions of both.

    If the two come from one distribution, the division into a and b is as good as any other, so that the rank of its
    discrepancy is uniform: the p-value is that rank, and at least 1 / (n_permutations + 1). Arguments otherwise as in
    ``maximum_mean_discrepancy``. Memory and time grow with (N + M)^2: a few thousand examples at most.
    """
    if n_permutations < 1:
        raise ValueError(f"received {n_permutations=}; expected at least 1")
    kernel = _kernel(*_flat(a, b), bandwidth)  # the same for every division
    drawn_on = kernel.device if generator is None else generator.device
    order = torch.rand(n_permutations, len(kernel), generator=generator, device=drawn_on).argsort(1).to(kernel.device)
    given = _indicator(len(a), len(kernel)).to(kernel)
    found = _discrepancies(kernel, torch.cat([given.unsqueeze(0), given[order]]))
    # one that equals the given division but for rounding counts as equal
    as_great = int((found[1:] >= found[0] - 1e-12).sum())
    return TwoSampleTest(float(found[0]), (1 + as_great) / (1 + n_permutations))


def classifier_test(
    a: Tensor, b: Tensor, *, classifier: Any = None, generator: torch.Generator | None = None
) -> TwoSampleTest:
    """Whether ``a (N, ...)`` and ``b (N, ...)`` differ: the accuracy of a classifier that learned from half of each.

    It is asked about the other halves; 1/2 is chance, and the p-value is the probability that as many right answers
    or more come by tossing coins (Lopez-Paz and Oquab, arXiv:1610.06545, section 3). ``classifier`` is one of
    scikit-learn's, by default a network with one hidden layer on standardised values. What it learns says where the
    samples differ. Raises ``ValueError`` for samples of different sizes or fewer than 8 examples each.
    """
    from scipy.stats import binom
    from sklearn.base import clone
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    a, b = _flat(a, b)
    if len(a) != len(b) or len(a) < 8:
        raise ValueError(f"received {len(a)} and {len(b)} examples; expected as many of either, at least 8")
    drawn_on = None if generator is None else generator.device
    orders = [torch.randperm(len(a), generator=generator, device=drawn_on).to(a.device) for _ in range(2)]
    half = len(a) // 2
    parts = [x[order].cpu().numpy() for x, order in zip((a, b), orders, strict=True)]
    learned = torch.tensor([0, 1]).repeat_interleave(half).numpy()
    asked = torch.tensor([0, 1]).repeat_interleave(len(a) - half).numpy()
    if classifier is None:
        classifier = make_pipeline(StandardScaler(), MLPClassifier((64,), early_stopping=True, random_state=0))
    judge = clone(classifier).fit(torch.cat([torch.from_numpy(p[:half]) for p in parts]).numpy(), learned)
    answers = judge.predict(torch.cat([torch.from_numpy(p[half:]) for p in parts]).numpy())
    right = int((answers == asked).sum())
    # With as many of either class right answers vary no more than tosses of coins do (Hoeffding, 1956), whatever the
    # share of answers "a"; that holds for more right answers than the average, and below it nothing is claimed.
    p_value = float(binom.sf(right - 1, len(asked), 0.5)) if right > len(asked) / 2 + 1 else 1.0
    return TwoSampleTest(right / len(asked), p_value)


def _flat(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    if a.shape[1:] != b.shape[1:] or min(len(a), len(b)) < 2 or a.ndim < 2:
        raise ValueError(
            f"received shapes {tuple(a.shape)} and {tuple(b.shape)}; expected two or more examples of one shape, "
            "(N, ...) and (M, ...)"
        )
    a, b = in_double(a.flatten(1)), in_double(b.flatten(1))
    return a, b.to(a.device)


def _kernel(a: Tensor, b: Tensor, bandwidth: float | None) -> Tensor:
    """The kernel of all pairs of a and b together, ``(N + M, N + M)``, with zeros on the diagonal."""
    if bandwidth is not None and not bandwidth > 0:
        raise ValueError(f"received {bandwidth=}; expected a positive number")
    distances = torch.pdist(torch.cat([a, b]))
    # the median is of both samples together, so that it does not know which example is from which
    width = distances.median() if bandwidth is None else distances.new_tensor(bandwidth)
    if not width > 0:
        raise ValueError("half of all examples are equal, so that their median distance is 0; pass a bandwidth")
    n = len(a) + len(b)
    kernel = distances.new_zeros(n, n)
    kernel[*torch.triu_indices(n, n, 1, device=a.device)] = torch.exp(-0.5 * (distances / width).square())
    return kernel + kernel.T


def _indicator(n: int, total: int) -> Tensor:
    return (torch.arange(total) < n).double()


def _discrepancies(kernel: Tensor, first: Tensor) -> Tensor:
    """Unbiased squared discrepancies, ``(P,)``, of P divisions: ``first (P, N + M)`` is 1 for what is in the first."""
    first = first.to(kernel)
    second = 1 - first
    n, m = first[0].sum(), second[0].sum()
    inner = first @ kernel
    across = (inner * second).sum(1) / (n * m)
    own = (inner * first).sum(1) / (n * (n - 1))
    other = ((second @ kernel) * second).sum(1) / (m * (m - 1))
    return own + other - 2 * across
