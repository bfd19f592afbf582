"""How much of each submission is in each other one, and which pairs stand out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coursekit.similar.corpus import Corpus
from coursekit.similar.fingerprints import spread

LEAST = 0.45  # strength from which a pair is listed; of 10,000 honest ones up to 3 get there (benchmarks/similar.py)
DOUBT = 30.0  # as if everybody had so many more tokens of their own: little code is never strong evidence


@dataclass(frozen=True)
class Pair:
    """Two submissions by their numbers; `shares` is the part of each one's own tokens that is in the other."""

    first: int
    second: int
    strength: float
    shares: tuple[float, float]


@dataclass(frozen=True)
class Comparison:
    """What of each submission is in each other one, weighted tokens.

    `shared` (N, N): of the row's tokens those that are in the column's; `own` (N,): tokens that could have been shared.
    """

    corpus: Corpus
    shared: NDArray[np.float32]
    own: NDArray[np.float64]

    def strengths(self) -> NDArray[np.float64]:
        """Symmetric, in [0, 1): the larger of the two shares, each with DOUBT added to the tokens; 0 on the diagonal
        and between two submissions that are both not of the class."""
        share = self.shared / (self.own[:, None] + DOUBT)
        found: NDArray[np.float64] = np.maximum(share, share.T)
        np.fill_diagonal(found, 0)
        outside = ~self.in_class
        found[np.ix_(outside, outside)] = 0
        return found

    @property
    def in_class(self) -> NDArray[np.bool_]:
        """Which submissions are of the class."""
        return np.array([submission.in_class for submission in self.corpus.submissions], bool)

    def share(self, index: int, other: int) -> float:
        """The part of a submission's own tokens that is in the other, in [0, 1]."""
        return float(self.shared[index, other] / self.own[index]) if self.own[index] > 0 else 0.0

    def of_class(self) -> NDArray[np.float64]:
        """The strengths of all pairs within the class."""
        inside = self.strengths()[np.ix_(self.in_class, self.in_class)]
        return inside[np.triu_indices(len(inside), 1)]

    def strongest(self, most: int, least: float = LEAST) -> list[Pair]:
        """The pairs of at least this strength, the strongest first, at most so many of them."""
        strengths = np.triu(self.strengths(), 1)
        rows, columns = np.nonzero((strengths >= least) & (strengths > 0))
        order = np.argsort(-strengths[rows, columns], kind="stable")[:most]
        pairs = [(int(rows[place]), int(columns[place])) for place in order]
        return [Pair(i, j, float(strengths[i, j]), (self.share(i, j), self.share(j, i))) for i, j in pairs]


def shared_tokens(corpus: Corpus, part: slice, other: slice) -> NDArray[np.float32]:
    """Weight of each token in `part`, (T,), where a fingerprint lies over it that is also in `other`; 0 elsewhere."""
    here = _Holder(corpus)
    here.hold(other)
    return here.shared(part)


class _Holder:
    """Says which fingerprints one submission has: asked of all the others at once."""

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus
        self.has = np.zeros(corpus.n_grams + 1, bool)

    def hold(self, part: slice) -> None:
        self.has[:] = False
        self.has[self.corpus.gram[part]] = True
        self.has[self.corpus.n_grams] = False

    def shared(self, part: slice) -> NDArray[np.float32]:
        weight = np.where(self.has[self.corpus.gram[part]], self.corpus.weight[part], np.float32(0))
        return np.where(self.corpus.own[part] > 0, spread(weight), np.float32(0))


def sums(values: NDArray[np.float32], places: NDArray[np.int64] | Sequence[int]) -> NDArray[np.float64]:
    """Sums from each place to the next."""
    total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    return np.diff(total[np.asarray(places)])


def compare(corpus: Corpus) -> Comparison:
    """Every submission with every other one, exactly: N passes over all tokens, O(N T) time, O(N^2 + T) memory."""
    n, holder = len(corpus.submissions), _Holder(corpus)
    shared = np.zeros((n, n), np.float32)
    for index in range(n):
        holder.hold(corpus.tokens_of(index))
        shared[:, index] = sums(holder.shared(slice(None)), corpus.places)
    return Comparison(corpus, shared, sums(corpus.own, corpus.places))
