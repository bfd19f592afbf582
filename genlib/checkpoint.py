"""One file that holds a training run: plain values and tensors, written whole or not at all."""

import hashlib
import io
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

FORMAT = "genlib checkpoint 1"


def save_checkpoint(
    path: str | os.PathLike[str],
    model: nn.Module,
    *,
    step: int,
    seed: int,
    metrics: dict[str, Any],
    config: dict[str, Any],
    optimizer: torch.optim.Optimizer | None = None,
    rng: dict[str, Any] | None = None,
) -> None:
    """Write model, optimizer, state of the random numbers, and the step, seed, metrics and config behind them.

    The file replaces an older one in a single step, so that a crash leaves one or the other. Raises ``ValueError``
    for values that ``torch.load(weights_only=True)`` would refuse.
    """
    path = Path(path)
    content = {
        "format": FORMAT,
        "step": step,
        "seed": seed,
        "metrics": metrics,
        "config": config,
        "optimizer": None if optimizer is None else optimizer.state_dict(),
        "rng": rng,
    }
    packed = _packed({**{key: _plain(value, key) for key, value in content.items()}, "model": model.state_dict()})
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(partial, "wb") as file:
            file.write(packed)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def load_checkpoint(path: str | os.PathLike[str], model: nn.Module | None = None) -> dict[str, Any]:
    """Read what ``save_checkpoint`` wrote, on the CPU, and put the parameters into ``model`` if one is given.

    Keys: ``step``, ``seed``, ``metrics``, ``config``, ``model``, ``optimizer``, ``rng``. Raises ``FileNotFoundError``
    when there is no such file, and ``ValueError`` when it is damaged, no checkpoint, or of another model; the model is
    then unchanged.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no checkpoint {path}; expected a file that save_checkpoint or fit wrote")
    try:
        content = _unpacked(path.read_bytes())
    except (ValueError, RuntimeError, pickle.UnpicklingError) as error:
        raise ValueError(
            f"{path} cannot be read as a checkpoint ({error}); it is damaged, or no file of save_checkpoint or fit"
        ) from error
    if content.get("format") != FORMAT:
        raise ValueError(f"{path} is a {content.get('format')!r}; this version of genlib reads a {FORMAT!r}")
    if model is not None:
        _check_fits(path, content["model"], model.state_dict())
        model.load_state_dict(content["model"])
    return content


def _packed(content: dict[str, Any]) -> bytes:
    """What torch.save writes, a zip archive, with its SHA-256 as the archive's comment."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    archive = buffer.getvalue()
    digest = hashlib.sha256(archive).hexdigest().encode()
    # An archive ends with the length of its comment, two bytes, and the comment; torch leaves it empty.
    return archive[:-2] + len(digest).to_bytes(2, "little") + digest


def _unpacked(packed: bytes) -> Any:
    # torch.load does not look at the checksums inside the archive, and reads a damaged one without complaint.
    archive, digest = packed[:-66] + b"\0\0", packed[-64:]
    if packed[-66:-64] != b"\x40\0" or hashlib.sha256(archive).hexdigest().encode() != digest:
        raise ValueError("its content does not have the checksum at its end")
    return torch.load(io.BytesIO(packed), map_location="cpu", weights_only=True)


def _check_fits(path: Path, stored: dict[str, Tensor], own: dict[str, Tensor]) -> None:
    # load_state_dict would copy what fits before it complains about the rest.
    for name in sorted(stored.keys() | own.keys()):
        found, expected = (tuple(s[name].shape) if name in s else "absent" for s in (stored, own))
        if found != expected:
            raise ValueError(
                f"{path} is of another model: {name} is {found} there and {expected} in the model; "
                "expected a model built with the arguments of the one that was saved"
            )


def _plain(value: Any, where: str) -> Any:
    """``value`` with NumPy's scalars as Python's, which is all that weights_only=True reads."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return {_plain(k, where): _plain(v, f"{where}[{k!r}]") for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(v, where) for v in value) if type(value) in (list, tuple) else list(value)
    if value is None or isinstance(value, Tensor) or type(value) in (bool, int, float, str):
        return value
    raise ValueError(
        f"{where} holds a {type(value).__name__}, which a checkpoint cannot; expected numbers, strings, tensors, and "
        "lists and dictionaries of them"
    )
