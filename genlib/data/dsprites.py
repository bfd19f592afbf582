"""dSprites (Matthey et al., 2017): 20,000 of its 737,280 binary sprites of 64x64 pixels, with their five factors."""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from genlib.data.files import DataFile, corrupt, read_local
from genlib.data.images import Images

DSPRITES = DataFile("dsprites_subset.npz", 710021, "32e7cb03fbab06c521df18877073c8d8508877ccecf27d98a9815fa2d4856567")


def read_dsprites(split: str, folders: Sequence[Path]) -> tuple[Images, NDArray[np.float64]]:
    """Images, labels and factors ``(N, 5)``; every tenth sprite in file order is for testing; shuffled.

    Orientation 2 pi, the same image as 0, is left out. The file counts shapes from 1; here the label and the first
    factor count from 0, as those of ``shapes``.
    """
    content, path = read_local("dsprites", DSPRITES, folders)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            images, values = arrays["imgs"], arrays["latents_values"]
    except (KeyError, ValueError, zipfile.BadZipFile) as error:
        raise corrupt(path, "an npz file with imgs and latents_values", str(error)) from error
    if images.ndim != 3 or images.max(initial=0) > 1 or values.shape != (len(images), 5):
        raise corrupt(path, "zeros and ones (N, H, W) and factors (N, 5)", f"{images.shape} and {values.shape}")
    fresh = values[:, 2] < 2 * np.pi - 1e-6  # a full turn gives the image of none: it could stand in both splits
    images, values = images[fresh], values[fresh]
    chosen = np.flatnonzero((np.arange(len(images)) % 10 == 9) == (split == "test"))
    chosen = RandomState(600).permutation(chosen)  # the file is sorted by factors
    factors = values[chosen].astype(np.float64)
    factors[:, 0] -= 1
    return (images[chosen, None].astype(np.uint8), 1, factors[:, 0].astype(np.int64)), factors
