"""Namespaces without bubblewrap: the same walls, put up by our own launcher where bwrap is not installed."""

import sys
from pathlib import Path

from coursekit.sandbox import groups
from coursekit.sandbox.bubblewrap import Bubblewrap
from coursekit.sandbox.paths import Paths

KIND = "namespaces"
_START = (
    "import sys; sys.path.append(sys.argv.pop(1)); "
    "from coursekit.bridges import launcher; sys.exit(launcher.main(sys.argv[1:]))"
)


class Namespaces(Bubblewrap):
    """A sandbox made by coursekit/bridges/launcher.py, which takes the arguments of bwrap."""

    kind = KIND

    def __init__(self, paths: Paths, *, place: groups.Place | None = None) -> None:
        super().__init__(paths, place=place, program=sys.executable)

    def starter(self) -> list[str]:
        """The words before the arguments: Python by itself, without what is installed for it."""
        return [self.program, "-I", "-S", "-c", _START, str(Path(__file__).resolve().parents[2])]
