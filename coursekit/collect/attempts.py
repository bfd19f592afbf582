"""Every attempt of every student: `collected/<assignment>/<student>/<time>/`, the files as they were handed in.

The time is that of the receipt, in UTC, as 20270131T185900Z. Beside the folders lies one file of notes of `course
collect`: which attempt it has put into `submitted`, and of which attempts the time is no more than that of a file.
"""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.files import digest, drop_left_over, walk_files, write_atomic

FOLDER = "collected"
NOTES = ".collect.json"
PARTIAL = ".collect-"  # what a folder is called while it is written
_FORM = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(r"\d{8}T\d{6}Z", re.ASCII)

Files = Mapping[tuple[str, ...], bytes]


def root(course: Course, assignment: str) -> Path:
    """The folder of all attempts of an assignment."""
    return Path(course.directory.root) / FOLDER / assignment


def folder_name(time: datetime) -> str:
    """The name of the folder of an attempt that was received at this time (UTC, without a zone)."""
    return f"{time.year:04d}{time:{_FORM[2:]}}"


def attempts(course: Course, assignment: str, student: str) -> list[tuple[datetime, Path]]:
    """Time (UTC, without a zone) and folder of every attempt of a student, the earliest first."""
    place = root(course, assignment) / student
    if not place.is_dir():
        return []
    found = []
    for path in sorted(place.iterdir()):
        if _NAME.fullmatch(path.name) and path.is_dir() and not path.is_symlink():
            try:
                found.append((datetime.strptime(path.name, _FORM), path))
            except ValueError:  # such as a 31st of February: no folder of ours
                continue
    return found


def content(folder: Path) -> dict[tuple[str, ...], bytes]:
    """The files of an attempt by their paths; links are left out."""
    return {path.relative_to(folder).parts: path.read_bytes() for path in walk_files(folder)}


def fingerprint(files: Files) -> str:
    """The same for the same files of the same names."""
    parts = [part for path, data in sorted(files.items()) for part in ("/".join(path).encode(), data)]
    return digest(*parts)


def write_folder(files: Files, beside: Path) -> Path:
    """A new folder with these files, in the folder `beside`, under a name that nobody looks for."""
    beside.mkdir(parents=True, exist_ok=True)
    built = Path(tempfile.mkdtemp(dir=beside, prefix=PARTIAL))
    try:
        for parts, data in files.items():
            path = built.joinpath(*parts)
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            path.chmod(0o644)
        built.chmod(0o755)
    except BaseException:
        shutil.rmtree(built, ignore_errors=True)
        raise
    return built


@dataclass
class Notes:
    """What `course collect` remembers of one student."""

    placed: str = ""  # name of the attempt that was put into `submitted` last
    assumed: list[str] = field(default_factory=list)  # attempts whose time no course server has said


class History:
    """The attempts of one student, to be added to; only one process may have one."""

    def __init__(self, course: Course, assignment: str, student: str) -> None:
        self.course, self.assignment, self.student = course, assignment, student
        self.place = root(course, assignment) / student
        drop_left_over(self.place)
        self.notes = self._read()

    def _read(self) -> Notes:
        try:
            found = json.loads((self.place / NOTES).read_text(encoding="utf-8"))
            return Notes(str(found["placed"]), [str(name) for name in found["assumed"]])
        except FileNotFoundError:
            return Notes()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CourseError(f"{self.place / NOTES} cannot be read ({error}). Remove it and collect again.") from error

    def remember(self) -> None:
        """Write the notes."""
        data = {"placed": self.notes.placed, "assumed": sorted(set(self.notes.assumed))}
        write_atomic(self.place / NOTES, json.dumps(data).encode())

    def all(self) -> list[tuple[datetime, Path]]:
        """Time and folder of every attempt, the earliest first."""
        return attempts(self.course, self.assignment, self.student)

    def newest(self) -> tuple[datetime, Path] | None:
        """The latest attempt, or None."""
        found = self.all()
        return found[-1] if found else None

    def is_placed(self) -> bool:
        """Whether the newest attempt was put into `submitted`, and something is there."""
        newest = self.newest()
        there = self.course.submitted(self.assignment, self.student).is_dir()
        return newest is not None and newest[1].name == self.notes.placed and there

    def _free(self, time: datetime) -> datetime:
        taken = {found for found, _ in self.all()}
        while time in taken:
            time += timedelta(seconds=1)
        return time

    def _redate(self, time: datetime, path: Path, wanted: datetime, *, is_known: bool) -> bool:
        """Give an attempt its right time: what a server names counts more than a file's, then the earlier one."""
        was_known = path.name not in self.notes.assumed
        if was_known and not is_known:
            return False
        right = wanted if is_known and not was_known else min(time, wanted)
        if right != time:
            right = self._free(right)
            os.rename(path, self.place / folder_name(right))
        if not was_known:
            self.notes.assumed.remove(path.name)
            self.notes.assumed += [] if is_known else [folder_name(right)]
            self.remember()
        return right != time

    def add(self, files: Files, time: datetime, *, is_known: bool) -> str:
        """Keep an attempt; returns "new", "dated" when only its time became another, or "" when it was there already.

        `is_known` says that a course server named the time. The same files as in the latest attempt are that attempt:
        its time is the earliest that was named, because an archive that is downloaded again has later dates.
        """
        time = time.replace(microsecond=0)
        wanted = fingerprint(files)
        known = self.all()
        for found, path in reversed(known):
            if fingerprint(content(path)) != wanted:
                continue
            if path == known[-1][1] or (is_known and path.name in self.notes.assumed):
                return "dated" if self._redate(found, path, time, is_known=is_known) else ""
            if time <= known[-1][0]:
                return ""  # an older archive once more
        time = self._free(time)
        if not is_known:
            self.notes.assumed.append(folder_name(time))
            self.remember()
        built = write_folder(files, self.place.parent)
        self.place.mkdir(parents=True, exist_ok=True)
        os.rename(built, self.place / folder_name(time))
        return "new"
