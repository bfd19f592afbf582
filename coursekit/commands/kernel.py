"""`course kernel`: a kernel for JupyterLab and nbval, forked from a process that has imported the course's modules."""

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from coursekit.errors import CourseError
from coursekit.kernels import NO_FORK
from coursekit.settings import find_settings

PROVISIONER = "coursekit-fork"
NAME = "course-warm"


def specification(modules: list[str]) -> dict[str, object]:
    """The kernel.json of the kernel."""
    return {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Python 3 (warm)",
        "language": "python",
        "metadata": {
            "debugger": True,
            "kernel_provisioner": {"provisioner_name": PROVISIONER, "config": {"modules": modules}},
        },
    }


def install(modules: list[str]) -> Path:
    """Write the kernelspec into this Python's own folder and return its folder; raises CourseError."""
    from jupyter_client.kernelspec import KernelSpecManager

    if not hasattr(os, "fork"):
        raise CourseError(f"{NO_FORK} Use the kernel 'Python 3'.")
    with tempfile.TemporaryDirectory() as folder:
        text = json.dumps(specification(modules), indent=1)
        Path(folder, "kernel.json").write_text(text + "\n", encoding="utf-8")
        try:
            return Path(KernelSpecManager().install_kernel_spec(folder, NAME, prefix=sys.prefix))
        except OSError as error:
            raise CourseError(f"The kernel could not be installed below {sys.prefix}: {error}.") from error


def remove() -> Path | None:
    """Take the kernelspec away and return where it was; None when it was not there."""
    folder = Path(sys.prefix, "share", "jupyter", "kernels", NAME)
    if not folder.is_dir():
        return None
    shutil.rmtree(folder)
    return folder


def main(arguments: argparse.Namespace) -> int:
    """Install or remove the kernel, and say where."""
    if arguments.action == "remove":
        gone = remove()
        print(f"Removed {gone}" if gone else f"The kernel {NAME} is not installed in {sys.prefix}.")
        return 0
    modules = arguments.module or list(find_settings(arguments.course).imports)
    print(f"Installed {install(modules)}")
    print(f"In JupyterLab choose the kernel 'Python 3 (warm)'; for nbval say --nbval-kernel-name {NAME}.")
    return 0
