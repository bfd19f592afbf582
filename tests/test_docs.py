"""The guides say what is so: links, commands and pictures exist, and the schedule is that of the notebooks."""

import argparse
import re
import shlex
import struct
from pathlib import Path

import pytest

from coursekit import schedule
from coursekit.cli import build_parser
from coursekit.settings import find_settings

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
IMAGES = sorted((ROOT / "docs" / "images").iterdir())
MAX_LINES, MAX_WORDS, MAX_IMAGE_BYTES = 120, 1300, 150_000
GUIDES = ("student", "instructor", "lecturer", "author", "architecture", "notation")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)


def links(text: str) -> list[str]:
    """Targets of links and pictures that lead to a file or a heading, not to the web."""
    found = re.findall(r"\]\(([^)\s]+)\)", text)
    return [link for link in found if "://" not in link and not link.startswith("mailto:")]


def slugs(text: str) -> set[str]:
    """The names under which headings can be linked, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def code(text: str) -> list[str]:
    """Lines of indented and fenced code, without comments, and pieces of code within sentences."""
    lines = [line.strip() for line in re.findall(r"^ {4,}(.*)$", text, re.MULTILINE)]
    lines += [
        line
        for block in re.findall(r"^```.*?\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        for line in block.split("\n")
    ]
    prose = re.sub(
        r"^```.*?^```", "", re.sub(r"^ {4,}.*$", "", text, flags=re.MULTILINE), flags=re.MULTILINE | re.DOTALL
    )
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]
    return [re.sub(r"\s+#.*$", "", line) for line in (*lines, *spans)]


def course_commands(text: str) -> list[list[str]]:
    """Arguments of every call of `course` that a page shows."""
    found = []
    for line in code(text):
        if match := re.fullmatch(r"(?:\.venv[/\\](?:bin|Scripts)[/\\])?course\s+(\S.*)", line):
            found.append(shlex.split(match[1]))
    return found


def make_targets(text: str) -> list[str]:
    """Targets of every call of make that a page shows."""
    words = [line.split()[1:] for line in code(text) if re.match(r"make( |$)", line)]
    return [word for call in words for word in call if "=" not in word]


def subcommands() -> set[str]:
    (action,) = [a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction)]
    return set(action.choices)


@each_page
def test_every_link_leads_to_a_file_and_to_a_heading_in_it(page):
    for link in links(page.read_text(encoding="utf-8")):
        name, _, heading = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not heading or heading in slugs(target.read_text(encoding="utf-8")), link


@each_page
def test_every_command_is_one_that_course_understands(page, capsys):
    """A command that is only mentioned, without arguments, has to exist."""
    for arguments in course_commands(page.read_text(encoding="utf-8")):
        assert arguments[0] in subcommands()
        if len(arguments) == 1:
            continue
        try:
            _, rest = build_parser().parse_known_args(arguments)
        except SystemExit:
            pytest.fail(f"course {' '.join(arguments)}: {capsys.readouterr().err}")
        assert not rest or arguments[0] == "lab", f"course {' '.join(arguments)}"


@each_page
def test_every_target_of_make_is_in_the_makefile(page):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    known = set(re.findall(r"^([a-z][\w-]*):", makefile, re.MULTILINE))
    assert set(make_targets(page.read_text(encoding="utf-8"))) <= known


def test_every_command_is_described_somewhere():
    named = {arguments[0] for page in PAGES for arguments in course_commands(page.read_text(encoding="utf-8"))}
    assert subcommands() - named == set()


@each_page
def test_pictures_say_in_words_what_they_show(page):
    for alt, target in re.findall(r"!\[([^]]*)\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        assert len(alt.split()) >= 5, target


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.name)
def test_pictures_are_small_used_and_png(path):
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG")
    assert len(data) < MAX_IMAGE_BYTES
    width, _ = struct.unpack(">II", data[16:24])
    assert width <= 1600
    assert any(f"images/{path.name})" in page.read_text(encoding="utf-8") for page in PAGES)


@each_page
def test_a_page_is_short(page):
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(schedule.BEGIN)
    own = before + rest.partition(schedule.END)[2]
    if page.name == "notation.md":
        assert len(own.splitlines()) <= 250  # a table to look things up in, which grows with the lectures
        return
    assert len(own.splitlines()) <= MAX_LINES
    assert len(own.split()) <= MAX_WORDS


def test_every_guide_is_there_and_can_be_found_from_the_readme():
    found, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in found:
            found.add(page)
            targets = [link.partition("#")[0] for link in links(page.read_text(encoding="utf-8"))]
            waiting += [(page.parent / name).resolve() for name in targets if name.endswith(".md")]
    assert {ROOT / "docs" / f"{name}.md" for name in GUIDES} <= found


def test_the_schedule_is_that_of_the_notebooks():
    page = (ROOT / "docs" / "instructor.md").read_text(encoding="utf-8")
    wanted = schedule.inserted(page, schedule.text(find_settings(ROOT)))
    assert page == wanted, "run: course schedule --into docs/instructor.md"


def test_the_students_readme_links_what_students_have(published):
    for page in published.rglob("*.md"):
        missing = [link for link in links(page.read_text(encoding="utf-8")) if not (page.parent / link).exists()]
        assert missing == [], page.name


def test_students_are_told_of_no_command_that_they_do_not_get(published):
    commands = {path.stem for path in (published / "coursekit" / "commands").glob("*.py")}
    named = {arguments[0] for arguments in course_commands((published / "README.md").read_text(encoding="utf-8"))}
    assert named
    assert named <= commands


def test_a_page_that_is_wrong_would_be_noticed():
    text = "Say `course grdae ps4` or\n\n    .venv/bin/course lab --port=1   # a comment\n\n"
    text += "`make tset X=1` [a](b.md#c) ![](x)"
    assert course_commands(text) == [["lab", "--port=1"], ["grdae", "ps4"]]
    assert make_targets(text) == ["tset"]
    assert links(text) == ["b.md#c", "x"]
    assert slugs("## The schedule of a term\n# What's `new`?") == {"the-schedule-of-a-term", "whats-new"}
    assert course_commands(r"    .venv\Scripts\course lab") == [["lab"]]
