"""Models that come trained: small checkpoints, each beside the script that made it."""

from pathlib import Path

from genlib.checkpoint import load_checkpoint
from genlib.models.gated_pixel_cnn import GatedPixelCNN

FOLDER = Path(__file__).resolve().parent
NAMES = ("gated_pixel_cnn_mnist",)


def load(name: str = "gated_pixel_cnn_mnist") -> GatedPixelCNN:
    """A trained model, in evaluation mode on the CPU; no data and no network are needed.

    ``gated_pixel_cnn_mnist``: binary digits (1, 28, 28) given their label, p(x|y) with 10 classes. Raises
    ``ValueError`` for a name that there is not.
    """
    if name not in NAMES:
        raise ValueError(f"there is no trained model {name!r}; expected one of: {', '.join(NAMES)}")
    checkpoint = load_checkpoint(FOLDER / f"{name}.pt")
    config = {**checkpoint["config"], "data_shape": tuple(checkpoint["config"]["data_shape"])}
    model = GatedPixelCNN(**config)
    model.load_state_dict(checkpoint["model"])
    return model.eval()


def metrics(name: str = "gated_pixel_cnn_mnist") -> dict[str, float]:
    """What was measured when the model had been trained: see the script of its name."""
    if name not in NAMES:
        raise ValueError(f"there is no trained model {name!r}; expected one of: {', '.join(NAMES)}")
    found: dict[str, float] = load_checkpoint(FOLDER / f"{name}.pt")["metrics"]
    return found
