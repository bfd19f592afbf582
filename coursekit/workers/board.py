"""Notes on the scheduler of a cluster, which outlive every worker: plain data under the name of a run.

They say which workers are ready, which tasks have been begun, and that the one who grades is still there.
"""

import time
from dataclasses import dataclass
from typing import Any, Protocol

KIND, WORKERS, BEGUN, ALIVE = "kind", "workers", "begun", "alive"
OPENING, OFFERS, READY, REFUSED, ENDED = "opening", "offers", "ready", "refused", "ended"
SECONDS = 20.0  # for one note
LEASE_SECONDS = 120.0  # without a sign of the one who grades, after a kill -9 perhaps


class Board(Protocol):
    """Where notes are; both raise OSError when the scheduler does not answer."""

    def read(self, *keys: str) -> Any:
        """The note of that name, or None."""
        ...

    def write(self, *keys: str, note: Any) -> None:
        """Leave a note, or take it away with None."""
        ...


@dataclass(frozen=True)
class WorkersBoard:
    """Seen from a thread of a dask worker that is not its event loop."""

    worker: Any
    run: str

    def read(self, *keys: str) -> Any:
        """The note of that name, or None."""
        return self.call(self.worker.scheduler.get_metadata, keys=[self.run, *keys], default=None)

    def write(self, *keys: str, note: Any) -> None:
        """Leave a note."""
        self.call(self.worker.scheduler.set_metadata, keys=[self.run, *keys], value=note)

    def call(self, function: Any, **arguments: Any) -> Any:
        """Let the event loop do something, and wait for it; raises OSError when nothing comes of it."""
        from distributed.utils import sync

        return sync(self.worker.loop, function, callback_timeout=SECONDS, **arguments)


@dataclass(frozen=True)
class ClientsBoard:
    """Seen from the one who grades."""

    client: Any
    run: str

    def read(self, *keys: str) -> Any:
        """The note of that name, or None."""
        return self._call(self.client.scheduler.get_metadata, keys=[self.run, *keys], default=None)

    def write(self, *keys: str, note: Any) -> None:
        """Leave a note, or take it away with None."""
        self._call(self.client.scheduler.set_metadata, keys=[self.run, *keys], value=note)

    def workers(self) -> list[str]:
        """Addresses of all the workers that the scheduler has, ready or not."""
        return list(self._call(self.client.scheduler.ncores))

    def _call(self, function: Any, **arguments: Any) -> Any:
        return self.client.sync(function, callback_timeout=SECONDS, **arguments)


class Lease:
    """Whether the one who grades is still there, seen from a worker: the note that says so changes all the time."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self._seen: Any = None
        self._changed = time.monotonic()
        self._looked = self._changed - LEASE_SECONDS

    def holds(self) -> bool:
        """Asks the scheduler now and then; a scheduler that does not answer is waited for as long as the note."""
        now = time.monotonic()
        if now - self._looked < LEASE_SECONDS / 10:
            return True
        self._looked = now
        try:
            found = self.board.read(ALIVE)
        except (OSError, RuntimeError):
            found = self._seen
        else:
            if found is None:
                return False
        if found != self._seen:
            self._seen, self._changed = found, now
        return now - self._changed <= LEASE_SECONDS
