"""Filters of system calls (seccomp), which hold for a process and all that comes of it, for ever.

`refuse_few` is for a kernel in namespaces of its own. `confine` and `seal` are for one that has none, and so meets the
files, processes and sockets of the whole computer: they refuse what Landlock does not look at.
"""

import ctypes
import errno
import platform
import struct
from collections.abc import Iterable

from coursekit.bridges import linux

Line = tuple[int, int, int, int]
_SET_MODE_FILTER, _ALL_THREADS = 1, 1
_LOAD, _AND, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
REFUSE, MISSING, PRETEND = _ERROR | errno.EPERM, _ERROR | errno.ENOSYS, _ERROR  # an error of 0 is success
_OTHER_TABLE = 0x40000000  # of the same calls under other numbers, on x86_64
_FIRST_UNKNOWN = 470  # what later systems add

_MARKS = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_COLUMNS = tuple(_MARKS)
# Numbers on x86_64 and aarch64; those from 424 on are the same everywhere.
_NUMBERS: dict[str, tuple[int | None, int | None]] = {
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219), "perf_event_open": (298, 241),
    "bpf": (321, 280), "userfaultfd": (323, 282), "io_uring_setup": (425, 425), "ptrace": (101, 117),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "process_madvise": (440, 440),
    "process_mrelease": (448, 448), "pidfd_getfd": (438, 438), "kcmp": (312, 272), "mount": (165, 40),
    "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "unshare": (272, 97), "setns": (308, 268),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "fspick": (433, 433),
    "fsmount": (432, 432), "mount_setattr": (442, 442), "open_tree_attr": (467, 467), "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265), "shmget": (29, 194), "shmat": (30, 196), "msgget": (68, 186),
    "semget": (64, 190), "mq_open": (240, 180), "fanotify_init": (300, 262), "inotify_init": (253, None),
    "inotify_init1": (294, 26), "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7),
    "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16), "setxattrat": (463, 463),
    "removexattrat": (466, 466), "file_setattr": (469, 469), "migrate_pages": (256, 238), "move_pages": (279, 239),
    "init_module": (175, 105), "finit_module": (313, 273), "kexec_load": (246, 104), "swapon": (167, 224),
    "quotactl": (179, 60), "syslog": (103, 116), "settimeofday": (164, 170), "memfd_secret": (447, 447),
    "socket": (41, 198), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201), "socketpair": (53, 199),
    "clone": (56, 220), "clone3": (435, 435), "ioctl": (16, 29), "prctl": (157, 167), "prlimit64": (302, 261),
    "setpriority": (141, 140), "sched_setscheduler": (144, 119), "sched_setparam": (142, 118),
    "sched_setattr": (314, 274), "sched_setaffinity": (203, 122), "ioprio_set": (251, 30), "chmod": (90, None),
    "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452), "chown": (92, None), "fchown": (93, 55),
    "lchown": (94, None), "fchownat": (260, 54), "utime": (132, None), "utimes": (235, None),
    "utimensat": (280, 88), "futimesat": (261, None),
}  # fmt: skip
# No notebook needs these, and they lead past namespaces: keys belong to users, whatever namespace they are in, and the
# others have often been a way into the system.
FEW = ("add_key", "request_key", "keyctl", "perf_event_open", "bpf", "userfaultfd", "io_uring_setup")
# Ways to other processes, to mounts and namespaces, to what is left behind when everybody has ended, to the names of
# files that are opened elsewhere, and to attributes of files that may only be read.
MANY = (
    *FEW, "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "process_mrelease", "pidfd_getfd",
    "kcmp", "mount", "umount2", "pivot_root", "chroot", "unshare", "setns", "open_tree", "move_mount", "fsopen",
    "fspick", "fsmount", "mount_setattr", "open_tree_attr", "name_to_handle_at", "open_by_handle_at", "shmget",
    "shmat", "msgget", "semget", "mq_open", "fanotify_init", "inotify_init", "inotify_init1", "setxattr", "lsetxattr",
    "fsetxattr", "removexattr", "lremovexattr", "fremovexattr", "setxattrat", "removexattrat", "file_setattr",
    "migrate_pages", "move_pages", "init_module", "finit_module", "kexec_load", "swapon", "quotactl", "syslog",
    "settimeofday", "memfd_secret",
)  # fmt: skip
# Landlock does not look at these. Programs that copy files call them and give up where they are refused.
SILENT = ("chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat", "utime", "utimes",
          "utimensat", "futimesat")  # fmt: skip
# Of any process of the same user; libraries do this to threads that they have started, and may stop where they cannot.
SCHEDULING = ("sched_setscheduler", "sched_setparam", "sched_setattr", "sched_setaffinity")
# Landlock looks at no socket that has a path, such as those of a desktop, of Docker or of a key agent.
CONNECTIONS = ("socket", "connect", "bind", "listen")

_UNIX, _STREAM, _PACKETS, _KIND_OF_SOCKET = 1, 1, 5, 0xF
_SET_DUMPABLE = 4
_NAMESPACES = linux.NEWNS | linux.NEWCGROUP | linux.NEWUTS | linux.NEWIPC | linux.NEWUSER | linux.NEWPID | linux.NEWNET
_TYPE_INTO_TERMINAL, _PASTE_INTO_TERMINAL, _SET_FLAGS, _SET_MORE_FLAGS = 0x5412, 0x541C, 0x40086602, 0x401C5820


def known() -> bool:
    """Whether we know the numbers of this machine's system calls."""
    return platform.machine() in _MARKS


def _number(call: str) -> int | None:
    return _NUMBERS[call][_COLUMNS.index(platform.machine())]


def _all(calls: Iterable[str], answer: int) -> list[Line]:
    """Lines that answer each of these calls at once."""
    numbers = [number for call in calls if (number := _number(call)) is not None]
    return [line for number in numbers for line in ((_EQUAL, 0, 1, number), (_RETURN, 0, 0, answer))]


def _argument(at: int) -> Line:
    return (_LOAD, 0, 0, 16 + 8 * at)  # the lower half, and all that the system looks at in these


def _if(call: str, *tests: Line) -> list[Line]:
    """Lines for this call alone: it is let through where none of the tests, each with its own answer, ends them."""
    number = _number(call)
    assert number is not None
    body = [*tests, (_RETURN, 0, 0, _ALLOW)]
    return [(_EQUAL, 0, len(body), number), *body]


def _must_be(at: int, *values: int, mask: int = 0, answer: int = REFUSE) -> list[Line]:
    masked = [(_AND, 0, 0, mask)] if mask else []
    equal = [(_EQUAL, len(values) - number, 0, value) for number, value in enumerate(values)]
    return [_argument(at), *masked, *equal, (_RETURN, 0, 0, answer)]


def _must_not_be(at: int, *values: int) -> list[Line]:
    return [_argument(at), *(line for value in values for line in ((_EQUAL, 0, 1, value), (_RETURN, 0, 0, REFUSE)))]


def _install(lines: list[Line]) -> None:
    """Put a filter over all threads of this process; raises OSError."""
    machine = platform.machine()
    start: list[Line] = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, _MARKS[machine]), (_RETURN, 0, 0, REFUSE), (_LOAD, 0, 0, 0)]
    start += [(_AT_LEAST, 0, 1, _OTHER_TABLE), (_RETURN, 0, 0, REFUSE)]
    every = [*start, *lines, (_RETURN, 0, 0, _ALLOW)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in every))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(every), ctypes.addressof(program)))
    if stubborn := linux.system_call("seccomp", _SECCOMP[machine], _SET_MODE_FILTER, _ALL_THREADS, header):
        raise OSError(f"seccomp: thread {stubborn} has another filter")


def refuse_few() -> None:
    """Have a few system calls fail from now on, where we know their numbers; raises OSError."""
    if known():
        _install(_all(FEW, REFUSE))


def confine() -> None:
    """Refuse what leads to the rest of the computer past Landlock; raises OSError."""
    own = [_argument(0), (_ANY_BIT, 0, 1, _NAMESPACES), (_RETURN, 0, 0, REFUSE)]
    lines = [(_AT_LEAST, 0, 1, _FIRST_UNKNOWN), (_RETURN, 0, 0, MISSING)]
    lines += _all(MANY, REFUSE) + _all(SILENT, PRETEND) + _all(["clone3"], MISSING)  # its flags cannot be read here
    lines += _if("clone", *own)
    lines += _if("prctl", *_must_not_be(0, _SET_DUMPABLE))  # what it takes has to be seen
    lines += _if("ioctl", *_must_not_be(1, _TYPE_INTO_TERMINAL, _PASTE_INTO_TERMINAL, _SET_FLAGS, _SET_MORE_FLAGS))
    lines += _if("prlimit64", *_must_be(0, 0))  # of itself, and of nobody else
    for call in SCHEDULING:
        lines += _if(call, *_must_be(0, 0, answer=PRETEND))
    lines += _if("setpriority", *_must_be(0, 0), *_must_be(1, 0))
    lines += _if("ioprio_set", *_must_be(1, 0))
    lines += _if("socket", *_must_be(0, _UNIX))
    lines += _if("socketpair", *_must_be(0, _UNIX), *_must_be(1, _STREAM, _PACKETS, mask=_KIND_OF_SOCKET))
    _install(lines)


def seal() -> None:
    """Refuse new sockets from now on: those that there are lead to the grader; raises OSError."""
    _install(_all(CONNECTIONS, REFUSE))
