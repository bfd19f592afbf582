"""Sandboxes for the kernels that run submissions, and the choice of one that was seen to hold."""

import shutil
from pathlib import Path
from typing import Any, Protocol

from coursekit.errors import CourseError
from coursekit.sandbox import groups
from coursekit.sandbox.bubblewrap import Bubblewrap
from coursekit.sandbox.none import Nothing
from coursekit.sandbox.paths import Paths
from coursekit.sandbox.probe import probe

__all__ = ["Paths", "Sandbox", "choose"]

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


def choose(paths: Paths, *, trust: bool) -> Sandbox:
    """The sandbox that keeps submissions to `paths` on this computer, tried by attempts to get out of it.

    Without one, nothing is isolated if `trust` says that this may be; otherwise raises CourseError with the reasons.
    """
    place = groups.find()
    sandboxes = [Bubblewrap(paths)]
    if place is not None and "memory" in place.parents:  # the number of processes is bounded without groups too
        sandboxes.insert(0, Bubblewrap(paths, place=place))
    for sandbox in sandboxes:
        report = probe(sandbox)
        if report.holds:
            return sandbox
    if trust:
        return Nothing()
    raise CourseError(
        f"Submissions cannot be shut in on this computer: {report.sentence()} They would run with your own rights and "
        f"could read or delete your files. {_advice()} Or say {TRUST_OPTION} if you know that no submission is hostile."
    )


def _advice() -> str:
    if shutil.which("bwrap") is None:
        return "Install bubblewrap (on Debian and Ubuntu: apt-get install bubblewrap), or grade on a Linux computer."
    return (
        "bubblewrap needs a system that lets it make user namespaces: `sysctl user.max_user_namespaces` must not be 0, "
        "nor kernel.unprivileged_userns_clone where there is one, and on Ubuntu 24.04 and later "
        "kernel.apparmor_restrict_unprivileged_userns must be 0; a container must be started with them allowed."
    )
