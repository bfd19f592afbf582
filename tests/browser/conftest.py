"""A JupyterLab server over a copy of the course, and a page of a real browser to look at it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import Page, sync_playwright

CHROMIUM_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
TOKEN = "only-for-this-test"
KERNEL_IS_READY = """() => {
  const context = jupyterapp.shell.currentWidget?.sessionContext;
  return context?.isReady && context.session?.kernel?.status === 'idle';
}"""
ALL_HAVE_RUN = """() => {
  const cells = jupyterapp.shell.currentWidget.content.widgets.map(cell => cell.model).filter(m => m.type === 'code');
  const failed = cells.some(model => model.outputs.toJSON().some(output => output.output_type === 'error'));
  return failed || cells.every(model => model.executionCount !== null && model.executionState !== 'running');
}"""


@dataclass(frozen=True)
class Lab:
    url: str
    folder: Path


@pytest.fixture(scope="session")
def lab(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("course")
    for name in ("lectures", "solutions", "assignments"):
        shutil.copytree(root / name, folder / name)
    for path in folder.rglob("*.ipynb"):
        forget_results(path)
    command = [sys.executable, "-m", "jupyterlab", "--LabApp.expose_app_in_browser=True"]
    with serve(command, folder, tmp_path_factory.mktemp("home")) as url:
        yield Lab(url, folder)


@contextmanager
def serve(command: list[str], folder: Path, home: Path) -> Iterator[str]:
    """Start a command that starts JupyterLab in a folder, with settings of its own; gives the server's address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [*command, "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"]
    command += ["--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}"]
    environment = {**os.environ, "JUPYTER_CONFIG_DIR": str(home / "config"), "JUPYTER_DATA_DIR": str(home / "data")}
    with open(home / "log", "wb") as log:
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=environment, start_new_session=True)
        url = f"http://127.0.0.1:{port}"
        try:
            wait_for(server, f"{url}/api/status?token={TOKEN}", home / "log")
            yield url
        finally:  # the whole group: the command may not be the server itself
            if server.poll() is None:
                os.killpg(server.pid, signal.SIGTERM)
            server.wait(30)


@pytest.fixture
def serving() -> Callable[[list[str], Path, Path], AbstractContextManager[str]]:
    return serve


def forget_results(path: Path) -> None:
    """Take the stored outputs and counts away, so that what is found later was made here."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, path)


def wait_for(server: subprocess.Popen[Any], url: str, log: Path) -> None:
    """Until the server answers; it is retried by the connection's own time-out, up to a minute."""
    for _ in range(600):
        if server.poll() is not None:
            break
        try:
            urllib.request.urlopen(url, timeout=10).close()
            return
        except OSError:
            # refused at once while the server starts: give it the processor for a moment, or notice that it ended
            try:
                server.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text(errors='replace')[-3000:]}")


@pytest.fixture
def page(chromium: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(60_000)
        yield page
        browser.close()


def run_all_cells(page: Page, lab: Lab, path: str, timeout_s: float = 240) -> None:
    """Open a notebook in JupyterLab, run all its cells from the menu, wait until the last one is done, and save."""
    page.goto(f"{lab.url}/lab/tree/{path}?reset&token={TOKEN}")
    page.get_by_text("Run", exact=True).first.wait_for()
    page.locator(".jp-Notebook .jp-Cell").first.wait_for()
    page.wait_for_function(KERNEL_IS_READY)
    page.locator(".lm-MenuBar-itemLabel", has_text="Run").click()
    page.locator(".lm-Menu-itemLabel", has_text="Run All Cells").first.click()
    page.wait_for_function(ALL_HAVE_RUN, timeout=1000 * timeout_s)
    with page.expect_response(lambda r: r.request.method == "PUT" and "/api/contents/" in r.url) as response:
        page.keyboard.press("Control+s")
    assert response.value.ok


@pytest.fixture
def token() -> str:
    return TOKEN


@pytest.fixture
def run_notebook(page: Page, lab: Lab) -> Iterator[Callable[[str], None]]:
    yield lambda path: run_all_cells(page, lab, path)
    page.evaluate("() => jupyterapp.serviceManager.sessions.shutdownAll()")  # a kernel takes a gigabyte
