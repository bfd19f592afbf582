"""The one command that brings something that is missing, for the operating system at hand."""

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path


def system() -> str:
    """ "windows", "macos", or for the others the tool that installs programs: "apt-get", "dnf", "pacman" or "linux"."""
    if sys.platform in ("win32", "cygwin"):
        return "windows"
    if sys.platform == "darwin":
        return "macos"
    return next((tool for tool in ("apt-get", "dnf", "pacman") if shutil.which(tool)), "linux")


def quoted(word: str) -> str:
    """A word of a command for the shells of all systems; double quotes work in each of them."""
    safe = word and all(letter.isalnum() or letter in "-_./\\:=,+@" for letter in word)
    return word if safe else f'"{word}"'


def python(root: Path, interpreter: str = "") -> str:
    """How to call a Python from the course folder: relative to it when it lies there."""
    path = Path(interpreter or sys.executable)
    # PowerShell takes a quoted path for a text, unless & stands before it.
    call = "& " if system() == "windows" and quoted(str(path)) != str(path) else ""
    try:
        return quoted(str(path.relative_to(root)))
    except ValueError:
        return call + quoted(str(path))


def pip_install(root: Path, extra: str = "", interpreter: str = "") -> str:
    """The command that installs the course, with the tested versions where the folder has them."""
    constraints = "-c constraints.txt " if (root / "constraints.txt").is_file() else ""
    wanted = f'".[{extra}]"' if extra else "."
    return f"{python(root, interpreter)} -m pip install {constraints}-e {wanted}"


def pip_repair(root: Path, package: str, interpreter: str = "") -> str:
    """The command that puts one installed package back, at the tested version where the folder has it."""
    constraints = "-c constraints.txt " if (root / "constraints.txt").is_file() else ""
    return f"{python(root, interpreter)} -m pip install {constraints}--force-reinstall --no-deps {package}"


def program(packages: dict[str, str], tools: Sequence[str] = ("apt-get", "dnf", "pacman", "macos")) -> str:
    """The command that installs a program of the system; empty where there is no such command.

    `packages` gives the name of the package for a tool, and under "" for all others.
    """
    tool = system()
    name = packages.get(tool, packages.get("", ""))
    if tool not in tools or not name:
        return ""
    if tool == "macos":
        return f"brew install {name}" if shutil.which("brew") else ""
    is_root = getattr(os, "geteuid", lambda: 1)() == 0
    verb = {"apt-get": "apt-get install", "dnf": "dnf install", "pacman": "pacman -S"}[tool]
    return f"{'' if is_root else 'sudo '}{verb} {name}"


def torch_trouble(machine: str, bits: int) -> str:
    """A sentence where torch cannot be installed at all on this computer or with this Python; empty elsewhere."""
    if bits == 32:
        return "This Python has 32 bits, and torch needs 64: install the 64-bit Python from python.org."
    if sys.platform == "darwin" and machine == "x86_64":
        return (
            "torch has no current build for Macs with Intel processors. On a Mac with an M processor this is a Python "
            "for Intel: install the one from python.org."
        )
    return ""
