"""Image data sets: scikit-learn's digits, MNIST and Fashion-MNIST, and binarised MNIST, as bytes.

Each reader returns images ``(N, 1, H, W)`` of type uint8, their highest value, and labels ``(N,)`` or None.
"""

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genlib.data.files import DataFile, corrupt, download, find, missing, read, read_local

Images = tuple[NDArray[np.uint8], int, NDArray[np.int64] | None]

# Under the names of the sets, what torchvision calls them. Sizes and checksums are those of the unpacked IDX files.
TORCHVISION = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST"}
IDX_FILES = {
    "mnist": {
        "train": (
            DataFile(
                "MNIST/raw/train-images-idx3-ubyte",
                47040016,
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            ),
            DataFile(
                "MNIST/raw/train-labels-idx1-ubyte",
                60008,
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            ),
        ),
        "test": (
            DataFile(
                "MNIST/raw/t10k-images-idx3-ubyte",
                7840016,
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            ),
            DataFile(
                "MNIST/raw/t10k-labels-idx1-ubyte",
                10008,
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
        ),
    },
    "fashion_mnist": {
        "train": (
            DataFile(
                "FashionMNIST/raw/train-images-idx3-ubyte",
                47040016,
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            ),
            DataFile(
                "FashionMNIST/raw/train-labels-idx1-ubyte",
                60008,
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            ),
        ),
        "test": (
            DataFile(
                "FashionMNIST/raw/t10k-images-idx3-ubyte",
                7840016,
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            ),
            DataFile(
                "FashionMNIST/raw/t10k-labels-idx1-ubyte",
                10008,
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            ),
        ),
    },
}
MATLAB_FILES = {
    "train": DataFile(
        "binarized_mnist_train.amat", 2852060, "79a0312c7389d855cfc97e3812de3998417c5829d8a51543b56a90a91252ae7e"
    ),
    "valid": DataFile(
        "binarized_mnist_valid.amat", 571883, "7436afc856959075c7787025bb8a4ba2b520b9230ee39667c66aa7dd2819dd68"
    ),
    "test": DataFile(
        "binarized_mnist_test.amat", 490132, "5bc30222e1e7896cbccd1e1db6b28540cc1230f4d2d5473841a5f6cc54be8d38"
    ),
}


def read_digits(split: str) -> Images:
    """scikit-learn's 1797 digits, 8x8 in 17 grey levels; of each class, every fifth in file order is for testing."""
    from sklearn.datasets import load_digits

    values, y = load_digits(return_X_y=True)
    if values.shape != (1797, 64) or values.min() < 0 or values.max() > 16 or (values != values.round()).any():
        raise ValueError(
            f"scikit-learn's digits have shape {values.shape} and values from {values.min()} to {values.max()}; "
            "expected (1797, 64) and whole numbers from 0 to 16. Reinstall scikit-learn."
        )
    rank = np.zeros(len(y), dtype=int)  # how many of the same class stand before
    for label in range(10):
        rank[y == label] = np.arange((y == label).sum())
    chosen = (rank % 5 == 4) == (split == "test")
    return values[chosen].astype(np.uint8).reshape(-1, 1, 8, 8), 16, y[chosen].astype(np.int64)


def read_idx(name: str, split: str, folders: list[Path], fetch: bool) -> Images:
    """MNIST or Fashion-MNIST from gzipped or unpacked IDX files, fetched through torchvision where they are missing."""
    arrays = []
    for file in IDX_FILES[name][split]:
        path = find(file, folders) or _fetch(name, file, folders, fetch)
        arrays.append(parse_idx(read(file, path), path))
    images, labels = arrays
    if images.ndim != 3 or labels.shape != images.shape[:1] or labels.max(initial=0) > 9:
        raise corrupt(path, "images (N, H, W) and as many labels from 0 to 9", f"{images.shape} and {labels.shape}")
    return images[:, None], 255, labels.astype(np.int64)


def _fetch(name: str, file: DataFile, folders: list[Path], fetch: bool) -> Path:
    if not fetch:
        raise missing(name, file.path, folders, "It was not fetched, because download=False.")
    from torchvision import datasets

    source: Any = getattr(datasets, TORCHVISION[name])
    packed = Path(file.path).name + ".gz"
    try:
        urls = [mirror + packed for mirror in source.mirrors]
        return download(urls, f"{file.path}.gz", dict(source.resources)[packed], folders)
    except OSError as error:
        raise missing(name, file.path, folders, f"Downloading it failed ({error}).") from error


def parse_idx(content: bytes, path: Path) -> NDArray[np.uint8]:
    """The array in an IDX file of unsigned bytes; raises ``DataCorruptError`` when header and length disagree."""
    n_dims = content[3] if len(content) > 3 else 0
    if content[:3] != b"\0\0\x08" or not 1 <= n_dims <= 3 or len(content) < 4 + 4 * n_dims:
        raise corrupt(path, "an IDX header of bytes in 1 to 3 dimensions", content[:16].hex(" ") or "an empty file")
    data = content[4 + 4 * n_dims :]
    shape = tuple(int.from_bytes(content[4 + 4 * i : 8 + 4 * i], "big") for i in range(n_dims))
    if len(data) != math.prod(shape):
        raise corrupt(path, f"{shape} values, as its header says,", f"{len(data)} bytes")
    return np.frombuffer(data, dtype=np.uint8).reshape(shape)


def read_binarized_mnist(split: str, folders: list[Path]) -> Images:
    """The statically binarised MNIST of Salakhutdinov and Murray (2008) from local MATLAB files; it has no labels."""
    from scipy.io import loadmat

    content, path = read_local("binarized_mnist", MATLAB_FILES[split], folders)
    values = loadmat(io.BytesIO(content))["X"]
    if values.ndim != 2 or values.shape[1] != 784 or not ((values == 0) | (values == 1)).all():
        raise corrupt(path, "zeros and ones in shape (N, 784)", f"shape {values.shape}, type {values.dtype}")
    return values.astype(np.uint8).reshape(-1, 1, 28, 28), 1, None
