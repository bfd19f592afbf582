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


class _Hollow(ModuleType):
    """A module of which anything can be imported, and nothing can be used."""

    __path__: list[str] = []  # noqa: RUF012 (a package has a list)

    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)


def _spare() -> None:
    """Leave out what a worker never uses, before anything imports it: 45 MB and two seconds.

    The package nbgrader imports its Jupyter server extensions and SQLAlchemy, where a worker wants two small functions
    of nbgrader.utils, which imports setuptools for archives; nbconvert imports all its exporters, where a worker wants
    its Markdown; jsonschema imports a parser for formats that notebooks do not have, and bs4 one for selectors.
    """
    for name in ("nbgrader", "nbconvert", "nbconvert.filters"):
        _make_bare(name)
    if "jsonschema" not in sys.modules:
        sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]  # as if it were not installed
    if "bs4" not in sys.modules:
        sys.modules["soupsieve"] = _Hollow("soupsieve")
    if "setuptools" not in sys.modules:
        sys.modules |= {name: _Hollow(name) for name in ("setuptools", "setuptools.archive_util")}


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
