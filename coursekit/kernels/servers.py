"""Fork servers that work, without the modules that make forking unsafe; a process keeps one for each list of them."""

import atexit
import os
import threading
from collections.abc import Callable, Mapping

from coursekit.kernels.server import ForkFailed, ForkServer
from coursekit.sandbox import Sandbox

Warn = Callable[[str], None]


def start(
    modules: tuple[str, ...],
    *,
    sandbox: Sandbox | None = None,
    environment: Mapping[str, str] | None = None,
    warn: Warn,
) -> ForkServer:
    """A fork server that was tried, without the modules that make forking unsafe; raises ForkFailed when none works."""
    while True:
        server = ForkServer(modules, sandbox=sandbox, environment=environment)
        try:
            server.start()
        except ForkFailed as error:
            if not modules:
                raise
            left_out = error.module if error.module in modules else "any module"
            warn(f"{error} It is left to the notebooks to import {left_out}, which takes them longer.")
            modules = tuple(name for name in modules if name != left_out) if left_out in modules else ()
        else:
            return server


def _changed(server: ForkServer) -> str:
    """A file of a module that is not what the server has imported, or nothing."""
    for name, changed in server.files.items():
        try:
            if os.stat(name).st_mtime_ns != changed:
                return name
        except OSError:
            return name
    return ""


_servers: dict[tuple[str, ...], ForkServer] = {}
_lock = threading.Lock()


def current(modules: tuple[str, ...], *, warn: Warn) -> ForkServer:
    """This process's server for these modules, started anew when the files of a module have changed since.

    Kernels of the earlier server live on, and it ends with the last of them.
    """
    with _lock:
        server = _servers.get(modules)
        if server is not None and server.alive and not _changed(server):
            return server
        fresh = start(modules, warn=warn)
        if server is not None:
            server.retire()
        _servers[modules] = fresh
        return fresh


@atexit.register
def close() -> None:
    """End every server of this process, and with them their kernels."""
    with _lock:
        for server in _servers.values():
            server.stop()
        _servers.clear()
