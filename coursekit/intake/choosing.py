"""Which of the files that a student handed in is which notebook of the assignment."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from coursekit.intake.archives import Refused
from coursekit.intake.names import plain, shown

MAX_COMPARED = 5  # candidates of one name that are read to see whether they are the same


@dataclass(frozen=True)
class Candidate:
    """A notebook that was found: where, as a student would say it, its file name, and how to get its bytes."""

    path: str
    name: str
    is_at_top: bool
    read: Callable[[], bytes]


def _same(candidates: Sequence[Candidate]) -> bool:
    """Whether candidates hold the same bytes; one that cannot be read differs from all."""
    try:
        return len(candidates) <= MAX_COMPARED and len({candidate.read() for candidate in candidates}) == 1
    except Refused:
        return False


def by_exact_name(name: str, found: Sequence[Candidate]) -> list[Candidate]:
    """The file of just this name where it belongs."""
    return [candidate for candidate in found if candidate.is_at_top and candidate.name == f"{name}.ipynb"]


def by_plain_name(name: str, found: Sequence[Candidate]) -> list[Candidate]:
    """Files whose names differ only by case, spaces, accents' encoding, a copy's number, or by their folder."""
    return [candidate for candidate in found if plain(candidate.name) == plain(name)]


def by_part_of_name(name: str, found: Sequence[Candidate]) -> list[Candidate]:
    """Files whose names contain the notebook's as whole words, such as one with the student's name in front."""
    return [candidate for candidate in found if f"-{plain(name)}-" in f"-{plain(candidate.name)}-"]


def one_of(name: str, found: Sequence[Candidate]) -> Candidate | None:
    """The only candidate, or the first of several that are the same; None without any, Refused when they differ."""
    if not found:
        return None
    if len(found) == 1 or _same(found):
        return found[0]
    listed = " and ".join(f"'{shown(candidate.path)}'" for candidate in found[:3])
    raise Refused(
        f"There are {len(found)} notebooks that could be {name}.ipynb, such as {listed}, and they are not the same; "
        f"hand in one notebook of that name."
    )


Rule = Callable[[str, Sequence[Candidate]], list[Candidate]]


def match(
    rules: Sequence[Rule],
    wanted: Sequence[str],
    found: Sequence[Candidate],
    chosen: dict[str, Candidate],
    problems: dict[str, str],
) -> None:
    """Choose by each rule in turn for what is still wanted; what is ambiguous becomes a problem and is not guessed."""
    for rule in rules:
        for name in sorted(wanted, key=len, reverse=True):  # the longer name first, where one contains another
            if name in chosen or name in problems:
                continue
            free = [candidate for candidate in found if candidate not in chosen.values()]
            try:
                candidate = one_of(name, rule(name, free))
            except Refused as error:
                problems[name] = str(error)
                continue
            if candidate:
                chosen[name] = candidate


def match_last(
    wanted: Sequence[str], found: Sequence[Candidate], chosen: dict[str, Candidate], problems: dict[str, str]
) -> None:
    """The only notebook that is left over serves as the only one that is missing, whatever its name."""
    missing = [name for name in wanted if name not in chosen and name not in problems]
    if len(missing) == 1 and not problems:
        match([lambda name, free: list(free)], missing, found, chosen, problems)
