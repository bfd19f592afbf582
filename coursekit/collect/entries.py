"""The files of a zip archive or of a folder, listed without trusting either, and read one at a time.

The archive of a class is read from the disk member by member, never as a whole. Its table of contents, which zipfile
reads at once, is measured before. What is refused is listed with the reason; the rest goes on.
"""

import os
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import partial
from pathlib import Path
from typing import BinaryIO

from coursekit.errors import CourseError
from coursekit.intake import archives, folder
from coursekit.intake.archives import Budget, Refused

MAX_ENTRIES = 200_000
MAX_CONTENTS = 64_000_000  # bytes of a zip archive's table of contents
MAX_LEVELS = 12  # folders within folders

_END = b"PK\x05\x06"
_END_64 = b"PK\x06\x07"
_UNIX_TIME = 0x5455  # the field "UT" of Info-ZIP: seconds since 1970, where zip itself keeps a local time


@dataclass(frozen=True)
class Entry:
    """One file of the source: where it lies, when it was changed last (UTC), why it is not read, and how it is read."""

    parts: tuple[str, ...]
    when: datetime | None
    trouble: str
    read: Callable[[Budget], bytes]


def _contents(file: BinaryIO, size: int) -> tuple[int, int]:
    """Number of members and bytes of the table of contents, from where zipfile takes them; (0, 0) where there is none.

    Two of the numbers have 16 and 32 bits only; where they are full, the record of ZIP64 in front of them has others.
    """
    start = max(0, size - 65_557)
    file.seek(start)
    tail = file.read()
    place = len(tail) - 22
    if place < 0 or not (tail[place:].startswith(_END) and tail.endswith(b"\0\0")):
        place = tail.rfind(_END)
    if place < 0 or len(tail) < place + 22:
        return 0, 0
    count, length = struct.unpack("<HL", tail[place + 10 : place + 16])
    locator = tail[place - 20 : place] if place >= 20 else b""
    if locator.startswith(_END_64):
        file.seek(struct.unpack("<Q", locator[8:16])[0])
        record = file.read(56)
        if len(record) == 56:
            count, length = struct.unpack("<QQ", record[32:48])
    return count, length


def _name(info: zipfile.ZipInfo) -> str:
    """Path of a member; programs on macOS write UTF-8 without saying so, which zipfile then reads as code page 437."""
    if info.flag_bits & 0x800:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename


def _unix_time(extra: bytes) -> int | None:
    while len(extra) >= 4:
        kind, length = struct.unpack("<HH", extra[:4])
        if kind == _UNIX_TIME and length >= 5 and len(extra) >= 9 and extra[4] & 1:
            return int(struct.unpack("<l", extra[5:9])[0])
        extra = extra[4 + length :]
    return None


def _time(info: zipfile.ZipInfo, zone: tzinfo) -> datetime | None:
    """When a member was changed last, as far as it says: in UTC, otherwise in the zone that the caller names."""
    seconds = _unix_time(info.extra)
    if seconds is not None:
        return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    try:
        found = datetime(*info.date_time, tzinfo=zone).astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None
    return None if found.year <= 1980 else found  # what programs write that know no time


def _zipped(file: BinaryIO, path: Path, zone: tzinfo) -> Iterator[Entry]:
    count, length = _contents(file, os.fstat(file.fileno()).st_size)
    if count > MAX_ENTRIES or length > MAX_CONTENTS:
        raise CourseError(f"{path} says that it holds {count} files; at most {MAX_ENTRIES} are read. Split it.")
    file.seek(0)
    try:
        archive = zipfile.ZipFile(file)
        members = archive.infolist()
    except Exception as error:  # zipfile trusts the numbers in the file and fails in many ways
        raise CourseError(f"{path} is a broken zip archive ({error}). Download it again.") from error
    for info in members[:MAX_ENTRIES]:
        if info.is_dir():
            continue
        name = _name(info)
        parts = tuple(part for part in name.replace("\\", "/").split("/") if part not in ("", "."))
        is_outside = archives.climbs(name)
        if archives.is_skipped(list(parts)) and not is_outside:
            continue
        trouble = "has a name that leads out of the archive" if is_outside else archives.zip_trouble(info)
        if len(parts) > MAX_LEVELS or not parts:
            trouble = "has a name that no file can have"
        yield Entry(parts, _time(info, zone), trouble, partial(archives.read_zipped, archive, info))


def _read_file(place: int, parts: tuple[str, ...], listing: folder.Listing, budget: Budget) -> bytes:
    data = folder.read(place, parts, budget.file_bytes, listing.inodes)
    budget.unpacked(len(data))
    return data


def _foldered(place: int, path: Path) -> Iterator[Entry]:
    listing = folder.look(place, most=MAX_ENTRIES)
    if not listing.is_whole:
        raise CourseError(f"{path} holds more than {MAX_ENTRIES} files, or folders that cannot be opened. Split it.")
    found = [(parts, "") for parts in listing.files] + list(listing.others.items())
    for parts, trouble in sorted(found):
        if archives.is_skipped(list(parts)):
            continue
        when = None
        try:
            when = datetime.fromtimestamp(folder.changed(place, parts), UTC).replace(tzinfo=None, microsecond=0)
        except (Refused, ValueError, OverflowError, OSError):
            trouble = trouble or "could not be looked at"
        yield Entry(parts, when, trouble, partial(_read_file, place, parts, listing))


def _open(path: Path, zone: tzinfo, until: ExitStack) -> list[Entry]:
    if path.is_dir():
        return list(_foldered(until.enter_context(folder.opened(path, ())), path))
    file = until.enter_context(path.open("rb"))
    if not zipfile.is_zipfile(file):
        raise CourseError(f"{path} is neither a zip archive nor a folder. Name what the course server packed.")
    return list(_zipped(file, path, zone))


@contextmanager
def opened(path: Path, zone: tzinfo = UTC) -> Iterator[list[Entry]]:
    """The files of a zip archive or a folder, to be read within the `with` statement.

    Raises CourseError when the path is neither, or cannot be read.
    """
    with ExitStack() as until:
        try:
            found = _open(path, zone, until)
        except Refused as error:
            raise CourseError(f"{path} {error}.") from error
        except OSError as error:
            raise CourseError(f"{path} cannot be read ({error.strerror or error}).") from error
        yield found
