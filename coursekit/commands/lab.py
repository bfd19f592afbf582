"""`course lab`: JupyterLab on the course folder."""

import argparse
import subprocess
import sys

from coursekit.commands.common import course_of


def main(arguments: argparse.Namespace) -> int:
    """Start JupyterLab and wait until it ends."""
    course = course_of(arguments)
    options = [*arguments.options, *arguments.rest]
    done = subprocess.run(
        [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={course.root}", *options], check=False
    )
    return 0 if done.returncode == 0 else 1
