"""The notebooks within an archive, read in memory: nothing is ever written, and names lead nowhere.

Everything is bounded: the members that are looked at, the bytes that are unpacked, and archives within archives.
Links, devices, encrypted members and members whose names climb out of the archive are left out with a remark.
"""

import io
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from coursekit.intake import tar
from coursekit.intake.names import is_notebook, shown

MAX_MEMBERS = 2000
MAX_DEPTH = 2  # an archive, and one within it: some course servers pack what was handed in once more
SKIPPED = ("__MACOSX", "__pycache__")
_UNKNOWN = ((b"7z\xbc\xaf\x27\x1c", "7z"), (b"Rar!", "rar"), (b"BZh", "bzip2"), (b"\xfd7zXZ", "xz"))
_NAME = re.compile(r"\.(zip|tar|tgz|tbz2?|txz|gz|bz2|xz|7z|rar)$", re.IGNORECASE)


class Refused(Exception):
    """Something that is not read, with the reason; to be put behind the name of what it is about."""


@dataclass
class Budget:
    """What may still be unpacked for one submission."""

    file_bytes: int
    total_bytes: int
    members: int = MAX_MEMBERS

    def unpacked(self, count: int) -> None:
        """Account for bytes; raises Refused when there were too many."""
        self.total_bytes -= count
        if self.total_bytes < 0:
            raise Refused("unpacks to more than is read")

    def member(self) -> None:
        """Account for one member; raises Refused when there were too many."""
        self.members -= 1
        if self.members < 0:
            raise Refused(f"holds more than {MAX_MEMBERS} files")


@dataclass
class Unpacked:
    """Path within the archive and bytes of every notebook, and sentences about what was left out."""

    notebooks: list[tuple[str, bytes]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Member:
    path: str
    trouble: str  # why it is not read, empty when it can be
    read: Callable[[Budget], bytes]


def is_archive(name: str) -> bool:
    """Whether a file has the name of an archive, of a kind that can be read or not."""
    return bool(_NAME.search(name[-20:]))


def kind(data: bytes) -> str | None:
    """Which archive the bytes are, by what they begin with; None when they are none."""
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if data.startswith(b"\x1f\x8b"):
        return "gzip"
    if tar.is_tar(data):
        return "tar"
    return next((name for start, name in _UNKNOWN if data.startswith(start)), None)


def _gunzip(data: bytes, budget: Budget) -> bytes:
    try:
        unpacker = zlib.decompressobj(wbits=31)
        found = unpacker.decompress(data, budget.total_bytes + 1)
    except zlib.error as error:
        raise Refused("is broken") from error
    budget.unpacked(len(found))
    if not unpacker.eof:
        raise Refused("is cut off")
    return found


def read_zipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: Budget) -> bytes:
    """Bytes of a member, taken from the budget; raises Refused when they are too many or broken."""
    most = min(budget.file_bytes, budget.total_bytes)
    try:
        with archive.open(info) as file:
            data = file.read(most + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise Refused("is broken") from error
    budget.unpacked(len(data))
    if len(data) > budget.file_bytes:
        raise Refused(f"is larger than {budget.file_bytes / 1e6:.0f} MB")
    return data


def zip_trouble(info: zipfile.ZipInfo) -> str:
    """Why a member of a zip archive is not read; empty when it can be."""
    mode = info.external_attr >> 16
    if stat.S_ISLNK(mode):
        return "is a link"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "is not a plain file"
    if info.flag_bits & 1:
        return "is encrypted"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is compressed in an unusual way"
    return ""


def _zip_members(data: bytes) -> Iterator[_Member]:
    # the table of contents is read as a whole, so its length is bounded before: every entry has this signature
    if data.count(b"PK\x01\x02") > MAX_MEMBERS:
        raise Refused(f"holds more than {MAX_MEMBERS} files")
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        infos = archive.infolist()
    except Exception as error:  # zipfile trusts the numbers in the file and fails in many ways
        raise Refused("is broken") from error
    for info in infos:
        if not info.is_dir():
            yield _Member(info.filename, zip_trouble(info), partial(read_zipped, archive, info))


def _read_tarred(data: bytes, entry: tar.Entry, budget: Budget) -> bytes:
    if entry.size > budget.file_bytes:
        raise Refused(f"is larger than {budget.file_bytes / 1e6:.0f} MB")
    budget.unpacked(entry.size)
    return data[entry.start : entry.start + entry.size]


def _tar_members(data: bytes) -> Iterator[_Member]:
    try:
        for entry in tar.entries(data):
            yield _Member(entry.name, entry.trouble, partial(_read_tarred, data, entry))
    except tar.Broken as error:
        raise Refused(str(error)) from error


def climbs(path: str) -> bool:
    """Whether the name of a member leads out of the archive."""
    parts = path.replace("\\", "/").split("/")
    return path.startswith(("/", "\\")) or ".." in parts or bool(re.match(r"[A-Za-z]:", path))


def is_skipped(parts: list[str]) -> bool:
    """What systems and editors add by themselves; some of it has the names of notebooks."""
    return any(part.startswith(".") or part in SKIPPED for part in parts if part not in (".", ""))


def _take(member: _Member, depth: int, budget: Budget, found: Unpacked) -> None:
    parts = member.path.replace("\\", "/").split("/")
    if climbs(member.path):
        raise Refused("has a name that leads out of the archive")
    if is_skipped(parts) or not (is_notebook(parts[-1]) or is_archive(parts[-1])):
        return
    if member.trouble:
        raise Refused(member.trouble)
    data = member.read(budget)
    if kind(data):
        inner = unpack(data, budget, depth + 1, parts[-1])
        found.notebooks += [(f"{member.path}/{path}", content) for path, content in inner.notebooks]
        found.remarks += inner.remarks
    elif is_notebook(parts[-1]):
        found.notebooks.append((member.path, data))


def unpack(data: bytes, budget: Budget, depth: int = 1, name: str = "") -> Unpacked:
    """The notebooks of an archive, also of one within it; raises Refused when it cannot be read at all.

    `name` serves for a gzip file that holds one notebook and no tar archive.
    """
    if depth > MAX_DEPTH:
        raise Refused("is an archive within an archive within an archive")
    found = Unpacked()
    what = kind(data)
    if what == "gzip":
        data = _gunzip(data, budget)
        what = kind(data)
        if what is None:
            inner = re.sub(r"\.gz$", "", name, flags=re.IGNORECASE)
            found.notebooks += [(inner, data)] if is_notebook(inner) else []
            return found
    if what not in ("zip", "tar"):
        raise Refused(f"is {f'a {what} archive, which is not read' if what else 'no archive'}")
    for member in _zip_members(data) if what == "zip" else _tar_members(data):
        budget.member()
        try:
            _take(member, depth, budget, found)
        except Refused as error:
            if budget.total_bytes < 0 or budget.members < 0:
                raise
            found.remarks.append(f"'{shown(member.path)}' within the archive was not read: it {error}.")
    del found.remarks[5:]
    return found
