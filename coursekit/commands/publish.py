"""`course publish DIR`: the folder that students receive."""

import argparse

from coursekit.commands.common import course_of
from coursekit.release.publish import publish


def main(arguments: argparse.Namespace) -> int:
    """Write the folder and say how many files it has."""
    course = course_of(arguments)
    written = publish(course, arguments.folder.resolve())
    print(f"{len(written)} files in {arguments.folder.resolve()}")
    return 0
