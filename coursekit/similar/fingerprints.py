"""Fingerprints of a sequence of tokens: hashes of a few tokens in a row, thinned by winnowing.

S. Schleimer, D. Wilkerson, A. Aiken: Winnowing, local algorithms for document fingerprinting, 2003.
"""

import hashlib
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from copydetect.utils import winnow
from numpy.typing import NDArray

LENGTH = 8  # tokens of a fingerprint: nothing shorter is ever a match
WINDOW = 3  # whatever is LENGTH + WINDOW - 1 = 10 tokens long and the same in two submissions is found

Hashes = NDArray[np.uint64]
_BASE, _MIX = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)


@lru_cache(maxsize=100_000)
def _code(text: str) -> int:
    """The same number for a token in every run; Python's own hash(), which copydetect takes, changes with each."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "little")


def hashes(texts: Sequence[str]) -> Hashes:
    """A hash of every LENGTH tokens in a row: (max(len(texts) - LENGTH + 1, 0),)."""
    n = len(texts) - LENGTH + 1
    if n < 1:
        return np.empty(0, np.uint64)
    codes = np.fromiter(map(_code, texts), np.uint64, len(texts))
    total = np.zeros(n, np.uint64)
    for place in range(LENGTH):  # a polynomial modulo 2^64
        total = total * _BASE + codes[place : place + n]
    total ^= total >> np.uint64(31)  # winnowing takes the smallest of a window: mixed, that is an arbitrary one
    total *= _MIX
    return total ^ (total >> np.uint64(29))


def chosen(found: Hashes) -> NDArray[np.bool_]:
    """Which hashes winnowing keeps: of every WINDOW in a row at least one, and the same one in every copy."""
    kept = np.zeros(len(found), bool)
    if len(found) >= WINDOW:
        kept[winnow(found, WINDOW, remove_duplicates=False)[1]] = True
    elif len(found):
        kept[found.argmin()] = True
    return kept


def distinct(sequences: Iterable[Sequence[str]]) -> Hashes:
    """Every hash of these sequences once, none left out: of the release, all of which is subtracted."""
    return np.unique(np.concatenate([np.empty(0, np.uint64), *map(hashes, sequences)]))


def among(found: Hashes, known: Hashes) -> NDArray[np.bool_]:
    """Which hashes are among `known`, which is sorted; np.isin would sort both once more for every cell."""
    places = np.searchsorted(known, found)
    return np.append(known, np.uint64(0))[places] == found if len(known) else np.zeros(len(found), bool)


def spread(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """For each token the largest value of a fingerprint that lies over it; `values` stand where one begins."""
    found = values.copy()
    for step in range(1, LENGTH):
        np.maximum(found[step:], values[:-step], out=found[step:])
    return found


def most_sharing(n: int) -> float:
    """From so many submissions on, a shared fingerprint says nothing: a third of them, and 4 in a small class."""
    return max(n / 3, 4.0)


def rarity(count: NDArray[np.int64], n: int) -> NDArray[np.float32]:
    """Weight of a fingerprint that `count` of `n` submissions have: 1 for one or two, falling with the logarithm to 0
    for `most_sharing(n)`, because an exercise of ten lines is written alike by many who never met."""
    weight = 1 - np.log(np.maximum(count, 2) / 2) / np.log(most_sharing(n) / 2)
    return np.clip(weight, 0, 1).astype(np.float32)
