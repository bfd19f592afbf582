"""An example class made from the instructor's solution: what each student hands in, and what should come of it."""

import copy
import symtable
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

from coursekit import notebooks
from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.grading import worker
from coursekit.release import release as releases
from coursekit.release.markers import Marks
from coursekit.variants import Variant, load_variants

NAMES = (
    "amira",
    "bruno",
    "chloe",
    "deniz",
    "elena",
    "farid",
    "greta",
    "hiro",
    "ines",
    "jonas",
    "kofi",
    "lucia",
    "mateo",
)
N_ALTERNATIVES = 2
N_MISCONCEPTIONS = 3
RAISES = 'raise RuntimeError("I did not get this far")'
NEVER_ENDS = "while True:\n    pass"

Key = tuple[str, str]  # notebook, grade_id
Release = dict[str, NotebookNode]


@dataclass(frozen=True)
class Expected:
    """What should come of a submission: tests that give all points, tests that give none, and what is said about it."""

    full: frozenset[Key] = frozenset()
    zero: frozenset[Key] = frozenset()
    state: str = worker.GRADED
    late: bool = False
    repaired: str = ""  # the cell that a repair must name; empty: nothing may have been repaired


@dataclass(frozen=True)
class Example:
    """One student of the example class."""

    student: str
    story: str
    files: dict[str, bytes]
    expected: Expected


@dataclass(frozen=True)
class Question:
    """Answer cells and the test cells that judge them; `touches` are tests of other questions that build on them."""

    notebook: str
    answers: tuple[str, ...]
    tests: tuple[str, ...]
    touches: frozenset[Key] = frozenset()

    @property
    def keys(self) -> frozenset[Key]:
        """The test cells as the gradebook knows them."""
        return frozenset((self.notebook, test) for test in self.tests)


def _scopes(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield table
    for child in table.get_children():
        yield from _scopes(child)


def _names(source: str) -> tuple[set[str], set[str]]:
    """Global names that a cell sets, and those that it uses anywhere; two empty sets when it is no Python."""
    try:
        top = symtable.symtable(TransformerManager().transform_cell(source), "cell", "exec")
    except SyntaxError:
        return set(), set()
    stored = {symbol.get_name() for symbol in top.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    used = {
        symbol.get_name()
        for table in _scopes(top)
        for symbol in table.get_symbols()
        if symbol.is_referenced() and (table is top or symbol.is_global())
    }
    return stored, used


def _touched(nb: NotebookNode, question: Question) -> frozenset[Key]:
    """Tests of other questions that use, directly or through other cells, what this question's answers define."""
    infected: set[str] = set()
    found = set()
    for cell in nb.cells:
        name = notebooks.grade_id(cell)
        if cell.cell_type != "code" or name in question.tests:
            continue
        stored, used = _names(cell.source)
        if name in question.answers:
            infected |= stored
        elif used & infected:
            infected |= stored
            if notebooks.is_test(cell):
                found.add((question.notebook, str(name)))
    return frozenset(found)


def questions_of(solution: Release) -> list[Question]:
    """The automatically graded questions of an assignment, in order."""
    found = []
    for notebook, nb in sorted(solution.items()):
        for part in notebooks.questions(nb):
            question = Question(notebook, tuple(part.answers), tuple(part.tests))
            if part.tests:
                found.append(replace(question, touches=_touched(nb, question)))
    return found


def _all_tests(questions: Iterable[Question]) -> frozenset[Key]:
    return frozenset(key for question in questions for key in question.keys)


class ExampleClass:
    """Makes the submissions of one assignment; raises CourseError when the assignment is too small for it."""

    def __init__(self, course: Course, assignment: str) -> None:
        self.marks = Marks.of(course.config)
        paths = releases.source_notebooks(course, assignment)
        self.solution = {path.stem: releases.read_source(path) for path in paths}
        released = releases.release_bytes(course, assignment)
        self.released = {name: notebooks.loads(released[name]) for name in self.solution}
        self.questions = questions_of(self.solution)
        if len(self.questions) < 2:
            raise CourseError(f"{assignment}: the demo needs at least two questions that are graded by tests.")
        self.tests = _all_tests(self.questions)
        self.variants = load_variants(course.source(assignment))

    def _answer(self, cell: NotebookNode) -> str:
        lines = cell.source.split("\n")
        return "\n".join(line for line in lines if self.marks.find(line) is None)

    def _solved(self) -> Release:
        """The released notebooks with the solution in the answer cells."""
        nbs = copy.deepcopy(self.released)
        for name, nb in nbs.items():
            answers = notebooks.by_id(self.solution[name])
            for grade_id, cell in notebooks.by_id(nb).items():
                if notebooks.is_answer(cell):
                    cell.source = self._answer(answers[grade_id])
        return nbs

    def _question(self, answer: str) -> Question | None:
        return next((question for question in self.questions if answer in question.answers), None)

    def _few(self, variants: Iterable[Variant], count: int) -> list[Variant]:
        """Variants of different answers, first those on which the fewest other tests build; then as in the notebook."""
        order = {answer: place for place, part in enumerate(self.questions) for answer in part.answers}
        chosen: dict[str, Variant] = {}
        for variant in variants:
            if variant.answer in order:
                chosen.setdefault(variant.answer, variant)
        ranked = sorted(chosen.values(), key=lambda variant: len(self.questions[order[variant.answer]].touches))
        return sorted(ranked[:count], key=lambda variant: order[variant.answer])

    def _alone(self) -> list[Question]:
        """Questions, first those on which the fewest other tests build; later ones first among equals."""
        return sorted(reversed(self.questions), key=lambda question: len(question.touches))

    def _replaced(self, answers: Sequence[str], code: str) -> dict[str, bytes]:
        nbs = self._solved()
        for nb in nbs.values():
            for name, cell in notebooks.by_id(nb).items():
                if name in answers:
                    cell.source = code
        return _files(nbs)

    def _variant(self, variant: Variant) -> dict[str, bytes]:
        code = "\n".join(line for line in variant.code.split("\n") if self.marks.find(line) is None)
        return self._replaced([variant.answer], code)

    def _misconception(self, variant: Variant) -> Expected:
        question = self._question(variant.answer)
        zero = frozenset(key for key in self.tests if key[1] in variant.fails)
        return Expected(full=self.tests - zero - (question.touches if question else frozenset()), zero=zero)

    def _half(self) -> tuple[dict[str, bytes], Expected]:
        kept = self.questions[: (len(self.questions) + 1) // 2]
        answers = {(question.notebook, answer) for question in kept for answer in question.answers}
        nbs = copy.deepcopy(self.released)
        for notebook, nb in self._solved().items():
            cells = notebooks.by_id(nb)
            for name, cell in notebooks.by_id(nbs[notebook]).items():
                if (notebook, name) in answers:
                    cell.source = cells[name].source
        full = _all_tests(kept)
        return _files(nbs), Expected(full=full, zero=self.tests - full)

    def _test_cells(self, change: Callable[[list[NotebookNode], int], None], question: Question) -> dict[str, bytes]:
        nbs = self._solved()
        cells = nbs[question.notebook].cells
        change(cells, next(i for i, cell in enumerate(cells) if notebooks.grade_id(cell) == question.tests[-1]))
        return _files(nbs)

    def examples(self) -> list[Example]:
        """The whole class, in the order of the students' names."""
        full, right = self.tests, Expected(full=self.tests)
        perfect = _files(self._solved())
        stuck, endless = self._alone()[1], self._alone()[0]
        first, last = self.questions[0], self.questions[-1]
        half, half_expected = self._half()
        broken = {name: data[: len(data) // 2] for name, data in perfect.items()}
        found: list[tuple[str, dict[str, bytes], Expected]] = [("the solution itself", perfect, right)]
        for variant in self._few((v for v in self.variants if v.right), N_ALTERNATIVES):
            found.append((f"right in another way: {variant.name}", self._variant(variant), right))
        for variant in self._few((v for v in self.variants if not v.right), N_MISCONCEPTIONS):
            story = f"a misconception: {variant.name}"
            found.append((story, self._variant(variant), self._misconception(variant)))
        found += [
            ("the second half is empty", half, half_expected),
            (
                f"raises an error in {stuck.answers[-1]}",
                self._replaced(stuck.answers[-1:], RAISES),
                Expected(full=full - stuck.keys - stuck.touches, zero=stuck.keys),
            ),
            (
                f"never ends in {endless.answers[-1]}",
                self._replaced(endless.answers[-1:], NEVER_ENDS),
                Expected(full=full - endless.keys - endless.touches, zero=endless.keys, state=worker.TIMED_OUT),
            ),
            ("right, but late", perfect, Expected(full=full, late=True)),
            (
                f"deleted the test cell {first.tests[-1]}",
                self._test_cells(_delete, first),
                Expected(full=full, repaired=first.tests[-1]),
            ),
            (
                f"has the test cell {last.tests[-1]} twice",
                self._test_cells(_duplicate, last),
                Expected(full=full, repaired=last.tests[-1]),
            ),
            ("the file is cut off", broken, Expected(zero=full, state=worker.UNREADABLE)),
        ]
        return [Example(name, *rest) for name, rest in zip(NAMES, found, strict=False)]


def _delete(cells: list[NotebookNode], index: int) -> None:
    del cells[index]


def _duplicate(cells: list[NotebookNode], index: int) -> None:
    twin = copy.deepcopy(cells[index])
    twin["id"] = f"{twin['id'][:40]}-copy"
    cells.insert(index + 1, twin)


def _files(nbs: Release) -> dict[str, bytes]:
    return {f"{name}.ipynb": notebooks.dumps(nb) for name, nb in nbs.items()}


def write_submission(folder: Path, example: Example, timestamp: str) -> None:
    """Put what one student hands in where the course expects it."""
    folder.mkdir(parents=True)
    for name, data in example.files.items():
        (folder / name).write_bytes(data)
    (folder / "timestamp.txt").write_text(f"{timestamp}\n", encoding="utf-8")
