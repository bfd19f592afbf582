"""``load``: every data set by its name."""

import os
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from genlib.data.colour import TILE, read_cifar10, read_patches
from genlib.data.dataset import Dataset
from genlib.data.dsprites import read_dsprites
from genlib.data.faces import FACE_FACTORS, FACE_SIZES, draw_face_factors, render_faces
from genlib.data.files import data_folders
from genlib.data.images import IDX_FILES, MATLAB_FILES, Images, read_binarized_mnist, read_digits, read_idx
from genlib.data.shapes import SHAPE_FACTORS, SHAPE_SIZES, draw_shape_factors, render_shapes
from genlib.data.text import WINDOW, read_names, read_sentences, read_shakespeare
from genlib.data.toys import SIZES, TOYS, draw_toy

# The splits of each set. MNIST, Fashion-MNIST and CIFAR-10 have no "valid", because "train" is the customary one, all
# of it; who needs one takes x[:50_000] and x[50_000:] of it.
THREE = ("train", "valid", "test")
SPLITS: dict[str, tuple[str, ...]] = {
    "digits": ("train", "test"),
    **{name: tuple(SIZES) for name in TOYS},
    "shapes": tuple(SHAPE_SIZES),
    "faces": tuple(FACE_SIZES),
    "patches": THREE,
    "sentences": THREE,
    **{name: tuple(files) for name, files in IDX_FILES.items()},
    "binarized_mnist": tuple(MATLAB_FILES),
    "cifar10": ("train", "test"),
    "dsprites": ("train", "test"),
    "names": THREE,
    "tinyshakespeare": THREE,
}

# The sets that come in any size, with the usual, smallest and largest: pixels, or characters of tinyshakespeare.
SIZED = {"shapes": (28, 16, 128), "faces": (28, 16, 128), "patches": (8, 2, TILE), "tinyshakespeare": (WINDOW, 2, 4096)}


def load(
    name: str = "digits",
    split: str = "train",
    *,
    size: int | None = None,
    root: str | os.PathLike[str] | None = None,
    download: bool = True,
    device: str | torch.device | None = None,
) -> Dataset:
    """Load one split of a data set into memory, checked, as tensors on ``device`` (by default the CPU).

    The table in ``genlib.data`` lists names and shapes. Images are floats in [0, 1], level k being k / (levels - 1);
    points in the plane are floats, text is int64 codes; labels ``y (N,)`` are int64, or None. ``size`` is the side of
    ``shapes``, ``faces`` and ``patches`` in pixels, or the length of the windows of ``tinyshakespeare`` in characters.

    Files are looked for in ``<root>/<name>/``; the root is ``root``, or ``$GENLIB_DATA`` and then the user's cache.
    Missing files of MNIST, Fashion-MNIST and CIFAR-10 are downloaded unless ``download=False``.
    Raises ``ValueError`` for a name, split or size that does not exist, ``DataNotFoundError`` (a ``FileNotFoundError``)
    when a file is missing and cannot be fetched, ``DataCorruptError`` (an ``OSError``) when a file is damaged.
    """
    if name not in SPLITS:
        raise ValueError(f"there is no data set {name!r}; expected one of: {', '.join(SPLITS)}")
    if split not in SPLITS[name]:
        raise ValueError(f"{name!r} has no split {split!r}; expected one of: {', '.join(SPLITS[name])}")
    size = _size(name, size)
    if name in ("shapes", "faces"):
        return _drawn(name, split, size).to(device)
    if name in TOYS:
        points, labels = draw_toy(name, split)
        y = None if labels is None else torch.from_numpy(labels)
        return Dataset(torch.from_numpy(points.astype(np.float32)), y, name, split).to(device)  # (N, 2)
    folders = data_folders(name, root)
    if name in ("sentences", "names", "tinyshakespeare"):
        return _text(name, split, size, folders).to(device)
    if name == "dsprites":
        images, factors = read_dsprites(split, folders)
        data = _of_bytes(name, split, images, device)
        return replace(data, factors=torch.from_numpy(factors).float().to(device), factor_names=SHAPE_FACTORS)
    return _of_bytes(name, split, _read_images(name, split, size, folders, download), device)


def _size(name: str, size: int | None) -> int:
    """The size that was asked for or the usual one; 0 for sets that have none."""
    if name not in SIZED:
        if size is not None:
            raise ValueError(f"received {size=}, but {name!r} has one size only; sets with sizes: {', '.join(SIZED)}")
        return 0
    usual, low, high = SIZED[name]
    size = usual if size is None else size
    if not isinstance(size, int) or not low <= size <= high:
        raise ValueError(f"received {size=}; expected a whole number from {low} to {high} for {name!r}")
    return size


def _of_bytes(name: str, split: str, images: Images, device: str | torch.device | None) -> Dataset:
    values, top, labels = images
    x = torch.from_numpy(values.copy()).to(device).float().div_(top)  # (N, C, H, W); moved while it is small
    return Dataset(x, None if labels is None else torch.from_numpy(labels).to(device), name, split)


def _drawn(name: str, split: str, size: int) -> Dataset:
    draw, render, names = {
        "shapes": (draw_shape_factors, render_shapes, SHAPE_FACTORS),
        "faces": (draw_face_factors, render_faces, FACE_FACTORS),
    }[name]
    factors = torch.from_numpy(draw(split)).float()  # (N, K)
    y = factors[:, 0].long() if name == "shapes" else None
    return Dataset(render(factors, size), y, name, split, factors, names)


def _text(name: str, split: str, size: int, folders: list[Any]) -> Dataset:
    if name == "sentences":
        x, alphabet = read_sentences(split)
    elif name == "names":
        x, alphabet = read_names(split, folders)
    else:
        x, alphabet = read_shakespeare(split, folders, size)
    return Dataset(x, None, name, split, alphabet=alphabet)  # (N, T)


def _read_images(name: str, split: str, size: int, folders: list[Any], download: bool) -> Images:
    if name == "digits":
        return read_digits(split)
    if name == "patches":
        return read_patches(split, size)
    if name == "binarized_mnist":
        return read_binarized_mnist(split, folders)
    if name == "cifar10":
        return read_cifar10(split, folders, download)
    return read_idx(name, split, folders, download)
