"""Opens a worker in a process of its own, and keeps that process small: there may be many of them."""

import importlib.util
import logging
import multiprocessing
import sys
from types import ModuleType


def _make_bare(name: str) -> None:
    """Let the modules of a package be imported without what the package itself imports first."""
    spec = importlib.util.find_spec(name)
    if name not in sys.modules and spec is not None and spec.submodule_search_locations is not None:
        bare = ModuleType(name)
        bare.__path__ = list(spec.submodule_search_locations)
        bare.__spec__ = spec
        sys.modules[name] = bare


def _spare() -> None:
    """Leave out what a worker never uses, before anything imports it.

    The package nbgrader imports its Jupyter server extensions and SQLAlchemy, where a worker wants two small functions
    of nbgrader.utils, and nbconvert all its exporters, where it wants one of Markdown; jsonschema imports a parser for
    formats that notebooks do not have. It is 40 MB and two seconds.
    """
    _make_bare("nbgrader")
    _make_bare("nbconvert")
    _make_bare("nbconvert.filters")
    if "jsonschema" not in sys.modules:
        sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]  # as if it were not installed


if multiprocessing.current_process().name != "MainProcess":  # where somebody might want nbgrader whole
    _spare()

from coursekit.grading import worker  # noqa: E402
from coursekit.grading.worker import WorkerSettings  # noqa: E402


class _Kept(logging.Handler):
    """Keeps what is logged, to be told by another process."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def open_here(settings: WorkerSettings) -> list[str]:
    """Open the worker of this process; returns what whoever grades should know about it, as sentences."""
    log, kept = logging.getLogger("coursekit.kernel"), _Kept()
    log.addHandler(kept)
    log.propagate = False
    try:
        worker.open_worker(settings)
    finally:
        log.removeHandler(kept)
    return kept.texts
