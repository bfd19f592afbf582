"""Runs server.py in a sandbox, as the user who starts this script: argv[1] is a task, JSON.

It prints what the server prints. With "die" it kills itself when every kernel is ready.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from coursekit.sandbox import bubblewrap, groups, landlock, namespaces, paths
from coursekit.sandbox.probe import probe

HERE = Path(__file__).resolve().parent


class Gaps:
    """Mixed in: the same with some of its arguments left out."""

    def command(self, argv: list[str], *, sockets: Path) -> list[str]:
        command = super().command(argv, sockets=sockets)
        for words in task["without"]:
            at = next(at for at in range(len(command)) if command[at : at + len(words)] == words)
            del command[at : at + len(words)]
        return command


class Bubblewrap(Gaps, bubblewrap.Bubblewrap):
    """bwrap's."""


class Namespaces(Gaps, namespaces.Namespaces):
    """Our launcher's."""


class Landlock(Gaps, landlock.Landlock):
    """Without namespaces."""


TIERS = {"bubblewrap": Bubblewrap, "namespaces": Namespaces, "landlock": Landlock}


def change_modules(folder: Path) -> None:
    """Have the sandbox use a copy of our modules in which some words are others."""
    package = folder / "coursekit"
    shutil.copytree(HERE.parents[2] / "coursekit" / "bridges", package / "bridges")
    (package / "__init__.py").touch()
    for module, old, new in task["edits"]:
        path = package / "bridges" / f"{module}.py"
        text = path.read_text()
        assert old in text, f"{module}.py has changed, there is no {old!r} in it"
        path.write_text(text.replace(old, new))
    paths.own_modules = lambda: [package / "__init__.py", package / "bridges"]
    landlock.own_modules = paths.own_modules
    bubblewrap.importable = lambda _: [folder]


task = json.loads(sys.argv[1])
exec(task["outside"])
course = Path(task["course"])
with tempfile.TemporaryDirectory(prefix=f"d-{task['name']}") as folder:
    options = {"place": groups.find()} if task["groups"] else {}
    sandbox = TIERS[task["tier"]](paths.Paths(course=course), **options)
    if task["edits"]:
        change_modules(Path(folder))
    if task["probe"]:
        report = probe(sandbox)
        print(json.dumps([report.kind, report.holds, list(report.attempts), report.sentence()]))
        sys.exit()
    sockets = Path(folder, "s")
    sockets.mkdir(mode=0o700)
    task["sockets"] = str(sockets)
    argv = [sys.executable, "-c", (HERE / "server.py").read_text(), json.dumps(sandbox.plan()), json.dumps(task)]
    server = subprocess.Popen(sandbox.command(argv, sockets=sockets), stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    for line in server.stdout:
        if line == "READY\n":
            if task["die"]:
                os.kill(os.getpid(), signal.SIGKILL)
            for base in getattr(sandbox, "bases", ()):
                found = {str(path): path.read_text() for path in next(iter(base.folders.values())).glob("*/*.max")}
                print("GROUPS", json.dumps(found), flush=True)
        print(line, end="", flush=True)
    code = server.wait()
    print("SHARED", json.dumps(sorted(path.name for path in sockets.glob("*/*"))))
    sandbox.close()
    sys.exit(code != 0)
