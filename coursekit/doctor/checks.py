"""The single checks of `course doctor`: each looks at one thing and returns rows, whatever state that thing is in."""

import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from coursekit.doctor import advice
from coursekit.doctor.doctor import RUN, TEACH, TEST, Row, Severity
from coursekit.doctor.probe import Answer

GB = 1e9
LOW_DISK, NO_DISK = 2.0, 0.1  # GB free: below the first there is a remark, below the second nothing can be saved
WIDGETS = "@jupyter-widgets/jupyterlab-manager"


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


# ---- what runs the notebooks


def kernel(root: Path) -> tuple[Row, str]:
    """The kernel called python3, which every notebook of the course names, and the Python that it starts."""
    try:
        from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
    except ImportError as error:
        row = Row(RUN, "kernel", "needed", f"no Jupyter here ({error})", command=advice.pip_install(root))
        return row, sys.executable
    text, command = own_kernel(root)
    try:
        spec = KernelSpecManager().get_kernel_spec("python3")
        interpreter = str(spec.argv[0])
    except NoSuchKernel:
        row = Row(RUN, "kernel", "needed", "there is no kernel 'python3'", command=advice.pip_install(root))
        return row, sys.executable
    except (OSError, ValueError, IndexError, AttributeError) as error:
        found = f"the kernel 'python3' is broken ({_short(error)})"
        return Row(RUN, "kernel", "needed", found, advice=text, command=command), sys.executable
    if interpreter.lower() in ("python", "python3", f"python3.{sys.version_info[1]}"):
        interpreter = sys.executable  # as jupyter_client does
    found = f"python3, which starts {interpreter}"
    details = {"spec": spec.resource_dir, "interpreter": interpreter}
    if shutil.which(interpreter) is None:
        found += ", which is not there"
        return Row(RUN, "kernel", "needed", found, advice=text, command=command, details=details), interpreter
    return Row(RUN, "kernel", "ok", found, details=details), interpreter


def own_kernel(root: Path) -> tuple[str, str]:
    """Advice and command that make the kernel python3 start the Python of this command."""
    elsewhere = " Take the variable JUPYTER_PATH away first." if os.environ.get("JUPYTER_PATH") else ""
    text = f"Another kernel of this name stands before that of the course. This puts the course's first:{elsewhere}"
    return text, f"{advice.python(root)} -m ipykernel install --sys-prefix"


def python_version(root: Path, answer: Answer, interpreter: str) -> Row:
    """Whether the kernel's Python is one that pyproject.toml allows."""
    if answer.python is None:
        again = "Make the folder .venv anew, as the README says."
        return Row(RUN, "Python", "needed", answer.problem or f"{interpreter} says nothing", advice=again)
    wanted = _requires_python(root)
    details = {"version": answer.python, "bits": answer.bits, "interpreter": interpreter}
    found = f"{answer.python}, {answer.bits} bits"
    if wanted and not _is_within(answer.python, wanted):
        text = f"Install a Python {wanted} and make the folder .venv anew with it, as the README says."
        return Row(RUN, "Python", "needed", f"{found}; the course needs {wanted}", advice=text, details=details)
    return Row(RUN, "Python", "ok", found, details=details)


def _requires_python(root: Path) -> str:
    try:
        project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8-sig")).get("project", {})
    except (OSError, ValueError):
        return ""
    return str(project.get("requires-python", ""))


def _is_within(version: str, wanted: str) -> bool:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return SpecifierSet(wanted).contains(version, prereleases=True)
    except InvalidSpecifier:
        return True


def packages(root: Path, answer: Answer, interpreter: str) -> Iterator[Row]:
    """Whether the kernel's Python can import what the notebooks import."""
    for name, error in answer.errors.items():
        found, text, command = f"cannot be imported: {error}", "", ""
        missing = answer.missing.get(name, "")
        reported = [other for other, same in answer.errors.items() if other == missing or same == error]
        if reported and reported[0] != name:
            found = f"needs {reported[0]}, see there"
        elif missing:
            found = "not installed" if missing == name else f"needs {missing}, which is not installed"
            command = advice.pip_install(root, interpreter=interpreter)
        else:
            text, command = _why(name, error), advice.pip_repair(root, _distribution(name), interpreter)
        if command and Path(interpreter) != Path(sys.executable):
            text, command = own_kernel(root)
        if name == "torch" and (impossible := advice.torch_trouble(answer.machine, answer.bits)):
            text, command = impossible, ""
        yield Row(RUN, name, "needed", found, advice=text, command=command, details={"error": error})
    if answer.versions:
        listing = ", ".join(f"{name} {version}".strip() for name, version in answer.versions.items())
        yield Row(RUN, "packages", "ok", listing, details={"versions": dict(answer.versions)})


def _distribution(module: str) -> str:
    """What pip calls a module: scikit-learn for sklearn."""
    return metadata.packages_distributions().get(module, [module])[0]


def _why(name: str, error: str) -> str:
    if advice.system() == "windows" and ("DLL" in error or "WinError" in error):
        return (
            "On Windows this often means that Microsoft's Visual C++ Redistributable is missing: install it from "
            "https://aka.ms/vs/17/release/vc_redist.x64.exe, and only if that does not help, say:"
        )
    return f"It is there but broken. This puts {name} back:"


def probe_rows(answer: Answer, root: Path, interpreter: str) -> Iterator[Row]:
    """What the course's own probe found, and why it could not be asked, if so."""
    for row in answer.rows:
        if not isinstance(row, dict) or row.get("severity") not in ("ok", "optional", "needed"):
            yield Row(
                RUN,
                "probe",
                "optional",
                f"the course's probe returned {row!r}",
                advice="Mend c.Coursekit.machine_probe.",
            )
            continue
        command = str(row.get("command", "")).replace("PYTHON", advice.python(root, interpreter))
        severity: Severity = row["severity"]
        name, found, text = (str(row.get(key, "")) for key in ("name", "found", "advice"))
        yield Row(RUN, name, severity, found, advice=text, command=command, details=dict(row.get("details", {})))
    if answer.problem and answer.python is not None and not answer.errors:
        yield Row(
            RUN, "probe", "optional", answer.problem, advice="Device and data sets are not known for this reason."
        )


# ---- the machine


def memory(needed_gb: float) -> Row:
    """Memory of the machine, or of the container that this runs in."""
    try:
        import psutil

        found = psutil.virtual_memory()
    except (ImportError, OSError, RuntimeError) as error:
        return Row(
            RUN, "memory", "optional", f"not known ({error})", advice=f"A notebook takes up to {needed_gb:g} GB."
        )
    limit = _container_limit()
    total = min(found.total, limit) / GB
    available = min(found.available, limit) / GB
    details = {"total_gb": round(total, 2), "available_gb": round(available, 2), "needed_gb": needed_gb}
    text = f"{available:.1f} GB available of {total:.1f} GB"
    if total < needed_gb:
        wanted = f"A notebook takes up to {needed_gb:g} GB: use a machine with more, or allow the container more."
        return Row(RUN, "memory", "needed", text, advice=wanted, details=details)
    if available < needed_gb:
        wanted = f"A notebook takes up to {needed_gb:g} GB: close other programs and notebooks that still run."
        return Row(RUN, "memory", "optional", text, advice=wanted, details=details)
    return Row(RUN, "memory", "ok", f"{text}; a notebook takes up to {needed_gb:g} GB", details=details)


def _container_limit() -> float:
    """Bytes that a Linux container may take; infinite elsewhere."""
    try:
        return float(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii"))
    except (OSError, ValueError):  # another system, or the word "max"
        return float("inf")


def disk(root: Path) -> Row:
    """Free space where the course lies."""
    try:
        free = shutil.disk_usage(root).free / GB
    except OSError as error:
        return Row(RUN, "disk", "optional", f"not known ({error})")
    severity: Severity = "needed" if free < NO_DISK else "optional" if free < LOW_DISK else "ok"
    text = "" if severity == "ok" else "Notebooks, data sets and checkpoints are saved here: make some room."
    return Row(RUN, "disk", severity, f"{free:.1f} GB free in {root}", advice=text, details={"free_gb": round(free, 2)})


def cores() -> Row:
    """Processor cores that this process may use."""
    try:
        count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    except OSError:
        count = os.cpu_count() or 1
    if count < 2:
        return Row(RUN, "cores", "optional", "1", advice="Times in the course are for two.", details={"cores": count})
    return Row(RUN, "cores", "ok", str(count), details={"cores": count})


def folders() -> Row:
    """Whether Jupyter can write where it keeps its connections to kernels; without that no notebook runs."""
    try:
        from jupyter_core.paths import jupyter_runtime_dir

        folder = Path(jupyter_runtime_dir())
    except (ImportError, OSError) as error:
        return Row(RUN, "Jupyter folder", "needed", f"not known ({error})", advice="Install JupyterLab first.")
    if _can_write(folder):
        return Row(RUN, "Jupyter folder", "ok", f"{folder} can be written", details={"folder": str(folder)})
    verb = "set" if advice.system() == "windows" else "export"
    text = "No notebook can start without it. Let Jupyter use another folder, for this terminal, with:"
    command = f"{verb} JUPYTER_RUNTIME_DIR={advice.quoted(str(Path(tempfile.gettempdir()) / 'jupyter'))}"
    return Row(RUN, "Jupyter folder", "needed", f"{folder} cannot be written", advice=text, command=command)


def _can_write(folder: Path) -> bool:
    """Whether a file can be made in the folder, or in the nearest one above it that is there. Leaves nothing behind."""
    nearest = next((place for place in (folder, *folder.parents) if place.exists()), None)
    if nearest is None:
        return False
    try:
        with tempfile.TemporaryFile(dir=nearest):
            return True
    except OSError:
        return False


# ---- JupyterLab


def jupyterlab(root: Path) -> Iterator[Row]:
    """JupyterLab, and its extension that shows widgets: installed, fitting, enabled."""
    version = _version("jupyterlab")
    if version is None or importlib.util.find_spec("jupyterlab") is None:
        yield Row(RUN, "JupyterLab", "needed", "not installed", command=advice.pip_install(root))
        return
    yield Row(RUN, "JupyterLab", "ok", version, details={"version": version})
    yield _widgets(root)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _widgets(root: Path) -> Row:
    name = "widgets"
    text = "Sliders in lectures do not appear; the pictures beside them do. This brings them:"
    install = advice.pip_repair(root, "jupyterlab_widgets")
    try:
        from jupyter_core.paths import jupyter_path
        from jupyterlab_server.config import get_federated_extensions, get_page_config

        places = jupyter_path("labextensions")
        found: dict[str, Any] = get_federated_extensions(places)
        disabled: list[str] = get_page_config(places).get("disabledExtensions", [])
    except (ImportError, OSError, ValueError) as error:
        return Row(RUN, name, "optional", f"not known ({_short(error)})", advice=text, command=install)
    if WIDGETS not in found:
        return Row(
            RUN, name, "optional", "JupyterLab's extension for widgets is not there", advice=text, command=install
        )
    version = _version("jupyterlab_widgets")
    about = f"extension {found[WIDGETS].get('version', '?')}, jupyterlab_widgets {version or '?'}"
    details = {"extension": found[WIDGETS].get("version"), "jupyterlab_widgets": version}
    if WIDGETS in disabled or any(entry.startswith(f"{WIDGETS}:") for entry in disabled):
        enable = f"{advice.python(root)} -m jupyter labextension enable {WIDGETS}"
        return Row(RUN, name, "optional", f"{about}, disabled", advice=text, command=enable, details=details)
    if wrong := _unfit(version):
        return Row(RUN, name, "optional", f"{about}; {wrong}", advice=text, command=install, details=details)
    return Row(RUN, name, "ok", f"{about}, enabled", details=details)


def _unfit(version: str | None) -> str:
    """What ipywidgets wants, where this version of jupyterlab_widgets is something else."""
    from packaging.requirements import Requirement

    try:
        wanted = [Requirement(text) for text in metadata.requires("ipywidgets") or ()]
    except metadata.PackageNotFoundError:
        return ""
    fitting = [need for need in wanted if need.name.replace("-", "_") == "jupyterlab_widgets"]
    bad = [need for need in fitting if version is None or not need.specifier.contains(version, prereleases=True)]
    return f"ipywidgets wants {bad[0]}" if bad else ""


# ---- what only instructors need


def nbgrader(root: Path) -> Iterator[Row]:
    """nbgrader and the program alembic, which it starts to make a gradebook: both, or neither."""
    install = advice.pip_install(root, "teach")
    version = _version("nbgrader")
    if version is None:
        yield Row(TEACH, "nbgrader", "optional", "not installed", command=install)
        return
    details = {"version": version}
    try:
        importlib.import_module("nbgrader.api")
    except Exception as error:  # half an installation can raise anything
        text = "It is only half installed. This completes it:"
        found = f"{version}, cannot be imported: {_short(error)}"
        yield Row(TEACH, "nbgrader", "needed", found, advice=text, command=install, details=details)
    else:
        yield Row(TEACH, "nbgrader", "ok", version, details=details)
    own = str(Path(sys.executable).parent)
    path = shutil.which("alembic", path=os.pathsep.join([own, os.environ.get("PATH", "")]))
    if path is None:
        text = "nbgrader starts this program to make a gradebook. This brings it:"
        yield Row(TEACH, "alembic", "needed", "not there", advice=text, command=f"{install} alembic")
    else:
        yield Row(TEACH, "alembic", "ok", path, details={"path": path})


def sandbox() -> Row:
    """bubblewrap: whether it is there, and whether it may make a namespace."""
    if not sys.platform.startswith("linux"):
        text = "bubblewrap is for Linux. Grade in a virtual machine or a container that holds nothing else."
        return Row(TEACH, "bubblewrap", "optional", f"not for {advice.system()}", advice=text)
    path = shutil.which("bwrap")
    if path is None:
        command = advice.program({"": "bubblewrap"})
        return Row(TEACH, "bubblewrap", "optional", "not installed", command=command)
    try:
        done = subprocess.run(
            [path, "--unshare-all", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "true"],
            capture_output=True,
            timeout=20,
            check=False,
        )
        problem = done.stderr.decode("utf-8", "replace").strip() or f"exit code {done.returncode}"
        works = done.returncode == 0
    except (OSError, subprocess.TimeoutExpired) as error:
        works, problem = False, _short(error)
    if works:
        return Row(TEACH, "bubblewrap", "ok", f"{path} can make namespaces", details={"path": path})
    text = (
        "It may not make a namespace for this account. In a container, the container's own rules forbid it; on Ubuntu "
        "24.04 and later, AppArmor does."
    )
    return Row(TEACH, "bubblewrap", "optional", f"{path} does not work: {problem}", advice=text, details={"path": path})


def browser() -> Row:
    """A Chromium for the tests that drive JupyterLab."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return Row(TEST, "browser", "ok", path, details={"path": path})
    command = advice.program({"": "chromium", "macos": "--cask chromium"})
    return Row(TEST, "browser", "optional", "no Chromium and no Chrome on PATH", command=command)
