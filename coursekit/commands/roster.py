"""`course roster FILE.csv`: the students of a file into the gradebook."""

import argparse

from coursekit.collect.roster import import_students
from coursekit.commands.common import course_of
from coursekit.intake.names import shown

MOST_NAMES = 20


def _some(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(shown(name) for name in names[:MOST_NAMES]) + more


def main(arguments: argparse.Namespace) -> int:
    """Import the students and say what changed."""
    changes = import_students(course_of(arguments), arguments.file, arguments.id_column)
    for text in changes.changed:
        print(f"changed  {shown(text, 200)}")
    if changes.added:
        print(f"added    {_some(changes.added)}")
    for remark in changes.remarks:
        print(shown(remark, 300))
    if changes.only_here:
        print(f"In the gradebook, not in the file, and kept: {_some(changes.only_here)}")
    print(f"{len(changes.added)} added, {len(changes.changed)} changed, {len(changes.unchanged)} unchanged")
    return 0
