"""Folders with links, pipes, strange names, other people's modules, and time stamps that lie."""

import os
import pickle
import socket
import unicodedata
from typing import Any

import nbformat
from desk import FILE, Desk, student
from hostile_course import NB


@student("07a-link-to-the-solution")
def _(desk: Desk) -> None:
    desk.folder.mkdir(parents=True)
    (desk.folder / FILE).symlink_to(desk.source / FILE)


@student("07b-folder-is-a-link")
def _(desk: Desk) -> None:
    desk.folder.parent.mkdir(parents=True)
    desk.folder.symlink_to(desk.source)


@student("07c-student-is-a-link")
def _(desk: Desk) -> None:
    elsewhere = desk.source.parent.parent / "elsewhere" / desk.folder.name
    elsewhere.mkdir(parents=True)
    (elsewhere / FILE).write_bytes((desk.source / FILE).read_bytes())
    desk.folder.parent.parent.mkdir(parents=True, exist_ok=True)
    desk.folder.parent.symlink_to(elsewhere.parent)


@student("30-brings-its-own-library")
def _(desk: Desk) -> None:
    desk.put(desk.right(total="total = 0"))
    cheat = b"REAL = True\n\ndef check_total(value):\n    pass\n"
    for name in ("courselib.py", "genlib.py", "numpy.py", "torch.py", "sitecustomize.py", "conftest.py"):
        desk.put(cheat, name)


class Evil:
    """Runs a command where it is unpickled."""

    def __reduce__(self) -> Any:
        return os.system, ("touch /home/teacher/pwned",)


@student("31b-hands-in-files-that-run")
def _(desk: Desk) -> None:
    desk.put(desk.right())
    for name in ("weights.pt", "model.pkl", "checks.json", f"{NB}.pkl", "records.json"):
        desk.put(pickle.dumps(Evil()), name)
    for name in ("nbgrader_config.py", "setup.py", "jupyter_config.py"):
        desk.put(b"open('/home/teacher/pwned', 'w')\n", name)


@student("40a Zoë O'Neil; rm -rf ~ $(id) `id` %s {0} 学生")
def _(desk: Desk) -> None:
    desk.put(desk.right(), unicodedata.normalize("NFD", "Vectors – Köpie (1) final FINAL.ipynb"))


@student("40b-" + "x" * 200)
def _(desk: Desk) -> None:
    desk.put(desk.right(), "y" * 240 + ".ipynb")


@student("40c-\u202e\u200bodd\x1b[31m\tname")
def _(desk: Desk) -> None:
    desk.put(desk.right())
    desk.put(b"text", "line\nbreak\x1b[2J.txt")
    desk.put(b"text", os.fsdecode(b"no-utf8-\xff\xfe.txt"))


@student("41a-early-time-stamp")
def _(desk: Desk) -> None:
    desk.put(desk.right())
    desk.put(b"2001-01-01 00:00:00 UTC", "timestamp.txt")


@student("41c-time-stamp-alone")
def _(desk: Desk) -> None:
    desk.put(desk.right())
    desk.put(b"2026-02-01 12:00:00 UTC", "timestamp.txt")


@student("41b-time-stamp-of-nonsense")
def _(desk: Desk) -> None:
    desk.put(desk.right())
    desk.put(b"99999-13-45 \xff\0 soon", "timestamp.txt")


@student("70-pipe")
def _(desk: Desk) -> None:
    desk.folder.mkdir(parents=True)
    os.mkfifo(desk.folder / FILE)
    os.mkfifo(desk.folder / "timestamp.txt")


@student("71-socket")
def _(desk: Desk) -> None:
    desk.folder.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as door:
        here = os.open(desk.folder, os.O_RDONLY)
        door.bind(f"/proc/self/fd/{here}/{FILE}")
        os.close(here)


@student("72-notebook-is-a-folder")
def _(desk: Desk) -> None:
    (desk.folder / FILE / "deep").mkdir(parents=True)


@student("73-unreadable-rights")
def _(desk: Desk) -> None:
    desk.put(desk.right())
    os.chmod(desk.folder / FILE, 0)


@student("74-file-in-the-place-of-the-folder")
def _(desk: Desk) -> None:
    desk.folder.parent.mkdir(parents=True)
    desk.folder.write_bytes(nbformat.writes(desk.right()).encode())


@student("89-many-files")
def _(desk: Desk) -> None:
    desk.put(desk.right())
    for number in range(3000):
        desk.put(b"", f"file-{number}.txt")


@student("94a-folder-that-nobody-may-open")
def _(desk: Desk) -> None:
    desk.put(desk.right())
    os.chmod(desk.folder, 0)


@student("94b-student-that-nobody-may-open")
def _(desk: Desk) -> None:
    desk.put(desk.right())
    os.chmod(desk.folder.parent, 0)


@student("95-folders-without-end")
def _(desk: Desk) -> None:
    desk.put(desk.right())
    here = os.open(desk.folder, os.O_RDONLY)
    for _ in range(400):
        os.mkdir("d" * 200, dir_fd=here)
        inner = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
