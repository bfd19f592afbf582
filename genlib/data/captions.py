"""One-line descriptions of drawings in English, made from their factors."""

from torch import Tensor

from genlib.data.faces import FACE_FACTORS, FACE_RANGES
from genlib.data.shapes import SHAPE_FACTORS, SHAPE_RANGES, SHAPES

SCALES = ("small", "medium-sized", "large")
PLACES = (
    ("at the top left", "at the top", "at the top right"),
    ("on the left", "in the middle", "on the right"),
    ("at the bottom left", "at the bottom", "at the bottom right"),
)  # PLACES[row][column]
SMILES = ("frowning", "serious", "smiling")
TILTS = ("tilted to the right", "upright", "tilted to the left")  # as one sees it: clockwise is to the right


def caption(factors: Tensor, of: str = "shapes") -> str:
    """Describe one drawing by its factors, ``(5,)`` of ``shapes`` or ``(2,)`` of ``faces``, in thirds of their ranges.

    "a small square at the top left" says nothing of the orientation, and fits many images: one of 108 captions. Of a
    face: "a smiling face, tilted to the left", one of 9. Raises ``ValueError`` for another number of factors or set.
    """
    names = {"shapes": SHAPE_FACTORS, "faces": FACE_FACTORS}.get(of)
    if names is None:
        raise ValueError(f"received of={of!r}; expected 'shapes' or 'faces'")
    if factors.shape != (len(names),):
        raise ValueError(f"factors have shape {tuple(factors.shape)}; expected those of one drawing, ({len(names)},)")
    value = dict(zip(names, factors.tolist(), strict=True))
    if of == "faces":
        return f"a {SMILES[_third(value, 'smile', FACE_RANGES)]} face, {TILTS[_third(value, 'tilt', FACE_RANGES)]}"
    scale = SCALES[_third(value, "scale", SHAPE_RANGES)]
    shape = SHAPES[int(value["shape"])]
    place = PLACES[_third(value, "y", SHAPE_RANGES)][_third(value, "x", SHAPE_RANGES)]
    return f"a {scale} {shape} {place}"


def _third(value: dict[str, float], name: str, ranges: dict[str, tuple[float, float]]) -> int:
    """0, 1 or 2: where the value lies in the range of its factor."""
    low, high = ranges[name]
    return min(2, max(0, int(3 * (value[name] - low) / (high - low))))
