"""What every command needs first."""

import argparse
from pathlib import Path

from coursekit.course import Course, find_root


def course_of(arguments: argparse.Namespace) -> Course:
    """The course that the command is about: --course DIR, otherwise the nearest one above the current folder."""
    return Course(find_root(arguments.course if arguments.course is not None else Path.cwd()))
