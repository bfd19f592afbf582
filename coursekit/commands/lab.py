"""`course lab`: JupyterLab on the course folder, at a page that links its lectures and assignments."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from coursekit import start_page
from coursekit.errors import CourseError
from coursekit.settings import Settings, find_settings

# Defaults of this JupyterLab alone; what a person has chosen in its settings wins. Links to Markdown open as pages, not
# as source, and nothing asks for the network.
DEFAULTS = {
    "@jupyterlab/docmanager-extension:plugin": {"defaultViewers": {"markdown": "Markdown Preview"}},
    "@jupyterlab/apputils-extension:notification": {"checkForUpdates": False, "fetchNews": "false"},
}


def command(settings: Settings, options: list[str], page: Path | None) -> list[str]:
    """The command that starts JupyterLab; without options of the caller's own it opens the start page."""
    wanted = [sys.executable, "-m", "jupyterlab"]
    if not any("root_dir" in option for option in options):
        wanted.append(f"--ServerApp.root_dir={settings.root}")
    opens_something = any(not option.startswith("-") or "default_url" in option for option in options)
    if page is not None and not opens_something:
        wanted.append(f"--LabApp.default_url=/lab/tree/{page.name}")
    return wanted + options


def environment(folder: Path) -> dict[str, str]:
    """The environment of JupyterLab, with DEFAULTS written into a folder of configuration files."""
    (folder / "labconfig").mkdir()
    (folder / "labconfig" / "default_setting_overrides.json").write_text(json.dumps(DEFAULTS), encoding="utf-8")
    paths = [*filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")]), str(folder)]
    return {**os.environ, "JUPYTER_CONFIG_PATH": os.pathsep.join(paths)}


def run(command: list[str], environment: dict[str, str]) -> int:
    """Run until it ends. Ctrl+C reaches JupyterLab too, which asks before it stops: it must not be killed for that."""
    with subprocess.Popen(command, env=environment) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue


def main(arguments: argparse.Namespace) -> int:
    """Start JupyterLab and wait until it ends."""
    settings = find_settings(arguments.course)
    if find_spec("jupyterlab") is None:
        raise CourseError(f"JupyterLab is not installed in {sys.executable}. `course doctor` says how to get it.")
    page: Path | None = None
    try:
        page = start_page.write(settings)
    except CourseError as error:
        print(error, file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="course-lab-") as folder:
        status = run(
            command(settings, [*arguments.options, *arguments.rest], page),
            environment(Path(folder)),
        )
    return 0 if status == 0 else 1
