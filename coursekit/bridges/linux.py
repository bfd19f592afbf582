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

NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
RDONLY, NOSUID, NODEV, NOEXEC, REMOUNT, BIND, REC, PRIVATE = 1, 2, 4, 8, 32, 4096, 0x4000, 0x40000
RELATIME = 1 << 21
DETACH = 2  # of umount2

_SET_PDEATHSIG, _SET_DUMPABLE, _DROP_BOUNDING, _SET_NO_NEW_PRIVS, _AMBIENT, _CLEAR_ALL = 1, 4, 24, 38, 47, 4
_CAPABILITY_VERSION = 0x20080522
_JOIN_SESSION_KEYRING = 1
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 0x1

# System calls that no notebook needs and that lead past namespaces: keys belong to users, whatever namespace they are
# in, and the others have often been a way into the system. For each machine its mark and the numbers.
_CALLS = ("add_key", "request_key", "keyctl", "perf_event_open", "bpf", "userfaultfd", "io_uring_setup")
_NUMBERS = {
    "x86_64": (0xC000003E, dict(zip(_CALLS, (248, 249, 250, 298, 321, 323, 425), strict=True))),
    "aarch64": (0xC00000B7, dict(zip(_CALLS, (217, 218, 219, 241, 280, 282, 425), strict=True))),
}
_SET_SECCOMP, _FILTER, _ALLOW, _REFUSE = 22, 2, 0x7FFF0000, 0x00050000 | errno.EPERM
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_OTHER_TABLE = 0x40000000  # of the same calls under other numbers, on x86_64

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _text(value: str | None) -> bytes | None:
    return None if value is None else os.fsencode(value)


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


def _prctl(option: int, value: int, third: int = 0) -> int:
    zero = ctypes.c_ulong(0)
    return int(_libc.prctl(ctypes.c_int(option), ctypes.c_ulong(value), ctypes.c_ulong(third), zero, zero))


def set_dumpable(yes: bool) -> None:
    """Say whether processes of the same user may trace this one or look into its memory; raises OSError."""
    _check(_prctl(_SET_DUMPABLE, int(yes)), "PR_SET_DUMPABLE")


def no_new_privileges() -> None:
    """Make set-user-id programs ordinary ones, for ever; raises OSError."""
    _check(_prctl(_SET_NO_NEW_PRIVS, 1), "PR_SET_NO_NEW_PRIVS")


def die_with_parent(line: int | None = None) -> None:
    """Be killed when the parent ends; `line` is a pipe to it, which tells whether it has ended already."""
    _check(_prctl(_SET_PDEATHSIG, signal.SIGKILL), "PR_SET_PDEATHSIG")
    if line is not None:
        poll = select.poll()
        poll.register(line, 0)
        if poll.poll(0):  # nobody reads any more
            os._exit(1)


def drop_capabilities() -> None:
    """Give up every capability, and the way to get one back by starting a program; raises OSError."""
    with open("/proc/sys/kernel/cap_last_cap") as file:
        last = int(file.read())
    for number in range(last + 1):
        _check(_prctl(_DROP_BOUNDING, number), f"PR_CAPBSET_DROP {number}")
    _check(_prctl(_AMBIENT, _CLEAR_ALL), "PR_CAP_AMBIENT")
    header = struct.pack("=Ii", _CAPABILITY_VERSION, 0)
    _check(_libc.capset(header, struct.pack("=6I", *[0] * 6)), "capset")


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
    if platform.machine() not in _NUMBERS:
        return False
    number = _NUMBERS[platform.machine()][1]["keyctl"]
    done = _libc.syscall(ctypes.c_long(number), ctypes.c_int(_JOIN_SESSION_KEYRING), None)
    if done < 0 and ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS):
        _check(-1, "keyctl")
    return bool(done >= 0)


def refuse_system_calls() -> None:
    """Have a few system calls fail from now on, in all children too, where we know their numbers; raises OSError."""
    if platform.machine() not in _NUMBERS:
        return
    mark, numbers = _NUMBERS[platform.machine()]
    refused = len(numbers) + 1  # where the last line stands, seen from the first comparison of numbers
    lines = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, mark), (_RETURN, 0, 0, _REFUSE), (_LOAD, 0, 0, 0)]
    lines.append((_AT_LEAST, refused, 0, _OTHER_TABLE))
    lines += [(_EQUAL, refused - 1 - at, 0, number) for at, number in enumerate(numbers.values())]
    lines += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _REFUSE)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in lines))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(lines), ctypes.addressof(program)))
    _check(_prctl(_SET_SECCOMP, _FILTER, ctypes.addressof(header)), "PR_SET_SECCOMP")


def loopback_up() -> None:
    """Make 127.0.0.1 work in a new network namespace; raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = fcntl.ioctl(any_socket, _GET_FLAGS, struct.pack("16sh14x", b"lo", 0))
        (flags,) = struct.unpack_from("h", request, 16)
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh14x", b"lo", flags | _UP))
