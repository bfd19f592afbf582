"""Where the kernels come from that run submissions: forked from a warm process in a sandbox, or ordinary ones."""

from collections.abc import Mapping
from typing import Protocol

from jupyter_client.manager import AsyncKernelManager

from coursekit.kernels.limits import KernelLimits

NO_FORK = "Windows cannot fork a process, so kernels are started anew there."


class Kernels(Protocol):
    """A source of kernels, one at a time or several; closed when nobody needs another one.

    ``sandbox`` is the kind of isolation ("bubblewrap", "none"), ``warm`` says whether kernels are forked; both are
    written into every record.
    """

    sandbox: str
    warm: bool

    def manager(self, files: Mapping[str, bytes], limits: KernelLimits) -> AsyncKernelManager:
        """A manager whose kernel, once started, runs in a fresh folder of its own that holds these files."""
        ...

    def why_dead(self, manager: AsyncKernelManager) -> str:
        """A sentence for the student on why a kernel ended, such as too little memory; empty when nobody knows."""
        ...

    def close(self) -> None:
        """End every kernel and everything that they started."""
        ...
