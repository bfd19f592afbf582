"""Archives: harmless ones, ones that climb out of their folder, and ones that unpack to far too much."""

import io
import tarfile
import zipfile
from typing import Any

import nbformat
from desk import FILE, Desk, student


def zipped(**options: Any) -> tuple[io.BytesIO, zipfile.ZipFile]:
    """An empty archive in memory."""
    data = io.BytesIO()
    return data, zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED, **options)


@student("75a-zip")
def _(desk: Desk) -> None:
    data, archive = zipped()
    with archive:
        archive.writestr(f"my folder/{FILE}", nbformat.writes(desk.right()))
        archive.writestr("__MACOSX/my folder/._vectors.ipynb", b"\0\5\26\7")
    desk.put(data.getvalue(), "homework.zip")


@student("75b-tar")
def _(desk: Desk) -> None:
    data = io.BytesIO()
    content = nbformat.writes(desk.right()).encode()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        member = tarfile.TarInfo(FILE)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    desk.put(data.getvalue(), "homework.tar.gz")


@student("76a-zip-climbs-out")
def _(desk: Desk) -> None:
    data, archive = zipped()
    with archive:
        for name in ("../../../thesis.txt", "/home/teacher/thesis.txt", "..\\..\\thesis.txt", "C:\\thesis.txt"):
            archive.writestr(name, b"overwritten")
        archive.writestr(FILE, nbformat.writes(desk.right()))
    desk.put(data.getvalue(), "homework.zip")


@student("76b-zip-holds-a-link")
def _(desk: Desk) -> None:
    data, archive = zipped()
    with archive:
        info = zipfile.ZipInfo(FILE)
        info.create_system, info.external_attr = 3, 0o120777 << 16
        archive.writestr(info, str(desk.source / FILE))
    desk.put(data.getvalue(), "homework.zip")


@student("76c-tar-of-everything-that-is-no-file")
def _(desk: Desk) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        kinds = {tarfile.SYMTYPE: "a", tarfile.LNKTYPE: "b", tarfile.CHRTYPE: "c", tarfile.FIFOTYPE: "d"}
        for kind, name in kinds.items():
            member = tarfile.TarInfo(f"{name}/{FILE}")
            member.type, member.linkname = kind, str(desk.source / FILE)
            member.devmajor, member.devminor = 1, 5
            archive.addfile(member)
        outside = tarfile.TarInfo("../../../../thesis.txt")
        outside.size = 3
        archive.addfile(outside, io.BytesIO(b"new"))
    desk.put(data.getvalue(), "homework.tar")


@student("77a-zip-bomb")
def _(desk: Desk) -> None:
    data, archive = zipped(compresslevel=9)
    with archive, archive.open(FILE, "w", force_zip64=True) as file:
        for _ in range(300):
            file.write(b" " * 1_000_000)
    desk.put(data.getvalue(), "homework.zip")


@student("77b-many-files")
def _(desk: Desk) -> None:
    data, archive = zipped()
    with archive:
        for number in range(30_000):
            archive.writestr(f"{number}/{FILE}", b"")
    desk.put(data.getvalue(), "homework.zip")


@student("77c-zip-in-zip")
def _(desk: Desk) -> None:
    content = b""
    for _ in range(60):
        data, archive = zipped()
        with archive:
            for name in "ab":
                archive.writestr(f"{name}.zip", content)
        content = data.getvalue()
        if len(content) > 5_000_000:
            break
    desk.put(content, "homework.zip")


@student("77d-deep-folders")
def _(desk: Desk) -> None:
    data, archive = zipped()
    with archive:
        archive.writestr("d/" * 5000 + FILE, nbformat.writes(desk.right()))
    desk.put(data.getvalue(), "homework.zip")


@student("77e-zip-that-lies")
def _(desk: Desk) -> None:
    data, archive = zipped()
    with archive:
        archive.writestr(FILE, b" " * 100_000_000)
    raw = bytearray(data.getvalue())
    for place in (raw.find(b"PK\x03\x04") + 22, raw.find(b"PK\x01\x02") + 24):
        raw[place : place + 4] = (10).to_bytes(4, "little")
    desk.put(bytes(raw), "homework.zip")


@student("77f-gzip-bomb")
def _(desk: Desk) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz", compresslevel=9) as archive:
        member = tarfile.TarInfo(FILE)
        member.size = 300_000_000

        class Spaces(io.RawIOBase):
            def read(self, size: int = -1) -> bytes:
                return b" " * size

        archive.addfile(member, Spaces())
    desk.put(data.getvalue(), "homework.tgz")


@student("77g-broken-archives")
def _(desk: Desk) -> None:
    desk.put(b"PK\x03\x04" + b"\xff" * 1000, "homework.zip")
    desk.put(b"\x1f\x8b" + b"\xff" * 1000, "homework.tar.gz")
