"""Every lecture from a fresh kernel: its time, and the kernel's peak resident memory; also on the real MNIST."""

import os
import sys
import time
from pathlib import Path

import nbformat
from _common import ROOT, data_root, table
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

PEAK = "from genlib.device import memory_report; print(memory_report()['process_peak'])"


def run(path: Path, dataset: str) -> tuple[float, float]:
    """Seconds from the kernel's start to the last cell, and the kernel's peak resident memory in MiB."""
    notebook = nbformat.read(path, as_version=4)
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    default = 'DATASET = "digits"'
    if default not in first.source:
        raise SystemExit(f"{path.name}: the first code cell holds no {default}")
    first.source = first.source.replace(default, f'DATASET = "{dataset}"')
    notebook.cells.append(nbformat.v4.new_code_cell(PEAK))
    start = time.perf_counter()
    with_ending = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(path.parent)}})
    with_ending.execute()
    elapsed = time.perf_counter() - start
    return elapsed, float(notebook.cells[-1].outputs[0].text)


def main() -> None:
    root, rows, broken = data_root(), [], []
    if root:
        os.environ["GENLIB_DATA"] = str(root)
    else:
        print("MNIST is not here, so only the default data are run; set GENLIB_DATA to the folder that holds mnist/")
    for path in sorted((ROOT / "lectures").glob("*.ipynb")):
        for dataset in ("digits", "mnist") if root else ("digits",):
            try:
                elapsed, peak = run(path, dataset)
            except CellExecutionError as error:
                print(f"{path.stem} on {dataset} stopped: {error.ename}: {error.evalue}\n{error.traceback[-600:]}")
                broken.append(f"{path.stem} on {dataset}")
                continue
            rows.append((path.stem, dataset, f"{elapsed:.0f}", "60", f"{peak:.0f}", "2048"))
    table("Lectures from a fresh kernel", ["lecture", "data", "s", "limit s", "peak MiB", "limit MiB"], rows)
    if broken:
        sys.exit(f"did not run to the end: {', '.join(broken)}")
    if any(float(row[2]) >= float(row[3]) or float(row[4]) >= float(row[5]) for row in rows):
        sys.exit("a lecture is over its limit")


if __name__ == "__main__":
    main()
