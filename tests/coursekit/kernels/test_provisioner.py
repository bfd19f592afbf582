"""The kernel for JupyterLab and nbval: what a person sees is what an ordinary kernel shows, only sooner."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager
from kernel_talk import SECONDS, needs_fork
from nbformat.v4 import new_code_cell, new_notebook, new_output

from coursekit import cli
from coursekit.commands import kernel as command
from coursekit.kernels import servers
from coursekit.kernels.provisioner import ForkProvisioner
from coursekit.kernels.server import ForkFailed

pytestmark = needs_fork

# What depends on there being a kernel while a module is imported, or on what a kernel starts with.
SAME = """
import os, sys, comm, random, tqdm.auto, ipywidgets, matplotlib
print([base.__name__ for base in tqdm.auto.tqdm.__mro__])
print(sorted(comm.get_comm_manager().targets))
print(matplotlib.get_backend(), __name__, os.path.basename(sys.argv[0]), sys.argv[1])
print(os.getcwd(), os.environ.get("OMP_NUM_THREADS"), os.environ["MINE"], sys.path[0] == sys.path[1])
"""
# A kernel that is asked to end finishes what it has begun: this is what is left to see afterwards.
END = """
import atexit, json, tempfile
json.unfinished = open("unfinished.txt", "w")
print("text", file=json.unfinished)
json.folder = tempfile.TemporaryDirectory(dir=".")
atexit.register(lambda: open("exit.txt", "w").write("done"))
"""
# A module whose own finalizer is for the process that has imported it, the server.
KEPT = """
import weakref
class Kept: pass
kept = Kept()
weakref.finalize(kept, lambda: open("of the server.txt", "w").close())
"""


@pytest.fixture(scope="module")
def kernelspecs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Jupyter finds a warm kernel beside the ordinary one."""
    root = tmp_path_factory.mktemp("jupyter")
    folder = root / "kernels" / command.NAME
    folder.mkdir(parents=True)
    text = json.dumps(command.specification(["ipywidgets", "matplotlib.pyplot", "tqdm.auto", "kept"]))
    (folder / "kernel.json").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(root))
        for name in ("OMP_NUM_THREADS", "MPLBACKEND", "PYTEST_CURRENT_TEST"):
            patch.delenv(name, raising=False)
        patch.setenv("MINE", "1")
        (root / "kept.py").write_text(KEPT)
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")])))
        yield root
    servers.close()


class Started:
    """A kernel as JupyterLab starts it."""

    def __init__(self, name: str, folder: Path) -> None:
        self.manager = KernelManager(kernel_name=name)
        self.manager.start_kernel(cwd=str(folder))
        self.client: BlockingKernelClient = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=SECONDS)

    def run(self, code: str) -> str:
        texts: list[str] = []

        def take(message: dict[str, Any]) -> None:
            texts.append(message["content"].get("text") or message["content"].get("ename") or "")

        self.client.execute_interactive(code, output_hook=take, timeout=SECONDS)
        return "".join(texts)

    def __enter__(self) -> "Started":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel()


def test_a_warm_kernel_starts_as_an_ordinary_one_does(kernelspecs: Path, tmp_path: Path):
    found = []
    for name in (command.NAME, "python3"):
        with Started(name, tmp_path) as started:
            found.append(started.run(SAME))
    assert found[0] == found[1]
    assert "tqdm_notebook" in found[0]
    assert "jupyter.widget" in found[0]
    assert str(tmp_path) in found[0]


@pytest.mark.parametrize("name", [command.NAME, "python3"])
def test_a_kernel_that_is_shut_down_finishes_its_files(kernelspecs: Path, tmp_path: Path, name: str):
    with Started(name, tmp_path) as started:
        assert started.run(END) == ""
        assert len(list(tmp_path.iterdir())) == 2
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "unfinished.txt": "text\n",
        "exit.txt": "done",
    }


def test_a_restart_forgets_everything_but_the_modules(kernelspecs: Path, tmp_path: Path):
    with Started(command.NAME, tmp_path) as started:
        assert isinstance(started.manager.provisioner, ForkProvisioner)
        started.run("import os; x = 1; pid = os.getpid(); import ipywidgets; ipywidgets.mine = 2")
        started.manager.restart_kernel()
        started.client.wait_for_ready(timeout=SECONDS)
        assert started.run("x") == "NameError"
        assert started.run("import sys; print('ipywidgets' in sys.modules)") == "True\n"
        assert started.run("import ipywidgets; ipywidgets.mine") == "AttributeError"


def test_a_figure_is_shown(kernelspecs: Path, tmp_path: Path):
    with Started(command.NAME, tmp_path) as started:
        kinds: list[str] = []
        started.client.execute_interactive(
            "import matplotlib.pyplot as plt; plt.plot([1, 2]); plt.show()",
            output_hook=lambda message: kinds.extend(message["content"].get("data", ())),
            timeout=SECONDS,
        )
    assert "image/png" in kinds


def test_where_nothing_can_be_forked_an_ordinary_kernel_is_started_and_it_is_said(
    kernelspecs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def refuse(*_: object, **__: object) -> None:
        raise ForkFailed("It cannot be done.")

    monkeypatch.setattr(servers, "current", refuse)
    logging.getLogger("traitlets").propagate = True
    with Started(command.NAME, tmp_path) as started:
        assert started.run("print(6 * 7)") == "42\n"
        started.manager.interrupt_kernel()
        assert started.manager.is_alive()
    assert not started.manager.has_kernel
    assert "It cannot be done. An ordinary kernel is started instead." in caplog.text


def test_nbval_runs_notebooks_with_it_and_sees_what_is_wrong(kernelspecs: Path, tmp_path: Path):
    outputs = [new_output("execute_result", data={"text/plain": text}, execution_count=1) for text in ("2", "3")]
    nb = new_notebook(cells=[new_code_cell("1 + 1", outputs=[output], execution_count=1) for output in outputs])
    nb.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nb, tmp_path / "small.ipynb")
    options = ["--nbval", f"--nbval-kernel-name={command.NAME}", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(tmp_path / "small.ipynb"), "--rootdir", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=4 * SECONDS,
        check=False,
    )
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr


def test_the_command_installs_a_kernel_that_jupyter_accepts_and_removes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert cli.main(["kernel", "install", "--module", "json", "--module", "math"]) == 0
    folder = tmp_path / "share" / "jupyter" / "kernels"
    assert command.NAME in capsys.readouterr().out
    specs = KernelSpecManager(kernel_dirs=[str(folder)])
    spec = specs.get_kernel_spec(command.NAME)  # raises when the provisioner is not known to Jupyter
    assert spec.metadata["kernel_provisioner"]["config"] == {"modules": ["json", "math"]}
    assert cli.main(["kernel", "remove"]) == 0
    assert not (folder / command.NAME).exists()
    assert cli.main(["kernel", "remove"]) == 0
    assert "not installed" in capsys.readouterr().out


def test_without_modules_of_its_own_the_kernel_has_the_courses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "nbgrader_config.py").write_text("c = get_config()\nc.Coursekit.imports = ['json', 'wave']\n")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert cli.main(["--course", str(tmp_path), "kernel", "install"]) == 0
    (written,) = tmp_path.glob("share/jupyter/kernels/*/kernel.json")
    config = json.loads(written.read_text())["metadata"]["kernel_provisioner"]["config"]
    assert config == {"modules": ["json", "wave"]}


def test_where_no_process_can_be_forked_the_command_says_what_to_use(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.delattr("os.fork")
    assert cli.main(["kernel", "install", "--module", "json"]) == 1
    said = capsys.readouterr().err
    assert "Windows" in said
    assert "Python 3" in said
    assert not list(tmp_path.iterdir())
