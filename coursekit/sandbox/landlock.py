"""Landlock, seccomp and limits around the kernels, where no namespace can be made, such as in many containers.

The fork server runs as it is, in an empty environment; each kernel shuts itself in: coursekit/bridges/confined.py.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from coursekit.sandbox.bubblewrap import ENVIRONMENT, ETC, NOBODY
from coursekit.sandbox.paths import Paths, covered, own_modules, shown, system_folders

KIND = "landlock"
SERVER = "server"  # the folder of the fork server, beside those of the kernels


class Landlock:
    """A sandbox without namespaces: as an ordinary user, or as root who becomes nobody."""

    kind = KIND
    program = sys.executable

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self.privileged = os.geteuid() == 0

    def plan(self) -> dict[str, Any]:
        """For coursekit.bridges.confined, inside."""
        hidden = covered(self.paths)
        around = [*(path for path, link in system_folders() if link is None), *shown(self.paths)]
        readable = [str(path) for folder in dict.fromkeys(around) for path in _without(folder.resolve(), hidden)]
        etc = [f"/etc/{name}" for name in ETC]
        return {
            "kind": KIND,
            "privileged": self.privileged,
            "user": NOBODY,
            "readable": [*readable, *etc],
            "server": SERVER,
        }

    def command(self, argv: list[str], *, sockets: Path) -> list[str]:
        """The command that runs `argv` with a folder of its own in `sockets` and no other variables; raises OSError."""
        if self.privileged and (closed := _closed([*shown(self.paths), Path(sys.executable).resolve(), sockets])):
            raise PermissionError(f"nobody but you may enter {closed}, and as root the kernels run as the user nobody")
        own = sockets.absolute() / SERVER
        for name in ("home", "tmp", "lib/coursekit"):
            (own / name).mkdir(parents=True)
        for path in self.paths.packages:
            (own / "lib" / path.name).symlink_to(path.resolve())
        for path in own_modules():
            (own / "lib" / "coursekit" / path.name).symlink_to(path)
        if self.privileged:
            sockets.parent.chmod(0o711)  # nobody may not look around there, but get to the sockets
            for folder in (sockets, *(path for path in (own, *own.rglob("*")) if not path.is_symlink())):
                os.chown(folder, NOBODY, NOBODY)
        values = {
            **ENVIRONMENT,
            "HOME": str(own / "home"),
            "TMPDIR": str(own / "tmp"),
            "PATH": os.pathsep.join([f"{sys.prefix}/bin", "/usr/local/bin", "/usr/bin", "/bin"]),
            "PYTHONPATH": str(own / "lib"),
            **self.paths.environment,
        }
        return ["/usr/bin/env", "-i", *(f"{name}={value}" for name, value in values.items()), *argv]

    def close(self) -> None:
        """Nothing stays that the folder of the sockets does not hold."""


def _closed(paths: list[Path]) -> Path | None:
    """A folder above one of these that users without rights cannot enter; that of the sockets is opened by us."""
    above = {parent for path in paths for parent in path.resolve().parents}
    return next((path for path in sorted(above) if not path.stat().st_mode & 0o001 and path != paths[-1].parent), None)


def _without(folder: Path, hidden: list[Path]) -> Iterator[Path]:
    """The folder, or all of it but what is hidden: Landlock cannot take back what it has given."""
    if folder in hidden:
        return
    if not any(path.is_relative_to(folder) for path in hidden):
        yield folder
        return
    for path in sorted(folder.iterdir()):
        if not path.is_symlink():
            yield from _without(path, hidden)
