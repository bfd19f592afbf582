"""A PostgreSQL server of its own, on a free port and in a temporary folder, for as long as somebody wants it.

    python postgres.py      one line of JSON says where the server is; it ends when standard input does

The server belongs to this process and this process to its standard input, so that nothing is left behind also when
whoever started it is killed. Raises SystemExit with a sentence when there is no PostgreSQL here.
"""

import contextlib
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

USER, PASSWORD = "course", "only-for-these-tests"
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "shared_buffers": "16MB",
    "max_connections": "60",
    "listen_addresses": "127.0.0.1",
}


def programs() -> Path | None:
    """The folder with PostgreSQL's programs, the newest where there are several; Debian does not put it on PATH."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(folders, key=lambda folder: float(folder.parent.name), default=None)


def unprivileged() -> dict[str, Any]:
    """Arguments for subprocess: PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_cluster(bin_folder: Path, folder: Path, rights: dict[str, Any]) -> None:
    """An empty cluster: whoever gets at the socket's folder is trusted, over the network a password is needed."""
    os.chmod(folder, 0o700)
    (folder / "password").write_text(PASSWORD)
    if rights:
        for path in (folder, folder / "password"):
            os.chown(path, rights["user"], rights["group"])
    command = [bin_folder / "initdb", "--pgdata", folder / "data", "--username", USER, "--pwfile", folder / "password"]
    command += ["--auth-local=trust", "--auth-host=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, **rights)
    if done.returncode:
        raise SystemExit(f"initdb failed:\n{done.stdout}{done.stderr}")


@contextlib.contextmanager
def running(bin_folder: Path, folder: Path, rights: dict[str, Any]) -> Iterator[int]:
    """The server's port, once it answers."""
    port = free_port()
    command: list[Any] = [bin_folder / "postgres", "-D", folder / "data", "-k", folder, "-p", str(port)]
    for name, value in SETTINGS.items():
        command += ["-c", f"{name}={value}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, **rights)
    try:
        for _ in range(600):
            asked = subprocess.run([bin_folder / "pg_isready", "-q", "-h", folder, "-p", str(port)], check=False)
            if asked.returncode == 0:
                break
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
                break
        if process.poll() is not None or asked.returncode:
            raise SystemExit(f"PostgreSQL did not start:\n{(folder / 'log').read_text(errors='replace')}")
        yield port
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGQUIT)  # PostgreSQL's end at once: nobody wants the data any more
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main() -> None:
    bin_folder = programs()
    if bin_folder is None:
        raise SystemExit("PostgreSQL is not installed (on Debian: apt-get install postgresql)")
    rights = unprivileged()
    # straight below /tmp: a socket's path may have 107 bytes, and everybody must be able to get there
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    try:
        make_cluster(bin_folder, folder, rights)
        with running(bin_folder, folder, rights) as port:
            print(json.dumps({"socket": str(folder), "port": port, "user": USER, "password": PASSWORD}), flush=True)
            sys.stdin.read()
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
