"""A PostgreSQL server of the benchmark's own: in a temporary folder, on a free port, gone with the process."""

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

USER = "course"
OWNERS = ("postgres", "nobody")  # whoever there is runs the server where we are root: it refuses root
SECONDS = 60.0


def programs() -> Path | None:
    """The folder of the newest installed server, or None."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    folders = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    return max((path.parent for path in folders), key=lambda path: float(path.parent.name), default=None)


def _owner() -> pwd.struct_passwd | None:
    """Who is to run the server, or None for whoever we are."""
    if os.geteuid() != 0:
        return None
    known = {one.pw_name: one for one in pwd.getpwall()}
    return next((known[name] for name in OWNERS if name in known), None)


def _as_owner(command: Sequence[str], owner: pwd.struct_passwd | None) -> list[str]:
    """The command as the owner; it is told to quit when this process ends, however that may be."""
    words = ["setpriv", "--pdeathsig", "QUIT"]
    if owner is not None:
        words += ["--reuid", str(owner.pw_uid), "--regid", str(owner.pw_gid), "--clear-groups"]
    return [*words, *command]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A running server; every database is new and empty."""

    def __init__(self, port: int) -> None:
        self.port, self._numbers = port, itertools.count()

    def _address(self, name: str) -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{name}"

    def new_database(self) -> str:
        """The address of an empty database, as SQLAlchemy wants it."""
        import psycopg

        name = f"gradebook{next(self._numbers)}"
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            connection.execute(f'create database "{name}"')
        return self._address(name).replace("postgresql:", "postgresql+psycopg:")

    def answers(self) -> bool:
        """Whether it takes connections yet."""
        import psycopg

        try:
            psycopg.connect(self._address("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


def missing() -> str:
    """Why there can be no server on this machine; empty when there can."""
    if programs() is None:
        return "PostgreSQL is not installed"
    if shutil.which("setpriv") is None:
        return "setpriv is not installed"
    return "root has nobody to run it as" if os.geteuid() == 0 and _owner() is None else ""


@contextlib.contextmanager
def server() -> Iterator[Server]:
    """Start a server with its usual settings; it ends with the context. Raises SystemExit when it does not start."""
    folder, owner = programs(), _owner()
    if folder is None:
        raise SystemExit(missing())
    with tempfile.TemporaryDirectory(prefix="grading-benchmark-", ignore_cleanup_errors=True) as name:
        place, port = Path(name), _free_port()
        if owner is not None:
            os.chown(place, owner.pw_uid, owner.pw_gid)
        make = [str(folder / "initdb"), "-D", str(place / "data"), "-U", USER, "-A", "trust", "-E", "UTF8"]
        subprocess.run(_as_owner(make, owner), check=True, capture_output=True, cwd=place, timeout=SECONDS)
        start = [str(folder / "postgres"), "-D", str(place / "data"), "-k", name, "-h", "127.0.0.1", "-p", str(port)]
        with (place / "log").open("wb") as log:
            process = subprocess.Popen(
                _as_owner(start, owner), cwd=place, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            yield _started(Server(port), process, place / "log")
        finally:
            process.send_signal(signal.SIGINT)  # end now, and put everything away
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(SECONDS)
            process.kill()
            process.wait()


def _started(made: Server, process: "subprocess.Popen[bytes]", log: Path) -> Server:
    end = time.monotonic() + SECONDS
    while not made.answers():
        if process.poll() is not None or time.monotonic() > end:
            raise SystemExit(f"PostgreSQL did not start:\n{log.read_text(encoding='utf-8', errors='replace')[-2000:]}")
        time.sleep(0.1)
    return made
