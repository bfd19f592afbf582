"""What comes back from a cluster, taken for no more than it is: results, errors, and what its workers say."""

import asyncio
import contextlib
import json
from collections.abc import Iterator
from concurrent.futures import CancelledError
from typing import Any

from coursekit.workers import board as notes
from coursekit.workers.pool import WorkerLost


def sentences(address: str, note: dict[str, Any]) -> Iterator[str]:
    """What a worker has said of itself, for a person."""
    if note["state"] == notes.REFUSED:
        yield from (f"The worker {address} is not used: {text}" for text in note["texts"])
    elif note["state"] == notes.OPENING:
        yield from (f"The worker {address}: {text}" for text in note["texts"])
    else:
        yield from note["texts"]


def taken(result: Any) -> tuple[bytes, dict[str, Any]]:
    """A notebook and its record, from what another computer says they are; raises WorkerLost when they are not."""
    if isinstance(result, tuple) and len(result) == 2 and all(isinstance(part, bytes) for part in result):
        with contextlib.suppress(ValueError):
            record = json.loads(result[1])
            if isinstance(record, dict):
                return result[0], record
    raise WorkerLost(f"a worker gave back {type(result).__name__}, where a notebook and its record were expected")


def as_ours(error: BaseException) -> Exception:
    """What dask says of a task that it has lost, as a fault of the machine; anything else as it is."""
    dasks = type(error).__module__.partition(".")[0] in ("distributed", "dask")
    if dasks or isinstance(error, (CancelledError, asyncio.CancelledError)):
        ours = WorkerLost(f"the cluster gave up a task ({type(error).__name__}: {error})")
        ours.__cause__ = error
        return ours
    return error if isinstance(error, Exception) else RuntimeError(f"{type(error).__name__}: {error}")
