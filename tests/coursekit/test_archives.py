"""Notebooks come out of archives of every kind; what is no plain file, too much or too deep does not."""

import gzip
import io
import random
import stat
import tarfile
import zipfile
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coursekit.intake import archives
from coursekit.intake.archives import MAX_MEMBERS, Budget, Refused, unpack

MB = 1_000_000
Files = dict[str, bytes]


def zipped(files: Files, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def tarred(files: Files, mode: str = "w:gz", form: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode, format=form) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def special(name: str, kind: bytes, target: str = "/etc/passwd") -> bytes:
    """A tar archive with one member that is no file, and a plain notebook after it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.size = kind, target, 700  # links and devices have no bytes, whatever they claim
        archive.addfile(info)
        info = tarfile.TarInfo("plain.ipynb")
        info.size = 2
        archive.addfile(info, io.BytesIO(b"{}"))
    return buffer.getvalue()


def budget(file_bytes: int = MB, total_bytes: int = 2 * MB) -> Budget:
    return Budget(file_bytes, total_bytes)


def opened(data: bytes, name: str = "work.zip") -> Files:
    return dict(unpack(data, budget(), name=name).notebooks)


WRITERS = {
    "zip": zipped,
    "stored zip": lambda files: zipped(files, zipfile.ZIP_STORED),
    "tar.gz": tarred,
    "ustar": lambda files: tarred(files, "w", tarfile.USTAR_FORMAT),
    "gnu": lambda files: tarred(files, "w", tarfile.GNU_FORMAT),
    "pax": lambda files: tarred(files, "w", tarfile.PAX_FORMAT),
}
PART = st.text(st.characters(codec="utf-8", exclude_characters='\0/\\:\n="'), min_size=1, max_size=60).filter(
    lambda part: not part.startswith(".") and part not in archives.SKIPPED and not archives.is_archive(part)
)
PATH = st.lists(PART, max_size=4).map(lambda parts: "/".join([*parts, "numbers.ipynb"]))


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(PATH, st.binary(max_size=1500), max_size=4), st.sampled_from(sorted(WRITERS)))
def test_what_python_packs_comes_out_the_same(files, writer):
    files = {name: b"{" + data for name, data in files.items()}
    if writer == "ustar" and any(len(name.encode()) > 100 for name in files):
        writer = "gnu"
    assert opened(WRITERS[writer]({**files, "notes.txt": b"mine"})) == files


@pytest.mark.parametrize("writer", sorted(WRITERS))
def test_names_that_climb_out_are_left_out_and_told(writer):
    wrong = (
        "../numbers.ipynb",
        "/tmp/numbers.ipynb",
        "a/../../numbers.ipynb",
        "C:\\numbers.ipynb",
        "..\\numbers.ipynb",
    )
    found = unpack(WRITERS[writer]({**dict.fromkeys(wrong, b"{}"), "a\\right.ipynb": b"{1}"}), budget())
    assert [data for _, data in found.notebooks] == [b"{1}"]
    assert len(found.remarks) == len(wrong)
    assert all("leads out of the archive" in text for text in found.remarks)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_devices_and_pipes_in_a_tar_archive_are_left_out_and_told(kind):
    found = unpack(special("numbers.ipynb", kind), budget())
    assert found.notebooks == [("plain.ipynb", b"{}")]
    assert len(found.remarks) == 1
    assert "'numbers.ipynb' within the archive was not read: it is " in found.remarks[0]


@pytest.mark.parametrize(("mode", "reason"), [(stat.S_IFLNK, "a link"), (stat.S_IFIFO, "not a plain file")])
def test_links_and_pipes_in_a_zip_archive_are_left_out_and_told(mode, reason):
    info = zipfile.ZipInfo("numbers.ipynb")
    info.external_attr = (mode | 0o644) << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    found = unpack(buffer.getvalue(), budget())
    assert (found.notebooks, len(found.remarks)) == ([], 1)
    assert reason in found.remarks[0]


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_whose_memory_the_archive_chooses_are_not_unpacked(method):
    found = unpack(zipped({"numbers.ipynb": b"{}"}, method), budget())
    assert (found.notebooks, len(found.remarks)) == ([], 1)


def test_encrypted_members_are_left_out_and_told():
    data = bytearray(zipped({"numbers.ipynb": b"{}"}))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    found = unpack(bytes(data), budget())
    assert (found.notebooks, len(found.remarks)) == ([], 1)
    assert "encrypted" in found.remarks[0]


@pytest.mark.parametrize(
    "data",
    [
        zipped({f"{i}.ipynb": b"{" + bytes(900_000) for i in range(3)}),
        tarred({f"{i}.ipynb": b"{" + bytes(900_000) for i in range(3)}),
        tarred({"notes.txt": bytes(3 * MB)}),
        gzip.compress(b"{" + bytes(3 * MB)),
        zipped({f"{i}.zip": zipped({"a.ipynb": b"{" + bytes(900_000)}) for i in range(3)}),
    ],
    ids=["zip", "tar", "tar of other files", "gzip", "zip of zips"],
)
def test_a_bomb_is_refused_before_more_is_unpacked_than_the_budget(data, monkeypatch):
    left = budget()
    with pytest.raises(Refused, match="unpacks to more"):
        unpack(data, left, name="a.ipynb.gz")
    assert left.total_bytes >= -2 * MB, "one read may pass the budget, and only by what was asked for"


def test_a_member_that_is_too_large_is_left_out_and_others_are_not():
    for writer, size in (("zip", 20 * MB), ("tar.gz", MB)):
        found = unpack(WRITERS[writer]({"a.ipynb": b"{" + bytes(size), "b.ipynb": b"{}"}), budget(total_bytes=9 * MB))
        assert found.notebooks == [("b.ipynb", b"{}")]
        assert "'a.ipynb' within the archive was not read: it is larger than 1 MB." in found.remarks


@pytest.mark.parametrize("writer", ["zip", "tar.gz"])
def test_thousands_of_members_are_refused(writer):
    with pytest.raises(Refused, match="more than 2000 files"):
        unpack(WRITERS[writer]({f"{i}.txt": b"" for i in range(MAX_MEMBERS + 1)}), budget(total_bytes=9 * MB))


def test_the_contents_of_a_zip_archive_are_not_even_listed_when_there_are_too_many(monkeypatch):
    data = zipped({f"{i}.txt": b"" for i in range(MAX_MEMBERS + 1)})
    monkeypatch.setattr(archives.zipfile, "ZipFile", None)
    with pytest.raises(Refused, match="more than 2000 files"):
        unpack(data, budget())


def test_a_header_that_is_broken_ends_the_archive():
    data = bytearray(tarred({"a.ipynb": b"{}", "b.ipynb": b"{}"}, "w"))
    data[1024] ^= 1
    with pytest.raises(Refused, match="broken"):
        unpack(bytes(data), budget())


def test_one_archive_within_another_is_opened_and_a_third_is_not():
    one = tarred({"numbers.ipynb": b"{}"})
    two = zipped({"inner/work.tar.gz": one})
    assert opened(two) == {"inner/work.tar.gz/numbers.ipynb": b"{}"}
    found = unpack(zipped({"outer.zip": two, "other.ipynb": b"{3}"}), budget())
    assert found.notebooks == [("other.ipynb", b"{3}")]
    assert any("archive within an archive within" in text for text in found.remarks)


def test_what_systems_add_is_no_notebook():
    files = dict.fromkeys(("__MACOSX/._a.ipynb", "._a.ipynb", ".ipynb_checkpoints/a-checkpoint.ipynb"), b"{")
    assert opened(zipped({**files, "a.ipynb": b"{1}"})) == {"a.ipynb": b"{1}"}


def test_a_gzipped_notebook_is_one_notebook():
    assert opened(gzip.compress(b"{}"), "numbers.ipynb.gz") == {"numbers.ipynb": b"{}"}


@pytest.mark.parametrize("start", [b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"BZh9", b"\xfd7zXZ\0"])
def test_archives_that_cannot_be_read_are_named(start):
    with pytest.raises(Refused, match="is not read"):
        unpack(start + bytes(600), budget())


def pax(*records: bytes) -> bytes:
    """A tar archive with these bytes as its pax header."""
    data = tarred({"a.ipynb": b"{}"}, "w", tarfile.USTAR_FORMAT)
    header = bytearray(data[:512])
    body = b"".join(records)
    header[124:136] = b"%011o\0" % len(body)
    header[156:157] = b"x"
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + body + bytes(-len(body) % 512) + data


@pytest.mark.parametrize("records", [b"0 path=a\n", b"1", b"-3 path=x\n", b"path", b"3 " + b"1" * 600, b"9" * 600])
def test_broken_pax_headers_are_refused_and_never_go_round_in_circles(records):
    with pytest.raises(Refused, match="broken"):
        unpack(pax(records), budget())
    assert opened(pax(b"16 path=b.ipynb\n")) == {"b.ipynb": b"{}"}


def test_a_size_that_is_negative_or_beyond_the_end_is_refused():
    data = tarred({"a.ipynb": b"{}"}, "w")
    for size in (
        b"-0000000001\0",
        b"-0000001000\0",
        b"77777777777\0",
        b"\xff" * 12,
        b"\x80" + b"\xff" * 11,
        b"zzz\0zzz\0zzz\0",
    ):
        header = bytearray(data[:512])
        header[124:136] = size
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        with pytest.raises(Refused, match=r"broken|cut off"):
            unpack(bytes(header) + data[512:], budget())


@pytest.mark.parametrize("writer", sorted(WRITERS))
def test_damaged_archives_are_refused_or_give_notebooks_within_the_budget(writer):
    rng = random.Random(20270201)
    whole = WRITERS[writer](
        {"a/numbers.ipynb": b"{" + rng.randbytes(3000), "notes.txt": b"x" * 500, "b.zip": zipped({"c.ipynb": b"{}"})}
    )
    for number in range(400):
        data = bytearray(whole)
        for _ in range(rng.choice((1, 2, 8))):
            place = rng.randrange(len(data))
            data[place : place + rng.choice((0, 1, 4))] = rng.randbytes(rng.choice((0, 1, 1, 4)))
        left = budget()
        try:
            found = unpack(bytes(data[: rng.choice((None, None, len(data) // 2))]), left)
        except Refused:
            continue
        assert sum(len(content) for _, content in found.notebooks) <= 2 * MB - left.total_bytes, f"round {number}"
        assert all(text.endswith(".") and text.isprintable() for text in found.remarks), f"round {number}"


def test_zlib_is_never_asked_for_more_than_the_budget(monkeypatch):
    """A bomb of a thousand to one must not be in memory for a moment."""
    asked = []
    real = zlib.decompressobj

    class Counting:
        def __init__(self, **options):
            self.inner = real(**options)

        def decompress(self, data, most=0):
            asked.append(most)
            return self.inner.decompress(data, most)

        def __getattr__(self, name):
            return getattr(self.inner, name)

    monkeypatch.setattr(archives.zlib, "decompressobj", Counting)
    with pytest.raises(Refused):
        unpack(gzip.compress(bytes(20 * MB)), budget())
    assert asked == [2 * MB + 1]
