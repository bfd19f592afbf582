"""The part of coursekit that students receive: the commands that they may use, and every file that these import."""

import ast
import importlib.util
from collections.abc import Iterable, Iterator
from pathlib import Path

from coursekit.errors import CourseError

PACKAGE = Path(__file__).resolve().parents[1]
STARTED_AS_SCRIPTS = {"doctor.probe": ["bridges.machine"]}  # module -> modules that it runs without importing them


def _file(module: str) -> Path | None:
    """The file of a module, whose name is relative to coursekit, or None when there is no such module."""
    base = PACKAGE.joinpath(*filter(None, module.split(".")))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


def _imports(path: Path) -> Iterator[str]:
    """Modules of coursekit that a file imports, wherever in it, relative to coursekit."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        yield from (name.removeprefix("coursekit.") for name in names if name.startswith("coursekit."))


def files(commands: Iterable[str]) -> list[Path]:
    """The files of the named commands, sorted; raises CourseError for a command that there is not."""
    waiting = ["", "cli", "commands", *(f"commands.{name}" for name in commands)]
    for name in commands:
        if importlib.util.find_spec(f"coursekit.commands.{name}") is None:
            raise CourseError(f"c.Coursekit.published_commands names {name!r}, which is no command of `course`.")
    found: dict[str, Path] = {}
    while waiting:
        module = waiting.pop()
        path = _file(module)
        if path is None or module in found:  # a name that is imported from a module is no module
            continue
        found[module] = path
        above = module.rpartition(".")[0]
        waiting += [above, *_imports(path), *STARTED_AS_SCRIPTS.get(module, [])]
    return sorted(found.values())
