"""Finding what a student handed in, without trusting any of it."""

import os
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from nbgrader.utils import parse_utc

from coursekit.course import Course
from coursekit.files import digest, read_plain_file


@dataclass
class Submission:
    """One student's folder, read: bytes of each expected notebook (None with a problem), time stamp, remarks."""

    student: str
    notebooks: dict[str, bytes | None]
    problems: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    timestamp: datetime | None = None

    def digest(self) -> str:
        """Hash of everything that the grade depends on."""
        parts = [b"" if self.timestamp is None else str(self.timestamp).encode()]
        for name, data in sorted(self.notebooks.items()):
            parts += [name.encode(), b"1" + data if data is not None else b"0" + self.problems.get(name, "").encode()]
        return digest(*parts)


def _linked(folder: Path, top: Path) -> bool:
    """Whether the folder or one above it, up to the folder of all submissions, is a link."""
    return any(part.is_symlink() for part in (folder, *folder.parents) if part == folder or top in part.parents)


def _match(expected: list[str], found: list[str]) -> dict[str, str]:
    """Which file serves as which notebook: the same name, or the only one left over for the only one missing."""
    matched = {name: f"{name}.ipynb" for name in expected if f"{name}.ipynb" in found}
    missing = [name for name in expected if name not in matched]
    spare = [name for name in found if name not in matched.values()]
    if len(missing) == len(spare) == 1:
        matched[missing[0]] = spare[0]
    return matched


def _timestamp(folder: Path, remarks: list[str]) -> datetime | None:
    path = folder / "timestamp.txt"
    if not os.path.lexists(path):
        return None
    try:
        text = read_plain_file(path, 1000).decode("utf-8-sig").strip()
        return parse_utc(text) if text else None
    except (OSError, ValueError, OverflowError) as error:
        remarks.append(f"The time stamp could not be read ({error}); the submission counts as being in time.")
        return None


def read(course: Course, assignment: str, student: str, expected: list[str], files: set[str]) -> Submission:
    """Read what one student handed in; whatever is wrong with it becomes a problem or a remark, never an error."""
    folder = course.submitted(assignment, student)
    submission = Submission(student, dict.fromkeys(expected))
    if _linked(folder, Path(course.directory.root) / course.directory.submitted_directory):
        submission.problems = dict.fromkeys(
            expected, "The folder is a link to another place, and links are not followed."
        )
        return submission
    if not folder.is_dir():
        submission.problems = dict.fromkeys(expected, "What was handed in is not a folder with a notebook in it.")
        return submission
    names = sorted(entry.name for entry in folder.iterdir())
    matched = _match(expected, [name for name in names if name.endswith(".ipynb")])
    submission.timestamp = _timestamp(folder, submission.remarks)
    for name in expected:
        if name not in matched:
            submission.problems[name] = f"There is no notebook {name}.ipynb in what was handed in."
            continue
        if matched[name] != f"{name}.ipynb":
            submission.remarks.append(f"The notebook was named '{matched[name]}'; it was read as '{name}.ipynb'.")
        try:
            submission.notebooks[name] = read_plain_file(folder / matched[name], course.options.submission_bytes)
        except OSError as error:
            submission.problems[name] = f"The notebook could not be read: {error.strerror or error}."
    ours = {*matched.values(), "timestamp.txt", ".ipynb_checkpoints", "__pycache__", *files}
    extra = [name for name in names if name not in ours and not name.startswith(".")]
    if extra:
        listing = ", ".join(f"'{name}'" for name in extra[:5]) + (" and others" if len(extra) > 5 else "")
        submission.remarks.append(f"These files were not used: {listing}. Only the answer cells of the notebook count.")
    return submission
