"""What Python lacks of Linux's system calls for isolating a process: namespaces, mounts, capabilities, keyrings."""

import ctypes
import errno
import fcntl
import os
import platform
import select
import signal
import socket
import struct
from collections.abc import Collection
from typing import Any

NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
NEWCGROUP = 0x2000000
RDONLY, NOSUID, NODEV, NOEXEC, REMOUNT, BIND, REC, PRIVATE = 1, 2, 4, 8, 32, 4096, 0x4000, 0x40000
RELATIME = 1 << 21
DETACH = 2  # of umount2

_SET_PDEATHSIG, _SET_DUMPABLE, _READ_BOUNDING, _DROP_BOUNDING = 1, 4, 23, 24
_SET_SUBREAPER, _SET_NO_NEW_PRIVS, _AMBIENT, _CLEAR_ALL = 36, 38, 47, 4
_CAPABILITY_VERSION = 0x20080522
_JOIN_SESSION_KEYRING = 1
_MOUNT_SETATTR, _AT_RECURSIVE, _AT_FDCWD = 442, 0x8000, ctypes.c_int(-100)
_MOUNT_RDONLY, _MOUNT_NOSUID, _MOUNT_NODEV = 1, 2, 4
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41, "ppc64le": 203, "s390x": 217}
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 0x1

_KEYCTL = {"x86_64": 250, "aarch64": 219}

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _text(value: str | None) -> bytes | None:
    return None if value is None else os.fsencode(value)


def system_call(name: str, number: int, *arguments: Any) -> int:
    """A system call that the C library has no function for, with integers and buffers; raises OSError."""
    words = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    done = int(_libc.syscall(ctypes.c_long(number), *words))
    _check(done, name)
    return done


def unshare(flags: int) -> None:
    """Leave the namespaces that `flags` names for new ones; raises OSError."""
    _check(_libc.unshare(ctypes.c_int(flags)), "unshare")


def mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    """mount(2); raises OSError that names the target."""
    done = _libc.mount(_text(source), _text(target), _text(kind), ctypes.c_ulong(flags), _text(options))
    _check(done, f"mount on {target}")


def unmount(target: str) -> None:
    """Take a mount out of the tree at once, whoever still uses it; raises OSError."""
    _check(_libc.umount2(_text(target), ctypes.c_int(DETACH)), f"umount {target}")


def make_readonly(target: str) -> None:
    """Make the mount at `target` read-only and keep its other flags, which may not be taken away; raises OSError."""
    found = os.statvfs(target).f_flag
    flags = found & (NOSUID | NODEV | NOEXEC | os.ST_NOATIME | os.ST_NODIRATIME)
    flags |= RELATIME if found & os.ST_RELATIME else 0
    mount(None, target, None, REMOUNT | BIND | RDONLY | flags)


def restrict_mounts(target: str, *, readonly: bool) -> None:
    """Take devices, set-user-id programs and perhaps writing from a mount and all below it; raises OSError."""
    wanted = _MOUNT_NOSUID | _MOUNT_NODEV | (_MOUNT_RDONLY if readonly else 0)
    attributes = struct.pack("=4Q", wanted, 0, 0, 0)
    path, number, flags = _text(target), ctypes.c_long(_MOUNT_SETATTR), ctypes.c_uint(_AT_RECURSIVE)
    done = _libc.syscall(number, _AT_FDCWD, path, flags, attributes, ctypes.c_size_t(len(attributes)))
    _check(done, f"mount_setattr of {target}")


def swap_root() -> None:
    """Make the current folder, which must be a mount, the root folder, and forget the old one; raises OSError."""
    _check(_libc.syscall(ctypes.c_long(_PIVOT_ROOT[platform.machine()]), b".", b"."), "pivot_root")
    unmount(".")
    os.chdir("/")


def _prctl(option: int, value: int, third: int = 0) -> int:
    zero = ctypes.c_ulong(0)
    return int(_libc.prctl(ctypes.c_int(option), ctypes.c_ulong(value), ctypes.c_ulong(third), zero, zero))


def set_dumpable(yes: bool) -> None:
    """Say whether processes of the same user may trace this one or look into its memory; raises OSError."""
    _check(_prctl(_SET_DUMPABLE, int(yes)), "PR_SET_DUMPABLE")


def no_new_privileges() -> None:
    """Make set-user-id programs ordinary ones, for ever; raises OSError."""
    _check(_prctl(_SET_NO_NEW_PRIVS, 1), "PR_SET_NO_NEW_PRIVS")


def adopt_orphans() -> None:
    """Become the parent of every descendant whose parent ends; raises OSError."""
    _check(_prctl(_SET_SUBREAPER, 1), "PR_SET_CHILD_SUBREAPER")


def die_with_parent(line: int | None = None, *, number: int = signal.SIGKILL) -> None:
    """Get this signal when the parent ends; `line` is a pipe to it, which tells whether it has ended already."""
    _check(_prctl(_SET_PDEATHSIG, number), "PR_SET_PDEATHSIG")
    if line is not None:
        poll = select.poll()
        poll.register(line, 0)
        if poll.poll(0):  # nobody reads any more
            os._exit(1)


def drop_capabilities(*, keep: Collection[int] = (), bounding: bool = True) -> None:
    """Give up every capability but these, and the way to get one back by starting a program; raises OSError.

    Who has no right to give the latter up leaves the `bounding` set as it is: `no_new_privileges` closes it as well.
    """
    if bounding:
        number = 0
        while _prctl(_READ_BOUNDING, number) >= 0:  # to the last one that the system knows
            if number not in keep:
                _check(_prctl(_DROP_BOUNDING, number), f"PR_CAPBSET_DROP {number}")
            number += 1
    _check(_prctl(_AMBIENT, _CLEAR_ALL), "PR_CAP_AMBIENT")
    kept = sum(1 << number for number in keep)
    header = struct.pack("=Ii", _CAPABILITY_VERSION, 0)
    sets = (kept, kept, 0)  # effective, permitted, inheritable: first the lower halves of all, then the upper ones
    _check(_libc.capset(header, struct.pack("=6I", *sets, 0, 0, 0)), "capset")


def new_user_namespace(flags: int, inside: int) -> None:
    """Leave namespaces, the user's among them, for new ones where we are called `inside`; raises OSError."""
    ids = {"setgroups": "deny", "uid_map": f"{inside} {os.getuid()} 1", "gid_map": f"{inside} {os.getgid()} 1"}
    unshare(flags)
    for name, text in ids.items():
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def fresh_keyring() -> bool:
    """Leave the session keyring, which is inherited and may hold keys of whoever logged in; whether that was allowed.

    Raises OSError when it failed for another reason than that this system or this process has no keys.
    """
    if platform.machine() not in _KEYCTL:
        return False
    done = _libc.syscall(ctypes.c_long(_KEYCTL[platform.machine()]), ctypes.c_int(_JOIN_SESSION_KEYRING), None)
    if done < 0 and ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS):
        _check(-1, "keyctl")
    return bool(done >= 0)


def loopback_up() -> None:
    """Make 127.0.0.1 work in a new network namespace; raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = fcntl.ioctl(any_socket, _GET_FLAGS, struct.pack("16sh14x", b"lo", 0))
        (flags,) = struct.unpack_from("h", request, 16)
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh14x", b"lo", flags | _UP))
