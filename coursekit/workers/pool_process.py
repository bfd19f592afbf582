"""The far side of `pool`: the whole life of a worker process, which must not outlive whoever started it."""

import contextlib
import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any

STOP_SECONDS = 10.0  # what a worker has to end its kernels in


@dataclass(frozen=True)
class Recipe:
    """How a worker gets ready and ends: functions that another process can import, and plain data.

    `open(*arguments)` returns plain data about the worker; after `spoilt` exceptions the worker is opened anew.
    """

    open: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    close: Callable[[], None] | None = None
    spoilt: tuple[type[Exception], ...] = ()


def _portable(error: Exception) -> Exception:
    """The same exception if it survives being sent, otherwise one that says the same; with its traceback as a note."""
    error.add_note("".join(traceback.format_exception(error)))
    try:
        if isinstance(pickle.loads(pickle.dumps(error)), type(error)):
            return error
    except Exception:  # an exception's own __init__ or __reduce__ can raise anything
        pass
    other = RuntimeError(f"{type(error).__name__}: {error}")
    other.__notes__ = list(error.__notes__)
    return other


def _end_with_parent(recipe: Recipe) -> None:
    """Wait for the end of the process that started this one: after a kill -9 nobody else would stop this worker."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    with contextlib.suppress(Exception):
        closer = threading.Thread(target=recipe.close or (lambda: None), daemon=True)
        closer.start()
        closer.join(STOP_SECONDS)
    os._exit(1)


def _stop(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def serve(connection: Connection, recipe: Recipe) -> None:
    """The whole life of a worker: open, one task after the other, close."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; only the parent decides
    signal.signal(signal.SIGTERM, _stop)
    threading.Thread(target=_end_with_parent, args=(recipe,), daemon=True).start()
    try:
        try:
            connection.send((True, recipe.open(*recipe.arguments)))
        except Exception as error:  # whatever it is, somebody has to read it
            connection.send((False, _portable(error)))
            return
        while True:
            try:
                function, args, kwargs = connection.recv()
            except EOFError:
                return
            try:
                answer = (True, function(*args, **kwargs))
            except Exception as error:  # the task's own, to be raised where its result is asked for
                answer = (False, _portable(error))
            connection.send(answer)
    finally:
        if recipe.close is not None:
            recipe.close()
