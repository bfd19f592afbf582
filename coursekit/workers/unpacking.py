"""The far side of `luggage`: puts the course's own modules into a folder of the worker."""

import hashlib
import io
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

SHOWN, RULE = "shown", "rule"  # folders of the archive: what notebooks may import, and what only the answer rule does


@dataclass(frozen=True)
class Luggage:
    """An archive, its SHA-256, and the places in it of what notebooks may see."""

    archive: bytes = field(repr=False)
    digest: str
    shown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unpacked:
    """Where it lies now: what notebooks may see, and where the answer rule looks for modules."""

    shown: tuple[Path, ...]
    import_paths: tuple[str, ...]


def unpack(luggage: Luggage, folder: Path) -> Unpacked:
    """Unpack into a folder that is made for it; raises OSError when the archive is not what was sent."""
    if hashlib.sha256(luggage.archive).hexdigest() != luggage.digest:
        raise OSError("the course's modules did not arrive as they were sent")
    folder.mkdir(mode=0o711)
    with zipfile.ZipFile(io.BytesIO(luggage.archive)) as packed:
        packed.extractall(folder)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)  # submissions run as somebody else, who has to read them
    shown = tuple(folder / name for name in luggage.shown)
    return Unpacked(shown, tuple(str(path) for path in dict.fromkeys([folder / RULE, *(p.parent for p in shown)])))
