"""The parent's side of the fork server: start it, try it, ask it for kernels, end it."""

import base64
import json
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from coursekit.kernels import NO_FORK
from coursekit.kernels.limits import KernelLimits
from coursekit.kernels.process import ServerProcess, drop_folder, short_folder
from coursekit.sandbox import Sandbox

START_SECONDS = 180.0
CANARY_SECONDS = 60.0
STOP_SECONDS = 5.0
WORKING_FOLDER = "/tmp/work"  # of a kernel in a sandbox, which has a /tmp of its own
# A pool of threads that is made while a module is imported would make forking unsafe.
ONE_THREAD = {
    name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
}


class ForkFailed(Exception):
    """Kernels cannot be forked: the sentence says why, and `module` names the module it is about, if there is one."""

    def __init__(self, reason: str, module: str = "") -> None:
        super().__init__(reason)
        self.module = module


@dataclass
class Forked:
    """A kernel that was asked for; the two events are set by the thread that listens to the server."""

    name: str
    started: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    pid: int = 0
    status: int | None = None
    reason: str = ""
    refused: bool = False


class ForkServer:
    """A process that has imported `modules` and forks kernels; usable from several threads and event loops."""

    def __init__(
        self,
        modules: Sequence[str] = (),
        *,
        sandbox: Sandbox | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        if not hasattr(os, "fork"):
            raise ForkFailed(NO_FORK)
        self.modules, self.sandbox = tuple(modules), sandbox
        self.environment = dict(environment or {})
        self.files: dict[str, int] = {}
        self._ready = threading.Event()
        self._problem: ForkFailed | None = None
        self._kernels: dict[str, Forked] = {}
        self._process: ServerProcess | None = None
        self._counting = threading.Lock()
        self._count = 0
        self._retiring = False

    @property
    def sockets(self) -> Path:
        """The folder that holds a folder of sockets for every kernel."""
        return self.root / "s"

    @property
    def isolated(self) -> bool:
        """Whether kernels run in a sandbox."""
        return self.sandbox is not None and self.sandbox.kind != "none"

    @property
    def alive(self) -> bool:
        """Whether the process is there to be asked."""
        return self._process is not None and self._process.alive

    @property
    def pid(self) -> int:
        """Number of the process that was started, which in a sandbox is the sandbox's own; 0 when there is none."""
        return 0 if self._process is None else self._process.pid

    def start(self, *, seconds: float = START_SECONDS) -> None:
        """Import the modules and try one child; raises ForkFailed, and then nothing is left behind."""
        self.root = short_folder()
        try:
            self.sockets.mkdir(mode=0o700)
            self._launch()
            self._say(op="import", modules=self.modules)
            if not self._ready.wait(seconds):
                raise ForkFailed(f"The modules {', '.join(self.modules)} were not imported within {seconds:.0f} s.")
            if self._problem is not None:
                raise self._problem
            self._try_canary()
        except BaseException:
            self.stop()
            raise

    def _launch(self) -> None:
        plan = {"kind": "none"} if self.sandbox is None else self.sandbox.plan()
        environment = {**self.environment, **ONE_THREAD}
        command = [sys.executable, "-m", "coursekit.bridges.fork_server", json.dumps(plan)]
        if self.sandbox is not None and self.isolated:
            settings = [f"{name}={value}" for name, value in environment.items()]
            command = self.sandbox.command(["/usr/bin/env", *settings, *command], sockets=self.sockets)
        self._process = ServerProcess(command, {**os.environ, **environment}, self.root)
        threading.Thread(target=self._listen, name="fork server", daemon=True).start()

    def _try_canary(self) -> None:
        kernel = self.fork({}, canary=True)
        if not kernel.ended.wait(CANARY_SECONDS):
            raise ForkFailed(f"A forked process that computes a little did not end within {CANARY_SECONDS:.0f} s.")
        if kernel.status != 0:
            raise ForkFailed(
                f"A forked process that computes a little ended with: {kernel.reason}.{self._last_words()}"
            )

    def _last_words(self) -> str:
        text = self._process.last_words() if self._process is not None else ""
        return f" Its last words: {text}" if text else ""

    def _say(self, **command: Any) -> None:
        try:
            if self._process is None:
                raise OSError("it was never started")
            self._process.say(command)
        except (OSError, ValueError) as error:  # ValueError: its input was closed
            raise ForkFailed(f"The fork server has ended.{self._last_words()}") from error

    def _listen(self) -> None:
        """The listening thread: every event in turn, and at the end the news that nothing more will come."""
        process = self._process
        assert process is not None
        for event in process.events():
            self._note(event)
            if self._retiring and not self._kernels:
                process.close_input()
        status = process.wait()
        if not self._ready.is_set():
            self._problem = ForkFailed(f"The fork server ended with status {status} at its start.{self._last_words()}")
            self._ready.set()
        for name in list(self._kernels):
            self._end(name, -1, "the fork server ended")
        if self._retiring:
            self._clear_away()

    def _note(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "imported" and event["problem"]:
            self._problem = ForkFailed(f"The module {event['module']}: {event['problem']}.", event["module"])
        elif kind == "ready":
            self.files = event["files"]
            self._ready.set()
        elif kind == "started":
            kernel = self._kernels[event["id"]]
            kernel.pid = event["pid"]
            kernel.started.set()
        elif kind == "refused":
            self._kernels[event["id"]].refused = True
            self._end(event["id"], -1, event["reason"])
        elif kind == "ended":
            self._end(event["id"], event["status"], event["reason"])

    def _end(self, name: str, status: int, reason: str) -> None:
        kernel = self._kernels.pop(name, None)
        if kernel is None:  # the server could not be asked for it
            return
        kernel.status, kernel.reason = status, reason
        kernel.ended.set()

    def address(self) -> tuple[str, str]:
        """A fresh name for a kernel, and the start of the paths of its sockets."""
        with self._counting:
            self._count += 1
            return str(self._count), str(self.sockets / str(self._count) / "k")

    def fork(
        self,
        connection: Mapping[str, Any],
        *,
        name: str | None = None,
        canary: bool = False,
        graded: bool = True,
        folder: str = "",
        arguments: Sequence[str] = (),
        config: Mapping[str, Any] | None = None,
        files: Mapping[str, bytes] | None = None,
        limits: KernelLimits | None = None,
        environment: Mapping[str, str] | None = None,
        seed: int | None = None,
        threads: int = 1,
    ) -> Forked:
        """Ask for a kernel with these sockets, which is there when `started` is set, or `ended` in its place.

        A graded kernel starts in a folder of its own with `files` and nothing else; any other one in `folder`, with
        exactly this `environment`. Raises ForkFailed when the server is gone.
        """
        name = name or self.address()[0]
        if graded:
            folder = WORKING_FOLDER if self.isolated else str(self.root / f"w{name}")
        own = str(self.sockets / name) if self.isolated else ""  # a sandbox without namespaces keeps all files there
        kernel = self._kernels[name] = Forked(name)
        self._say(
            op="fork",
            id=name,
            canary=canary,
            graded=graded,
            folder=folder,
            sockets=os.path.dirname(str(connection["ip"])) if connection.get("transport") == "ipc" else own,
            connection=dict(connection),
            arguments=list(arguments),
            config=dict(config or {}),
            files={path: base64.b64encode(data).decode() for path, data in (files or {}).items()},
            limits=asdict(limits or KernelLimits()),
            environment=dict(environment or {}),
            seed=seed,
            threads=threads,
        )
        return kernel

    def signal(self, kernel: Forked, number: int) -> None:
        """Send a signal to a kernel; 9 ends it and everything that it started. Nothing happens when it has ended."""
        if not kernel.ended.is_set():
            self._say(op="signal", id=kernel.name, number=number)

    def retire(self) -> None:
        """End the server as soon as its last kernel has ended."""
        self._retiring = True
        if not self._kernels:
            self.stop()

    def stop(self) -> None:
        """End every kernel and the server itself; may be called twice."""
        if self._process is not None:
            self._process.end(STOP_SECONDS)
        self._clear_away()

    def _clear_away(self) -> None:
        if self._process is not None:
            self._process.forget_log()
        drop_folder(self.root)
