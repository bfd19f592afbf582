"""What a release changes and for whom, in words."""

from collections.abc import Mapping, Sequence

from coursekit.outline import counted
from coursekit.release.differences import ADDED, POINTS, REMOVED, SEEN, Change
from coursekit.release.rows import Held

_MOST = 12  # names in one sentence


def names(students: Sequence[str]) -> str:
    """Students' names, so many as one can read."""
    rest = f" and {len(students) - _MOST} more" if len(students) > _MOST else ""
    return ", ".join(students[:_MOST]) + rest


def losses(found: Mapping[tuple[str, str], Mapping[str, str]]) -> str:
    """Cells with what people gave for them."""
    return "; ".join(
        f"'{cell}' ({names([f'{student} {what}' for student, what in sorted(given.items())])})"
        for (_, cell), given in sorted(found.items())
    )


def _list(changes: Sequence[Change], others: Sequence[str]) -> str:
    lines = [str(change) for change in changes] + [f"also: {other}" for other in others]
    return "".join(f"\n  - {line}" for line in lines)


def _graded(held: Held) -> str:
    return f"{counted(len(held.students), 'submission')} of it"


def refusal(assignment: str, held: Held, changes: Sequence[Change], others: Sequence[str]) -> str:
    """Why a plain release does nothing."""
    return (
        f"{assignment} was not released: the gradebook has {_graded(held)}, and cells would change:"
        f"{_list(changes, others)}\n"
        f"If that is what you want: course release --again {assignment}"
    )


def _for_graders(held: Held, changes: Sequence[Change]) -> list[str]:
    told = [
        f"Everybody who was graded ({names(held.students)}) is graded anew by the next `course grade`, which says "
        "whose score changed."
    ]
    gone = {(change.notebook, change.cell) for change in changes if change.kind == REMOVED}
    given = {key: what for key, what in held.by_hand.items() if key not in gone}
    if given:
        told.append(f"Points and comments of people stay as they are: {losses(given)}.")
    for change in changes:
        points = held.by_hand.get((change.notebook, change.cell), {})
        if change.kind == POINTS and points:
            told.append(f"'{change.cell}' now gives {change.after} points; look at those that people gave.")
    added = [change.cell for change in changes if change.kind == ADDED]
    if added:
        told.append(f"Until then the gradebook has no points for what is new: {', '.join(added)}.")
    return told


def _for_students(changes: Sequence[Change], others: Sequence[str]) -> list[str]:
    seen = list(dict.fromkeys(change.cell for change in changes if change.kind in SEEN))
    if not seen and not others:
        return ["Students see no difference; nobody has to update anything."]
    what = ", ".join([*(f"'{cell}'" for cell in seen), *others])
    return [
        f"Students who have begun bring {what} into their notebooks with `course update`, after you have published the "
        "new version. What was or will be handed in on the earlier release is graded on this one all the same."
    ]


def announcement(
    assignment: str,
    held: Held,
    changes: Sequence[Change],
    others: Sequence[str],
    lost: Mapping[tuple[str, str], Mapping[str, str]],
) -> str:
    """What is going to change and for whom; said before anything does."""
    if not changes and not others:
        return f"{assignment}: nothing changes."
    lines = [f"{assignment}: the gradebook has {_graded(held)}. This changes:{_list(changes, others)}"]
    lines += _for_graders(held, changes) if changes else []
    lines += [f"Thrown away, as you said: {losses(lost)}."] if lost else []
    lines += _for_students(changes, others)
    return "\n".join(lines)
