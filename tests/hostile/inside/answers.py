"""Reads submissions/*.py: a docstring that says what is tried, then answers, each below a line `# %% grade_id`."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "submissions"
_CELL = re.compile(r"^# %% (\w+)\n", re.MULTILINE)


@dataclass(frozen=True)
class Attack:
    """One hostile student: a name, what is tried, and the answers that differ from the right ones."""

    name: str
    text: str
    answers: dict[str, str]


def read(path: Path) -> Attack:
    """One file; raises ValueError when it has no docstring or no answer."""
    head, *parts = _CELL.split(path.read_text(encoding="utf-8"))
    text = ast.get_docstring(ast.parse(head))
    if text is None or not parts:
        raise ValueError(f"{path} needs a docstring and at least one line '# %% grade_id'.")
    names, sources = parts[::2], (source.strip() for source in parts[1::2])
    return Attack(path.stem.replace("_", "-"), text, dict(zip(names, sources, strict=True)))


def all_attacks() -> dict[str, Attack]:
    """Every file of the folder, by the student's name."""
    return {attack.name: attack for attack in map(read, sorted(FOLDER.glob("*.py")))}
