"""`course export`: the grades as nbgrader's CSV."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from nbgrader.plugins import CsvExportPlugin

from coursekit.course import Course


def export(course: Course, target: Path, assignments: Sequence[str] = ()) -> Path:
    """Write the grades of the assignments (all of them when none is named) through nbgrader's exporter."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name[:40]}.") as scratch:
        partial = Path(scratch) / target.name
        plugin = CsvExportPlugin(config=course.config, log=course.log)
        plugin.to, plugin.assignment = str(partial), list(assignments)
        with course.gradebook() as gradebook:
            plugin.export(gradebook)
        os.replace(partial, target)
    return target
