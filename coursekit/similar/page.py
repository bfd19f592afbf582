"""One HTML page with the pairs that look alike, side by side; no script runs in it and nothing is fetched."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from coursekit.files import write_atomic
from coursekit.pages import environment
from coursekit.report.questions import LONGEST_NAME, plain
from coursekit.similar.fingerprints import LENGTH, most_sharing
from coursekit.similar.pairs import LEAST, Comparison, Pair
from coursekit.similar.passages import Both, side_by_side


@dataclass(frozen=True)
class Shown:
    """One pair as the page shows it."""

    number: int
    names: tuple[str, str]
    pair: Pair
    questions: tuple[Both, ...]

    @property
    def alike(self) -> list[str]:
        """Questions of which more than half is in both, the most alike first."""
        shares = {both.question: max(side.share or 0.0 for side in both.sides) for both in self.questions}
        return sorted((name for name, share in shares.items() if share > 0.5), key=lambda name: -shares[name])


@dataclass(frozen=True)
class Overview:
    """What was compared, and how alike this class is on the whole."""

    in_class: int
    elsewhere: int
    usual: float | None  # median strength of a pair of the class; None: there is no pair
    high: float | None  # strength that one pair in a hundred exceeds
    many: int
    listed_from: float
    left_out: int  # pairs as strong as that for which there was no place


def overview(comparison: Comparison, listed: int, least: float = LEAST) -> Overview:
    """The figures at the top of the page."""
    strengths, inside = comparison.of_class(), int(comparison.in_class.sum())
    whole = len(comparison.own)
    strong = int((np.triu(comparison.strengths(), 1) >= least).sum())
    usual, high = np.quantile(strengths, [0.5, 0.99]).tolist() if len(strengths) else (None, None)
    return Overview(inside, whole - inside, usual, high, math.ceil(most_sharing(whole)), least, strong - listed)


def shown_pairs(comparison: Comparison, pairs: Sequence[Pair]) -> list[Shown]:
    """The pairs with everything that the page says about them."""
    found = []
    for number, pair in enumerate(pairs, start=1):
        names = [comparison.corpus.submissions[index].name for index in (pair.first, pair.second)]
        questions = tuple(side_by_side(comparison.corpus, pair))
        found.append(Shown(number, (plain(names[0], LONGEST_NAME), plain(names[1], LONGEST_NAME)), pair, questions))
    return found


def render(assignment: str, pairs: Sequence[Shown], about: Overview, left_out: Mapping[str, str]) -> str:
    """The page as one string of HTML, everything in it escaped; `left_out` says who is not compared, and why."""
    named = {plain(name, LONGEST_NAME): reason for name, reason in left_out.items()}
    template = environment().get_template("similar.html.j2")
    return template.render(assignment=assignment, pairs=pairs, about=about, left_out=named, length=LENGTH)


def write_page(path: Path, page: str) -> Path:
    """Write the page, and return where it lies."""
    write_atomic(path, page.encode("utf-8", "replace"))
    return path
