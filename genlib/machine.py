"""What this machine offers to the course, told to `course doctor`: torch's build, the device, the data sets."""

import importlib.metadata
import shutil
from typing import Any

import torch

from genlib.data import SPLITS, DataCorruptError, DataNotFoundError, data_folders, load
from genlib.device import get_device

Row = dict[str, Any]
DOWNLOADED = ("mnist", "fashion_mnist", "cifar10")
LOCAL = ("binarized_mnist", "dsprites", "names", "tinyshakespeare")


def probe() -> list[Row]:
    """Rows of `course doctor`: dicts with ``name``, ``severity`` ("ok", "optional" or "needed") and ``found``.

    Where something is missing they have ``advice``, a sentence, and, if one command brings it, that ``command``, in
    which PYTHON stands for the Python that runs the notebooks. Nothing is downloaded and the network is not asked.
    """
    always = [name for name in SPLITS if name not in DOWNLOADED + LOCAL]
    made = {"name": "data", "severity": "ok", "found": f"always there: {', '.join(always)}"}
    return [torch_row(), device_row(), made, *(data_row(name) for name in DOWNLOADED + LOCAL if name in SPLITS)]


def build(version: Any = torch.version) -> str:
    """What torch was built for: "CUDA 12.8", "ROCm 6.4", "XPU", "MPS and CPU" or "CPU"."""
    if getattr(version, "hip", None):
        return f"ROCm {version.hip}"
    if version.cuda:
        return f"CUDA {version.cuda}"
    if getattr(version, "xpu", None):
        return "XPU"
    return "MPS and CPU" if torch.backends.mps.is_built() else "CPU"


def torch_row() -> Row:
    """torch's version and what it was built for."""
    details = {"version": torch.__version__, "build": build(), "threads": torch.get_num_threads()}
    return {"name": "torch", "severity": "ok", "found": f"{torch.__version__}, built for {build()}", "details": details}


def device_row() -> Row:
    """The device that ``get_device()`` chooses; a remark where a card of NVIDIA is there and torch does not use it."""
    row: Row = {"name": "device", "severity": "ok"}
    try:
        device = get_device()
    except ValueError as error:
        advice = "Take the variable GENLIB_DEVICE away, or give it the name of a device that is there."
        return {**row, "severity": "needed", "found": str(error), "advice": advice}
    row |= {"found": f"{device.type}{_about(device)}", "details": {"device": device.type}}
    if device.type == "cpu" and shutil.which("nvidia-smi"):
        row["severity"] = "optional"
        row["found"] = f"cpu, although there is a driver for NVIDIA cards; this torch was built for {build()}"
        row["advice"] = "The course needs no GPU. With uv installed, this brings the build that fits the driver:"
        pins = " ".join(f"{name}=={_release(name)}" for name in ("torch", "torchvision"))
        row["command"] = f"uv pip install --python PYTHON --torch-backend auto --reinstall {pins}"
    return row


def _release(name: str) -> str:
    """The version that is installed, without the mark of the build."""
    return importlib.metadata.version(name).partition("+")[0]


def _about(device: torch.device) -> str:
    if device.type in ("cuda", "xpu"):
        found = torch.get_device_module(device.type).get_device_properties(device)
        return f", {found.name}, {found.total_memory / 1e9:.0f} GB"
    return "" if device.type == "cpu" else ", the GPU of this Mac"


def data_row(name: str) -> Row:
    """Whether the test split of a set that lies in files can be loaded, where it lies, and how to get it."""
    folders = data_folders(name)
    there = [str(folder) for folder in folders if folder.is_dir()]
    row: Row = {"name": name, "details": {"folders": there, "looked_in": [str(folder) for folder in folders]}}
    try:
        load(name, "test", download=False)
    except DataNotFoundError as error:
        return {**row, "severity": "optional", "found": "not here", **_how_to_get(name, error)}
    except DataCorruptError as error:
        return {**row, "severity": "optional", "found": "damaged", "advice": str(error)}
    return {**row, "severity": "ok", "found": f"in {' and '.join(there)}"}


def _how_to_get(name: str, error: DataNotFoundError) -> Row:
    if name not in DOWNLOADED:
        reason = str(error).partition(", where it is not")[0]
        return {"advice": f"No default of the course needs it. {reason[0].upper()}{reason[1:]}."}
    command = f"PYTHON -c \"from genlib.data import load; load('{name}'); load('{name}', 'test')\""
    return {"advice": "It is downloaded when a notebook first asks for it, or now, with:", "command": command}
