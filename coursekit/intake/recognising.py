"""Which cell of a submission counts as which cell of the assignment, as far as their names tell."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from nbformat import NotebookNode

from coursekit import notebooks
from coursekit.intake.cells import MAX_CODE, Submitted
from coursekit.intake.likeness import asked_for, defined, key


@dataclass
class Matching:
    """What was recognised so far; cells of the submission are named by their index, ours by their grade_id."""

    submitted: Sequence[Submitted]
    release: NotebookNode
    known: dict[str, NotebookNode]
    chosen: dict[str, Submitted] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)
    copies: dict[str, list[int]] = field(default_factory=dict)  # all cells that carry the name
    explained: set[str] = field(default_factory=set)  # cells of which nobody has to be told that they are missing
    used: set[int] = field(default_factory=set)  # cells without a name of ours that count nevertheless
    repairs: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Everything that is asked for again and again, once: a cell may have a million characters."""
        self.keys = [key(item.source) for item in self.submitted]
        self.stub_keys = {name: key(cell.source) for name, cell in self.known.items()}
        self._names: dict[int, frozenset[str]] = {}

    def names(self, index: int) -> frozenset[str]:
        """What a cell of the submission defines."""
        if index not in self._names:
            self._names[index] = defined(self.submitted[index].source) if self.submitted[index].is_code else frozenset()
        return self._names[index]

    def choose(self, name: str, index: int) -> None:
        """Let a cell of the submission count as the cell of this name."""
        self.chosen[name] = self.submitted[index]
        self.places[name] = index
        if self.submitted[index].grade_id not in self.known:
            self.used.add(index)

    def is_untouched(self, name: str, index: int) -> bool:
        """Whether a cell of the submission is the released one of this name, word for word, or of an earlier one."""
        item = self.submitted[index]
        same = self.keys[index] == self.stub_keys[name] or (item.untouched and item.grade_id == name)
        return same and not item.too_long

    def is_answer(self, name: str) -> bool:
        """Whether the student writes into the cell of this name."""
        return notebooks.is_answer(self.known[name])

    def missing(self) -> list[str]:
        """Names of the answer cells that nothing counts as, in the order of the assignment."""
        return [name for name in self.known if self.is_answer(name) and name not in self.chosen]


def by_name(matching: Matching) -> None:
    """Cells that carry a name of the assignment: the first copy, of an answer the first that was changed."""
    for index, item in enumerate(matching.submitted):
        if item.grade_id in matching.known:
            matching.copies.setdefault(item.grade_id, []).append(index)
    for name, indices in matching.copies.items():
        changed = [index for index in indices if matching.is_answer(name) and not matching.is_untouched(name, index)]
        matching.choose(name, (changed or indices)[0])


def by_text(matching: Matching) -> None:
    """Locked cells that lost their names but not their text, told in one sentence."""
    texts = Counter(
        text
        for text, item in zip(matching.keys, matching.submitted, strict=True)
        if item.grade_id not in matching.known
    )
    found = 0
    for name, text in matching.stub_keys.items():
        if name not in matching.chosen and not matching.is_answer(name) and texts[text] > 0:
            texts[text] -= 1
            found += 1
            matching.explained.add(name)
    if found:
        cells = "1 locked cell" if found == 1 else f"{found} locked cells"
        matching.repairs.append(
            f"{cells} had lost the mark that some editors remove when they save; the text told what was what."
        )


def _other_parts(matching: Matching, name: str, candidates: Sequence[int]) -> list[int]:
    """Cells that define what an answer cell lacks and nothing that it has; each name only where just one text does."""
    here = matching.names(matching.places[name])
    found = set()
    for wanted in asked_for(matching.known[name].source) - here if here else ():
        able = [index for index in candidates if wanted in matching.names(index)]
        able = [index for index in able if here.isdisjoint(matching.names(index))]
        if len({matching.keys[index] for index in able}) == 1:
            found.add(able[0])
    return sorted(found)


def join_halves(matching: Matching, candidates: Sequence[int]) -> None:
    """Answer cells that were split in two, which editors do in one keystroke: with the name on both or on one half."""
    for name, place in list(matching.places.items()):
        if not matching.is_answer(name) or not matching.submitted[place].is_code:
            continue
        copies = [index for index in matching.copies.get(name, []) if index != place]
        parts = _other_parts(matching, name, [*copies, *candidates])
        order = sorted([place, *parts])
        source = "\n\n\n".join(matching.submitted[index].source.strip("\n") for index in order)
        if not parts or len(source) > MAX_CODE:
            continue
        matching.chosen[name] = replace(matching.submitted[place], source=source)
        matching.used.update(set(parts) - set(copies))
        matching.copies[name] = [index for index in matching.copies.get(name, []) if index not in parts]
        matching.repairs.append(f"The answer cell '{name}' had been split; its {len(order)} parts were joined.")


def tell_copies(matching: Matching) -> None:
    """A sentence for every name that several cells carry."""
    for name, indices in matching.copies.items():
        if len(indices) > 1:
            which = "the first one" if matching.places[name] == indices[0] else "the first one that was changed"
            matching.repairs.append(f"The cell '{name}' was there {len(indices)} times; {which} was used.")
