"""A process that has imported the heavy modules once and forks a kernel whenever it is asked to.

    python -m coursekit.bridges.fork_server PLAN      (PLAN: JSON, {"kind": "none"} or what a sandbox made)

It reads commands and writes events, one JSON object a line:

    {"op": "import", "modules": [...]}   {"event": "imported", "module", "seconds", "problem"} for each, until one has
                                         a problem, then {"event": "ready", "threads", "files"}
    {"op": "fork", "id", ...}            {"event": "started", "id", "pid"} when its sockets are bound, or "refused";
                                         what else is asked for stands in kernels/server.py
    {"op": "signal", "id", "number"}     sent to the kernel; SIGKILL ends everything that the kernel started
    {"op": "stop"}, or the end of input  ends every kernel, and this process

    {"event": "ended", "id", "status", "reason"} comes once for every kernel that was forked.

A fork copies the thread that asks for it and no other, so a lock that another thread holds stays locked in the child
for ever. So this process has one thread, and looks at every fork whether that is still true.
"""

import base64
import json
import os
import selectors
import signal
import sys
import time
from typing import Any

from coursekit.bridges import forked_kernel, warm
from coursekit.bridges.children import Child

Request = dict[str, Any]
CHUNK = 1 << 16


class Server:
    """The loop: commands come in, children end, events go out."""

    def __init__(self, plan: dict[str, Any], commands: int, events: int) -> None:
        self.plan, self.commands, self.events = plan, commands, events
        self.children: dict[str, Child] = {}
        self.unread = b""
        self.stopping = False
        self.selector = selectors.DefaultSelector()

    def serve(self) -> tuple[Request, int] | None:
        """Serve until the end, which gives None; in a forked child, give what was asked for and where to report."""
        wake_out, wake_in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC) if hasattr(os, "pipe2") else _pipe()
        signal.set_wakeup_fd(wake_in, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.selector.register(wake_out, selectors.EVENT_READ)
        self.selector.register(self.commands, selectors.EVENT_READ)
        while not self.stopping:
            for key, _ in self.selector.select():
                if key.fd == self.commands:
                    if (child := self._read_commands()) is not None:
                        return child
                elif key.fd == wake_out:
                    os.read(wake_out, CHUNK)
                elif key.data.name in self.children:
                    self._listen(key.data)
            self._reap()
        self._end_all()
        return None

    def _say(self, **event: Any) -> None:
        data = json.dumps(event).encode() + b"\n"
        try:
            while data:
                data = data[os.write(self.events, data) :]
        except BrokenPipeError:
            self.stopping = True

    def _read_commands(self) -> tuple[Request, int] | None:
        data = os.read(self.commands, CHUNK)
        self.stopping = self.stopping or not data
        *lines, self.unread = (self.unread + data).split(b"\n")
        for line in lines:
            if (child := self._obey(json.loads(line))) is not None:
                return child
        return None

    def _obey(self, request: Request) -> tuple[Request, int] | None:
        if request["op"] == "fork":
            return self._fork(request)
        if request["op"] == "import":
            self._import(request["modules"])
        elif request["op"] == "signal":
            self._signal(request["id"], int(request["number"]))
        elif request["op"] == "stop":
            self.stopping = True
        return None

    def _import(self, modules: list[str]) -> None:
        for name in modules:
            begun = time.monotonic()
            problem = warm.import_module(name) or warm.why_not_fork()
            self._say(event="imported", module=name, seconds=round(time.monotonic() - begun, 3), problem=problem)
            if problem:
                break
        warm.settle()
        self._say(event="ready", threads=warm.threads(), files=warm.files_of_modules())

    def _fork(self, request: Request) -> tuple[Request, int] | None:
        if problem := warm.why_not_fork():
            self._refuse(request, problem)
            return None
        heard, report = os.pipe()
        try:
            if request["sockets"]:
                os.mkdir(request["sockets"], mode=0o700)
            pid = os.fork()
        except OSError as error:  # no more processes, no room for a folder
            os.close(heard)
            os.close(report)
            self._refuse(request, f"{type(error).__name__}: {error}")
            return None
        if pid == 0:
            self._forget(report)
            return request, report
        os.close(report)
        os.set_blocking(heard, False)
        shut_in = self.plan["kind"] != "none"
        own_folder = request["folder"] if request["graded"] and not shut_in else ""
        folders = tuple(filter(None, [request["sockets"], own_folder]))
        child = Child(request["id"], pid, heard, not shut_in, folders, warm.end_signal(self.plan))
        self.children[child.name] = child
        self.selector.register(heard, selectors.EVENT_READ, child)
        return None

    def _refuse(self, request: Request, reason: str) -> None:
        self._say(event="refused", id=request["id"], reason=reason)

    def _forget(self, report: int) -> None:
        """In the child: give up everything of the server's that a kernel must not reach."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self.selector.close()
        os.closerange(3, report)
        os.closerange(report + 1, os.sysconf("SC_OPEN_MAX"))

    def _listen(self, child: Child) -> None:
        was_ready = child.is_ready
        if not child.hear():
            self._deaf(child)
        if child.is_ready and not was_ready:
            self._say(event="started", id=child.name, pid=child.pid)

    def _deaf(self, child: Child) -> None:
        if child.report in self.selector.get_map():
            self.selector.unregister(child.report)

    def _signal(self, name: str, number: int) -> None:
        if name in self.children:
            self.children[name].send(number)

    def _reap(self) -> None:
        for child in list(self.children.values()):
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if pid:
                self._finish(child, os.waitstatus_to_exitcode(status))

    def _finish(self, child: Child, status: int) -> None:
        self._listen(child)
        self._deaf(child)
        del self.children[child.name]
        warm.end_strays(self.plan, [other.pid for other in self.children.values()])
        child.clear_away()
        self._say(event="ended", id=child.name, status=status, reason=child.reason(status))

    def _end_all(self) -> None:
        for child in self.children.values():
            child.send(signal.SIGKILL)
        for child in list(self.children.values()):
            self._finish(child, os.waitstatus_to_exitcode(os.waitpid(child.pid, 0)[1]))


def _pipe() -> tuple[int, int]:
    out, into = os.pipe()
    os.set_blocking(out, False)
    os.set_blocking(into, False)
    return out, into


def main() -> int:
    """Serve; in a child, be a kernel until it ends."""
    plan = json.loads(sys.argv[1])
    if sys.path and os.path.realpath(sys.path[0]) == os.path.realpath(os.getcwd()):
        sys.path.pop(0)  # put there by -m; a notebook has its own folder instead
    # What a module prints goes to stderr; commands and events have descriptors that no module knows.
    commands, events = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C at the terminal is for the grader, who says stop
    warm.prepare(plan)
    child = Server(plan, commands, events).serve()
    if child is None:
        os._exit(0)  # what the modules do when Python ends is of no use here
    request, report = child
    files = {name: base64.b64decode(data) for name, data in request["files"].items()}
    return forked_kernel.run(plan, request, files, report)


if __name__ == "__main__":
    sys.exit(main())
