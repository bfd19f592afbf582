"""The members of a tar archive that is in memory already.

Python's tarfile reads headers of any length that the archive claims, and its older releases can be made to hang; what
is needed here is little: names, kinds and places of members, in the formats ustar, GNU and pax.
"""

from collections.abc import Iterator
from dataclasses import dataclass

_BLOCK = 512
_MAX_HEADER = 1_000_000  # bytes of a long name or of pax records; macOS writes some kilobytes
_PLAIN = (b"0", b"\0", b"7")
_KINDS = {b"1": "is a link", b"2": "is a link", b"3": "is a device", b"4": "is a device", b"6": "is not a plain file"}


class Broken(Exception):
    """The archive cannot be read, with the reason."""


@dataclass(frozen=True)
class Entry:
    """One member: its bytes are `data[start : start + size]`, unless there is trouble with it."""

    name: str
    start: int
    size: int
    trouble: str


def _number(field: bytes) -> int:
    """An octal number, or a binary one where the first bit is set; raises Broken."""
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:], "big")
    try:
        value = int(field.split(b"\0", 1)[0].strip() or b"0", 8)
    except ValueError as error:
        raise Broken("is broken") from error
    if value < 0:
        raise Broken("is broken")
    return value


def _has_right_sum(block: bytes) -> bool:
    try:
        return _number(block[148:156]) == sum(block[:148]) + sum(block[156:]) + 8 * ord(" ")
    except Broken:
        return False


def is_tar(data: bytes) -> bool:
    """Whether the bytes begin with the header of a tar archive."""
    return len(data) >= _BLOCK and any(data[:_BLOCK]) and _has_right_sum(data[:_BLOCK])


def _pax_path(records: bytes) -> str | None:
    """The record `path` of a pax header: lines "LENGTH KEY=VALUE", the length in bytes of the whole line."""
    found = None
    position = 0
    while position < len(records):
        digits, space, _ = records[position : position + 10].partition(b" ")
        if not space or not digits.isdigit() or not len(digits) < int(digits) <= len(records) - position:
            raise Broken("is broken")
        key, _, value = records[position + len(digits) + 1 : position + int(digits)].partition(b"=")
        if key == b"path":
            found = _text(value.removesuffix(b"\n"))
        position += int(digits)
    return found


def _text(name: bytes) -> str:
    return name.split(b"\0", 1)[0].decode("utf-8", "replace")


def _own_name(block: bytes) -> str:
    prefix = _text(block[345:500]) if block[257:263] == b"ustar\0" else ""
    return f"{prefix}/{_text(block[:100])}" if prefix else _text(block[:100])


def entries(data: bytes) -> Iterator[Entry]:
    """The members but for folders, in order; raises Broken where the archive cannot be read on."""
    position, name = 0, None
    while position + _BLOCK <= len(data) and any(block := data[position : position + _BLOCK]):
        if not _has_right_sum(block):
            raise Broken("is broken")
        start, size, kind = position + _BLOCK, _number(block[124:136]), block[156:157]
        if kind in (*_KINDS, b"5"):  # these have no bytes of their own, whatever the header says
            size = 0
        if kind == b"S":
            raise Broken("holds a file with holes in it")
        if start + size > len(data):
            raise Broken("is cut off")
        position = start + -(-size // _BLOCK) * _BLOCK
        if kind in (b"L", b"x", b"X"):
            if size > _MAX_HEADER:
                raise Broken("is broken")
            header = data[start : start + size]
            name = _text(header) if kind == b"L" else _pax_path(header) or name
            continue
        if kind in (*_PLAIN, *_KINDS):
            path = name or _own_name(block)
            if not path.endswith("/"):
                yield Entry(path, start, size, _KINDS.get(kind, ""))
        name = None
