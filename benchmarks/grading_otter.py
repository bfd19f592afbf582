"""otter-grader on the short assignment: `otter.api.grade_submission`, one submission after another, without Docker.

It is no dependency: it is installed into a virtual environment of its own in a temporary folder, which sees the
course's packages (torch is not installed twice), and is not run where that cannot be done.
"""

import json
import subprocess
import sys
import sysconfig
import tempfile
import time
import zipfile
from pathlib import Path

import nbformat

INSTALL_SECONDS, GRADE_SECONDS = 300.0, 600.0
TEST = """OK_FORMAT = True
visible = "assert torch.equal(halve(torch.ones(3)), torch.tensor([0.5, 0.5, 0.5]))"
hidden = ">>> x = torch.randn(5)\\n>>> assert torch.equal(halve(x), 0.5 * x)"
cases = [
    {"code": ">>> " + visible, "hidden": False, "locked": False},
    {"code": hidden, "hidden": True, "locked": False},
]
suite = {"type": "doctest", "scored": True, "setup": "", "teardown": "", "cases": cases}
test = {"name": "halve", "points": 2, "suites": [suite]}
"""


def install(folder: Path) -> tuple[str, str]:
    """The Python of a fresh environment with otter-grader, and why there is none (one of the two is empty)."""
    from _common import ROOT

    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    own = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    Path(own, "course.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    try:
        done = subprocess.run(
            [*pip, "--constraint", str(ROOT / "constraints.txt"), "otter-grader"],
            capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "", f"pip was not done after {INSTALL_SECONDS:.0f} s"
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        return "", f"pip: {errors[-1] if errors else done.stderr[-300:]}"
    return str(python), ""


def seconds_per_submission(n: int) -> tuple[list[float], str]:
    """Seconds of each of n submissions, and otter's version; or nothing, and why it was not run."""
    with tempfile.TemporaryDirectory(prefix="grading-benchmark-") as name:
        folder = Path(name)
        python, problem = install(folder / "environment")
        if problem:
            return [], problem
        _write(folder, n)
        command = [python, __file__, str(folder)]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=GRADE_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            return [], f"it was not done after {GRADE_SECONDS:.0f} s"
        if done.returncode:
            return [], f"it failed: {done.stderr.strip().splitlines()[-1]}"
        found = json.loads((folder / "found.json").read_text(encoding="utf-8"))
        return found["seconds"], found["version"]


def _write(folder: Path, n: int) -> None:
    from grading_course import ANSWER, IMPORTS, SHORT
    from nbformat.v4 import new_code_cell, new_notebook

    with zipfile.ZipFile(folder / "autograder.zip", "w") as archive:
        archive.writestr("tests/halve.py", TEST)
        archive.writestr("otter_config.json", json.dumps({"lang": "python", "print_summary": False, "logo": False}))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    for index in range(n):
        answer = ANSWER[SHORT].format(body="    return x / 2") + f"\n# student {index}"
        nb = new_notebook(cells=[new_code_cell(IMPORTS[SHORT]), new_code_cell(answer)], metadata={"kernelspec": kernel})
        nbformat.write(nb, folder / f"student-{index:04d}.ipynb")


def work(folder: Path) -> None:
    """In otter's environment: grade every notebook of the folder."""
    import otter
    from otter.api import grade_submission

    seconds = []
    for path in sorted(folder.glob("student-*.ipynb")):
        begun = time.perf_counter()
        results = grade_submission(str(path), str(folder / "autograder.zip"), quiet=True)
        seconds.append(time.perf_counter() - begun)
        if results.total != 2:
            raise SystemExit(f"{path.name}: {results.total} of 2 points: {results.summary()}")
    found = {"seconds": seconds, "version": otter.__version__}
    (folder / "found.json").write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    work(Path(sys.argv[1]))
