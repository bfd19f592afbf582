"""Writing so that a process killed at any moment leaves the old file or the new one, never half of either."""

import fnmatch
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path


def digest(*parts: bytes) -> str:
    """Hexadecimal SHA-256 of the parts; where one part ends is part of what is hashed."""
    hasher = hashlib.sha256()
    for part in parts:
        hasher.update(len(part).to_bytes(8, "big"))
        hasher.update(part)
    return hasher.hexdigest()


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file beside its place and rename it; missing folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".partial")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def drop_left_over(folder: Path) -> None:
    """Remove what `write_atomic` left in a folder when it was killed; nobody else may be writing there."""
    for path in folder.glob(".*.partial"):
        path.unlink(missing_ok=True)


def replace_folder(built: Path, target: Path, keep: Iterable[str] = ()) -> None:
    """Put the folder `built` (on the same disk) in the place of `target`; entries named in `keep` stay there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        os.rename(built, target)
        return
    old = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name[:40]}.", suffix=".old")) / target.name
    os.rename(target, old)
    try:
        os.rename(built, target)
    except OSError:
        os.rename(old, target)
        raise
    for name in keep:
        if (old / name).exists():
            os.rename(old / name, target / name)
    shutil.rmtree(old.parent)


def is_ignored(name: str, patterns: Iterable[str]) -> bool:
    """Whether a file or folder name matches one of the patterns of `CourseDirectory.ignore`."""
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def walk_files(folder: Path, ignore: Iterable[str] = ()) -> Iterator[Path]:
    """Every plain file below a folder, in sorted order, without what is ignored and without links."""
    patterns = tuple(ignore)
    for path in sorted(folder.iterdir()):
        if is_ignored(path.name, patterns) or path.is_symlink():
            continue
        if path.is_dir():
            yield from walk_files(path, patterns)
        elif path.is_file():
            yield path
