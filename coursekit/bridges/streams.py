"""The streams of a graded kernel: a flush with nothing to send costs nothing.

IPython and ipykernel flush four times a cell, and every flush of ipykernel's waits for another thread.
"""

from typing import Any

from ipykernel.iostream import OutStream


class LazyStream(OutStream):
    """ipykernel's stream, which is asked to send only what was written since it was last asked."""

    _written = False

    def write(self, string: str) -> int | None:  # type: ignore[override]
        """Take text, to be sent with the next flush or a little later."""
        count: int | None = super().write(string)
        self._written = True
        return count

    def flush(self) -> Any:
        """Send what was written, and wait until it is sent."""
        if self._written:
            self._written = False
            super().flush()
