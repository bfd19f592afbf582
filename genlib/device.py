"""Where to compute and with which random numbers: device choice, seeding, mixed precision, memory."""

import os
import random
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

PREFERENCE = ("cuda", "mps", "xpu", "cpu")
MIB = 2**20
_checking = ContextVar("_checking", default=False)


def get_device(prefer: str | torch.device | None = None) -> torch.device:
    """Choose the device: ``prefer``, else the variable ``GENLIB_DEVICE``, else the first of CUDA, MPS, XPU, CPU.

    Raises ``ValueError`` when the device that was named is unknown or this machine does not have it.
    """
    source, name = (
        ("prefer", prefer) if prefer is not None else ("GENLIB_DEVICE", os.environ.get("GENLIB_DEVICE") or None)
    )
    counts = _device_counts()
    if name is None:
        return torch.device(next(kind for kind in PREFERENCE if counts[kind]))
    here = ", ".join(kind for kind in PREFERENCE if counts[kind])
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"{source}={str(name)!r} is no device; expected one of: {here}") from error
    if (device.index or 0) >= counts.get(device.type, 0):
        raise ValueError(
            f"{source}={str(name)!r}, but this machine does not have that device; it has: {here}. "
            "Leave the choice out and get_device() takes the best one there is."
        )
    return device


def _device_counts() -> dict[str, int]:
    return {
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
        "xpu": torch.xpu.device_count() if torch.xpu.is_available() else 0,
        "cpu": 1,
    }


def seed_everything(seed: int) -> torch.Generator:
    """Seed Python, NumPy and torch on every device, and return torch's global CPU generator.

    It also asks cuDNN for its deterministic algorithms, so that the same seed gives the same result on the same
    machine. Raises ``ValueError`` unless ``seed`` is an integer in [0, 2^32).
    """
    check_seed(seed)
    random.seed(seed)
    np.random.seed(seed)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    return torch.manual_seed(seed)


def check_seed(seed: int) -> None:
    """Raise ``ValueError`` unless ``seed`` is an integer in [0, 2^32), the range that NumPy, too, accepts."""
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise ValueError(f"received seed={seed!r}; expected an integer from 0 to {2**32 - 1}")


def derive_seed(seed: int, *path: int) -> int:
    """A seed in [0, 2^32) that depends on ``seed`` and ``path`` alone, so that each use draws numbers of its own."""
    check_seed(seed)
    return int(np.random.SeedSequence([seed, *path]).generate_state(1)[0])


def rng_state(device: str | torch.device = "cpu") -> dict[str, Any]:
    """The state of every global random number generator: Python, NumPy, torch, and torch on ``device``.

    It holds plain values and tensors only, so that a checkpoint with it loads with ``weights_only=True``.
    """
    keys = np.random.get_state(legacy=False)
    assert isinstance(keys, dict)
    words = keys["state"]["key"].astype(np.int64)
    numpy_state = [torch.from_numpy(words), int(keys["state"]["pos"]), int(keys["has_gauss"]), float(keys["gauss"])]
    return {"python": random.getstate(), "numpy": numpy_state, "torch": torch_rng_state(device)}


def set_rng_state(state: dict[str, Any], device: str | torch.device = "cpu") -> None:
    """Put the generators back into a state that ``rng_state`` returned for the same kind of device."""
    random.setstate(state["python"])
    words, position, has_gauss, gauss = state["numpy"]
    np.random.set_state(("MT19937", words.numpy().astype(np.uint32), position, has_gauss, gauss))
    set_torch_rng_state(state["torch"], device)


def torch_rng_state(device: str | torch.device) -> list[Tensor]:
    """The states of torch's global generators of the CPU and, where it is another, of ``device``, in microseconds."""
    device = torch.device(device)
    if device.type == "cpu":
        return [torch.get_rng_state()]
    module, where = _device_rng(device)
    return [torch.get_rng_state(), module.get_rng_state(*where)]


def set_torch_rng_state(states: list[Tensor], device: str | torch.device) -> None:
    """Put torch's global generators back into what ``torch_rng_state`` returned for the same kind of device."""
    device = torch.device(device)
    torch.set_rng_state(states[0])
    if device.type != "cpu":
        module, where = _device_rng(device)
        module.set_rng_state(states[1], *where)


def _device_rng(device: torch.device) -> tuple[Any, tuple[torch.device, ...]]:
    # There is only ever one MPS device, and its functions take no index.
    return torch.get_device_module(device.type), () if device.type == "mps" else (device,)


@contextmanager
def preserved_rng(device: str | torch.device = "cpu") -> Iterator[None]:
    """Leave every global random number generator as it was before the block, whatever the block draws or seeds."""
    state = rng_state(device)
    try:
        yield
    finally:
        set_rng_state(state, device)


def checks_values(x: Tensor) -> bool:
    """Whether a function may look at the values of ``x``: on the CPU always, elsewhere inside ``checking_values``.

    Looking at a value on an accelerator waits for everything that was asked of it before.
    """
    return x.device.type == "cpu" or _checking.get()


@contextmanager
def checking_values() -> Iterator[None]:
    """Check values on every device inside the block; ``fit`` does so for its first batch."""
    token = _checking.set(True)
    try:
        yield
    finally:
        _checking.reset(token)


def autocast(device: str | torch.device, enabled: bool | None = None) -> AbstractContextManager[Any]:
    """Compute matrix products and convolutions in bfloat16 where that helps, else change nothing.

    ``enabled=None`` turns it on for XPU, and for CUDA devices that compute in bfloat16 natively, and off on CPU and
    MPS, where it is no gain. bfloat16 has the range of float32, so that losses need no scaling. Wrap a whole call of
    ``fit``, or the model's call alone.
    """
    kind = torch.device(device).type
    if enabled is None:
        enabled = kind == "xpu" or (kind == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False))
    return torch.autocast(kind, dtype=torch.bfloat16, enabled=enabled)


def memory_report(device: str | torch.device | None = None) -> dict[str, float]:
    """Memory in MiB: of this process now and at its peak, and of torch's tensors on the accelerator.

    Keys: ``process``, ``process_peak``; with an accelerator also ``device`` and, but for MPS, which does not record
    it, ``device_peak``. ``device`` is by default the one that ``get_device()`` chooses.
    """
    import psutil  # only needed here

    memory = psutil.Process().memory_info()
    report = {"process": memory.rss / MIB, "process_peak": max(memory.rss, _peak_bytes(memory)) / MIB}
    chosen = get_device(device)
    if chosen.type == "mps":
        report["device"] = torch.mps.current_allocated_memory() / MIB
    elif chosen.type != "cpu":
        module = torch.get_device_module(chosen.type)
        report["device"] = module.memory_allocated(chosen) / MIB
        report["device_peak"] = module.max_memory_allocated(chosen) / MIB
    return report


def _peak_bytes(memory: Any) -> int:
    if sys.platform == "win32":
        return int(memory.peak_wset)
    status = Path("/proc/self/status")
    if status.exists():
        # getrusage would count the parent's memory too: on Linux its maximum survives fork and exec.
        lines = status.read_text(encoding="utf-8", errors="replace").splitlines()
        return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
