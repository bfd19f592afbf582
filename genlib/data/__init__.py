"""Data in memory: ``load`` a set by name, go through it in ``batches``, ``binarize`` or ``dequantize`` its pixels.

====================================  =====================  ==========================================================
name                                  one example ``x``      what it is
====================================  =====================  ==========================================================
``digits``                            (1, 8, 8)              scikit-learn's handwritten digits, 17 grey levels
``moons`` ``rings``                   (2,)                   points in the plane, mean 0 and E|x|^2 = 2
``eight_gaussians`` ``swiss_roll``
``shapes``                            (1, size, size)        drawn sprites; ``factors`` (N, 5), ``y`` is the shape
``faces``                             (1, size, size)        a drawn face; ``factors`` (N, 2): smile and tilt
``patches``                           (3, size, size)        of two photographs, 256 levels; ``y`` is the photograph
``sentences``                         (60,) codes            of the grammar ``SENTENCES``, whose entropy is exact
``mnist`` ``fashion_mnist``           (1, 28, 28)            256 grey levels; downloaded
``cifar10``                           (3, 32, 32)            256 levels; downloaded
``binarized_mnist``                   (1, 28, 28)            zeros and ones, no labels, test set sorted by class; local
``dsprites``                          (1, 64, 64)            zeros and ones; ``factors`` (N, 5); local
``names``                             (16,) codes            different first names; local
``tinyshakespeare``                   (size,) codes          windows of one long stream; local
====================================  =====================  ==========================================================

The first seven rows need no files and no network. "Local" sets are read from files that you have. In lines of text
code 0 ends the line, and nothing follows. Images are held as floats: 31 MB for ``shapes`` at 28 pixels and 655 MB at
128, 188 MB for ``mnist``, 287 MB for ``dsprites``, 614 MB for ``cifar10``. ``docs/data.md`` says more about every set.
"""

from genlib.data.captions import caption
from genlib.data.dataset import Dataset
from genlib.data.faces import FACE_FACTORS, FACE_RANGES, render_faces
from genlib.data.files import DataCorruptError, DataNotFoundError, data_folders
from genlib.data.grammar import Grammar
from genlib.data.loading import SPLITS, load
from genlib.data.sentences import SENTENCES
from genlib.data.shapes import SHAPE_FACTORS, SHAPE_RANGES, SHAPES, render_shapes
from genlib.data.tensors import batches, binarize, dequantize, quantize, to_uint8
from genlib.data.text import decode, encode

__all__ = [
    "FACE_FACTORS",
    "FACE_RANGES",
    "SENTENCES",
    "SHAPES",
    "SHAPE_FACTORS",
    "SHAPE_RANGES",
    "SPLITS",
    "DataCorruptError",
    "DataNotFoundError",
    "Dataset",
    "Grammar",
    "batches",
    "binarize",
    "caption",
    "data_folders",
    "decode",
    "dequantize",
    "encode",
    "load",
    "quantize",
    "render_faces",
    "render_shapes",
    "to_uint8",
]
