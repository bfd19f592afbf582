"""The bytes of what one student handed in, bounded, under names that any system can keep."""

from dataclasses import replace

from coursekit.collect.handed import File, HandedIn, Names
from coursekit.intake import archives
from coursekit.intake.archives import Budget, Refused
from coursekit.intake.names import is_notebook, plain, shown

MAX_FILES = 200  # of one student
_TIMES_STORED = 2  # all of a student's files together, as a multiple of the largest notebook that is read


def budget_of(max_bytes: int) -> Budget:
    """What the files of one student may take."""
    return Budget(max_bytes, _TIMES_STORED * max_bytes)


def _may_hold_answers(each: File) -> bool:
    return is_notebook(each.path[-1]) or archives.is_archive(each.path[-1])


def _newest_names(one: HandedIn, expected: list[str]) -> None:
    """Of files of one name, but for what Canvas appends, the last one counts; the others are kept."""
    for name in expected:
        alike = [
            each
            for each in one.files
            if len(each.path) == 1 and is_notebook(each.path[0]) and plain(each.path[0]) == plain(name)
        ]
        if len(alike) > 1 and len({each.order for each in alike}) > 1:
            last = max(alike, key=lambda each: each.order)
            one.files.remove(last)
            one.files.insert(0, replace(last, path=(f"{name}.ipynb",)))  # the first gets the name, see Names
            if last.path != one.files[0].path:
                one.remarks.append(f"Of {len(alike)} files '{name}' the one handed in last counts.")


def _bytes(number: int, each: File, budget: Budget) -> bytes:
    if number >= MAX_FILES:
        raise Refused(f"is one of more than {MAX_FILES}")
    if each.entry.trouble:
        raise Refused(each.entry.trouble)
    return each.entry.read(budget)


def read_files(one: HandedIn, expected: list[str], max_bytes: int) -> dict[tuple[str, ...], bytes]:
    """The files of one student, none when a notebook or an archive of hers cannot be read.

    Appends to her remarks. No file is larger than `max_bytes`, and all together are at most twice that.
    """
    _newest_names(one, expected)
    budget, names = budget_of(max_bytes), Names()
    found: dict[tuple[str, ...], bytes] = {}
    is_lost = False
    for number, each in enumerate(sorted(one.files, key=lambda each: not _may_hold_answers(each))):
        try:
            data = _bytes(number, each, budget)
        except Refused as error:
            is_lost = is_lost or _may_hold_answers(each)
            if len(one.remarks) < 5:
                one.remarks.append(f"'{shown('/'.join(each.path), 40)}' was not collected: it {error}.")
            continue
        found[names.take(each.path)] = data
    return {} if is_lost else found
