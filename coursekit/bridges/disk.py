"""What a kernel's folder takes of the disk, where no file system of a size of its own bounds it."""

import os
from collections.abc import Iterable

DEEPEST = 100  # folders within folders; whoever has more is up to something
_DELETED = " (deleted)"


def occupied(folder: str, enough: int) -> tuple[int, int]:
    """Bytes and files below a folder, as far as `enough` files; without end where folders lie too deep."""
    size, count, waiting = 0, 0, [(folder, 0)]
    while waiting and count <= enough:
        path, depth = waiting.pop()
        if depth > DEEPEST:
            return size, enough + 1
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    count += 1
                    if count > enough:
                        break
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append((entry.path, depth + 1))
                    size += 512 * entry.stat(follow_symlinks=False).st_blocks
        except OSError:  # it has just gone
            continue
    return size, count


def deleted(folder: str, pids: Iterable[int]) -> int:
    """Bytes of files that lay below a folder and have no name any more, but are open or mapped in a process."""
    sizes: dict[tuple[str, int], int] = {}
    for pid in pids:
        try:
            _open_files(folder, pid, sizes)
            _mapped_files(folder, pid, sizes)
        except OSError:  # it has just ended
            continue
    return sum(sizes.values())


def _open_files(folder: str, pid: int, sizes: dict[tuple[str, int], int]) -> None:
    for entry in os.scandir(f"/proc/{pid}/fd"):
        try:
            where = os.readlink(entry.path)
            if where.startswith(folder) and where.endswith(_DELETED):
                found = os.stat(entry.path)
                device = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}"
                sizes[device, found.st_ino] = 512 * found.st_blocks
        except OSError:  # it was closed
            continue


def _mapped_files(folder: str, pid: int, sizes: dict[tuple[str, int], int]) -> None:
    with open(f"/proc/{pid}/maps", errors="surrogateescape") as file:
        lines = [line for line in file if line.endswith(f"{_DELETED}\n") and folder in line]
    for line in lines:
        span, _, _, device, inode, _ = line.split(maxsplit=5)
        first, last = (int(word, 16) for word in span.split("-"))
        key = device, int(inode)
        sizes[key] = max(sizes.get(key, 0), last - first)
