"""All submissions as one row of tokens, each with the fingerprint that begins there and what it weighs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coursekit.similar import fingerprints
from coursekit.similar.tokens import MAX_CHARACTERS, Token, tokens, words

MAX_TOKENS = 10_000  # of one submission; an honest one of a problem set has 2000 at most


@dataclass(frozen=True)
class Answer:
    """What stands in one answer cell, or in a file that was found elsewhere."""

    source: str
    is_code: bool = True

    def tokens(self) -> list[Token]:
        """Its tokens: of Python, or words."""
        return tokens(self.source) if self.is_code else words(self.source)

    @property
    def is_cut(self) -> bool:
        """Whether it is too long to be compared as a whole."""
        return len(self.source) > MAX_CHARACTERS


@dataclass(frozen=True)
class Submission:
    """One submission: whose it is, its answers by name of the cell, and whether it is one of this class."""

    name: str
    answers: Mapping[str, Answer]
    in_class: bool = True


@dataclass(frozen=True)
class Corpus:
    """Arrays with one value for each token (T,), submission after submission and cell after cell.

    `gram` is the number of the fingerprint that begins at the token, `n_grams` where none does; `weight` is its weight,
    0 when the release has it too; `own` is the largest weight of a fingerprint over the token, 0 for the release's.
    """

    submissions: tuple[Submission, ...]
    starts: NDArray[np.int32]  # where the token begins in its cell's source, in characters
    ends: NDArray[np.int32]
    gram: NDArray[np.int32]
    weight: NDArray[np.float32]
    own: NDArray[np.float32]
    places: NDArray[np.int64]  # (N + 1,) where the tokens of each submission begin
    cells: tuple[tuple[slice, ...], ...]  # of each submission, the tokens of each of its answers
    n_grams: int
    cut: tuple[str, ...]  # submissions of which only the first part is compared

    def tokens_of(self, index: int) -> slice:
        """Where the tokens of a submission stand."""
        return slice(int(self.places[index]), int(self.places[index + 1]))


class _Row:
    """The row of tokens while it grows."""

    def __init__(self, released: fingerprints.Hashes) -> None:
        self.released = released
        self.starts: list[NDArray[np.int32]] = []
        self.ends: list[NDArray[np.int32]] = []
        self.hashes: list[fingerprints.Hashes] = []
        self.counts: list[NDArray[np.bool_]] = []
        self.is_released: list[NDArray[np.bool_]] = []
        self.places = [0]
        self.cells: list[tuple[slice, ...]] = []
        self.cut: list[str] = []

    def _add(self, found: Sequence[Token]) -> None:
        n = len(found)
        self.starts.append(np.fromiter((token.start for token in found), np.int32, n))
        self.ends.append(np.fromiter((token.end for token in found), np.int32, n))
        short = fingerprints.hashes([token.text for token in found])
        whole, counts, released = np.zeros(n, np.uint64), np.zeros(n, bool), np.zeros(n, bool)
        begin = slice(0, len(short))  # no fingerprint begins at the last tokens of a cell, so none leaves its cell
        whole[begin], released[begin] = short, fingerprints.among(short, self.released)
        counts[begin] = fingerprints.chosen(short) & ~released[begin]
        self.hashes.append(whole)
        self.counts.append(counts)
        self.is_released.append(released)

    def add(self, submission: Submission) -> None:
        """Append a submission's tokens."""
        place, left, cells, cut = self.places[-1], MAX_TOKENS, list[slice](), False
        for answer in submission.answers.values():
            found = answer.tokens()
            cut = cut or len(found) > left or answer.is_cut
            found = found[:left]
            left -= len(found)
            self._add(found)
            cells.append(slice(place, place + len(found)))
            place += len(found)
        self.places.append(place)
        self.cells.append(tuple(cells))
        if cut:
            self.cut.append(submission.name)

    def corpus(self, submissions: Sequence[Submission]) -> Corpus:
        """The row with numbers and weights instead of hashes."""
        n, places = len(submissions), np.array(self.places, np.int64)
        owner = np.repeat(np.arange(n), np.diff(places))
        counts = _joined(self.counts, bool)
        values, numbers = np.unique(_joined(self.hashes, np.uint64)[counts], return_inverse=True)
        gram = np.full(places[-1], len(values), np.int32)
        gram[counts] = numbers
        holders = np.unique(numbers.astype(np.int64) * n + owner[counts]) // max(n, 1)
        rarity = fingerprints.rarity(np.bincount(holders, minlength=len(values)), n)
        weight = np.append(rarity, np.float32(0))[gram]
        released = fingerprints.spread(_joined(self.is_released, np.float32)) > 0
        own = np.where(released, np.float32(0), fingerprints.spread(weight))
        starts, ends = _joined(self.starts, np.int32), _joined(self.ends, np.int32)
        cells, cut = tuple(self.cells), tuple(self.cut)
        return Corpus(tuple(submissions), starts, ends, gram, weight, own, places, cells, len(values), cut)


def _joined(parts: Sequence[NDArray[Any]], kind: type) -> NDArray[Any]:
    return np.concatenate([np.empty(0, kind), *parts]).astype(kind, copy=False)


def make_corpus(submissions: Sequence[Submission], release: Iterable[Answer]) -> Corpus:
    """The submissions, with what the release holds taken out of what counts."""
    row = _Row(fingerprints.distinct([token.text for token in answer.tokens()] for answer in release))
    for submission in submissions:
        row.add(submission)
    return row.corpus(submissions)
