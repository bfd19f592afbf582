"""How well copies are told from work done alone, beside copydetect's own measure and difflib; time for 500 submissions.

    python benchmarks/similar.py [--quick]

The threshold of every measure is set so that the same share of honest pairs is above it, one in a thousand; then the
copies above it are counted. The row of `course similar` with the threshold that it uses comes first.
"""

import difflib
import io
import resource
import sys
import time
from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
from _common import machine, table
from copydetect.detector import CodeFingerprint, compare_files
from numpy.typing import NDArray
from similar_class import PARTS, Cells, Copy, Questions, simulated, submissions
from similar_rewriting import DISGUISES

from coursekit.similar import fingerprints
from coursekit.similar.corpus import make_corpus
from coursekit.similar.pairs import LEAST, compare

Measure = Callable[[Questions, Sequence[Cells]], NDArray[np.float64]]


def ours(questions: Questions, cells: Sequence[Cells]) -> NDArray[np.float64]:
    """`course similar`."""
    return compare(make_corpus(submissions(cells), questions.release)).strengths()


def without_rarity(questions: Questions, cells: Sequence[Cells]) -> NDArray[np.float64]:
    """The same, but what the whole class writes counts as much as anything else."""
    kept, fingerprints.rarity = fingerprints.rarity, lambda count, n: np.ones(len(count), np.float32)
    try:
        return ours(questions, cells)
    finally:
        fingerprints.rarity = kept


def without_release(questions: Questions, cells: Sequence[Cells]) -> NDArray[np.float64]:
    """The same, but the release's own code counts too."""
    return compare(make_corpus(submissions(cells), [])).strengths()


def by_copydetect(questions: Questions, cells: Sequence[Cells]) -> NDArray[np.float64]:
    """copydetect's similarity with its default settings, the larger of the two; the release as boilerplate."""

    def fingerprint(text: str, window: int, known: NDArray[np.int64] | None = None) -> CodeFingerprint:
        return CodeFingerprint("a.py", 25, window, known, fp=io.StringIO(text))

    code = "\n".join(answer.source for answer in questions.release if answer.is_code)
    known = np.unique(list(fingerprint(code, 1).hashes))
    found = [fingerprint("\n".join(one.values()), 6, known) for one in cells]
    result = np.zeros((len(cells), len(cells)))
    for i, j in combinations(range(len(cells)), 2):
        result[i, j] = result[j, i] = max(compare_files(found[i], found[j])[1])
    return result


def by_difflib(questions: Questions, cells: Sequence[Cells]) -> NDArray[np.float64]:
    """The ratio of difflib.SequenceMatcher over lines without space at their ends, whole submissions."""
    lines = [[line.strip() for text in one.values() for line in text.split("\n")] for one in cells]
    result = np.zeros((len(cells), len(cells)))
    for i, j in combinations(range(len(cells)), 2):
        result[i, j] = result[j, i] = difflib.SequenceMatcher(None, lines[i], lines[j], autojunk=False).ratio()
    return result


MEASURES: dict[str, Measure] = {
    "course similar": ours,
    "without rarity": without_rarity,
    "without subtracting the release": without_release,
    "copydetect 0.5": by_copydetect,
    "difflib, lines": by_difflib,
}


class Tally:
    """Strengths of honest pairs and of copies, over several classes."""

    def __init__(self) -> None:
        self.honest: list[NDArray[np.float64]] = []
        self.copies: dict[tuple[str, float], list[float]] = {}

    def add(self, strengths: NDArray[np.float64], n: int, copies: Sequence[Copy]) -> None:
        self.honest.append(strengths[np.triu_indices(n, 1)])
        for copy in copies:
            found = float(strengths[copy.original, copy.copy])
            self.copies.setdefault((copy.disguise, copy.part), []).append(found)

    def all_honest(self) -> NDArray[np.float64]:
        return np.concatenate(self.honest)

    def found(self, disguise: str, part: float, threshold: float) -> str:
        return f"{100 * np.mean(np.array(self.copies[disguise, part]) >= threshold):.0f}"


def tallies(names: Sequence[str], n: int, seeds: int, measures: dict[str, Measure]) -> dict[str, Tally]:
    found = {name: Tally() for name in measures}
    for assignment in names:
        questions = Questions(assignment)
        for seed in range(seeds):
            cells, copies = simulated(questions, n, seed)
            for name, measure in measures.items():
                found[name].add(measure(questions, cells), n, copies)
    return found


def detection(title: str, found: dict[str, Tally]) -> None:
    rows = []
    for name, tally in found.items():
        honest = tally.all_honest()
        levels = [LEAST] if name == "course similar" else []
        for threshold in (*levels, float(np.quantile(honest, 0.999))):
            alarms = f"{np.mean(honest >= threshold):.1e}"
            rows.append((name, f"{threshold:.2f}", alarms, *_rates(tally, threshold)))
    parts = [f"{disguise}" for disguise in DISGUISES]
    table(title, ["measure", "threshold", "honest pairs above", *parts], rows)


def _rates(tally: Tally, threshold: float) -> list[str]:
    return [", ".join(tally.found(disguise, part, threshold) for part in PARTS) for disguise in DISGUISES]


def false_alarms(n: int, seeds: int) -> None:
    """Classes of honest people only, each problem set alone; ps1 was not looked at when the threshold was chosen."""
    rows = []
    for assignment in ("ps1", "ps2", "ps4"):
        questions = Questions(assignment)
        for habits in ((0.15, 0.3, 0.45), (0.0,)):
            tally = Tally()
            for seed in range(seeds):
                cells, _ = simulated(questions, n, 1000 + seed, habits=habits, parts=())
                tally.add(ours(questions, cells), n, [])
            honest = tally.all_honest()
            median, high = np.quantile(honest, [0.5, 0.999])
            row = (
                f"{median:.2f}",
                f"{high:.2f}",
                f"{honest.max():.2f}",
                f"{np.mean(honest >= LEAST):.1e}",
                len(honest),
            )
            rows.append((assignment, "own" if habits[0] else "none: exact variants", *row))
    header = ["problem set", "habits", "median", "99.9 %", "largest", f"above {LEAST}", "pairs"]
    table(f"Strengths of honest pairs in classes of {n}", header, rows)


def large(n: int) -> None:
    questions = Questions("ps4")
    cells, _ = simulated(questions, n, 0, parts=())
    begun, before = time.process_time(), _memory()
    corpus = make_corpus(submissions(cells), questions.release)
    made = time.process_time()
    comparison = compare(corpus)
    compared = time.process_time()
    comparison.strongest(50)
    row = [
        n,
        n * (n - 1) // 2,
        len(corpus.gram),
        f"{made - begun:.1f} s",
        f"{compared - made:.1f} s",
        f"{_memory() - before:.0f} MB",
    ]
    table(
        "A large class, one process; seconds of processor time",
        ["submissions", "pairs", "tokens", "tokens and fingerprints", "all pairs", "memory"],
        [row],
    )


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def main(quick: bool) -> None:
    print(f"machine: {machine()}")
    large(100 if quick else 500)
    false_alarms(60 if quick else 200, 1 if quick else 2)
    title = "Copies found, in per cent, of the whole, of half and of a quarter of the questions, by disguise"
    found = tallies(("ps2", "ps4"), 40, 1 if quick else 5, MEASURES)
    detection(title, found)


if __name__ == "__main__":
    main("--quick" in sys.argv[1:])
