"""No sandbox: submissions run with the rights of whoever grades them, who has said that they may."""

from pathlib import Path
from typing import Any

KIND = "none"


class Nothing:
    """What stands in for a sandbox where nothing is isolated."""

    kind = KIND

    def command(self, argv: list[str], *, sockets: Path) -> list[str]:
        """The command itself."""
        return list(argv)

    def plan(self) -> dict[str, Any]:
        """For the process that forks the kernels: isolate nothing."""
        return {"kind": KIND}
