"""Where data files lie, and reading them whole and checked, or not at all."""

import gzip
import hashlib
import http.client
import os
import socket
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

OFFLINE = 'To go on without it: load("digits") and, for text, load("sentences") need neither files nor network.'


class DataNotFoundError(FileNotFoundError):
    """A data file is not there and could not be fetched."""


class DataCorruptError(OSError):
    """A data file is there, but it is not what it should be."""


@dataclass(frozen=True)
class DataFile:
    """A file of a data set: its path inside the set's folder, and size in bytes and SHA-256 of its unpacked content."""

    path: str
    size: int
    sha256: str


def cache_folder() -> Path:
    """The folder of this user's cache that holds downloaded data, in the place that the operating system prefers."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("genlib", appauthor=False)) / "data"


def data_folders(name: str, root: str | os.PathLike[str] | None = None) -> list[Path]:
    """Where the set ``name`` is looked for: ``root`` if given, else ``$GENLIB_DATA`` if set, and then the cache."""
    if root is not None:
        return [Path(root).expanduser() / name]
    set_by_user = os.environ.get("GENLIB_DATA")
    return [Path(r).expanduser() / name for r in ([set_by_user] if set_by_user else [])] + [cache_folder() / name]


def find(file: DataFile, folders: Iterable[Path]) -> Path | None:
    """The first place that has the file, packed by gzip or not."""
    return find_path((f"{file.path}.gz", file.path), folders)


def find_path(paths: Sequence[str], folders: Iterable[Path]) -> Path | None:
    """The first of ``paths`` that is a file in the first folder that has any."""
    for folder in folders:
        for path in paths:
            if (folder / path).is_file():
                return folder / path
    return None


def read_local(name: str, file: DataFile, folders: Sequence[Path]) -> tuple[bytes, Path]:
    """The content of a file of a set that is never downloaded, and where it lies; raises as ``load`` promises."""
    path = find(file, folders)
    if path is None:
        raise missing(name, file.path, folders, "genlib does not download this set.")
    return read(file, path), path


def read(file: DataFile, path: Path) -> bytes:
    """The unpacked content of ``path``, which is ``file``; raises ``DataCorruptError`` unless every byte is right.

    It is unpacked in memory: the folder may be read-only.
    """
    content = path.read_bytes()
    if path.suffix == ".gz":
        on_disk = len(content)
        try:
            content = gzip.decompress(content)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            found = f"{on_disk} bytes that do not unpack ({error})"
            raise corrupt(path, f"a gzip file that unpacks to {file.size} bytes", found) from error
    if len(content) != file.size:
        raise corrupt(path, f"{file.size} bytes of content", f"{len(content)}")
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        raise corrupt(path, f"content with SHA-256 {file.sha256}", found)
    return content


def corrupt(path: Path, expected: str, found: str) -> DataCorruptError:
    """The error for a file that is not what it should be, saying what to do."""
    return DataCorruptError(
        f"{path} is damaged or not the file that it should be: expected {expected}, found {found}. Nothing was loaded. "
        "Delete it and put a sound copy in its place; load() downloads mnist, fashion_mnist and cifar10 by itself when "
        f"nothing is there. {OFFLINE}"
    )


def missing(name: str, path: str, folders: Iterable[Path], why: str) -> DataNotFoundError:
    """The error for a file that is nowhere, naming the folders, the file and the offline choice."""
    places = " or ".join(str(folder) for folder in folders)
    return DataNotFoundError(
        f"the data set {name!r} needs the file {path} in the folder {places}, where it is not. {why} {OFFLINE} "
        f"If you have the file elsewhere, set GENLIB_DATA to the folder that contains {name}/."
    )


def download(urls: Iterable[str], path: str, md5: str, folders: Iterable[Path]) -> Path:
    """Fetch a file to ``path`` in the first folder that can be written, with a progress bar.

    The file appears in its place only when it is complete and its MD5 is right. Raises ``OSError`` when no address
    gives it or no folder takes it.
    """
    from torchvision.datasets.utils import download_url

    target, problems = _writable(folders, path), []
    for url in urls:
        with tempfile.TemporaryDirectory(prefix=".download-", dir=target.parent) as staging:
            try:
                with _network_timeout(30):
                    download_url(url, staging, target.name, md5)
            except (OSError, RuntimeError, http.client.HTTPException) as error:  # RuntimeError: the wrong MD5
                problems.append(f"{url}: {error}")
                continue
            os.replace(Path(staging) / target.name, target)
            return target
    raise OSError("; ".join(problems))


def _writable(folders: Iterable[Path], path: str) -> Path:
    problems = []
    for folder in folders:
        target = folder / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=target.parent):
                return target
        except OSError as error:
            problems.append(f"{target.parent} cannot be written ({error})")
    raise OSError("; ".join(problems))


@contextmanager
def _network_timeout(seconds: float) -> Iterator[None]:
    # torchvision sets none, and a network that swallows packets would keep a lecture waiting for ever.
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
