"""The lectures and assignments as a person meets them: in JupyterLab, in a real browser."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
LECTURES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "lectures").glob("*.ipynb"))
SOLUTIONS = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "solutions").glob("ps*/*.ipynb"))

pytestmark = pytest.mark.browser


def code_cells(path):
    return [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]


def check_that_all_ran(path):
    cells = code_cells(path)
    errors = ["\n".join(o["traceback"]) for cell in cells for o in cell["outputs"] if o["output_type"] == "error"]
    assert not errors
    assert all(cell["execution_count"] for cell in cells)


@pytest.mark.parametrize("path", SOLUTIONS)
def test_an_assignment_runs_to_its_end(run_notebook, lab, path):
    run_notebook(path)
    check_that_all_ran(lab.folder / path)


@pytest.mark.parametrize("path", LECTURES)
def test_a_lecture_runs_to_its_end_and_a_widget_answers_its_slider(run_notebook, lab, page, path):
    run_notebook(path)
    check_that_all_ran(lab.folder / path)
    slider = page.locator(".jp-Notebook .widget-slider [role=slider], .jp-Notebook .noUi-handle").first
    slider.scroll_into_view_if_needed()
    image = page.locator(".jp-Notebook .widget-image").first
    before = image.get_attribute("src")
    slider.focus()
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "before => document.querySelector('.jp-Notebook .widget-image').getAttribute('src') !== before", arg=before
    )
