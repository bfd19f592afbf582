"""Control groups that this process may make: only where the tree was delegated to us, never in somebody else's part.

A part of the tree belongs to us when an ordinary user owns it, when systemd has marked it as delegated, or when we are
root at the very top. Version 2 wants the processes in the leaves, so that we look above our own group there.
"""

import contextlib
import os
import secrets
import shlex
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CONTROLLERS = ("memory", "pids")
PREFIX = "coursekit-"
INSIDE = "/run/groups"
REMOVE_ATTEMPTS = 100
_DELEGATED = ("user.delegate", "trusted.delegate")


@dataclass(frozen=True)
class Place:
    """Folders of the tree in which we may make groups: for "memory" and "pids", or for one of them."""

    parents: dict[str, Path]


@dataclass(frozen=True)
class Base:
    """A group of ours for one server and its kernels."""

    folders: dict[str, Path]

    def binds(self) -> dict[str, Path]:
        """Where inside each folder is seen."""
        return {f"{INSIDE}/{name}": folder for name, folder in self.folders.items()}

    def remove(self) -> None:
        """Remove the groups, if nobody is left in them soon: a process may be gone for us and not for the system."""
        for folder in set(self.folders.values()):
            for _ in range(REMOVE_ATTEMPTS):
                _remove(folder)
                if not folder.exists():
                    break
                time.sleep(0.01)

    def start(self, command: list[str]) -> list[str]:
        """The same command, started in the group."""
        files = [shlex.quote(str(folder / "server" / "cgroup.procs")) for folder in set(self.folders.values())]
        moves = "".join(f"echo $$ > {name} && " for name in files)
        return ["/bin/sh", "-c", f'{moves}exec "$@"', "sh", *command]


def find(*, root: Path = Path("/"), user: int | None = None) -> Place | None:
    """Where this process may make control groups, or None."""
    user = os.geteuid() if user is None else user
    parents: dict[str, Path] = {}
    for controllers, group, top in _own_groups(root):
        two = not controllers
        parent = group.parent if two and group != top else group
        for name in CONTROLLERS:
            offered = name in (_words(parent / "cgroup.subtree_control") if two else controllers)
            offered = offered or (two and parent == top and name in _words(parent / "cgroup.controllers"))
            if offered and _is_ours(parent, top, user):
                parents.setdefault(name, parent)
    return Place(parents) if parents else None


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []


def _own_groups(root: Path) -> Iterator[tuple[list[str], Path, Path]]:
    """For each tree its controllers, none for version 2, the folder of our own group, and the topmost one."""
    tops: dict[str, tuple[Path, str]] = {}
    for line in (root / "proc/self/mountinfo").read_text().splitlines():
        left, right = line.split(" - ")
        kind, _, options = right.split(maxsplit=2)
        mounted, point = left.split()[3:5]
        if kind == "cgroup2":
            tops[""] = (root / point.lstrip("/"), mounted)
        elif kind == "cgroup":
            for name in options.split(","):
                tops[name] = (root / point.lstrip("/"), mounted)
    for line in (root / "proc/self/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        controllers = [name for name in names.split(",") if name]
        if (names.split(",")[0]) in tops:
            top, mounted = tops[names.split(",")[0]]
            below = os.path.relpath(path, mounted)
            if not below.startswith(".."):
                yield controllers, (top / below), top


def _is_ours(folder: Path, top: Path, user: int) -> bool:
    try:
        if not os.access(folder, os.W_OK):
            return False
        if user != 0:
            return folder.stat().st_uid == user
        return folder == top or any(name in _DELEGATED for name in os.listxattr(folder))
    except OSError:
        return False


def make(place: Place, owner: int | None) -> Base:
    """A fresh group with one for the server in it, given to the user `owner` if there is one; raises OSError."""
    name = f"{PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
    for parent in set(place.parents.values()):
        _sweep(parent)
        folder = parent / name
        folder.mkdir()
        if (folder / "cgroup.controllers").exists():
            for at in (parent, folder):
                wanted = [each for each in place.parents if each not in _words(at / "cgroup.subtree_control")]
                if wanted:
                    (at / "cgroup.subtree_control").write_text(" ".join(f"+{each}" for each in wanted))
        (folder / "server").mkdir()
        if owner is not None:
            for path in (folder, folder / "cgroup.procs", folder / "server", folder / "server" / "cgroup.procs"):
                shutil.chown(path, owner, owner)
    return Base({controller: parent / name for controller, parent in place.parents.items()})


def _sweep(parent: Path) -> None:
    """Remove what is left of ours by processes that have ended."""
    for folder in parent.glob(f"{PREFIX}*-*"):
        maker = folder.name.removeprefix(PREFIX).split("-")[0]
        if maker.isdigit() and not Path("/proc", maker).exists():
            _remove(folder)


def _remove(folder: Path) -> None:
    with contextlib.suppress(OSError):  # somebody is left in it, or removes it too
        for group in [*filter(Path.is_dir, folder.iterdir()), folder]:
            group.rmdir()
