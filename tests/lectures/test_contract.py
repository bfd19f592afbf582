"""Every lecture keeps the promises of a lecture: what can be looked up in the notebook file without running it."""

import base64
import itertools
import json
import re
import struct
from pathlib import Path
from typing import Any

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
LECTURES = sorted((ROOT / "lectures").glob("*.ipynb"))
SLIDE_TYPES = {"slide", "subslide", "fragment", "notes", "skip", "-"}
MAX_LINES, MAX_IMAGE_BYTES, MAX_NOTEBOOK_BYTES = 20, 80_000, 1_500_000

Cell = dict[str, Any]


@pytest.fixture(params=LECTURES, ids=lambda path: path.stem)
def path(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture
def notebook(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture
def cells(notebook: dict[str, Any]) -> list[Cell]:
    return notebook["cells"]


def source(cell: Cell) -> str:
    return "".join(cell["source"])


def code(cells: list[Cell]) -> list[Cell]:
    return [cell for cell in cells if cell["cell_type"] == "code"]


def images(cell: Cell) -> list[tuple[bytes, dict[str, Any]]]:
    """Each PNG that a cell has put out, with its metadata."""
    outputs = [output for output in cell.get("outputs", []) if "image/png" in output.get("data", {})]
    return [
        (base64.b64decode("".join(output["data"]["image/png"])), output["metadata"].get("image/png", {}))
        for output in outputs
    ]


def minutes(cell: Cell) -> int:
    return int(re.search(r"^\*Speaker notes, (\d+) minutes?", source(cell))[1])


def test_there_are_lectures() -> None:
    assert LECTURES


def test_notebook_is_valid_and_every_cell_has_its_own_id(notebook: dict[str, Any]) -> None:
    nbformat.validate(notebook)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)


def test_name_is_number_and_title(path: Path) -> None:
    assert re.fullmatch(r"\d\d(-[a-z0-9]+)+", path.stem)


def test_first_code_cell_chooses_the_data_set(cells: list[Cell]) -> None:
    assert source(code(cells)[0]).startswith('DATASET = "digits"')


def test_opens_with_the_question_and_what_you_will_be_able_to_do(cells: list[Cell]) -> None:
    opening = source(cells[0])
    assert opening.startswith("# Lecture")
    assert "**The question.**" in opening
    assert "you can" in opening


def test_ends_with_summary_papers_and_exercises(cells: list[Cell]) -> None:
    headings = [source(cell).splitlines()[0] for cell in cells if source(cell).startswith("## ")]
    assert headings[-3:] == ["## Summary", "## Papers", "## Exercises"]
    assert re.search(r"\bps\d", source(cells[-1]))


def test_every_cell_has_a_slide_type(cells: list[Cell]) -> None:
    wrong = [cell["id"] for cell in cells if cell["metadata"].get("slideshow", {}).get("slide_type") not in SLIDE_TYPES]
    assert not wrong


def test_every_section_has_speaker_notes_with_minutes_that_add_up(cells: list[Cell]) -> None:
    notes = [cell for cell in cells if cell["metadata"]["slideshow"]["slide_type"] == "notes"]
    sections = [i for i, cell in enumerate(cells) if re.match(r"## \d+\.", source(cell))]
    assert sections
    for index in sections:
        assert cells[index + 1] in notes, f"no speaker notes after {source(cells[index]).splitlines()[0]!r}"
    promised = int(re.search(r"the whole lecture: (\d+) minutes", source(notes[0]))[1])
    assert promised == sum(map(minutes, notes))


def test_code_cells_fit_on_a_slide(cells: list[Cell]) -> None:
    long = {cell["id"]: len(source(cell).splitlines()) for cell in code(cells)}
    assert not {name: n for name, n in long.items() if n > MAX_LINES}


def test_cells_were_run_once_from_top_to_bottom(cells: list[Cell]) -> None:
    counts = [cell["execution_count"] for cell in code(cells)]
    assert counts == list(range(1, len(counts) + 1))


def test_no_errors_and_nothing_on_stderr_is_stored(cells: list[Cell]) -> None:
    for cell in code(cells):
        for output in cell["outputs"]:
            assert output["output_type"] != "error", cell["id"]
            assert output.get("name") != "stderr", cell["id"]


def test_stored_outputs_hold_no_widgets_addresses_or_timings(notebook: dict[str, Any]) -> None:
    assert "widgets" not in notebook["metadata"]
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert notebook["metadata"]["language_info"] == {"name": "python"}
    for cell in notebook["cells"]:
        assert "execution" not in cell["metadata"], cell["id"]
        for output in cell.get("outputs", []):
            assert "application/vnd.jupyter.widget-view+json" not in output.get("data", {}), cell["id"]
            text = "".join(output.get("text", output.get("data", {}).get("text/plain", "")))
            assert not re.search(r"0x[0-9a-f]{6,}|\d+:\d\d[<,]|it/s", text), f"{cell['id']}: {text}"


def test_every_image_has_alt_text_and_a_caption_of_one_sentence_below(cells: list[Cell]) -> None:
    for index, cell in enumerate(cells):
        found = images(cell)
        if not found:
            continue
        assert len(found) == 1, f"{cell['id']}: {len(found)} figures in one cell; give each a cell and a caption"
        assert found[0][1].get("alt", "").strip(), f"{cell['id']}: the image has no alt text"
        below = cells[index + 1]
        assert below["cell_type"] == "markdown", f"{cell['id']}: no caption below"
        assert re.fullmatch(r"\*[^*]{30,}\.\*", source(below)), f"{cell['id']}: no caption in italics below"


def test_images_are_small(path: Path, cells: list[Cell]) -> None:
    assert path.stat().st_size < MAX_NOTEBOOK_BYTES
    for cell in cells:
        for png, _ in images(cell):
            width, height = struct.unpack(">II", png[16:24])
            assert png.startswith(b"\x89PNG"), cell["id"]
            assert len(png) < MAX_IMAGE_BYTES, f"{cell['id']}: {len(png)} bytes"
            assert width <= 1000, f"{cell['id']}: {width} by {height} pixels do not fit on a slide"
            assert height <= 700, f"{cell['id']}: {width} by {height} pixels do not fit on a slide"


def test_what_a_figure_shows_is_asserted(cells: list[Cell]) -> None:
    """The cell of a figure, or the code cell before it, asserts something; nbval does not look at pictures."""
    codes = code(cells)
    for before, cell in itertools.pairwise(codes):
        if images(cell):
            assert "assert " in source(before) + source(cell), cell["id"]


def test_careful_boxes_are_followed_by_a_check(cells: list[Cell]) -> None:
    for index, cell in enumerate(cells):
        if "> **Careful" in source(cell):
            following = next(later for later in cells[index + 1 :] if later["cell_type"] == "code")
            assert "assert " in source(following), cell["id"]


def test_lecture_has_an_interactive_part_with_a_static_picture_next_to_it(cells: list[Cell]) -> None:
    interactive = [
        i for i, cell in enumerate(code(cells)) if "widgets." in source(cell) and "import" not in source(cell)
    ]
    assert interactive
    for index in interactive:
        assert images(code(cells)[index + 1]), f"{code(cells)[index]['id']}: no static picture in the next code cell"
    assert not [cell["id"] for cell in code(cells) if re.search(r"\binteract\b|\bOutput\(", source(cell))]


def test_lecture_imports_neither_coursekit_nor_another_lecture(cells: list[Cell]) -> None:
    for cell in code(cells):
        assert not re.search(r"^\s*(import|from) (coursekit|nbgrader|lectures)\b|%run", source(cell), re.M), cell["id"]
