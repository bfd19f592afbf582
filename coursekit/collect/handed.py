"""What every source comes down to: who handed in which file; and the names under which files are kept."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field

from coursekit.collect.entries import Entry
from coursekit.collect.people import Person

MAX_NAME_BYTES = 200
MAX_LEVELS = 3  # folders within a student's; the intake looks no deeper

_NOT_IN_NAMES = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')


@dataclass(frozen=True)
class File:
    """A file of one student's: its path among hers, the entry that holds it, and its place in order of arrival."""

    path: tuple[str, ...]
    entry: Entry
    order: int = 0


@dataclass
class HandedIn:
    """All that the source has of one student, or of somebody whom nobody knows."""

    who: str  # as the source says it
    person: Person | None
    files: list[File] = field(default_factory=list)
    is_late: bool | None = None  # None where the source does not say
    remarks: list[str] = field(default_factory=list)
    trouble: str = ""  # why nothing of it can be collected


@dataclass
class Found:
    """Everything in a source: by student, and what was passed over."""

    handed_in: list[HandedIn]
    notes: list[str] = field(default_factory=list)


def safe_name(name: str) -> str:
    """A name for a file on any system: composed, without what systems forbid, of at most 200 bytes."""
    name = _NOT_IN_NAMES.sub("_", unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode())).strip(" ")
    if not name.strip("."):
        return "_"
    if name.startswith("."):
        name = f"_{name[1:]}"
    stem, dot, ending = name.rpartition(".")
    if not dot or len(ending.encode()) > 20:
        stem, dot, ending = name, "", ""
    room = MAX_NAME_BYTES - len((dot + ending).encode())
    return stem.encode()[:room].decode("utf-8", "ignore") + dot + ending


def _key(parts: Iterable[str]) -> str:
    return "/".join(unicodedata.normalize("NFKC", part).casefold() for part in parts)


def _numbered(path: tuple[str, ...], number: int) -> tuple[str, ...]:
    stem, dot, ending = path[-1].rpartition(".")
    last = f"{stem} ({number}){dot}{ending}" if dot else f"{path[-1]} ({number})"
    return (*path[:-1], last)


class Names:
    """Gives every file of one student a path of its own, on systems that do not tell A from a as well."""

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._folders: set[str] = set()

    def _is_free(self, path: tuple[str, ...]) -> bool:
        above = {_key(path[:end]) for end in range(1, len(path))}
        return _key(path) not in self._files | self._folders and above.isdisjoint(self._files)

    def take(self, wanted: tuple[str, ...]) -> tuple[str, ...]:
        """A free path as close to the wanted one as can be, made of safe names."""
        safe = tuple(safe_name(part) for part in wanted)
        if len(safe) > MAX_LEVELS + 1 or any(_key(safe[:end]) in self._files for end in range(1, len(safe))):
            safe = (safe_name("_".join(safe)),)
        path, number = safe, 1
        while not self._is_free(path):
            number += 1
            path = _numbered(safe, number)
        self._files.add(_key(path))
        self._folders |= {_key(path[:end]) for end in range(1, len(path))}
        return path
