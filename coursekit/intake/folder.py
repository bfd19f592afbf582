"""A student's folder, opened part by part from the instructor's own, so that no link is followed on the way.

Whether something is a link is asked of the very thing that is opened, so a link that appears a moment later is refused.
"""

import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from coursekit.intake.archives import SKIPPED, Refused

MAX_ENTRIES = 5000
MAX_DEPTH = 4

_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_FILE = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
Parts = tuple[str, ...]


@dataclass
class Listing:
    """What lies in a folder and below it: plain files, and everything else; hidden folders are not looked into."""

    files: list[Parts] = field(default_factory=list)
    others: dict[Parts, str] = field(default_factory=dict)  # links, devices, pipes: what is wrong with them
    folders: list[Parts] = field(default_factory=list)
    inodes: Counter[tuple[int, int]] = field(default_factory=Counter)
    is_whole: bool = True


def _descend(start: int, parts: Sequence[str]) -> int:
    """Descriptor of a folder below another one."""
    current = os.dup(start)
    try:
        for part in parts:
            if stat.S_ISLNK(os.stat(part, dir_fd=current, follow_symlinks=False).st_mode):
                raise Refused("is a link to another place, and links are not followed")
            above, current = current, os.open(part, _FOLDER, dir_fd=current)
            os.close(above)
    except BaseException:
        os.close(current)
        raise
    return current


@contextmanager
def opened(top: Path, parts: Sequence[str]) -> Iterator[int]:
    """Descriptor of the folder `parts` below `top`; raises Refused when one of the parts is a link or no folder."""
    handles = []
    try:
        try:
            handles.append(os.open(top, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0)))
            handles.append(_descend(handles[0], parts))
        except (NotADirectoryError, FileNotFoundError) as error:
            raise Refused("is not a folder with a notebook in it") from error
        except OSError as error:
            raise Refused(f"could not be opened: {error.strerror or error}") from error
        yield handles[-1]
    finally:
        for handle in handles:
            os.close(handle)


def _wrong(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "is a link to another place, and links are not followed"
    return "" if stat.S_ISREG(mode) else "is not a plain file"


def _add(listing: Listing, found: os.stat_result, parts: Parts) -> bool:
    """Put one entry where it belongs; whether it is a folder to be looked into."""
    if stat.S_ISDIR(found.st_mode):
        listing.folders.append(parts)
        return not parts[-1].startswith(".") and parts[-1] not in SKIPPED and len(parts) < MAX_DEPTH
    if wrong := _wrong(found.st_mode):
        listing.others[parts] = wrong
    else:
        listing.files.append(parts)
        listing.inodes[(found.st_dev, found.st_ino)] += 1
    return False


def _probe(place: int, name: str, listing: Listing) -> None:
    """Put a file that is there into the listing, however many others lie beside it."""
    try:
        found = os.stat(name, dir_fd=place, follow_symlinks=False)
    except OSError:
        return
    if not stat.S_ISDIR(found.st_mode):
        _add(listing, found, (name,))


def look(place: int, expected: Iterable[str] = (), most: int | None = None) -> Listing:
    """List a folder and those below it, the nearest first, up to so many entries and so deep; `expected` always."""
    listing = Listing()
    for name in expected:
        _probe(place, name, listing)
    known = {*listing.files, *listing.others}
    waiting: list[Parts] = [()]
    count = 0
    while waiting:
        above = waiting.pop(0)
        try:
            handle = _descend(place, above)
        except (OSError, Refused):
            listing.is_whole = False
            continue
        try:
            with os.scandir(handle) as entries:
                for entry in entries:
                    count += 1
                    if count > (most or MAX_ENTRIES):
                        listing.is_whole = False
                        break
                    parts = (*above, entry.name)
                    if parts not in known and _add(listing, entry.stat(follow_symlinks=False), parts):
                        waiting.append(parts)
        except OSError:
            listing.is_whole = False
        finally:
            os.close(handle)
    listing.files.sort(key=lambda parts: (len(parts), parts))
    return listing


def changed(place: int, parts: Parts) -> float:
    """When a file was changed last, in seconds since 1970; raises Refused when it cannot be looked at."""
    try:
        folder = _descend(place, parts[:-1])
        try:
            return os.stat(parts[-1], dir_fd=folder, follow_symlinks=False).st_mtime
        finally:
            os.close(folder)
    except OSError as error:
        raise Refused(f"could not be read: {error.strerror or error}") from error


def read(place: int, parts: Parts, max_bytes: int, inodes: Counter[tuple[int, int]] | None = None) -> bytes:
    """Bytes of a plain file; raises Refused for links, for what is no file, and for what is too large.

    A hard link is refused when the file has names outside of the folder, which is told by `inodes`, the names within.
    """
    try:
        folder = _descend(place, parts[:-1])
        try:
            before = os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)
            if wrong := _wrong(before.st_mode):  # to open a device can already do something
                raise Refused(wrong)
            handle = os.open(parts[-1], _FILE, dir_fd=folder)
        finally:
            os.close(folder)
        with os.fdopen(handle, "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise Refused("is not a plain file")
            if found.st_nlink > max(1, (inodes or Counter())[(found.st_dev, found.st_ino)]):
                raise Refused("is a hard link to a file outside of the folder, and links are not followed")
            data = b"" if found.st_size > max_bytes else file.read(max_bytes + 1)
            if found.st_size > max_bytes or len(data) > max_bytes:
                raise Refused(f"is larger than {max_bytes / 1e6:.0f} MB")
            return data
    except OSError as error:
        raise Refused(f"could not be read: {error.strerror or error}") from error
