"""`course update NOTEBOOK`: a new version of an assignment, merged into the notebook of a student who has begun."""

import argparse
import sys

from coursekit.errors import CourseError
from coursekit.settings import find_settings
from coursekit.update.updating import Updated, notebooks_in, update


def _text(done: Updated) -> str:
    if not done.changed:
        return f"{done.path.name}: nothing to change; it is the version of {done.release.parent}."
    lines = [f"{done.path.name}: brought to the version of {done.release.parent}."]
    lines += [f"  {text}" for text in (*done.told, *done.files)]
    if done.backup is not None:
        lines.append(f"  The old file is {done.backup.name}; to open it, give it a name that ends with .ipynb.")
        lines.append("  If JupyterLab shows the notebook: File, Reload Notebook from Disk. Then run it from the top.")
    return "\n".join(lines)


def main(arguments: argparse.Namespace) -> int:
    """Merge, and say what has changed; 1 when one of the notebooks was left as it is."""
    start = arguments.source if arguments.source is not None else find_settings(arguments.course).root
    fine = True
    for path in notebooks_in(arguments.notebook):
        try:
            print(_text(update(path, start)))
        except CourseError as error:
            if not arguments.notebook.is_dir():
                raise
            print(f"course update: {error}", file=sys.stderr)
            fine = False
    return 0 if fine else 1
