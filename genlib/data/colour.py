"""Colour images, as bytes: CIFAR-10, and patches of scikit-learn's two sample photographs."""

import hashlib
import io
import pickle
import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from genlib.data.files import corrupt, download, find_path, missing
from genlib.data.images import Images

# torchvision knows the address, the names inside and every MD5; the SHA-256 is the one that Keras checks.
CIFAR10_SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
TILE = 64  # pixels; whole tiles of the photographs go to one split
TILE_SPLITS = (
    "train",
    "valid",
    "train",
    "test",
    "train",
)  # by column + 2 row, so that each stands all over the picture


def read_cifar10(split: str, folders: Sequence[Path], fetch: bool) -> Images:
    """CIFAR-10 from torchvision's files, unpacked or in their archive, which is fetched where both are missing."""
    from torchvision.datasets import CIFAR10

    listed = CIFAR10.train_list if split == "train" else CIFAR10.test_list
    batches = [(f"{CIFAR10.base_folder}/{name}", md5) for name, md5 in listed]
    contents = _unpacked(batches, folders)
    if contents is None:
        archive = find_path([CIFAR10.filename], folders) or _fetch(CIFAR10, folders, fetch)
        contents = _from_archive(archive, CIFAR10.tgz_md5, [name for name, _ in batches])
    parts = []
    for (content, path), (_, md5) in zip(contents, batches, strict=True):
        found = hashlib.md5(content, usedforsecurity=False).hexdigest()
        if found != md5:
            raise corrupt(path, f"content with MD5 {md5}", found)
        parts.append(parse_batch(content, path))
    return np.concatenate([x for x, _ in parts]), 255, np.concatenate([y for _, y in parts])


def _unpacked(batches: Sequence[tuple[str, str]], folders: Sequence[Path]) -> list[tuple[bytes, Path]] | None:
    for folder in folders:
        paths = [folder / name for name, _ in batches]
        if all(path.is_file() for path in paths):
            return [(path.read_bytes(), path) for path in paths]
    return None


def _fetch(source: Any, folders: Sequence[Path], fetch: bool) -> Path:
    if not fetch:
        raise missing("cifar10", source.filename, folders, "It was not fetched, because download=False.")
    try:
        return download([source.url], source.filename, source.tgz_md5, folders)
    except OSError as error:
        raise missing("cifar10", source.filename, folders, f"Downloading it failed ({error}).") from error


def _from_archive(archive: Path, md5: str, names: Sequence[str]) -> list[tuple[bytes, Path]]:
    """The files of those names in the archive, unpacked in memory, after both of its checksums are found right."""
    packed = archive.read_bytes()
    found = hashlib.md5(packed, usedforsecurity=False).hexdigest(), hashlib.sha256(packed).hexdigest()
    if found != (md5, CIFAR10_SHA256):
        expected = f"{archive.name} with MD5 {md5} and SHA-256 {CIFAR10_SHA256}"
        raise corrupt(archive, expected, f"{len(packed)} bytes with {found[0]} and {found[1]}")
    try:
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as files:
            members = [files.extractfile(name) for name in names]
            return [
                (member.read() if member else b"", archive / name) for member, name in zip(members, names, strict=True)
            ]
    except (tarfile.TarError, KeyError, EOFError, zlib.error) as error:
        raise corrupt(archive, f"an archive that holds {', '.join(names)}", str(error)) from error


class ArrayUnpickler(pickle.Unpickler):
    """Reads pickles of NumPy arrays, numbers, texts and containers, and calls nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        allowed = {"_reconstruct": np.zeros(0).__reduce__()[0], "ndarray": np.ndarray, "dtype": np.dtype}
        if module in ("numpy", "numpy.core.multiarray", "numpy._core.multiarray") and name in allowed:
            return allowed[name]
        raise pickle.UnpicklingError(f"it calls {module}.{name}, which no data file needs")


def parse_batch(content: bytes, path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images ``(N, 3, 32, 32)`` and labels ``(N,)`` of one pickled batch; anything else is damaged."""
    try:
        batch = ArrayUnpickler(io.BytesIO(content), encoding="bytes").load()  # written by Python 2
        x, y = np.asarray(batch[b"data"]), np.asarray(batch[b"labels"])
    except Exception as error:  # damaged pickles raise nearly anything
        raise corrupt(path, "a pickled batch of CIFAR-10", f"a failure to read it ({error!r})") from error
    if x.dtype != np.uint8 or x.ndim != 2 or x.shape[1] != 3072 or y.shape != x.shape[:1] or y.dtype.kind != "i":
        raise corrupt(path, "bytes (N, 3072) and N labels", f"{x.dtype} {x.shape} and {y.dtype} {y.shape}")
    if not ((y >= 0) & (y <= 9)).all():
        raise corrupt(path, "labels from 0 to 9", f"{y.min()} to {y.max()}")
    return x.reshape(-1, 3, 32, 32), y.astype(np.int64)


def read_patches(split: str, size: int) -> Images:
    """Patches ``(N, 3, size, size)`` in random order; the label is the photograph, 0 the temple and 1 the flower."""
    from sklearn.datasets import load_sample_images

    photographs = load_sample_images().images
    if [photo.shape for photo in photographs] != [(427, 640, 3)] * 2 or any(p.dtype != np.uint8 for p in photographs):
        found = [(photo.dtype, photo.shape) for photo in photographs]
        raise ValueError(f"scikit-learn's photographs are {found}; expected two of uint8 (427, 640, 3). Reinstall it.")
    parts = [cut_patches(photo, split, size) for photo in photographs]
    order = RandomState(500).permutation(sum(map(len, parts)))
    labels = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    return np.concatenate(parts)[order], 255, labels[order].astype(np.int64)


def cut_patches(photograph: NDArray[Any], split: str, size: int) -> NDArray[Any]:
    """Patches ``(N, C, size, size)`` of a photograph ``(H, W, C)`` within the tiles of one split.

    Those for training overlap by half; those for testing do not overlap at all, so that each adds its own evidence.
    """
    step = max(1, size // 2) if split == "train" else size
    starts = range(0, TILE - size + 1, step)
    n_rows, n_columns = photograph.shape[0] // TILE, photograph.shape[1] // TILE
    tiles = [(r, c) for r in range(n_rows) for c in range(n_columns) if TILE_SPLITS[(c + 2 * r) % 5] == split]
    corners = [(r * TILE + top, c * TILE + left) for r, c in tiles for top in starts for left in starts]
    return np.stack([photograph[top : top + size, left : left + size].transpose(2, 0, 1) for top, left in corners])
