"""Starts a command in namespaces of its own, in a minimal root folder: bwrap's work where bwrap is not installed.

It takes the arguments of bwrap that coursekit/sandbox/bubblewrap.py uses, in the same order and with the same meaning,
and no others. Needs Linux 5.12, for mount_setattr(2). Imports little, because two processes of it stay.
"""

import contextlib
import os
import sys
from dataclasses import dataclass, field
from typing import NoReturn

from coursekit.bridges import linux

BASE = "/tmp"  # where the new root folder is put together; what lies there is held open before
QUIET = linux.NOSUID | linux.NODEV
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
DEVICE_LINKS = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1",
                "stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx"}  # fmt: skip
NAMESPACES = {
    "--unshare-user": linux.NEWUSER,
    "--unshare-pid": linux.NEWPID,
    "--unshare-net": linux.NEWNET,
    "--unshare-ipc": linux.NEWIPC,
    "--unshare-uts": linux.NEWUTS,
}
CAPABILITIES = {"CAP_SETGID": 6, "CAP_SETUID": 7, "CAP_SYS_ADMIN": 21}
_BINDS = ("--bind", "--ro-bind", "--ro-bind-try")
_ONE = ("--dir", "--tmpfs", "--dev", "--proc", "--remount-ro", "--chdir", "--perms", "--cap-drop", "--cap-add")
_TWO = (*_BINDS, "--symlink", "--setenv")


@dataclass
class Plan:
    """What the arguments say; each step is an option, its words, and the mode that goes before it."""

    command: list[str]
    flags: int = linux.NEWNS
    own_groups: bool = False
    new_session: bool = False
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    steps: list[tuple[str, list[str], int]] = field(default_factory=list)
    capabilities: list[int] = field(default_factory=list)
    folder: str = "/"


def parse(words: list[str]) -> Plan:
    """Read bwrap's arguments; raises ValueError for one that is not known here."""
    at = words.index("--")
    plan, rest, mode = Plan(words[at + 1 :]), iter(words[:at]), 0o755
    for word in rest:
        values = [next(rest) for _ in range((word in _ONE) + 2 * (word in _TWO))]
        if word in NAMESPACES:
            plan.flags |= NAMESPACES[word]
        elif word == "--unshare-cgroup-try":
            plan.own_groups = True
        elif word == "--new-session":
            plan.new_session = True
        elif word == "--clearenv":
            plan.environment = {}
        elif word == "--setenv":
            plan.environment[values[0]] = values[1]
        elif word == "--chdir":
            plan.folder = values[0]
        elif word == "--cap-add":
            plan.capabilities.append(CAPABILITIES[values[0]])
        elif word == "--perms":
            mode = int(values[0], 8)
        elif values and word != "--cap-drop":
            plan.steps.append((word, values, mode))
            mode = 0o755
        elif word not in ("--die-with-parent", "--cap-drop"):
            raise ValueError(f"{word} is no argument that this launcher knows.")
    return plan


def build(plan: Plan) -> None:
    """As process 1 of the new namespaces: put the root folder together and go there; raises OSError."""
    linux.mount(None, "/", None, linux.REC | linux.PRIVATE)
    held = {f"/dev/{name}": os.open(f"/dev/{name}", os.O_PATH) for name in DEVICES}
    for option, values, _ in plan.steps:
        if option in _BINDS:
            with contextlib.suppress(*[FileNotFoundError] if option.endswith("-try") else []):
                held[values[0]] = os.open(values[0], os.O_PATH)
    os.umask(0)
    linux.mount("tmpfs", BASE, "tmpfs", QUIET, "mode=0755")
    for option, values, mode in plan.steps:
        _step(option, values, mode, held)
    for descriptor in held.values():
        os.close(descriptor)
    os.chdir(BASE)
    linux.swap_root()
    os.umask(0o022)
    os.chdir(plan.folder)


def _step(option: str, values: list[str], mode: int, held: dict[str, int]) -> None:
    target = BASE + values[-1]
    if option in _BINDS:
        if values[0] in held:
            _bind(held[values[0]], target)
            linux.restrict_mounts(target, readonly=option != "--bind")
    elif option == "--symlink":
        os.makedirs(os.path.dirname(target), 0o755, exist_ok=True)
        os.symlink(values[0], target)
    elif option == "--remount-ro":
        linux.make_readonly(target)
    else:
        os.makedirs(target, mode, exist_ok=True)
        if option == "--tmpfs":
            linux.mount("tmpfs", target, "tmpfs", QUIET, f"mode={mode:04o}")
        elif option == "--proc":
            linux.mount("proc", target, "proc", QUIET | linux.NOEXEC)
        elif option == "--dev":
            _devices(target, held)


def _bind(held: int, target: str) -> None:
    """Show at `target` what is held open, with all that is mounted below it."""
    if os.path.isdir(f"/proc/self/fd/{held}"):
        os.makedirs(target, 0o755, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), 0o755, exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_RDONLY, 0o644))
    linux.mount(f"/proc/self/fd/{held}", target, None, linux.BIND | linux.REC)


def _devices(target: str, held: dict[str, int]) -> None:
    linux.mount("tmpfs", target, "tmpfs", linux.NOSUID, "mode=0755")
    for name in DEVICES:
        _bind(held[f"/dev/{name}"], f"{target}/{name}")
    for name, where in DEVICE_LINKS.items():
        os.symlink(where, f"{target}/{name}")
    for name in ("pts", "shm"):
        os.mkdir(f"{target}/{name}", 0o755)


def be_first(plan: Plan, say: int) -> NoReturn:
    """As process 1: build, start the command, and end with it; whoever loses its parent in here is reaped."""
    linux.die_with_parent(say)
    if plan.new_session:
        os.setsid()
    build(plan)
    linux.drop_capabilities(keep=plan.capabilities)
    linux.no_new_privileges()
    command = os.fork()
    if command == 0:
        os.close(say)
        os.execvpe(plan.command[0], plan.command, plan.environment)
    linux.drop_capabilities(bounding=False)
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == command:
            os._exit(_as_exit(status))


def _as_exit(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def main(words: list[str]) -> int:
    """Run the command as the arguments say, and end as it ends; 1 when that could not be done."""
    linux.die_with_parent()
    first = 0
    try:
        plan = parse(words)
        if plan.flags & linux.NEWUSER:
            linux.new_user_namespace(plan.flags, inside=os.getuid())
        else:
            linux.unshare(plan.flags)
        if plan.own_groups:
            with contextlib.suppress(OSError):  # a system without control groups
                linux.unshare(linux.NEWCGROUP)
        heard, say = os.pipe()
        first = os.fork()
        if first == 0:
            os.close(heard)
            be_first(plan, say)
        os.close(say)
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(1)  # in process 1 as well: nothing may go on from here
    return _as_exit(os.waitpid(first, 0)[1])
