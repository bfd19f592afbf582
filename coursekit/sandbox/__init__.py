"""Sandboxes for the kernels that run submissions, and the choice of one that was seen to hold."""

import shutil
import sys
from pathlib import Path
from typing import Any, Protocol

from coursekit.errors import CourseError
from coursekit.sandbox import groups
from coursekit.sandbox.bubblewrap import Bubblewrap
from coursekit.sandbox.landlock import Landlock
from coursekit.sandbox.namespaces import Namespaces
from coursekit.sandbox.none import Nothing
from coursekit.sandbox.paths import Paths
from coursekit.sandbox.probe import Report, Walls, probe
from coursekit.sandbox.promises import KINDS

__all__ = ["KINDS", "Paths", "Sandbox", "choose", "offered"]

TRUST_OPTION = "--i-trust-the-submissions"


class Sandbox(Protocol):
    """A way to start the fork server, and what it has to do to shut its children in."""

    kind: str

    def command(self, argv: list[str], *, sockets: Path) -> list[str]:
        """The command that runs `argv` inside, with the folder `sockets` shared under the same path."""
        ...

    def plan(self) -> dict[str, Any]:
        """Plain data for `prepare` and `enter` of coursekit.bridges.isolation."""
        ...


def offered(paths: Paths, kind: str = "") -> list[Walls]:
    """The sandboxes to try, the best one first; only those of one kind if it is given. None but on Linux."""
    if not sys.platform.startswith("linux"):
        return []
    place = groups.find()
    if place is not None and "memory" not in place.parents:  # the number of processes is bounded without groups too
        place = None
    walls: list[Walls] = []
    for make in (Bubblewrap, Namespaces):
        walls += [*([make(paths, place=place)] if place else []), make(paths)]
    return [one for one in (*walls, Landlock(paths)) if kind in ("", one.kind)]


def choose(paths: Paths, *, trust: bool, kind: str = "") -> Sandbox:
    """The best sandbox that keeps its promises on this computer, tried by attempts to get out of it.

    Without one, nothing is isolated if `trust` says that this may be; otherwise raises CourseError with the reasons.
    With a `kind` it is that one or an error.
    """
    if kind not in ("", *KINDS):
        raise CourseError(f"'{kind}' is no kind of sandbox. There are {', '.join(KINDS)}.")
    reports: dict[str, Report] = {}
    for walls in offered(paths, kind):
        report = probe(walls)
        if report.holds:
            return walls
        reports[walls.kind] = report
    if trust and kind in ("", "none"):
        return Nothing()
    why = " ".join(report.sentence() for report in reports.values())
    if kind not in ("", "none"):
        why = why or f"{kind} needs Linux."
        raise CourseError(f"Submissions cannot be shut in by {kind} on this computer: {why} {_advice()}")
    raise CourseError(
        f"{f'Submissions cannot be shut in on this computer: {why}' if why else _elsewhere(kind)} They would run with "
        f"your own rights and could read or delete your files. {_advice()} Or say {TRUST_OPTION} if you know that no "
        "submission is hostile."
    )


def _elsewhere(kind: str) -> str:
    """Why nothing was tried."""
    if kind == "none":
        return "You have asked for no sandbox."
    limits = {
        "darwin": "On macOS nothing isolates submissions; only the time, processor time and file sizes are bounded.",
        "win32": "On Windows nothing isolates submissions; only the time is bounded.",
    }
    return limits.get(sys.platform, "On this system nothing isolates submissions.")


def _advice() -> str:
    if not sys.platform.startswith("linux"):
        return "Grade on a Linux computer, or in a virtual machine or container with Linux."
    if shutil.which("bwrap") is None:
        return "Install bubblewrap (on Debian and Ubuntu: apt-get install bubblewrap), or grade on a Linux computer."
    return (
        "bubblewrap needs a system that lets it make user namespaces: `sysctl user.max_user_namespaces` must not be 0, "
        "nor kernel.unprivileged_userns_clone where there is one, and on Ubuntu 24.04 and later "
        "kernel.apparmor_restrict_unprivileged_userns must be 0; a container must be started with them allowed. "
        "Without them, Linux 6.12 or later is needed."
    )
