"""Finding what a student handed in, without trusting any of it."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.files import digest
from coursekit.intake import archives, choosing, folder, receipts
from coursekit.intake.archives import Budget, Refused, Unpacked
from coursekit.intake.choosing import Candidate
from coursekit.intake.folder import Listing, Parts
from coursekit.intake.names import is_notebook, shown

STAMP = "timestamp.txt"
MAX_ARCHIVES = 5
_TIMES_UNPACKED = 2  # all that archives unpack to, as a multiple of the largest notebook that is read
_OF_EDITORS = (".ipynb_checkpoints", *archives.SKIPPED)


@dataclass
class Submission:
    """One student's folder, read: bytes of each expected notebook (None with a problem), time stamp, remarks."""

    student: str
    notebooks: dict[str, bytes | None]
    problems: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    timestamp: datetime | None = None

    def digest(self, *, with_time: bool = True) -> str:
        """Hash of everything that the grade depends on, or only of what is run."""
        parts = [str(self.timestamp).encode() if with_time and self.timestamp is not None else b""]
        for name, data in sorted(self.notebooks.items()):
            parts += [name.encode(), b"1" + data if data is not None else b"0" + self.problems.get(name, "").encode()]
        return digest(*parts)


class _Reading:
    """One submission while it is read: its open folder, what lies there, and what may still be unpacked."""

    def __init__(self, place: int, listing: Listing, max_bytes: int, submission: Submission) -> None:
        self.place = place
        self.listing = listing
        self.max_bytes = max_bytes
        self.budget = Budget(max_bytes, _TIMES_UNPACKED * max_bytes)
        self.submission = submission
        self.opened: dict[Parts, Unpacked] = {}

    def bytes_of(self, parts: Parts) -> bytes:
        return folder.read(self.place, parts, self.max_bytes, self.listing.inodes)

    def loose(self) -> list[Candidate]:
        """Notebooks that lie in the folder, also links and the like, which then say why they are not read."""
        named = [parts for parts in (*self.listing.files, *self.listing.others) if is_notebook(parts[-1])]
        return [
            Candidate("/".join(parts), parts[-1], len(parts) == 1, partial(self.bytes_of, parts))
            for parts in named
            if not parts[-1].startswith(".")
        ]

    def _unpacked(self, parts: Parts, data: bytes) -> list[Candidate]:
        found = archives.unpack(data, self.budget, name=parts[-1])
        self.opened[parts] = found
        self.submission.remarks += found.remarks
        before = "/".join(parts)
        return [
            Candidate(f"{before}/{path}", path.replace("\\", "/").rsplit("/", 1)[-1], False, partial(bytes, data))
            for path, data in found.notebooks
        ]

    def packed(self) -> list[Candidate]:
        """Notebooks within the archives that lie in the folder."""
        found: list[Candidate] = []
        named = [parts for parts in self.listing.files if archives.is_archive(parts[-1])]
        for parts in named[:MAX_ARCHIVES]:
            try:
                found += self._unpacked(parts, self.bytes_of(parts))
            except Refused as error:
                self.submission.remarks.append(f"'{shown('/'.join(parts))}' was not read: it {error}.")
        return found

    def load(self, name: str, candidate: Candidate) -> bytes:
        """Bytes of a notebook; an archive that has the name of a notebook is opened."""
        data = candidate.read()
        if archives.kind(data) is None:
            return data
        inner = self._unpacked((candidate.path,), data)
        chosen: dict[str, Candidate] = {}
        problems: dict[str, str] = {}
        choosing.match([choosing.by_plain_name, choosing.by_part_of_name], [name], inner, chosen, problems)
        choosing.match_last([name], inner, chosen, problems)
        if name not in chosen:
            raise Refused(f"is an archive without a notebook {name}.ipynb in it")
        self.submission.remarks.append(f"'{shown(candidate.path)}' is an archive; the notebook in it was read.")
        return chosen[name].read()


def _choose(reading: _Reading, expected: list[str]) -> dict[str, Candidate]:
    """The surest name first; archives are opened only when a notebook is not found beside them."""
    chosen: dict[str, Candidate] = {}
    problems = reading.submission.problems
    found = reading.loose()
    choosing.match([choosing.by_exact_name, choosing.by_plain_name], expected, found, chosen, problems)
    if any(name not in chosen and name not in problems for name in expected):
        packed = reading.packed()
        choosing.match([choosing.by_plain_name], expected, packed, chosen, problems)
        found += packed
        choosing.match([choosing.by_part_of_name], expected, found, chosen, problems)
        choosing.match_last(expected, found, chosen, problems)
    return chosen


def _fill_in(reading: _Reading, name: str, candidate: Candidate | None) -> None:
    submission = reading.submission
    if candidate is None:
        whole = "" if reading.listing.is_whole else " Not all of its many files were looked at."
        submission.problems.setdefault(name, f"There is no notebook {name}.ipynb in what was handed in.{whole}")
        return
    try:
        submission.notebooks[name] = reading.load(name, candidate)
    except Refused as error:
        submission.problems[name] = f"The notebook '{shown(candidate.path)}' {error}."
        return
    if candidate.path != f"{name}.ipynb":
        submission.remarks.append(f"The notebook was named '{shown(candidate.path)}'; it was read as '{name}.ipynb'.")


def _stamp(reading: _Reading) -> datetime | None:
    """What the time stamp beside the notebook says."""
    if (STAMP,) not in (*reading.listing.files, *reading.listing.others):
        return None
    try:
        text = folder.read(reading.place, (STAMP,), 1000, reading.listing.inodes).decode("utf-8-sig")
        return receipts.when(text) if text.strip() else None
    except (Refused, ValueError) as error:
        reading.submission.remarks.append(
            f"The time stamp could not be read ({error}); the submission counts as being in time."
        )
        return None


def _timestamp(reading: _Reading, received: datetime | None) -> datetime | None:
    """The collector's receipt; without one the time stamp in the folder."""
    if received is None:
        return _stamp(reading)
    before = len(reading.submission.remarks)
    stamp = _stamp(reading)
    del reading.submission.remarks[before:]  # what cannot be read does not matter here
    if stamp is not None and abs(stamp - received).total_seconds() > 60:
        reading.submission.remarks.append(
            f"The file {STAMP} says {stamp:%Y-%m-%d %H:%M} UTC, but the submission was received at "
            f"{received:%Y-%m-%d %H:%M} UTC; the receipt counts."
        )
    return received


def _listed(paths: Iterable[Parts]) -> str:
    names = ["/".join(parts) for parts in sorted(paths)]
    return ", ".join(f"'{shown(name)}'" for name in names[:5]) + (" and others" if len(names) > 5 else "")


def _tell_unused(reading: _Reading, chosen: dict[str, Candidate], files: set[str]) -> None:
    """Sentences about files that were not used: code of the student's own, and everything else."""
    listing = reading.listing
    used = {candidate.path for candidate in chosen.values()}
    ours = {STAMP, *files, *_OF_EDITORS, *(parts[0] for parts in reading.opened)}
    everything = [*listing.files, *listing.others, *(parts for parts in listing.folders if len(parts) == 1)]
    extra = [parts for parts in everything if parts[0] not in ours and "/".join(parts) not in used]
    extra = [parts for parts in extra if not any(part.startswith(".") for part in parts)]
    holders = {path.split("/", 1)[0] for path in used if "/" in path}
    modules = {parts for parts in extra if parts[-1].endswith(".py") and parts[-1] not in files}
    rest = {parts[:1] for parts in extra if parts not in modules and parts[0] not in holders}
    rest -= {parts[:1] for parts in modules if len(parts) > 1}
    if modules:
        reading.submission.remarks.append(
            f"Python files of your own were not used: {_listed(modules)}. What the notebook imports is the course's, "
            f"and only its answer cells count."
        )
    if rest:
        reading.submission.remarks.append(
            f"These files were not used: {_listed(rest)}. Only the answer cells of the notebook count."
        )


def _place(course: Course, assignment: str, student: str) -> tuple[Path, Parts]:
    """The folder of all submissions, and what leads from there to this one."""
    for name in (assignment, student):
        if name in ("", ".", "..") or any(mark in name for mark in ("/", "\0")):
            raise CourseError(f"{shown(name)!r} cannot be the name of a folder; rename it.")
    path = course.submitted(assignment, student)
    top = Path(os.path.commonpath([path, course.submitted(f"{assignment}-", f"{student}-")]))
    return top, path.relative_to(top).parts


def read(course: Course, assignment: str, student: str, expected: list[str], files: set[str]) -> Submission:
    """Read what one student handed in; whatever is wrong with it becomes a problem or a remark, never an error.

    Raises CourseError for what only the instructor can put right: a broken file of receipts.
    """
    top, parts = _place(course, assignment, student)
    receipt = receipts.receipt(top, student, assignment)
    return read_folder(course, student, top, parts, receipt, expected, files)


def read_folder(
    course: Course,
    student: str,
    top: Path,
    parts: Parts,
    receipt: datetime | None,
    expected: list[str],
    files: set[str],
) -> Submission:
    """The same for the folder `parts` below `top`, with the time at which it was received."""
    submission = Submission(student, dict.fromkeys(expected))
    submission.timestamp = receipt
    wanted = [STAMP, *(f"{name}.ipynb" for name in expected)]
    try:
        with folder.opened(top, parts) as place:
            reading = _Reading(place, folder.look(place, wanted), course.options.submission_bytes, submission)
            submission.timestamp = _timestamp(reading, receipt)
            chosen = _choose(reading, expected)
            for name in expected:
                _fill_in(reading, name, chosen.get(name))
            _tell_unused(reading, chosen, files)
    except Refused as error:
        submission.problems = dict.fromkeys(expected, f"What was handed in {error}.")
    return submission
