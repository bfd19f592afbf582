"""Where two submissions say the same: passages of an answer's text, numbered alike on both sides."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from coursekit.similar.corpus import Corpus
from coursekit.similar.fingerprints import LENGTH
from coursekit.similar.pairs import Pair, shared_tokens

SHOWN = 20_000  # characters of one answer in the page
FEW = 10.0  # own tokens below which the share of an answer says nothing


@dataclass(frozen=True)
class Piece:
    """Text of one answer; a shared passage has the numbers of the same passages on the other side."""

    text: str
    numbers: tuple[int, ...] = ()
    is_shared: bool = False


@dataclass(frozen=True)
class Side:
    """One submission's answer to a question: its text in pieces, and the share of its own tokens that is shared."""

    pieces: tuple[Piece, ...] = ()
    share: float | None = None  # None: too few tokens of its own
    is_cut: bool = False


@dataclass(frozen=True)
class Both:
    """One question, answered by both."""

    question: str
    sides: tuple[Side, Side]

    @property
    def matches(self) -> bool:
        """Whether anything in it is marked."""
        return any(piece.is_shared for side in self.sides for piece in side.pieces)


@dataclass
class _Half:
    """What of one submission is in the other: runs of tokens with something in common."""

    index: int
    weight: NDArray[np.float32]  # of each of its tokens
    runs: list[list[slice]]  # of each cell
    numbers: dict[int, tuple[int, ...]] = field(default_factory=dict)  # of a run, by its first token


def _runs(weight: NDArray[np.float32], begin: int) -> list[slice]:
    """Tokens of a cell in a row that are shared, as slices of the corpus; the cell begins at `begin`."""
    inside = np.concatenate([[False], weight > 0, [False]])
    edges = np.flatnonzero(np.diff(inside)) + begin
    return [slice(int(first), int(last)) for first, last in zip(edges[::2], edges[1::2], strict=True)]


def _half(corpus: Corpus, index: int, other: int) -> _Half:
    part = corpus.tokens_of(index)
    weight = shared_tokens(corpus, part, corpus.tokens_of(other))
    cells = corpus.cells[index]
    runs = [_runs(weight[cell.start - part.start : cell.stop - part.start], cell.start) for cell in cells]
    return _Half(index, weight, runs)


def _grams(corpus: Corpus, run: slice) -> set[int]:
    """Fingerprints that lie over a run, also those that begin before it."""
    return set(corpus.gram[max(0, run.start - LENGTH + 1) : run.stop].tolist()) - {corpus.n_grams}


def _number(corpus: Corpus, first: _Half, second: _Half) -> None:
    """Runs of the first side get numbers, those of the second the numbers of all that they have something of."""
    holders: dict[int, set[int]] = {}
    for number, run in enumerate((run for runs in first.runs for run in runs), start=1):
        first.numbers[run.start] = (number,)
        for gram in _grams(corpus, run):
            holders.setdefault(gram, set()).add(number)
    for run in (run for runs in second.runs for run in runs):
        found = set().union(*(holders.get(gram, set()) for gram in _grams(corpus, run)))
        second.numbers[run.start] = tuple(sorted(found))


def visible(text: str) -> str:
    """Code as it is written, without characters that turn the direction of the text or are not seen."""
    return "".join(
        letter if letter.isprintable() or letter in "\n\t" else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def _pieces(corpus: Corpus, source: str, half: _Half, cell: int) -> list[Piece]:
    found, place = [], 0
    for run in half.runs[cell]:
        start, end = int(corpus.starts[run.start]), int(corpus.ends[run.stop - 1])
        found += [Piece(visible(source[place:start])), Piece(visible(source[start:end]), half.numbers[run.start], True)]
        place = end
    return [piece for piece in (*found, Piece(visible(source[place:]))) if piece.text]


def _short(pieces: Iterable[Piece]) -> tuple[tuple[Piece, ...], bool]:
    """The first SHOWN characters, and whether there were more."""
    kept, left = list[Piece](), SHOWN
    for piece in pieces:
        if left <= 0:
            return tuple(kept), True
        kept.append(replace(piece, text=piece.text[:left]))
        left -= len(piece.text)
    return tuple(kept), left < 0


def _sides(corpus: Corpus, half: _Half) -> dict[str, Side]:
    found = {}
    begin = corpus.tokens_of(half.index).start
    for place, (name, answer) in enumerate(corpus.submissions[half.index].answers.items()):
        cell = corpus.cells[half.index][place]
        own, shared = corpus.own[cell].sum(), half.weight[cell.start - begin : cell.stop - begin].sum()
        pieces, is_cut = _short(_pieces(corpus, answer.source, half, place))
        found[name] = Side(pieces, float(shared / own) if own >= FEW else None, is_cut)
    return found


def side_by_side(corpus: Corpus, pair: Pair) -> list[Both]:
    """Every question that one of the two has answered, in the order of the first one's notebook."""
    first, second = _half(corpus, pair.first, pair.second), _half(corpus, pair.second, pair.first)
    _number(corpus, first, second)
    left, right = _sides(corpus, first), _sides(corpus, second)
    return [Both(visible(name), (left.get(name, Side()), right.get(name, Side()))) for name in {**left, **right}]
