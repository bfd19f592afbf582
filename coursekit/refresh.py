"""Run notebooks from a fresh kernel and store outputs that stay the same from one run to the next."""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
NOISY_CELL_METADATA = ("execution", "ExecuteTime", "collapsed", "scrolled", "jp-MarkdownHeadingCollapsed")


class RefreshError(RuntimeError):
    """A notebook that could not be run; the message names the notebook and the cell, and nothing was written."""


def refresh(paths: Iterable[str | Path]) -> None:
    """Execute each notebook from a fresh kernel and write it back with stable outputs.

    Raises RefreshError, before that notebook is touched, if it cannot be read or one of its cells fails.
    """
    for path in map(Path, paths):
        notebook = _read(path)
        widget_state = _execute(notebook, path)
        _clean(notebook, widget_state)
        _write(notebook, path)


def _read(path: Path) -> nbformat.NotebookNode:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        _give_ids(content)
        return nbformat.reads(json.dumps(content), as_version=4)
    except (OSError, ValueError, KeyError, TypeError, nbformat.ValidationError) as error:
        raise RefreshError(f"{path}: cannot be read as a Jupyter notebook of format 4: {error}") from error


def _give_ids(content: dict[str, Any]) -> None:
    """Give an id to each cell that lacks one; nbformat's own are random and would change with every refresh."""
    content["nbformat_minor"] = 5
    seen: set[str] = set()
    for index, cell in enumerate(content["cells"]):
        if not cell.get("id") or cell["id"] in seen:
            cell["id"] = hashlib.sha256(f"{index}\n{''.join(cell['source'])}".encode()).hexdigest()[:8]
        seen.add(cell["id"])


def _execute(notebook: nbformat.NotebookNode, path: Path) -> dict[str, dict[str, Any]]:
    """Run every cell in place and return the last state of every widget."""
    resources = {"metadata": {"path": str(path.resolve().parent)}}
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=None,
        record_timing=False,
        coalesce_streams=True,
        resources=resources,
        extra_arguments=["--log-level=ERROR"],  # the kernel's remarks about its transport are not about the notebook
    )
    with client.setup_kernel():
        for index, cell in enumerate(notebook.cells):
            try:
                client.execute_cell(cell, index)
            except CellExecutionError as error:
                raise RefreshError(
                    f"{path}: cell {index} (id {cell.id}) raised {error.ename}: {error.evalue}. "
                    f"Nothing was written.\n{error.traceback}"
                ) from error
            except (CellTimeoutError, DeadKernelError) as error:
                raise RefreshError(
                    f"{path}: cell {index} (id {cell.id}) did not finish: {error}. Nothing was written."
                ) from error
        return dict(client.widget_state)


def _clean(notebook: nbformat.NotebookNode, widget_state: dict[str, dict[str, Any]]) -> None:
    notebook.metadata.pop("widgets", None)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.metadata["language_info"] = {"name": "python"}
    for cell in notebook.cells:
        for key in NOISY_CELL_METADATA:
            cell.metadata.pop(key, None)
        for output in cell.get("outputs", []):
            output.pop("transient", None)
            if "data" in output:
                _forget_widget(output["data"], widget_state)


def _forget_widget(data: dict[str, Any], widget_state: dict[str, dict[str, Any]]) -> None:
    """Leave of a widget only its text: a view whose model is gone is an error message in JupyterLab."""
    view = data.pop(WIDGET_VIEW, None)
    if view is None:
        return
    children = widget_state.get(view["model_id"], {}).get("children", [])
    parts = [widget_state.get(child.removeprefix("IPY_MODEL_"), {}) for child in children]
    is_progress_bar = len(parts) == 3 and "bar_style" in parts[1]
    if is_progress_bar:
        # tqdm's text is that of the moment of display, 0%; store where the bar ended, without its timings.
        label, count = str(parts[0].get("value", "")), str(parts[2].get("value", ""))
        data["text/plain"] = " ".join(f"{label} {count.split('[')[0]}".split())


def _write(notebook: nbformat.NotebookNode, path: Path) -> None:
    nbformat.validate(notebook)
    temporary = path.with_name(f".{path.name}.part")
    try:
        temporary.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
