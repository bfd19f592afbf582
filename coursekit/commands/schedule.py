"""`course schedule`: minutes and points of lectures and assignments, as Markdown."""

import argparse

from coursekit import schedule
from coursekit.settings import find_settings


def main(arguments: argparse.Namespace) -> int:
    """Print the schedule, or put it into the file that is named."""
    settings = find_settings(arguments.course)
    if arguments.into is None:
        print(schedule.text(settings), end="")
    else:
        changed = schedule.refresh(settings, arguments.into)
        print(f"{arguments.into}: {'the schedule was brought up to date' if changed else 'nothing to change'}")
    return 0
