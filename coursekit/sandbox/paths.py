"""What a submission may see of this computer: the installed Python and what the course shows, and nothing else."""

import os
import site
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from coursekit.errors import CourseError

USR = Path("/usr")
# Folders that are shown with what lies around them, and may hold a server's passwords or what other students handed in.
PRIVATE = ("/usr/local/share/nbgrader", "/usr/local/etc/jupyter", "/usr/etc/jupyter", f"{sys.prefix}/etc/jupyter")


@dataclass(frozen=True)
class Paths:
    """What a course shows to submissions, read-only: importable ``packages``, and ``data``; both may lie in ``course``.

    The ``course`` folder itself and what is ``hidden`` are never shown, even where they lie in a folder that is. The
    ``environment`` is added to the few variables that there are. Raises CourseError for a path that would show all.
    """

    course: Path
    packages: tuple[Path, ...] = ()
    data: tuple[Path, ...] = ()
    hidden: tuple[Path, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for path in (*self.packages, *self.data):
            if self.course.resolve().is_relative_to(path.resolve()):
                raise CourseError(
                    f"'{path}' holds the course folder {self.course}, and with it solutions and grades. Name what a "
                    "submission may see more exactly, such as one package."
                )
            if not path.exists():
                raise CourseError(f"'{path}' should be shown to submissions, but it is not there. Mend the path.")


def shown(paths: Paths) -> list[Path]:
    """Files and folders to be shown beside those of the system, under these names; some are links to others of them."""
    named = [path.absolute() for path in (*paths.packages, *paths.data, *own_modules())]
    return list(dict.fromkeys([*_outermost(_python()), *named, *(path.resolve() for path in named)]))


def covered(paths: Paths) -> list[Path]:
    """Folders to be covered, since they lie in one that is shown."""
    around = (*shown(paths), USR)
    private = [paths.course, *paths.hidden, *map(Path, PRIVATE)]
    real = dict.fromkeys(path.resolve() for path in private if path.is_dir())
    return [path for path in real if any(path.is_relative_to(other) for other in around)]


def importable(paths: Paths) -> list[Path]:
    """What PYTHONPATH has to say."""
    own = Path(__file__).resolve().parents[2]
    installed = own.is_relative_to(Path(sys.prefix).resolve())  # then every Python of this installation finds it
    folders = [path.resolve().parent for path in paths.packages]
    return list(dict.fromkeys(folders if installed else [*folders, own]))


def system_folders() -> list[tuple[Path, str | None]]:
    """/usr, and /lib, /bin and the like: links into it with where they lead, or folders on older systems."""
    found: list[tuple[Path, str | None]] = [(USR, None)]
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        path = Path("/", name)
        if path.is_symlink():
            found.append((path, os.readlink(path)))
        elif path.is_dir():
            found.append((path, None))
    return found


def own_modules() -> list[Path]:
    """The part of coursekit that runs inside."""
    package = Path(__file__).resolve().parent.parent
    return [package / "__init__.py", package / "bridges"]


def _python() -> list[Path]:
    """The folders of this Python and of what is installed for it."""
    found = [Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve().parent.parent]
    if site.ENABLE_USER_SITE and site.getusersitepackages() in sys.path:
        found.append(Path(site.getusersitepackages()))
    return [path for folder in found for path in (folder, folder.resolve())]


def _outermost(folders: Iterable[Path]) -> list[Path]:
    """Those that exist and lie neither in another of them nor in /usr."""
    kept: list[Path] = []
    for path in sorted(set(folders), key=lambda path: len(path.parts)):
        inside = any(path.is_relative_to(other) for other in (*kept, USR))
        if path.exists() and path != Path("/") and not inside:
            kept.append(path)
    return kept
