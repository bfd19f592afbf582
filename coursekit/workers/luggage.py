"""What a worker on another computer needs of the course folder: its own modules, in one archive.

They are those of c.Coursekit.sandbox_paths, which notebooks import, and the one of c.Coursekit.answer_rule.
"""

import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.files import walk_files
from coursekit.grading.environment import NOISE, rule_file, sandbox_paths
from coursekit.workers.unpacking import RULE, SHOWN, Luggage

MOST_BYTES = 100_000_000


@dataclass(frozen=True)
class _File:
    path: Path
    name: str  # in the archive


def _below(top: Path, place: str) -> Iterator[_File]:
    """The same files that the hash of the environment counts."""
    for path in [top] if top.is_file() else walk_files(top, NOISE):
        yield _File(path, f"{place}/{path.relative_to(top.parent).as_posix()}")


def _rule(course: Course, shown: list[Path]) -> Iterator[_File]:
    """The module of the answer rule, with its whole package, unless it is among what is shown anyway."""
    for path in rule_file(course):
        if not any(path.resolve().is_relative_to(top) for top in shown):
            yield from _below(course.root / path.relative_to(course.root).parts[0], RULE)


def pack(course: Course) -> Luggage:
    """The course's own modules as they are now; raises CourseError when they are too large to be sent around."""
    shown = sandbox_paths(course)
    files = [file for number, top in enumerate(shown) for file in _below(top, f"{SHOWN}/{number}")]
    files += _rule(course, shown)
    size = sum(file.path.stat().st_size for file in files)
    if size > MOST_BYTES:
        raise CourseError(
            f"c.Coursekit.sandbox_paths names {size / 1e6:.0f} MB, and every worker of a cluster gets a copy of at "
            f"most {MOST_BYTES / 1e6:.0f} MB. Put data at the same place everywhere, and name it in sandbox_data."
        )
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in files:
            packed.writestr(file.name, file.path.read_bytes())
    data = archive.getvalue()
    names = tuple(f"{SHOWN}/{number}/{top.name}" for number, top in enumerate(shown))
    return Luggage(data, hashlib.sha256(data).hexdigest(), names)
