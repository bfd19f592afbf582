"""The course of this repository: released as its sources say, published without a secret."""

import json
import re
from pathlib import Path

import pytest

from coursekit.course import Course
from coursekit.release.publish import publish
from coursekit.release.release import release_differences

ROOT = Path(__file__).resolve().parents[2]
ASSIGNMENTS = Course(ROOT).assignments()


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_assignments_are_what_the_solutions_generate_byte_for_byte(assignment):
    assert release_differences(Course(ROOT), assignment) == []


def test_every_generated_folder_has_its_sources():
    assert ASSIGNMENTS
    assert sorted(path.name for path in (ROOT / "assignments").iterdir() if path.is_dir()) == ASSIGNMENTS


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if len(line.strip()) >= 20]


def sources(path: Path) -> list[str]:
    return ["".join(cell["source"]) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]


def secret_blocks(folder: Path, released: Path) -> list[list[str]]:
    """Solutions, hidden tests, misconceptions and alternatives as lists of lines that the release does not show."""
    texts = [text for path in sorted(folder.glob("*.ipynb")) for text in sources(path)]
    region = re.compile(r"### BEGIN (SOLUTION|HIDDEN TESTS)\n(.*?)### END \1", re.DOTALL)
    blocks = [match.group(2) for text in texts for match in region.finditer(text)]
    assert blocks
    public = {line for path in released.glob("*.ipynb") for text in sources(path) for line in lines(text)}
    found = [[line for line in lines(block) if line not in public] for block in blocks]
    for path in released.glob("*.json"):  # stored checks name exercises and hints just as the instructor's files do
        public |= set(lines(path.read_text(encoding="utf-8")))
    files = [(folder / name).read_text(encoding="utf-8") for name in ("misconceptions.py", "alternatives.py")]
    return found + [[line for line in lines(text) if line not in public] for text in files]


def test_what_students_receive_holds_no_solution_hidden_test_misconception_or_alternative(tmp_path):
    """Written without coursekit's own search: in assignments no single line, elsewhere no three lines in a row."""
    target = tmp_path / "students"
    files = publish(Course(ROOT), target)
    names = {path.relative_to(target).as_posix() for path in files}
    assert not {Path(name).name for name in names} & {"misconceptions.py", "alternatives.py", "rubric.md"}
    assert not any(name.startswith(("solutions/", "tests/")) for name in names)
    tools = [target / name for name in names if name.startswith("coursekit/")]
    assert tools, "students get some commands of `course`, and nothing that grades"
    assert not [
        path for path in tools if re.search(r"^\s*(import|from) nbgrader", path.read_text(encoding="utf-8"), re.M)
    ]
    for assignment in ASSIGNMENTS:
        blocks = secret_blocks(ROOT / "solutions" / assignment, ROOT / "assignments" / assignment)
        assert sum(map(len, blocks)) > 50
        single = {line for block in blocks for line in block}
        triples = {tuple(block[i : i + 3]) for block in blocks for i in range(len(block) - 2)}
        for path in (path for path in files if path.suffix not in (".png", ".pt")):
            text = "\n".join(sources(path)) if path.suffix == ".ipynb" else path.read_text(encoding="utf-8")
            shown = lines(text)
            if "assignments" in path.parts:
                assert not single & set(shown), path
            assert not triples & {tuple(shown[i : i + 3]) for i in range(len(shown) - 2)}, path
