"""Data in memory: ``load`` a set by name, go through it in ``batches``, ``binarize`` or ``dequantize`` its pixels."""

import os

import numpy as np
import torch

from genlib.data.dataset import Dataset
from genlib.data.files import DataCorruptError, DataNotFoundError, data_folders
from genlib.data.images import IDX_FILES, MATLAB_FILES, Images, read_binarized_mnist, read_digits, read_idx
from genlib.data.tensors import batches, binarize, dequantize, quantize, to_uint8
from genlib.data.toys import SIZES, TOYS, draw_toy

__all__ = [
    "SPLITS",
    "DataCorruptError",
    "DataNotFoundError",
    "Dataset",
    "batches",
    "binarize",
    "dequantize",
    "load",
    "quantize",
    "to_uint8",
]

# The splits of each set. MNIST and Fashion-MNIST have no "valid", because "train" is the customary 60,000, all of them;
# who needs one takes x[:50_000] and x[50_000:] of it.
SPLITS: dict[str, tuple[str, ...]] = {
    "digits": ("train", "test"),
    **{name: tuple(SIZES) for name in TOYS},
    **{name: tuple(files) for name, files in IDX_FILES.items()},
    "binarized_mnist": tuple(MATLAB_FILES),
}


def load(
    name: str = "digits",
    split: str = "train",
    *,
    root: str | os.PathLike[str] | None = None,
    download: bool = True,
    device: str | torch.device | None = None,
) -> Dataset:
    """Load one split of a data set into memory, checked, as tensors on ``device`` (by default the CPU).

    ``digits`` (N, 1, 8, 8): scikit-learn's, 17 grey levels, no files needed. ``moons``, ``rings``,
    ``eight_gaussians``, ``swiss_roll`` (N, 2): mean 0 and E|x|^2 = 2, the same draws every time, others in each split.
    ``mnist``, ``fashion_mnist`` (N, 1, 28, 28): 256 grey levels. ``binarized_mnist`` (N, 1, 28, 28): zeros and ones, no
    labels, and a test set that is sorted by class, so that its first n rows are no fair sample.
    Images are floats in [0, 1], level k being k / (levels - 1); labels ``y (N,)`` are int64, or None.

    Files are looked for in ``<root>/<name>/``; the root is ``root``, or ``$GENLIB_DATA`` and then the user's cache.
    Missing files of MNIST and Fashion-MNIST are downloaded unless ``download=False``.
    Raises ``ValueError`` for a name or split that does not exist, ``DataNotFoundError`` (a ``FileNotFoundError``)
    when a file is missing and cannot be fetched, ``DataCorruptError`` (an ``OSError``) when a file is damaged.
    """
    if name not in SPLITS:
        raise ValueError(f"there is no data set {name!r}; expected one of: {', '.join(SPLITS)}")
    if split not in SPLITS[name]:
        raise ValueError(f"{name!r} has no split {split!r}; expected one of: {', '.join(SPLITS[name])}")
    if name in TOYS:
        points, labels = draw_toy(name, split)
        x = torch.from_numpy(points.astype(np.float32)).to(device)  # (N, 2)
    else:
        images, top, labels = _read_images(name, split, root, download)
        x = torch.from_numpy(images.copy()).to(device).float().div_(top)  # (N, 1, H, W)
    y = None if labels is None else torch.from_numpy(labels).to(device)  # (N,)
    return Dataset(x, y, name, split)


def _read_images(name: str, split: str, root: str | os.PathLike[str] | None, download: bool) -> Images:
    if name == "digits":
        return read_digits(split)
    folders = data_folders(name, root)
    if name == "binarized_mnist":
        return read_binarized_mnist(split, folders)
    return read_idx(name, split, folders, download)
