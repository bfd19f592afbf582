"""What an instructor has besides the course, laid out so that whoever touches it is seen."""

import hashlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HOME = Path.home()
SECRET = "canary-7f3a"
PORT = 4444
ABSTRACT = "\0teacher"
TMPFS = ("/tmp", "/dev/shm", "/var/tmp", str(HOME))


def lay_out() -> None:
    """Files of the instructor's own."""
    (HOME / ".ssh").mkdir(mode=0o700)
    (HOME / ".ssh" / "id_ed25519").write_text(SECRET)
    (HOME / "thesis.txt").write_text("years of work\n" * 1000)
    Path("/tmp/instructor.txt").write_text("mine")


def instructors_files() -> dict[str, str]:
    """Hashes of the files that `lay_out` made, and the names of what has come beside them."""
    paths = [HOME / ".ssh" / "id_ed25519", HOME / "thesis.txt", Path("/tmp/instructor.txt")]
    found = {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths if path.is_file()}
    ours = {".ssh", "thesis.txt", "course", "result.tar", ".cache", ".config", ".local", ".ipython", ".jupyter"}
    return found | {str(path): "new" for path in HOME.iterdir() if path.name not in ours}


class Doors:
    """Servers of this machine, by TCP, by UDP and by name; remembers who knocked."""

    def __init__(self) -> None:
        self.knocks: list[str] = []
        stream = socket.create_server(("127.0.0.1", PORT))
        named = socket.socket(socket.AF_UNIX)
        named.bind(ABSTRACT)
        named.listen()
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        datagrams.bind(("127.0.0.1", PORT))
        for name, door, wait in (("tcp", stream, "accept"), ("unix", named, "accept"), ("udp", datagrams, "recv")):
            threading.Thread(target=self._listen, args=(name, door, wait), daemon=True).start()

    def _listen(self, name: str, door: socket.socket, wait: str) -> None:
        while True:
            door.recv(100) if wait == "recv" else door.accept()
            self.knocks.append(name)


def processes() -> Iterator[tuple[int, bool, str, int]]:
    """Every process of the cage but its first: number, whether it is in a namespace of its own, command, bytes."""
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            status = Path(f"/proc/{name}/status").read_text()
            command = Path(f"/proc/{name}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        lines = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        if name != "1" and not lines["State"].startswith("Z"):
            private = int(lines.get("RssAnon", "0 kB").split()[0]) * 1024
            yield int(name), len(lines["NSpid"].split()) > 1, command, private


def shared_bytes() -> int:
    """Memory of the machine that is shared, has no name, or holds files."""
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return int(lines["Shmem"].split()[0]) * 1024


class Peaks(threading.Thread):
    """The most that was used at one time: processes, memory of the grader's own processes, bytes and files on disk."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        kinds = ("processes", "grader_bytes", "disk_bytes", "disk_files", "shared_bytes")
        self.found: dict[str, int] = dict.fromkeys(kinds, 0)
        self.shared_before = shared_bytes()
        self.stopped = threading.Event()

    def _higher(self, name: str, value: int) -> None:
        self.found[name] = max(self.found[name], value)

    def run(self) -> None:
        while not self.stopped.wait(0.1):
            now = list(processes())
            self._higher("processes", len(now))
            ours = [size for pid, inside, _, size in now if not inside and pid != os.getpid()]
            self._higher("grader_bytes", max(ours, default=0))
            self._higher("shared_bytes", shared_bytes() - self.shared_before)
            disks = [os.statvfs(folder) for folder in TMPFS]
            self._higher("disk_bytes", max((d.f_blocks - d.f_bfree) * d.f_frsize for d in disks))
            self._higher("disk_files", max(d.f_files - d.f_ffree for d in disks))

    def stop(self) -> dict[str, Any]:
        self.stopped.set()
        self.join()
        return self.found


class Scene:
    """The instructor's machine around one run of the grader."""

    def __init__(self) -> None:
        lay_out()
        self.before = instructors_files()
        self.in_tmp = set(os.listdir("/tmp"))  # the project itself may lie there
        self.doors = Doors()
        self.bystander = subprocess.Popen([sys.executable, "-I", "-S", "-c", "import time; time.sleep(3600)"])
        self.peaks = Peaks()
        self.peaks.start()

    def facts(self) -> dict[str, Any]:
        """What became of it, once the grader has ended; what is still running then has outlived it."""
        known = {os.getpid(), self.bystander.pid}
        end = time.monotonic() + 3
        while (left := [entry for entry in processes() if entry[0] not in known]) and time.monotonic() < end:
            time.sleep(0.1)
        after = instructors_files()
        return {
            "peaks": self.peaks.stop(),
            "files": {name: kind for name, kind in after.items() if self.before.get(name) != kind},
            "lost": sorted(set(self.before) - set(after)),
            "knocks": self.doors.knocks,
            "bystander": self.bystander.poll(),
            "survivors": [(inside, command) for _, inside, command, _ in left],
            "left_in_tmp": sorted(set(os.listdir("/tmp")) - self.in_tmp),
        }
