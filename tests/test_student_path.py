"""A student's computer is a Windows laptop or a Mac: what students get works with its paths, line ends and encodings.

The tests run on Linux, in processes whose locale, folders and installed packages are those of a student.
"""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path, PureWindowsPath

import nbformat
import pytest

from coursekit.intake import rebuild

GUARD = """
import sys, warnings

class NotThere:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("nbgrader", "nbconvert", "fcntl", "resource", "termios", "pwd"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

def report(message, category, filename, line, *rest):
    if issubclass(category, EncodingWarning) and ("/genlib/" in filename or "/coursekit/" in filename):
        sys.stderr.write(f"no encoding named: {filename}:{line}\\n")

sys.meta_path.insert(0, NotThere())
for name in ("resource", "fcntl", "termios", "pwd"):
    sys.modules.pop(name, None)
warnings.showwarning = report
"""


# ---- processes of a student


def student(code: str, cwd: Path, published: Path, **environment: str) -> str:
    """Run code as a student's Python would: no nbgrader, the published packages, an old encoding, no UTF-8 mode.

    A warning about text in an unnamed encoding that comes from the course's own files is an error.
    """
    guard = published.parent / "guard"
    (guard / "main").mkdir(parents=True, exist_ok=True)
    (guard / "sitecustomize.py").write_text(GUARD, encoding="utf-8")
    (guard / "main" / "main.py").write_text(code, encoding="utf-8")
    own = {"PATH": "", "PYTHONPATH": os.pathsep.join([str(guard), str(published)]), "HOME": str(published.parent)}
    own |= {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-X", "warn_default_encoding", str(guard / "main" / "main.py")],
        cwd=cwd,
        env={**own, **environment},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "no encoding named" not in done.stderr
    return done.stdout


def test_the_guard_of_these_tests_catches_what_it_should(published):
    with pytest.raises(AssertionError, match="nbgrader"):
        student("import nbgrader", published, published)
    with pytest.raises(AssertionError, match="fcntl"):
        student("import fcntl", published, published)
    assert student("import locale; print(locale.getpreferredencoding(False))", published, published) != "UTF-8\n"
    careless = published.parent / "elsewhere" / "genlib" / "careless.py"
    careless.parent.mkdir(parents=True)
    careless.write_text("open(__file__).close()\n", encoding="utf-8")
    with pytest.raises(AssertionError, match=r"no encoding named: .*careless\.py"):
        student("import runpy\nrunpy.run_path('../elsewhere/genlib/careless.py')", published, published)


def test_every_published_module_can_be_imported(published):
    files = [path.relative_to(published) for path in sorted(published.rglob("*.py"))]
    names = [".".join(path.with_suffix("").parts) for path in files]
    names = [name.removesuffix(".__init__") for name in names]
    code = "import importlib\n" + "".join(f"importlib.import_module({name!r})\n" for name in names)
    code += "import genlib, coursekit\nprint(ascii([genlib.__file__, coursekit.__file__]))\n"
    assert student(code, published, published).count("deep generative models") == 2, "not those of this repository"
    assert len(names) > 40


def test_course_lab_and_course_doctor_start_without_nbgrader(published):
    code = (
        "import json, sys\n"
        "from coursekit import cli\n"
        "from coursekit.commands import lab\n"
        "lab.run = lambda command, environment: print(ascii(command)) or 0\n"
        "assert cli.main(['lab', '--no-browser']) == 0\n"
        "sys.exit(cli.main(['doctor', '--json']))\n"
    )
    before = (published / "start.md").read_bytes()
    command, _, report = student(code, published / "lectures", published).partition("\n")
    assert "--LabApp.default_url=/lab/tree/start.md" in command
    assert (published / "start.md").read_bytes() == before, "publish had written the page already"
    found = json.loads(report)
    assert found["runs"]
    assert "nbgrader" not in {row["name"] for row in found["rows"]}
    assert {"torch", "device", "data"} <= {row["name"] for row in found["rows"]}


def test_course_update_works_without_nbgrader_on_a_notebook_from_windows(published, tmp_path):
    """An older version is one in which a test cell has another text."""
    (source,) = published.glob("assignments/ps4-*/*.ipynb")
    mine = tmp_path / "Übungen" / source.parent.name / source.name
    mine.parent.mkdir(parents=True)
    nb = nbformat.read(source, as_version=4)
    answers = [cell for cell in nb.cells if cell.metadata.get("nbgrader", {}).get("solution")]
    answers[0].source = "# größer 🎲\nanswer = 1"
    next(cell for cell in nb.cells if cell.metadata.get("nbgrader", {}).get("grade")).source = "# an old test"
    mine.write_bytes((b"\xef\xbb\xbf" + nbformat.writes(nb).encode()).replace(b"\n", b"\r\n"))
    code = "import sys, pathlib\nfrom coursekit import cli\nnew = pathlib.Path(cli.__file__).parents[1]\n"
    code += "sys.exit(cli.main(['update', '.', '--from', str(new)]))"
    assert "brought to the version" in student(code, mine.parent, published)
    merged = nbformat.read(mine, as_version=4)
    assert [cell.source for cell in merged.cells if cell.source == answers[0].source] == [answers[0].source]
    assert "# an old test" not in {cell.source for cell in merged.cells}
    assert "nothing to change" in student(code, mine.parent, published)


def test_checks_and_notebooks_with_the_line_ends_of_windows_work_in_a_folder_with_an_umlaut(published, tmp_path):
    """As after a checkout with core.autocrlf, and a byte order mark as some editors write it."""
    for source in sorted((published / "assignments").iterdir()):
        folder = tmp_path / "Übungen für Zoë" / source.name
        shutil.copytree(source, folder)
        for path in folder.iterdir():
            path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
        code = (
            "from genlib.checks import load\n"
            "checks = load()\n"
            "for name, entry in checks._checks.items():\n"
            "    for case in range(1, len(entry['cases']) + 1):\n"
            "        checks.inputs(name, case)\n"
            "print(len(checks._checks), ascii(sorted(checks._checks)))\n"
        )
        assert student(code, folder, published) == student(code, source, published)


def test_sources_with_the_line_ends_of_windows_are_the_same_programs(published, tmp_path):
    shutil.copytree(published / "genlib", tmp_path / "genlib")
    for path in (tmp_path / "genlib").rglob("*.py"):
        old = ast.dump(ast.parse(path.read_bytes()))
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
        assert ast.dump(ast.parse(path.read_bytes())) == old, path


def test_training_and_loading_work_in_a_spawned_process(published, tmp_path):
    """The start method of Windows and macOS imports everything anew in the child."""
    script = tmp_path / "main.py"
    script.write_text(
        "import multiprocessing\n"
        "from genlib.data import load\n"
        "from genlib.checkpoint import load_checkpoint\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        print(pool.apply(load, ('moons', 'test')).x.shape[1])\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, encoding="utf-8", check=False,
        env={**os.environ, "PYTHONPATH": str(published), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "2\n"), done.stderr


# ---- folders of other systems


def cache_folder_on(platform: str, published: Path, **environment: str) -> str:
    code = (
        "import sys\n"
        f"sys.platform = {platform!r}\n"
        "sys.modules['ctypes'] = None\n"  # Windows is not asked, but its variables are
        "from platformdirs import *\n"  # chooses its system when it is imported
        "import importlib.util, platformdirs\n"
        f"sys.platform = {sys.platform!r}\n"
        f"spec = importlib.util.spec_from_file_location('files', 'genlib/data/files.py')\n"
        "files = importlib.util.module_from_spec(spec)\n"
        "sys.modules['files'] = files\n"
        "spec.loader.exec_module(files)\n"
        "sys.stdout.buffer.write(str(files.cache_folder()).encode('utf-8', 'surrogateescape'))\n"
    )
    return student(code, published, published, **environment)


def test_data_lie_in_the_cache_folder_of_each_system(published):
    local = r"C:\Users\Jörg Müller\AppData\Local"
    windows = PureWindowsPath(
        cache_folder_on("win32", published, LOCALAPPDATA=local, USERPROFILE=r"C:\Users\Jörg Müller")
    )
    assert windows == PureWindowsPath(local, "genlib", "Cache", "data")
    mac = cache_folder_on("darwin", published, HOME="/Users/joerg")
    assert mac == "/Users/joerg/Library/Caches/genlib/data"


def test_the_longest_path_of_a_data_file_fits_into_windows():
    from genlib.data.images import IDX_FILES

    cache = PureWindowsPath(r"C:\Users", "a" * 40, r"AppData\Local\genlib\Cache\data")
    paths = [
        cache / name / f"{file.path}.gz" for name, splits in IDX_FILES.items() for s in splits.values() for file in s
    ]
    assert max(len(str(path)) for path in paths) < 220, "a download is written beside it under a name of its own"


# ---- handing in


def handed_in(path: Path) -> bytes:
    """An assignment with every answer cell filled in, in text that needs more than ASCII."""
    nb = nbformat.read(path, as_version=4)
    for cell in nb.cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            cell.source = "# größer als 0 → gut 🎲\nanswer = 1\n\n\tindented = '\\n'"
    return (nbformat.writes(nb) + "\n").encode()


def test_a_submission_from_windows_is_rebuilt_to_the_same_notebook(published):
    """Line ends of the file, line ends inside cells, a byte order mark, and all of them together."""
    for path in published.glob("assignments/*/*.ipynb"):
        release = nbformat.read(path, as_version=4)
        plain = handed_in(path)
        within = json.loads(plain)
        for cell in within["cells"]:
            cell["source"] = [line.replace("\n", "\r\n") for line in cell["source"]]
        inside = json.dumps(within, ensure_ascii=False).encode()
        expected, repairs = rebuild(plain, release)
        assert repairs == []
        for data in (
            plain.replace(b"\n", b"\r\n"),
            b"\xef\xbb\xbf" + plain,
            b"\xef\xbb\xbf" + inside.replace(b"\n", b"\r\n"),
            json.dumps(within).encode(),
        ):
            assert rebuild(data, release) == (expected, [])
