"""Landlock: which files a process may open, and whom it may signal, for itself and all that comes of it."""

import errno
import os
import stat
import struct
from collections.abc import Sequence

from coursekit.bridges import linux

NEEDED = 6  # the first version that keeps signals and nameless sockets in (Linux 6.12)
_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446
_ASK_VERSION, _PATH_BENEATH, _NO_LOG, _LOG_KNOWN = 1, 1, 1, 7
_EXECUTE, _WRITE, _READ, _LIST = 1, 2, 4, 8
_REMOVE, _MAKE, _MAKE_DEVICES = 16 | 32, 0x80 | 0x100 | 0x200 | 0x400 | 0x1000, 0x40 | 0x800
_REFER, _TRUNCATE, _DEVICE_CONTROL = 1 << 13, 1 << 14, 1 << 15
_ALL = (1 << 16) - 1
_TCP_BIND, _TCP_CONNECT, _NAMELESS_SOCKETS, _SIGNALS = 1, 2, 1, 2

LOOK = _READ | _LIST | _EXECUTE
LIST = _READ | _LIST
OWN = _READ | _LIST | _WRITE | _REMOVE | _MAKE | _REFER | _TRUNCATE
DEVICE = _READ | _WRITE | _TRUNCATE | _DEVICE_CONTROL
_FOR_A_FILE = _EXECUTE | _WRITE | _READ | _TRUNCATE | _DEVICE_CONTROL


def version() -> int:
    """The version of Landlock that this system has; 0 without it."""
    try:
        return linux.system_call("landlock_create_ruleset", _CREATE, 0, 0, _ASK_VERSION)
    except OSError:
        return 0


def restrict(rules: Sequence[tuple[str, int]]) -> None:
    """From now on open nothing but these paths and what lies in them, each with its rights; raises OSError.

    No TCP, and no signal or socket without a path to whoever is not restricted by the same call.
    """
    if version() < NEEDED:
        raise OSError(errno.ENOSYS, f"Landlock has version {version()}, and {NEEDED} is needed (Linux 6.12)")
    attributes = struct.pack("=3Q", _ALL, _TCP_BIND | _TCP_CONNECT, _NAMELESS_SOCKETS | _SIGNALS)
    ruleset = linux.system_call("landlock_create_ruleset", _CREATE, attributes, len(attributes), 0)
    try:
        for path, rights in rules:
            _allow(ruleset, path, rights)
        flags = _NO_LOG if version() >= _LOG_KNOWN else 0
        linux.system_call("landlock_restrict_self", _RESTRICT, ruleset, flags)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        held = os.open(path, os.O_PATH)
    except (FileNotFoundError, PermissionError):  # what is not there for us needs no rule
        return
    try:
        if not stat.S_ISDIR(os.fstat(held).st_mode):
            rights &= _FOR_A_FILE
        linux.system_call("landlock_add_rule", _ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", rights, held), 0)
    finally:
        os.close(held)
