"""The doctor: right about whole and broken machines alike, never a traceback, and always the command that helps."""

import json
import os
import shutil
import stat
import sys
import textwrap
from collections import namedtuple
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_course import write_course

from coursekit import cli
from coursekit.commands import doctor as command
from coursekit.doctor import advice, checks
from coursekit.doctor.doctor import RUN, TEACH, TEST, Report, Row, summary
from coursekit.doctor.probe import Answer, ask
from coursekit.doctor.table import WIDTH, table
from coursekit.settings import find_settings

SYSTEMS = ["windows", "macos", "apt-get", "dnf", "pacman", "linux"]


def program(folder: Path, name: str, script: str) -> Path:
    """A fake program: a shell script in a folder that can be put on PATH."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def be(monkeypatch, system: str) -> None:
    """Let the advice believe that it is on another system."""
    platforms = {"windows": "win32", "macos": "darwin"}
    monkeypatch.setattr(sys, "platform", platforms.get(system, "linux"))
    there = {system, "brew"}
    monkeypatch.setattr(advice.shutil, "which", lambda name, **_: f"/bin/{name}" if name in there else None)


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """Fake modules for the Python that is asked: name -> source."""
    folder = tmp_path / "modules"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(folder))

    def write(**sources: str) -> None:
        for name, source in sources.items():
            (folder / f"{name}.py").write_text(textwrap.dedent(source), encoding="utf-8")

    return write


# ---- asking a Python


def test_a_whole_python_says_its_versions_and_calls_the_probe(modules):
    modules(
        torch="__version__ = '9.8.7'\nprint('noise on stdout')",
        course="import torch\ndef probe(): return [{'name': 'device', 'severity': 'ok', 'found': torch.__version__}]",
    )
    answer = ask(sys.executable, ["torch", "json"], "course:probe")
    assert answer.problem == ""
    assert answer.errors == {}
    assert set(answer.versions) == {"torch", "json"}
    assert answer.python == ".".join(map(str, sys.version_info[:3]))
    assert [row["found"] for row in answer.rows] == ["9.8.7"]


def test_a_missing_and_a_broken_module_are_told_apart_and_the_others_still_tried(modules):
    modules(torch="raise OSError('[WinError 126] c10.dll')", vision="import torch", deep="import not_there_at_all")
    answer = ask(sys.executable, ["not_there", "torch", "vision", "deep", "json"], "course:probe")
    assert set(answer.versions) == {"json"}
    assert set(answer.errors) == {"not_there", "torch", "vision", "deep"}
    assert answer.missing == {"not_there": "not_there", "deep": "not_there_at_all"}
    assert "c10.dll" in answer.errors["torch"]
    assert answer.rows == []


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import os; os.abort()", "SIGABRT"),
        ("import os; os._exit(3)", "exit code 3"),
        ("raise SystemExit(4)", "code 4"),
    ],
)
def test_an_import_that_kills_python_is_named(modules, source, words):
    modules(torch=source)
    answer = ask(sys.executable, ["json", "torch", "csv"], "")
    assert set(answer.versions) == {"json"}
    assert words in answer.errors["torch"]
    assert "torch" in answer.problem


def test_an_import_that_never_ends_is_stopped_and_named(modules):
    modules(torch="import threading; threading.Event().wait()")
    answer = ask(sys.executable, ["json", "torch"], "", seconds=4)
    assert set(answer.versions) == {"json"}
    assert set(answer.errors) == {"torch"}
    assert "busy with torch after 4 seconds" in answer.problem


@pytest.mark.parametrize("probe", ["json:nothing", "no_module:probe", "course:fails"])
def test_a_probe_that_fails_takes_nothing_else_with_it(modules, probe):
    modules(course="def fails(): raise RuntimeError('no device')")
    answer = ask(sys.executable, ["json"], probe)
    assert answer.errors == {}
    assert probe in answer.problem
    (row,) = checks.probe_rows(answer, Path.cwd(), sys.executable)
    assert row.severity == "optional"


@pytest.mark.parametrize("script", [None, "exit 7", "echo '{\"python\"'", "echo hello; kill -9 $$"])
def test_a_program_that_is_no_python_gives_a_row_and_no_exception(tmp_path, script):
    fake = tmp_path / "python" if script is None else program(tmp_path, "python", script)
    answer = ask(str(fake), ["json"], "")
    row = checks.python_version(tmp_path, answer, str(fake))
    assert answer.python is None
    assert (row.severity, bool(row.found), bool(row.advice)) == ("needed", True, True)


# ---- what runs the notebooks


def kernelspec(folder: Path, text: str) -> None:
    (folder / "kernels" / "python3").mkdir(parents=True)
    (folder / "kernels" / "python3" / "kernel.json").write_text(text, encoding="utf-8")


def test_the_kernel_of_this_environment_is_found(tmp_path):
    row, interpreter = checks.kernel(tmp_path)
    assert row.severity == "ok"
    assert os.path.samefile(interpreter, sys.executable)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"argv": [], "display_name": "x", "language": "python"}',
        '{"argv": ["/nowhere/python", "-m", "ipykernel"], "display_name": "x", "language": "python"}',
    ],
)
def test_a_broken_kernel_that_hides_the_right_one_is_needed_and_has_a_command(tmp_path, monkeypatch, text):
    kernelspec(tmp_path, text)
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    row, _ = checks.kernel(tmp_path)
    assert row.severity == "needed"
    assert "ipykernel install" in row.command


def test_without_any_kernel_there_is_a_command(tmp_path, monkeypatch):
    from jupyter_client.kernelspec import KernelSpecManager

    monkeypatch.setattr(KernelSpecManager, "kernel_dirs", [str(tmp_path)])
    monkeypatch.setitem(sys.modules, "ipykernel.kernelspec", None)
    row, _ = checks.kernel(tmp_path)
    assert (row.severity, row.found) == ("needed", "there is no kernel 'python3'")
    assert " -m pip install " in row.command


def test_a_kernel_of_another_python_is_the_one_that_is_asked(tmp_path, monkeypatch):
    """The classic trap: a kernel in the home folder that starts a Python without the course."""
    other = program(tmp_path / "bin", "python", f'exec "{sys.executable}" -S "$@"')
    argv = [str(other), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernelspec(tmp_path, json.dumps({"argv": argv, "display_name": "old", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    row, interpreter = checks.kernel(tmp_path)
    assert (row.severity, interpreter) == ("ok", str(other))
    answer = ask(interpreter, ["json", "numpy"], "")
    (broken, _) = checks.packages(tmp_path, answer, interpreter)
    assert (broken.name, broken.severity, broken.found) == ("numpy", "needed", "not installed")
    assert broken.command.endswith("-m ipykernel install --sys-prefix")
    assert "JUPYTER_PATH" in broken.advice


@pytest.mark.parametrize(("version", "severity"), [("3.10.9", "needed"), ("3.12.1", "ok"), ("3.14.0", "needed")])
def test_pyproject_says_which_pythons_will_do(tmp_path, version, severity):
    (tmp_path / "pyproject.toml").write_text('[project]\nrequires-python = ">=3.11,<3.14"\n', encoding="utf-8")
    row = checks.python_version(tmp_path, Answer(python=version), "python")
    assert row.severity == severity
    assert (">=3.11,<3.14" in row.found) == (severity == "needed")


def test_one_missing_module_is_one_command_and_those_that_wait_for_it_say_so(tmp_path):
    answer = Answer(
        python="3.11.0",
        errors={"torch": "ModuleNotFoundError: torch", "torchvision": "ModuleNotFoundError: torch", "genlib": "no"},
        missing={"torch": "torch", "torchvision": "torch", "genlib": "genlib"},
        versions={"json": ""},
    )
    torch, vision, genlib, fine = checks.packages(tmp_path, answer, sys.executable)
    assert [row.severity for row in (torch, vision, genlib, fine)] == ["needed", "needed", "needed", "ok"]
    assert torch.found == genlib.found == "not installed"
    assert "pip install" in torch.command
    assert (vision.found, vision.command) == ("needs torch, see there", "")


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_broken_torch_gets_the_advice_of_its_system(tmp_path, monkeypatch, system):
    be(monkeypatch, system)
    (tmp_path / "constraints.txt").touch()
    answer = Answer(python="3.11.0", errors={"torch": "OSError: [WinError 126] c10.dll"})
    (row,) = checks.packages(tmp_path, answer, sys.executable)
    assert ("Visual C++" in row.advice) == (system == "windows")
    assert row.command.endswith("-m pip install -c constraints.txt --force-reinstall --no-deps torch")


@pytest.mark.parametrize(
    ("platform", "machine", "bits", "words"),
    [
        ("darwin", "x86_64", 64, "Macs with Intel"),
        ("win32", "AMD64", 32, "32 bits"),
        ("darwin", "arm64", 64, ""),
        ("win32", "AMD64", 64, ""),
    ],
)
def test_where_torch_cannot_be_installed_no_command_is_offered(tmp_path, monkeypatch, platform, machine, bits, words):
    monkeypatch.setattr(sys, "platform", platform)
    errors, missing = {"torch": "no"}, {"torch": "torch"}
    answer = Answer(python="3.11.0", bits=bits, machine=machine, errors=errors, missing=missing)
    (row,) = checks.packages(tmp_path, answer, sys.executable)
    assert words in row.advice
    assert bool(row.command) == (words == "")


def test_a_probe_row_of_the_wrong_form_is_said_and_the_others_kept(tmp_path):
    good = {"name": "mnist", "severity": "optional", "found": "not here", "command": "PYTHON -c 1"}
    found = list(checks.probe_rows(Answer(python="3.11.0", rows=["text", {"severity": "bad"}, good]), tmp_path, "py"))
    assert [row.name for row in found] == ["probe", "probe", "mnist"]
    assert found[2].command == "py -c 1"


# ---- the machine

Memory = namedtuple("Memory", "total available")
Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize(
    ("total", "available", "limit", "severity"),
    [
        (8.6e9, 4e9, float("inf"), "ok"),
        (8.6e9, 1.5e9, float("inf"), "optional"),
        (1.0e9, 0.9e9, float("inf"), "needed"),
        (64e9, 60e9, 1e9, "needed"),  # a small container on a large machine
    ],
)
def test_memory_is_that_of_the_machine_or_of_its_container(monkeypatch, total, available, limit, severity):
    monkeypatch.setattr("psutil.virtual_memory", lambda: Memory(total, available))
    monkeypatch.setattr(checks, "_container_limit", lambda: limit)
    row = checks.memory(2.0)
    assert row.severity == severity
    assert (row.advice == "") == (severity == "ok")


def test_memory_is_not_known_without_psutil_and_that_stops_nothing(monkeypatch):
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert checks.memory(2.0).severity == "optional"


@pytest.mark.parametrize(("free", "severity"), [(50e9, "ok"), (1e9, "optional"), (0.05e9, "needed")])
def test_a_full_disk_is_noticed(monkeypatch, tmp_path, free, severity):
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda _: Usage(100e9, 0, free))
    assert checks.disk(tmp_path).severity == severity


def test_one_core_is_slow_but_enough(monkeypatch):
    monkeypatch.setattr(checks.os, "sched_getaffinity", lambda _: {0}, raising=False)
    assert checks.cores().severity == "optional"
    monkeypatch.delattr(checks.os, "sched_getaffinity")  # as on Windows and macOS
    monkeypatch.setattr(checks.os, "cpu_count", lambda: 8)
    assert checks.cores().found == "8"


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_home_that_cannot_be_written_gets_the_command_that_helps(monkeypatch, tmp_path, system):
    be(monkeypatch, system)
    blocked = tmp_path / "file"
    blocked.touch()  # nothing can be made below a file, whoever asks
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(blocked / "runtime"))
    row = checks.folders()
    assert row.severity == "needed"
    assert row.command.startswith("set " if system == "windows" else "export ")
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "not" / "yet"))
    assert checks.folders().severity == "ok"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


# ---- JupyterLab


def test_jupyterlab_and_its_widgets_are_found_here(tmp_path):
    lab, widgets = checks.jupyterlab(tmp_path)
    assert (lab.severity, widgets.severity) == ("ok", "ok")
    assert widgets.found.endswith("enabled")


@pytest.mark.parametrize("entry", [checks.WIDGETS, f"{checks.WIDGETS}:plugin"])
def test_a_disabled_widget_extension_gets_the_command_that_enables_it(tmp_path, monkeypatch, entry):
    (tmp_path / "labconfig").mkdir()
    (tmp_path / "labconfig" / "page_config.json").write_text(json.dumps({"disabledExtensions": {entry: True}}))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path))
    _, widgets = checks.jupyterlab(tmp_path)
    assert (widgets.severity, "disabled" in widgets.found) == ("optional", True)
    assert f"labextension enable {checks.WIDGETS}" in widgets.command


def test_a_widget_extension_that_is_missing_or_does_not_fit_is_put_back(tmp_path, monkeypatch):
    monkeypatch.setattr(checks, "_version", lambda name: "1.0.0")
    _, unfit = checks.jupyterlab(tmp_path)
    monkeypatch.setattr("jupyter_core.paths.jupyter_path", lambda *_: [str(tmp_path)])
    _, gone = checks.jupyterlab(tmp_path)
    for row in (unfit, gone):
        assert row.severity == "optional"
        assert row.command.endswith("--no-deps jupyterlab_widgets")
    assert "wants jupyterlab_widgets" in unfit.found.replace("-", "_")


def test_without_jupyterlab_the_course_does_not_run(tmp_path, monkeypatch):
    monkeypatch.setattr(checks, "_version", lambda name: None)
    (row,) = checks.jupyterlab(tmp_path)
    assert (row.severity, "pip install" in row.command) == ("needed", True)


# ---- what only instructors need


def test_nbgrader_and_alembic_are_found_here(tmp_path):
    assert [row.severity for row in checks.nbgrader(tmp_path)] == ["ok", "ok"]


def test_no_nbgrader_is_optional_and_half_of_it_is_not(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(checks, "_version", lambda name: None)
        (row,) = checks.nbgrader(tmp_path)
        assert (row.severity, "[teach]" in row.command) == ("optional", True)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "nbgrader.api", None)
        rows = list(checks.nbgrader(tmp_path))
        assert [row.severity for row in rows] == ["needed", "ok"]
    program(tmp_path / "empty", "python", "true")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "empty" / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    rows = list(checks.nbgrader(tmp_path))
    assert [(row.name, row.severity) for row in rows] == [("nbgrader", "ok"), ("alembic", "needed")]
    assert rows[1].command.startswith("empty/python -m pip install")


@pytest.mark.parametrize(
    ("script", "severity", "words"),
    [
        ("exit 0", "ok", "can make namespaces"),
        ("echo 'bwrap: No permissions to create new namespace' >&2; exit 1", "optional", "No permissions"),
        (None, "optional", "not installed"),
    ],
)
def test_bubblewrap_is_tried_and_not_only_looked_for(tmp_path, monkeypatch, script, severity, words):
    monkeypatch.setattr(sys, "platform", "linux")
    if script is not None:
        program(tmp_path, "bwrap", script)
    program(tmp_path, "apt-get", "true")
    monkeypatch.setenv("PATH", str(tmp_path))
    row = checks.sandbox()
    assert row.severity == severity
    assert words in row.found
    assert row.command.endswith("apt-get install bubblewrap") == (script is None)


@pytest.mark.parametrize("system", ["windows", "macos"])
def test_bubblewrap_is_offered_to_linux_alone(monkeypatch, system):
    be(monkeypatch, system)
    row = checks.sandbox()
    assert (row.severity, row.command, bool(row.advice)) == ("optional", "", True)


@pytest.mark.parametrize(
    ("kind", "severity", "words"),
    [("namespaces", "ok", ""), ("landlock", "optional", "127.0.0.1"), (None, "optional", "your own rights")],
)
def test_the_sandbox_that_would_be_used_is_named_with_what_it_lacks(monkeypatch, tmp_path, kind, severity, words):
    from coursekit import sandbox
    from coursekit.doctor import tiers

    monkeypatch.setattr(sandbox, "probe", lambda box: sandbox.Report(box.kind, ("network",) * (box.kind == kind)))
    row = tiers.sandbox(tmp_path)
    assert (row.severity, row.found.split()[0]) == (severity, kind or "none;")
    assert words in row.advice


@pytest.mark.parametrize("name", ["chromium", "chromium-browser", "google-chrome", None])
def test_the_browsers_that_the_tests_use_are_those_that_are_found(tmp_path, monkeypatch, name):
    if name:
        program(tmp_path, name, "true")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert checks.browser().severity == ("ok" if name else "optional")
    browsers = (Path(__file__).parents[1] / "conftest.py").read_text(encoding="utf-8")
    assert name is None or f'"{name}"' in browsers


# ---- advice


@pytest.mark.parametrize("system", SYSTEMS)
def test_commands_are_those_of_the_system(monkeypatch, tmp_path, system):
    be(monkeypatch, system)
    monkeypatch.setattr(advice.os, "geteuid", lambda: 1000, raising=False)
    assert advice.system() == system
    found = advice.program({"": "chromium", "macos": "--cask chromium"})
    assert found.startswith({"macos": "brew ", "windows": "", "linux": ""}.get(system, f"sudo {system} "))
    monkeypatch.setattr(advice.os, "geteuid", lambda: 0, raising=False)
    assert "sudo" not in advice.program({"": "chromium"})
    for build in (advice.pip_install(tmp_path, "teach"), advice.pip_repair(tmp_path, "torch")):
        assert " -m pip install " in build
        assert "'" not in build, "single quotes mean nothing to Windows"


def test_a_python_with_spaces_in_its_path_is_quoted(tmp_path, monkeypatch):
    inside = tmp_path / "my course" / "Übung" / ".venv" / "python"
    assert advice.python(tmp_path / "my course" / "Übung", str(inside)) == str(Path(".venv", "python"))
    be(monkeypatch, "windows")
    assert advice.python(tmp_path / "elsewhere", str(inside)) == f'& "{inside}"'
    be(monkeypatch, "macos")
    assert advice.python(tmp_path / "elsewhere", str(inside)) == f'"{inside}"'


# ---- the report

WORDS = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=30)
SENTENCE = st.lists(WORDS, min_size=1, max_size=12).map(" ".join)
ROWS = st.lists(
    st.builds(
        Row,
        group=st.sampled_from([RUN, TEACH, TEST]),
        name=st.sampled_from(["torch", "binarized_mnist", "Jupyter folder"]),
        severity=st.sampled_from(["ok", "optional", "needed"]),
        found=SENTENCE,
        advice=st.just("") | SENTENCE,
        command=st.just("") | SENTENCE.map(lambda text: f"install {text}"),
    ),
    max_size=8,
)


@given(ROWS)
def test_the_table_fits_80_columns_and_keeps_every_command_whole(rows):
    report = Report("The course", tuple(rows))
    lines = table(report).split("\n")
    commands = [row.command for row in rows if row.command]
    assert [line.strip() for line in lines if line.strip().startswith("install ")] == [
        row.command for group in dict.fromkeys(row.group for row in rows) for row in rows if row.group == group
        if row.command
    ]  # fmt: skip
    assert all(len(line) <= WIDTH for line in lines if line.strip() not in commands)
    for row in rows:
        assert "".join(row.found.split()) in "".join("".join(lines).split())
    assert json.loads(json.dumps(report.as_json()))["runs"] == (not any(row.severity == "needed" for row in rows))


def test_the_summary_names_what_is_needed():
    rows = (Row(RUN, "torch", "needed", "x"), Row(TEACH, "nbgrader", "ok", "x"), Row(TEST, "browser", "optional", "x"))
    text = " ".join(summary(Report("", rows)))
    assert "Needed: torch." in text
    assert "optional (1)" in text
    assert "work on this machine." in " ".join(summary(Report("", (*rows[1:], Row(RUN, "x", "ok", "")))))


# ---- the whole command


@pytest.fixture
def answering(monkeypatch):
    """Let the Python of the notebooks answer what a test wants, without starting it."""

    def set_answer(answer: Answer) -> None:
        monkeypatch.setattr(command, "ask", lambda *_: answer)

    return set_answer


def test_exit_code_is_1_only_when_something_needed_is_missing(tmp_path, capsys, answering, monkeypatch):
    root = write_course(tmp_path / "course")
    monkeypatch.setenv("PATH", str(tmp_path))  # no browser, no bubblewrap
    answering(Answer(python="3.11.0", versions={"torch": "2.8"}))
    assert cli.main(["--course", str(root), "doctor"]) == 0
    assert "optional  browser" in capsys.readouterr().out
    answering(Answer(python="3.11.0", errors={"torch": "gone"}, missing={"torch": "torch"}))
    assert cli.main(["--course", str(root), "doctor", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["runs"] is False
    assert [row["name"] for row in found["rows"] if row["severity"] == "needed"] == ["torch"]


def test_without_a_course_the_machine_is_examined_all_the_same(tmp_path, capsys, answering):
    answering(Answer(python="3.11.0"))
    assert cli.main(["--course", str(tmp_path), "doctor"]) == 1
    text = capsys.readouterr().out
    assert "NEEDED    course" in text
    assert "JupyterLab" in text


def test_this_repository_passes_and_its_probe_answers(root, capsys):
    assert cli.main(["--course", str(root), "doctor", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["rows"]}
    assert set(rows) >= {
        "Python",
        "kernel",
        "packages",
        "torch",
        "device",
        "data",
        "memory",
        "disk",
        "cores",
        "widgets",
    }
    assert set(find_settings(root).imports) <= set(rows["packages"]["details"]["versions"])


def test_a_course_without_a_probe_or_imports_is_examined_too(tmp_path):
    rows = list(command.rows(find_settings(write_course(tmp_path / "course"))))
    assert "torch" not in {row.name for row in rows}
    assert {row.group for row in rows} == {RUN, TEACH, TEST}
    assert shutil.which("no-such-program") is None
