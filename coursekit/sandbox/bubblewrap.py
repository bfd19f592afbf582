"""bubblewrap around the fork server: what it can see of this computer, and as whom it runs."""

import atexit
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from coursekit.sandbox import groups
from coursekit.sandbox.paths import Paths, covered, importable, shown, system_folders

KIND = "bubblewrap"
HOME = "/home/student"
NOBODY = 65534
# One thread each: a thread that a library starts while it is imported would make forking unsafe.
ENVIRONMENT = {
    "HOME": HOME,
    "LANG": "C.UTF-8",
    "LOGNAME": "student",
    "MKL_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OMP_THREAD_LIMIT": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "TMPDIR": "/tmp",
    "USER": "student",
}
# What the dynamic linker, fonts, times and names of file types need; nothing that says who uses this computer.
ETC = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "fonts", "localtime", "timezone", "mime.types")
OWN_ETC = ("passwd", "group", "hosts", "nsswitch.conf")  # made for every kernel: coursekit/bridges/surroundings.py
MADE = ("/etc", "/run/private", "/run/etc", groups.INSIDE)  # empty, for the same to mount on


class Bubblewrap:
    """A sandbox made by bwrap, as root without its rights, or as an ordinary user in a user namespace.

    With a `place` every server gets control groups there; they are removed by `close`, at the latest at the end.
    """

    kind = KIND

    def __init__(self, paths: Paths, *, place: groups.Place | None = None, program: str = "bwrap") -> None:
        self.paths, self.place = paths, place
        self.program = shutil.which(program) or program
        self.privileged = os.geteuid() == 0
        self.bases: list[groups.Base] = []

    def __getstate__(self) -> dict[str, Any]:
        """For a worker in another process, which makes groups of its own."""
        return {**self.__dict__, "bases": []}

    def plan(self) -> dict[str, Any]:
        """For coursekit.bridges.isolation, inside."""
        names = self.place.parents if self.place else ()
        private = ("/tmp", "/dev/shm", HOME)  # a kernel gets its own, with what is shown in them
        kept = [str(path) for path in shown(self.paths) if any(path.is_relative_to(one) for one in private)]
        return {
            "kind": self.kind,
            "privileged": self.privileged,
            "user": NOBODY,
            "home": HOME,
            "kept": sorted(kept, key=len),
            "groups": {name: f"{groups.INSIDE}/{name}" for name in names},
        }

    def command(self, argv: list[str], *, sockets: Path) -> list[str]:
        """The command that runs `argv` inside, with the folder `sockets` shared under the same path; raises OSError."""
        if self.privileged:
            os.chown(sockets, NOBODY, NOBODY)  # the kernels make their sockets there as nobody
        base = self._base()
        parts = [["--die-with-parent", "--new-session"], self._rights(), self._environment(), self._system()]
        parts += [self._folders(sockets), *(["--bind", str(folder), at] for at, folder in base.binds().items())]
        parts += [["--remount-ro", "/dev"], ["--remount-ro", "/"], ["--chdir", "/tmp"]]
        return base.start([*self.starter(), *(word for part in parts for word in part), "--", *argv])

    def starter(self) -> list[str]:
        """The words before the arguments."""
        return [self.program]

    def close(self) -> None:
        """Remove the control groups of servers that have ended."""
        for base in self.bases:
            base.remove()
        self.bases.clear()

    def _base(self) -> groups.Base:
        if self.place is None:
            return groups.Base({})
        base = groups.make(self.place, NOBODY if self.privileged else None)
        if not self.bases:
            atexit.register(self.close)
        self.bases.append(base)
        return base

    def _rights(self) -> list[str]:
        arguments = [f"--unshare-{name}" for name in ("pid", "ipc", "uts", "net")]
        if self.place is None:  # from a namespace of its own the server could not reach the groups of the kernels
            arguments.append("--unshare-cgroup-try")
        if not self.privileged:
            return [*arguments, "--unshare-user", "--proc", "/proc"]
        # As root a user namespace would stand in the way: bwrap covers parts of /proc, after which the system refuses
        # a fresh one to the kernels. The server mounts /proc and becomes nobody: see isolation.prepare.
        arguments += ["--cap-drop", "ALL"]
        for name in ("SETUID", "SETGID", "SYS_ADMIN"):
            arguments += ["--cap-add", f"CAP_{name}"]
        return [*arguments, *_folder("/proc")]

    def _environment(self) -> list[str]:
        values = {
            **ENVIRONMENT,
            "PATH": os.pathsep.join([f"{sys.prefix}/bin", "/usr/local/bin", "/usr/bin", "/bin"]),
            "PYTHONPATH": os.pathsep.join(map(str, importable(self.paths))),
            **self.paths.environment,
        }
        return ["--clearenv", *(word for name, value in values.items() for word in ("--setenv", name, value))]

    def _system(self) -> list[str]:
        arguments: list[str] = []
        for path, link in system_folders():
            arguments += ["--ro-bind", str(path), str(path)] if link is None else ["--symlink", link, str(path)]
        for name in MADE:
            arguments += _folder(name)
        for name in ETC:
            arguments += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
        for name in OWN_ETC:
            arguments += ["--symlink", f"/run/etc/{name}", f"/etc/{name}"]
        arguments += ["--dev", "/dev", "--perms", "1777", "--tmpfs", "/tmp"]
        return [*arguments, *_folder("/home"), "--perms", "1777", "--tmpfs", HOME]

    def _folders(self, sockets: Path) -> list[str]:
        """What is shown, and what is hidden in it, from the outside to the inside: each lies over the one before."""
        hidden = covered(self.paths)
        layers = dict.fromkeys(shown(self.paths), "--ro-bind") | dict.fromkeys(hidden, "--tmpfs")
        layers[sockets.absolute()] = "--bind"
        arguments: list[str] = []
        made = {Path("/"), Path("/usr"), Path("/tmp")}
        for path, how in sorted(layers.items(), key=lambda item: len(item[0].parts)):
            for parent in reversed(path.parents):
                if parent not in made:
                    arguments += _folder(str(parent))
            made |= {path, *path.parents}
            arguments += [how, str(path)] if how == "--tmpfs" else [how, str(path), str(path)]
        return [*arguments, *(word for path in hidden for word in ("--remount-ro", str(path)))]


def _folder(path: str) -> list[str]:
    """An empty folder, which others than root may enter."""
    return ["--perms", "0755", "--dir", path]
