"""What a kernel finds around itself: private folders of one size, its own /proc, its own terminals and network."""

import os
import socket
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from coursekit.bridges import linux

USER = 1000  # of user and group, as a kernel sees itself
STAGE = "/run/private"  # both folders are made by coursekit/sandbox/bubblewrap.py
ETC = "/run/etc"  # where links in /etc lead to
GROUPS = "/run/groups"  # where the server makes control groups
BYTES_PER_FILE = 16_384  # a size with room for n bytes has room for this many times fewer files

TINY = "size=4k,nr_inodes=8,mode=0755"
_QUIET = linux.NOSUID | linux.NODEV


def furnish(home: str, disk_bytes: int, kept: Sequence[str], sockets: str) -> None:
    """As process 1 of new namespaces: make them a place to live in; raises OSError.

    /tmp, /dev/shm and `home` hold `disk_bytes` together, and nothing yet but the paths that are `kept`. Of the folders
    with sockets only `sockets`, the kernel's own, is left, under the path that it has outside.
    """
    held = {path: os.open(path, os.O_PATH) for path in (*kept, *filter(None, [sockets]))}
    linux.mount(None, "/", None, linux.REC | linux.PRIVATE)
    _private_folders(home, disk_bytes)
    for path in kept:
        _put_back(path, held[path])
    _mount_proc()
    linux.mount("devpts", "/dev/pts", "devpts", linux.NOSUID | linux.NOEXEC, "newinstance,ptmxmode=0666,mode=0620")
    linux.loopback_up()
    socket.sethostname("sandbox")
    if os.path.exists(GROUPS):
        linux.mount("tmpfs", GROUPS, "tmpfs", _QUIET | linux.RDONLY, TINY)
    if sockets:
        around = os.path.dirname(sockets)
        os.makedirs(around, exist_ok=True)
        linux.mount("tmpfs", around, "tmpfs", _QUIET, TINY)
        _put_back(sockets, held[sockets])
        linux.make_readonly(around)
    for descriptor in held.values():
        os.close(descriptor)


def write_files(folder: str, files: Mapping[str, bytes]) -> None:
    """Make the folder and write these files; their names are paths in it with slashes."""
    os.makedirs(folder, exist_ok=True)
    for name, data in files.items():
        target = Path(folder, PurePosixPath(name))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def _private_folders(home: str, disk_bytes: int) -> None:
    """One file system, seen in several places, so that its size bounds them together."""
    files = max(1024, disk_bytes // BYTES_PER_FILE)
    linux.mount("tmpfs", STAGE, "tmpfs", _QUIET, f"size={disk_bytes},nr_inodes={files},mode=0755")
    for name, mode, target in (
        ("tmp", 0o1777, "/tmp"),
        ("shm", 0o1777, "/dev/shm"),
        ("home", 0o700, home),
        ("etc", 0o755, ETC),
    ):
        os.mkdir(f"{STAGE}/{name}")
        os.chmod(f"{STAGE}/{name}", mode)
        linux.mount(f"{STAGE}/{name}", target, None, linux.BIND)
    linux.unmount(STAGE)
    names = {
        "passwd": f"student:x:{USER}:{USER}::{home}:/bin/sh\n",
        "group": f"student:x:{USER}:\n",
        "hosts": "127.0.0.1 localhost sandbox\n::1 localhost\n",
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    }
    write_files(ETC, {name: text.encode() for name, text in names.items()})
    linux.make_readonly(ETC)


def _mount_proc() -> None:
    """A /proc with the processes of this namespace, in which nothing of the machine can be written."""
    linux.mount("proc", "/proc", "proc", _QUIET | linux.NOEXEC)
    # Whoever makes a user namespace has every capability in it, and that opens up much of the system to him.
    Path("/proc/sys/user/max_user_namespaces").write_text("0")
    for name in ("sys", "sysrq-trigger", "irq", "bus", "fs"):
        path = f"/proc/{name}"
        if os.path.exists(path):
            linux.mount(path, path, None, linux.BIND | linux.REC)
            linux.make_readonly(path)
    for path in ("/proc/keys", "/proc/key-users"):  # they belong to users, not to namespaces
        if os.path.exists(path):
            linux.mount("/dev/null", path, None, linux.BIND)


def _put_back(path: str, held: int) -> None:
    """Show again, under its old path, what has been covered since it was opened."""
    if stat.S_ISDIR(os.fstat(held).st_mode):
        os.makedirs(path, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(path).touch()
    linux.mount(f"/proc/self/fd/{held}", path, None, linux.BIND | linux.REC)
