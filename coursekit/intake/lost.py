"""Answer cells that lost their names: pasted into a new notebook, or saved by an editor that drops the marks.

Each is looked for by the names that it has to define, then by what is left of the released text, then by its place
between cells that were recognised. Where two cells could be the one, none is taken.
"""

from collections import Counter
from collections.abc import Sequence

from coursekit import notebooks
from coursekit.intake.cells import Submitted
from coursekit.intake.likeness import alike, asked_for, key, lines, share_kept, telling_lines, tokens
from coursekit.intake.recognising import Matching

MAX_CANDIDATES = 200
TEST_LIKENESS = 0.75  # of tokens; an edited copy of a test is more alike, an answer that uses the same names less
KEPT = 0.6  # share of the released lines that has to be left
MARGIN = 0.2  # by which the best cell has to be ahead of the next


def candidates(matching: Matching) -> list[int]:
    """Cells that could be an answer: without a name of ours, not empty, no copy of a cell of ours, edited or not."""
    ours = [cell for cell in matching.release.cells if not notebooks.is_answer(cell)]
    texts = {key(cell.source) for cell in ours}
    code = {tokens(cell.source) for cell in ours if cell.cell_type == "code"}
    stubs = {tokens(cell.source) for name, cell in matching.known.items() if matching.is_answer(name)}
    found: list[int] = []
    looked_at = 0
    for index, item in enumerate(matching.submitted):
        if item.grade_id in matching.known or not item.source.strip() or matching.keys[index] in texts:
            continue
        looked_at += 1
        if looked_at > MAX_CANDIDATES:
            break
        if not (item.is_code and _is_like_a_test(item, code, stubs)):
            found.append(index)
    return found


Tokens = tuple[str, ...]


def _is_like_a_test(item: Submitted, code: set[Tokens], stubs: set[Tokens]) -> bool:
    words = tokens(item.source)
    like = max((alike(words, other) for other in code), default=0.0)
    return like >= TEST_LIKENESS and like > max((alike(words, stub) for stub in stubs), default=0.0)


class Search:
    """Finds cells for the answers that are missing, and writes a sentence about each."""

    def __init__(self, matching: Matching, found: Sequence[int]) -> None:
        self.matching = matching
        self.candidates = list(found)
        self.lines = {index: lines(matching.submitted[index].source) for index in found}
        self.order = {notebooks.grade_id(cell) or "": place for place, cell in enumerate(matching.release.cells)}
        self.texts = self._places_of_texts()

    def _places_of_texts(self) -> dict[int, int]:
        """Place in the release -> place in the submission, of the cells whose text occurs once in both."""
        matching = self.matching
        theirs = Counter(matching.keys)
        ours = Counter(key(cell.source) for cell in matching.release.cells)
        where = {text: index for index, text in enumerate(matching.keys)}
        return {
            place: where[text]
            for place, cell in enumerate(matching.release.cells)
            if not notebooks.is_answer(cell) and ours[text := key(cell.source)] == theirs[text] == 1
        }

    def _gap(self, name: str) -> tuple[int, int, int, int] | None:
        """Recognised neighbours of a missing answer: its borders in the release and in the submission."""
        fixed = self.texts | {self.order[name]: index for name, index in self.matching.places.items()}
        place = self.order[name]
        before = max((other for other in fixed if other < place), default=None)
        after = min((other for other in fixed if other > place), default=None)
        if before is None and after is None:
            return None
        left = -1 if before is None else fixed[before]
        right = len(self.matching.submitted) if after is None else fixed[after]
        ours = (-1 if before is None else before, len(self.matching.release.cells) if after is None else after)
        return (*ours, left, right)

    def _suits(self, name: str, index: int) -> bool:
        cell = self.matching.known[name]
        same_kind = self.matching.submitted[index].is_code == (cell.cell_type == "code")
        return same_kind and not self.matching.is_untouched(name, index)

    def _distinct(self, indices: Sequence[int]) -> list[int]:
        """The first of each text."""
        first: dict[str, int] = {}
        for index in indices:
            first.setdefault(self.matching.keys[index], index)
        return list(first.values())

    def _within(self, name: str, indices: Sequence[int]) -> list[int]:
        gap = self._gap(name)
        return [index for index in indices if gap and gap[2] < index < gap[3]]

    def _take(self, name: str, index: int, how: str) -> None:
        self.matching.choose(name, index)
        self.matching.explained.add(name)
        self.matching.repairs.append(f"The answer cell '{name}' had lost its mark; it was recognised by {how}.")

    def _leave(self, name: str) -> None:
        self.matching.explained.add(name)
        self.matching.repairs.append(
            f"The answer cell '{name}' had lost its mark, and it is not clear which of your cells it is, so none was "
            f"taken; put your answer into that cell of a fresh copy of the assignment."
        )

    def by_names(self, name: str) -> None:
        """The one cell that defines what the answer has to define, or the one of several that is in the right place."""
        wanted = asked_for(self.matching.known[name].source)
        if not wanted:
            return
        able = self._distinct([i for i in self.candidates if wanted <= self.matching.names(i) and self._suits(name, i)])
        listed = ", ".join(sorted(wanted)[:4])
        if len(able) == 1:
            self._take(name, able[0], f"what it defines ({listed})")
        elif len(here := self._within(name, able)) == 1:
            self._take(name, here[0], f"what it defines ({listed}) and by its place")
        elif able:
            self._leave(name)
        else:
            self._in_another_answer(name, wanted)

    def _in_another_answer(self, name: str, wanted: frozenset[str]) -> None:
        """Two answer cells that were merged: the names of both stand in the one that is left."""
        for other, index in self.matching.places.items():
            if self.matching.is_answer(other) and wanted <= self.matching.names(index):
                self.matching.choose(name, index)
                self.matching.explained.add(name)
                self.matching.repairs.append(
                    f"The answer cell '{name}' was missing; what it should define stands in the cell '{other}', which "
                    f"was used for both."
                )
                return

    def by_likeness(self, name: str, others: Sequence[str]) -> None:
        """The one cell in which most of the released lines are left, well ahead of every other."""
        telling = telling_lines(self.matching.known[name].source, others)
        if len(telling) < 2:
            return
        free = [i for i in self.candidates if i not in self.matching.used and self._suits(name, i)]
        shares = {i: share_kept(telling, self.lines[i]) for i in self._distinct(free)}
        best = sorted((i for i in shares if shares[i] >= KEPT), key=lambda i: -shares[i])
        if len(best) == 1 or (best and shares[best[0]] - shares[best[1]] >= MARGIN):
            self._take(name, best[0], "what is left of the released cell")
        elif best:
            self._leave(name)

    def by_place(self, name: str) -> None:
        """The cells between two recognised neighbours, where as many are there as are missing.

        Only for answers that define no names, such as written ones: a cell that should define some and does not is
        not the answer, wherever it stands.
        """
        gap = self._gap(name)
        if gap is None or asked_for(self.matching.known[name].source):
            return
        kind = self.matching.known[name].cell_type
        lost = [other for other in self.matching.missing() if gap[0] < self.order[other] < gap[1]]
        lost = [other for other in lost if self.matching.known[other].cell_type == kind]
        free = [i for i in range(gap[2] + 1, gap[3]) if i in self.lines and i not in self.matching.used]
        free = [i for i in free if self.matching.submitted[i].is_code == (kind == "code")]
        if len(free) == len(lost):
            index = free[lost.index(name)]
            if self._suits(name, index):
                self._take(name, index, "its place in the notebook")
        elif any(self._suits(name, i) for i in free):
            self._leave(name)


def find_lost(matching: Matching, found: Sequence[int]) -> None:
    """Look for every answer that is missing, the surest evidence first."""
    search = Search(matching, found)
    stubs = {name: cell.source for name, cell in matching.known.items() if notebooks.is_answer(cell)}
    for name in matching.missing():
        search.by_names(name)
    for name in [name for name in matching.missing() if name not in matching.explained]:
        search.by_likeness(name, [stub for other, stub in stubs.items() if other != name])
    for name in [name for name in matching.missing() if name not in matching.explained]:
        search.by_place(name)
    for name in [name for name in matching.missing() if name not in matching.explained]:
        left = [index for index in found if matching.is_untouched(name, index) and index not in matching.used]
        if left:
            matching.choose(name, left[0])
