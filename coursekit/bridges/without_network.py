"""What IPython and ipykernel do with a network or a terminal, done without either, for kernels that have none.

Forked processes hand what they print to the kernel through a pair of sockets, not through a port of 127.0.0.1, and
`!command` reads from a pipe, not from a terminal.
"""

import contextlib
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

LARGEST = 1 << 18  # bytes of a message of a forked process; what is larger is lost
CHUNK = 1 << 16


class _Pipe:
    """Stands in for the zmq socket and the context that ipykernel makes in a forked process for every message."""

    def __init__(self, way: socket.socket) -> None:
        self.way = way

    def send_multipart(self, parts: Sequence[Any], *_: Any, **__: Any) -> None:
        """Send a message with its parts, each after its length."""
        texts = [bytes(part) for part in parts]
        with contextlib.suppress(OSError):  # too large, or the kernel is gone
            self.way.send(b"".join(struct.pack("=I", len(text)) + text for text in texts))

    def close(self) -> None:
        """The sockets stay for the next message."""

    term = close


def unpack(data: bytes) -> list[bytes]:
    """The parts of a message."""
    parts, at = [], 0
    while at + 4 <= len(data):
        (size,) = struct.unpack_from("=I", data, at)
        parts.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return parts


def _setup_pipe_in(thread: Any) -> None:
    thread._pipe_uuid = b""
    here, thread._pipe_port = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    here.setblocking(False)

    def take(*_: Any) -> None:
        with contextlib.suppress(BlockingIOError):
            if (parts := unpack(here.recv(LARGEST)))[1:]:
                thread.send_multipart(parts[1:])

    thread.io_loop.add_handler(here, take, thread.io_loop.READ)


def _setup_pipe_out(thread: Any) -> tuple[_Pipe, _Pipe]:
    pipe = _Pipe(thread._pipe_port)
    return pipe, pipe


def system(command: str) -> int:
    """Run a command of the shell and print what it says; its exit status, or minus the signal."""
    shell = subprocess.Popen(
        command, shell=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert shell.stdout is not None
    try:
        with shell.stdout as pipe:
            while data := pipe.read1(CHUNK):  # type: ignore[attr-defined]
                sys.stdout.write(data.decode(errors="replace"))
                sys.stdout.flush()
    except KeyboardInterrupt:
        shell.terminate()
    return shell.wait()


def getoutput(command: str) -> str:
    """What a command of the shell says, for `lines = !command`."""
    done = subprocess.run(
        command, shell=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    return done.stdout.decode(errors="replace")


def adapt() -> None:
    """Change IPython and ipykernel in this process, before the kernel's application is made."""
    from ipykernel import zmqshell
    from ipykernel.iostream import IOPubThread
    from IPython.core import interactiveshell

    changes: list[tuple[Any, dict[str, Any]]] = [
        (IOPubThread, {"_setup_pipe_in": _setup_pipe_in, "_setup_pipe_out": _setup_pipe_out}),
        (zmqshell, {"system": system}),
        (interactiveshell, {"getoutput": getoutput}),
    ]
    for where, functions in changes:
        for name, function in functions.items():
            setattr(where, name, function)
