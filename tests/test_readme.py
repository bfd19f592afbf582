"""What the README and the guides point to is there, and their pictures are those that the notebooks hold."""

import base64
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LECTURE = ROOT / "lectures" / "06-variational-autoencoders.ipynb"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#\s]+)\)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize(("picture", "cell"), [("manifold", "manifold"), ("gap", "gap-picture")])
def test_pictures_of_the_readme_are_those_of_the_lecture(picture, cell):
    notebook = json.loads(LECTURE.read_text(encoding="utf-8"))
    (outputs,) = [found["outputs"] for found in notebook["cells"] if found["id"] == cell]
    (stored,) = [output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    assert base64.b64decode(stored) == (ROOT / "docs" / "images" / f"{picture}.png").read_bytes()


def test_commands_of_the_readme_exist():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^    make (\w[\w-]*)", text, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    commands = {path.stem for path in (ROOT / "coursekit" / "commands").glob("*.py")}
    named = set(re.findall(r"bin/course (\w+)", text))
    assert named
    assert named <= commands
