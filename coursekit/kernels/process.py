"""The fork server as a process: how it is started, written to, read and ended."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

SOCKET_PATH_BYTES = 100  # a Unix socket's path may have 107, on macOS 103
LAST_BYTES = 2000

_held: dict[Path, int] = {}  # our folders, each locked for as long as this process is there


def short_folder() -> Path:
    """A temporary folder, in /tmp where the usual place would make the paths of sockets too long; see `drop_folder`.

    Folders of processes that were killed, and could not remove them, are removed on this occasion.
    """
    usual = tempfile.gettempdir()
    longest = len(os.fsencode(usual)) + len("/k-12345678/s/123456/k-5")
    place = Path(usual if longest <= SOCKET_PATH_BYTES else "/tmp")
    for folder in place.glob("k-*"):
        if _is_left_behind(folder):
            shutil.rmtree(folder, ignore_errors=True)
    return _locked_folder(place)


def drop_folder(folder: Path) -> None:
    """Remove a folder that `short_folder` made; may be called twice."""
    shutil.rmtree(folder, ignore_errors=True)
    if (handle := _held.pop(folder, None)) is not None:
        os.close(handle)


def _locked_folder(place: Path) -> Path:
    """A new folder that has its name only when it is locked: whoever looks for those left behind never takes it."""
    import fcntl

    made = Path(tempfile.mkdtemp(prefix="n-", dir=place))
    handle = os.open(made, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    folder = made.rename(made.with_name(f"k-{made.name[2:]}"))
    _held[folder] = handle
    return folder


def _locked(folder: Path) -> IO[bytes]:
    """A log that is locked as long as one of the processes that write to it is there."""
    import fcntl

    log = (folder / "new").open("w+b")
    fcntl.flock(log, fcntl.LOCK_EX)
    (folder / "new").rename(folder / "log")
    return log


def _is_left_behind(folder: Path) -> bool:
    """Whether neither whoever made it nor a server that writes its log there is alive."""
    return _is_free(folder, os.O_DIRECTORY) and (not (folder / "log").exists() or _is_free(folder / "log"))


def _is_free(path: Path, kind: int = 0) -> bool:
    import fcntl

    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | kind)
    except OSError:  # it belongs to somebody else, is a link, or has just gone
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # it is in use
        return False
    finally:
        os.close(handle)
    return True


class ServerProcess:
    """A process that takes and gives one JSON object a line; what it says besides goes to a file in `folder`."""

    def __init__(self, command: list[str], environment: Mapping[str, str], folder: Path) -> None:
        self._log = _locked(folder)
        self._writing = threading.Lock()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=environment,
            cwd=folder,
            start_new_session=True,
        )
        self.pid = self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def say(self, command: Mapping[str, Any]) -> None:
        """Write one line; raises OSError or ValueError when nobody reads any more."""
        assert self._process.stdin is not None
        with self._writing:
            self._process.stdin.write(json.dumps(command).encode() + b"\n")
            self._process.stdin.flush()

    def events(self) -> Iterator[dict[str, Any]]:
        """What it says, until it says nothing more."""
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                yield json.loads(line)

    def last_words(self) -> str:
        """The end of what it has written to its error stream."""
        if self._log.closed:
            return ""
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), LAST_BYTES, max(0, size - LAST_BYTES)).decode(errors="replace").strip()

    def wait(self) -> int:
        """Wait for its end, and give its exit status."""
        return self._process.wait()

    def close_input(self) -> None:
        """Let it know that nothing more will be asked."""
        assert self._process.stdin is not None
        with self._writing, contextlib.suppress(OSError):  # it may have ended before it was told the last thing
            self._process.stdin.close()

    def end(self, seconds: float) -> None:
        """Let it end by itself, or end it after so many seconds."""
        self.close_input()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def forget_log(self) -> None:
        """Close the file with its error stream."""
        self._log.close()
