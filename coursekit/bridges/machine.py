"""Tells what a Python can import and what the course's own probe finds: started by `course doctor` as a script.

    PYTHON coursekit/bridges/machine.py '{"imports": ["torch"], "probe": "genlib.machine:probe"}'

It writes one JSON object a line, each before the next step begins, so that something is known also when an import kills
the process or never ends. It imports nothing but the standard library by itself: the Python that runs notebooks need
not be the one that runs `course`.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import sys
from typing import Any, TextIO


def _say(out: TextIO, **message: Any) -> None:
    out.write(json.dumps(message) + "\n")
    out.flush()


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _missing(error: Exception) -> str | None:
    """The module that is not installed at all, where that is the reason."""
    return error.name if isinstance(error, ModuleNotFoundError) else None


def _version(name: str) -> str:
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return str(getattr(sys.modules[name], "__version__", ""))


def main() -> int:
    """Import each module, call the probe if all of them are there, and say what happened."""
    # Whatever a library prints goes to stderr; the lines that are read go where stdout was.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.path.pop(0)  # the folder of this file, which a notebook does not see
    wanted = json.loads(sys.argv[1])
    _say(
        out,
        python=platform.python_version(),
        executable=sys.executable,
        bits=64 if sys.maxsize > 2**32 else 32,
        machine=platform.machine(),
    )
    fine = True
    for name in wanted["imports"]:
        _say(out, trying=name)
        try:
            importlib.import_module(name)
        except Exception as error:  # a broken installation can raise anything
            fine = False
            _say(out, module=name, error=_reason(error), missing=_missing(error))
        else:
            _say(out, module=name, version=_version(name))
    if fine and wanted["probe"]:
        module, _, function = wanted["probe"].partition(":")
        _say(out, trying=wanted["probe"])
        try:
            rows = getattr(importlib.import_module(module), function)()
        except Exception as error:
            _say(out, probe_error=_reason(error))
        else:
            _say(out, rows=rows)
    _say(out, done=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
