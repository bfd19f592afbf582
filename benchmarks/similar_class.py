"""Simulated classes: people who work alone on a problem set of this course, and copies of what they hand in.

Honest people draw each answer from what the instructor wrote down for it (the solution, right answers of another kind,
misconceptions), and write it in habits of their own. That is harder than life: whoever draws the same alternative as
somebody else has the same text to begin with, and real people do not.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from similar_rewriting import DISGUISES, Rewriting, in_habits

from coursekit import notebooks
from coursekit.similar.corpus import Answer, Submission
from coursekit.variants import load_variants

ROOT = Path(__file__).resolve().parent.parent
HABITS = (0.15, 0.3, 0.45)  # how much of the code somebody writes otherwise than the instructor
PARTS = (1.0, 0.5, 0.25)  # of the questions that are copied
Cells = dict[str, str]


@dataclass(frozen=True)
class Copy:
    """Who copied what part from whom, in which disguise."""

    original: int
    copy: int
    disguise: str
    part: float


def _answer(source: str) -> str:
    return "\n".join(line for line in source.split("\n") if not line.strip().startswith("### "))


class Questions:
    """The questions of one problem set, with all that is written down as an answer to each."""

    def __init__(self, name: str) -> None:
        folder = next((ROOT / "solutions").glob(f"{name}-*"))
        self.solution: Cells = {}
        self.others: dict[str, list[str]] = {}
        self.release: list[Answer] = []
        for path in sorted(folder.glob("*.ipynb")):
            for cell in notebooks.loads((ROOT / "assignments" / folder.name / path.name).read_bytes()).cells:
                self.release.append(Answer(cell.source, cell.cell_type == "code"))
            for key, cell in notebooks.by_id(notebooks.loads(path.read_bytes())).items():
                if notebooks.is_answer(cell) and cell.cell_type == "code":
                    self.solution[key], self.others[key] = _answer(cell.source), []
        for variant in load_variants(folder):
            if variant.answer in self.others:
                self.others[variant.answer].append(_answer(variant.code))

    def honest(self, rng: random.Random, habits: Sequence[float] = HABITS, right: float = 0.3) -> Cells:
        """Somebody who works alone; `right` is the part that answers as the instructor does."""
        own = in_habits(rng.choice(habits))
        texts = {
            key: solution if rng.random() < right or not self.others[key] else rng.choice(self.others[key])
            for key, solution in self.solution.items()
        }
        return {key: rewritten(own, text, rng) for key, text in texts.items()}


def rewritten(rewriting: Rewriting, text: str, rng: random.Random) -> str:
    """The text rewritten, or as it is where it is no Python, as some misconceptions are."""
    try:
        return rewriting(text, rng)
    except SyntaxError:
        return text


def copied(original: Cells, own: Cells, disguise: str, part: float, rng: random.Random) -> Cells:
    """Own answers, with this part of the questions copied in disguise."""
    taken = set(rng.sample(sorted(original), round(part * len(original))))
    return {
        key: rewritten(DISGUISES[disguise], original[key], rng) if key in taken else text for key, text in own.items()
    }


def simulated(
    questions: Questions, n: int, seed: int, *, habits: Sequence[float] = HABITS, parts: Sequence[float] = PARTS
) -> tuple[list[Cells], list[Copy]]:
    """`n` people who work alone, and after them a copy of one of them for each disguise and part."""
    rng = random.Random(seed)
    cells = [questions.honest(rng, habits) for _ in range(n)]
    copies = []
    for disguise in DISGUISES:
        for part in parts:
            copies.append(Copy(rng.randrange(n), len(cells), disguise, part))
            original = cells[copies[-1].original]
            cells.append(copied(original, questions.honest(rng, habits), disguise, part, rng))
    return cells, copies


def submissions(cells: Sequence[Cells]) -> list[Submission]:
    """The same as what is compared."""
    return [
        Submission(f"student-{i:03d}", {key: Answer(text) for key, text in one.items()}) for i, one in enumerate(cells)
    ]
