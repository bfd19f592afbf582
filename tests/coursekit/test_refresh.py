"""Refreshed notebooks hold what a fresh kernel computed, the same bytes every time, and nothing if a cell fails."""

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from coursekit import refresh as module
from coursekit.refresh import RefreshError, refresh

SANITIZE = Path(__file__).resolve().parents[1] / "nbval_sanitize.cfg"
BAR = "from tqdm.auto import tqdm\nfor i in tqdm(range(30), desc='training'):\n    pass\nprint(i)"
FREE_BAR = "bar = tqdm(unit='step')\nfor _ in range(7):\n    bar.update()\nbar.close()"
WIDGET = "import ipywidgets\nipywidgets.IntSlider(3)"
DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABpfZFQAAAAABJRU5ErkJggg=="
PICTURE = (
    "import base64\nfrom IPython.display import Image, display\n"
    f"display(Image(base64.b64decode('{DOT}')), metadata={{'image/png': {{'alt': 'a dot'}}}})"
)


def write(path: Path, *sources: str, **metadata: Any) -> Path:
    cells = [new_markdown_cell("# Title"), *(new_code_cell(source) for source in sources)]
    nbformat.write(new_notebook(cells=cells, metadata=metadata), path)
    return path


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def refreshed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    metadata = {"widgets": {"application/vnd.jupyter.widget-state+json": {"state": {}}}, "coursekit": {"minutes": 3}}
    path = write(tmp_path_factory.mktemp("nb") / "a.ipynb", BAR, FREE_BAR, WIDGET, PICTURE, "1 / 4", **metadata)
    refresh([path])
    return path


def test_outputs_are_those_of_a_fresh_kernel(refreshed: Path) -> None:
    last = read(refreshed)["cells"][-1]
    assert last["outputs"][0]["data"]["text/plain"] == ["0.25"]
    assert last["execution_count"] == 5


def test_refreshing_again_changes_no_byte(refreshed: Path) -> None:
    before = refreshed.read_bytes()
    refresh([refreshed])
    assert refreshed.read_bytes() == before


def test_nbval_agrees_with_the_stored_outputs(refreshed: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval", str(refreshed)]
    command += ["--nbval-sanitize-with", str(SANITIZE), "--rootdir", str(refreshed.parent), "-c", "/dev/null"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=refreshed.parent)
    assert done.returncode == 0, done.stdout
    assert "5 passed" in done.stdout


def test_nbval_notices_an_output_that_is_not_what_the_cell_computes(refreshed: Path, tmp_path: Path) -> None:
    path = tmp_path / "changed.ipynb"
    path.write_text(refreshed.read_text(encoding="utf-8").replace("0.25", "0.75"), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval", str(path)]
    command += ["--nbval-sanitize-with", str(SANITIZE), "--rootdir", str(tmp_path), "-c", "/dev/null"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert "1 failed, 4 passed" in done.stdout


def test_metadata_is_reduced_to_what_does_not_change(refreshed: Path) -> None:
    metadata = read(refreshed)["metadata"]
    assert metadata["kernelspec"] == {"name": "python3", "display_name": "Python 3", "language": "python"}
    assert metadata["language_info"] == {"name": "python"}
    assert metadata["coursekit"] == {"minutes": 3}  # what belongs to the course stays
    assert "widgets" not in metadata


def test_of_widgets_only_a_line_of_text_is_stored(refreshed: Path) -> None:
    assert "widget-view" not in refreshed.read_text(encoding="utf-8")
    texts = [
        "".join(o["data"]["text/plain"]) for c in read(refreshed)["cells"][1:4] for o in c["outputs"] if "data" in o
    ]
    assert texts == ["training: 100% 30/30", "7/?", "IntSlider(value=3)"]  # bars are stored as they ended


def test_alt_text_of_images_stays(refreshed: Path) -> None:
    output = read(refreshed)["cells"][4]["outputs"][0]
    assert output["metadata"]["image/png"]["alt"] == "a dot"


def test_cells_without_an_id_get_one_that_does_not_change(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ipynb", "1", "1")
    content = read(path)
    content["nbformat_minor"] = 4
    for cell in content["cells"]:
        del cell["id"]
    texts = []
    for _ in range(2):
        path.write_text(json.dumps(content), encoding="utf-8")
        refresh([path])
        texts.append(path.read_text(encoding="utf-8"))
    assert texts[0] == texts[1]
    ids = [cell["id"] for cell in read(path)["cells"]]
    assert len(set(ids)) == 3


def test_ids_that_are_there_stay(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ipynb", "1")
    before = [cell["id"] for cell in read(path)["cells"]]
    refresh([path])
    assert [cell["id"] for cell in read(path)["cells"]] == before


def test_cells_run_in_the_folder_of_the_notebook(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ipynb", "import os\nos.path.exists('a.ipynb')")
    refresh([path])
    assert "True" in read(path)["cells"][1]["outputs"][0]["data"]["text/plain"]


@pytest.mark.parametrize(
    ("bad", "words"),
    [("1 / 0", "ZeroDivisionError"), ("import os\nos._exit(3)", "did not finish"), ("x = (", "SyntaxError")],
)
def test_a_failing_cell_is_named_and_nothing_is_written(tmp_path: Path, bad: str, words: str) -> None:
    path = write(tmp_path / "a.ipynb", "print(1)", bad, "print(2)")
    before = path.read_bytes()
    name = read(path)["cells"][2]["id"]
    with pytest.raises(RefreshError) as error:
        refresh([path])
    assert f"cell 2 (id {name})" in str(error.value)
    assert words in str(error.value)
    assert str(path) in str(error.value)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.ipynb"]


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"nbformat": 4}', '{"cells": 3, "nbformat": 4, "nbformat_minor": 5}']
)
def test_what_is_no_notebook_is_refused_and_left_alone(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.ipynb"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(RefreshError, match="cannot be read"):
        refresh([path])
    assert path.read_text(encoding="utf-8") == content


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RefreshError, match=r"gone\.ipynb"):
        refresh([tmp_path / "gone.ipynb"])


def test_notebooks_before_a_failing_one_are_written(tmp_path: Path) -> None:
    good, bad = write(tmp_path / "good.ipynb", "2 + 2"), write(tmp_path / "bad.ipynb", "1 / 0")
    with pytest.raises(RefreshError, match=r"bad\.ipynb"):
        refresh([good, bad])
    assert "4" in read(good)["cells"][1]["outputs"][0]["data"]["text/plain"]


def test_refresh_imports_neither_genlib_nor_torch() -> None:
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not {name for name in names if name.split(".")[0] in {"genlib", "torch"}}
