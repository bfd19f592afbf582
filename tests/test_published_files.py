"""What students get can be unpacked and run on Windows and on a Mac, as far as its names and its sources show.

Nothing is run here: the tests look at every file that `course publish` writes, and at the syntax trees of its Python.
"""

import ast
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

RESERVED = {"con", "prn", "aux", "nul", *(f"{kind}{n}" for kind in ("com", "lpt") for n in "0123456789¹²³")}
LONGEST = 200  # characters below the students' folder; Windows allows 260 in all
# Modules that Windows or macOS does not have, and names of modules of Python that are not there on Windows.
POSIX_MODULES = {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "posix", "syslog", "readline", "crypt"}
POSIX_NAMES = {
    "os": {"fork", "forkpty", "getuid", "geteuid", "getgid", "setsid", "killpg", "getpgid", "mkfifo", "uname", "nice",
           "sched_getaffinity", "wait", "wait3", "wait4", "getloadavg", "sysconf", "chown", "symlink", "link"},
    "signal": {"SIGKILL", "SIGALRM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGSTOP", "alarm", "setitimer", "pause"},
    "time": {"tzset", "clock_gettime"},
    "socket": {"AF_UNIX"},
}  # fmt: skip


@pytest.fixture(scope="session")
def python_files(published) -> list[Path]:
    files = sorted(published.rglob("*.py"))
    assert {path.relative_to(published).parts[0] for path in files} == {"genlib", "coursekit"}
    return files


def problems_of_name(name: str) -> list[str]:
    """Why Windows or macOS refuses a path relative to the students' folder, or changes it."""
    found = []
    for part in name.split("/"):
        if part.split(".")[0].rstrip().lower() in RESERVED:
            found.append("reserved")
        if re.search(r'[<>:"\\|?*\x00-\x1f]', part):
            found.append("character")
        if part != part.rstrip(". "):
            found.append("end")
        if part != unicodedata.normalize("NFC", part):
            found.append("decomposed")
    return found + ["long"] * (len(name) > LONGEST)


def clashes(names: list[str]) -> list[str]:
    """Paths, or folders above them, that are one and the same where case does not count."""
    whole = {"/".join(name.split("/")[: n + 1]) for name in names for n in range(name.count("/") + 1)}
    folded: dict[str, set[str]] = {}
    for name in whole:
        folded.setdefault(unicodedata.normalize("NFC", name).casefold(), set()).add(name)
    return sorted(name for same in folded.values() if len(same) > 1 for name in same)


def test_every_published_name_is_one_that_windows_and_macos_can_hold(published):
    names = [path.relative_to(published).as_posix() for path in published.rglob("*")]
    assert len(names) > 50
    assert {name: found for name in names if (found := problems_of_name(name))} == {}
    assert clashes(names) == []


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("genlib/aux.py", "reserved"),
        ("lectures/COM1.ipynb", "reserved"),
        ("con/x.py", "reserved"),
        ("a/what?.md", "character"),
        ("a/1:2.md", "character"),
        ("a/end.", "end"),
        ("a/u\u0308.md", "decomposed"),
        ("a/" * 100 + "b", "long"),
    ],
)
def test_a_bad_name_would_be_noticed(name, problem):
    assert problem in problems_of_name(name)


def test_a_clash_would_be_noticed():
    assert clashes(["docs/Readme.md", "docs/README.md", "a"]) == ["docs/README.md", "docs/Readme.md"]
    assert clashes(["Lib/a.py", "lib/b.py"]) == ["Lib", "lib"]
    assert clashes(["a/b", "a/c"]) == []


# ---- the syntax trees


def calls_without_encoding(tree: ast.AST) -> Iterator[int]:
    """Lines on which text is read or written in whatever encoding the computer happens to have."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        owner = getattr(node.func.value, "id", "") if isinstance(node.func, ast.Attribute) else ""
        words = {keyword.arg for keyword in node.keywords}
        texts = [a.value for a in (*node.args, *(k.value for k in node.keywords if k.arg == "mode"))
                 if isinstance(a, ast.Constant) and isinstance(a.value, str)]  # fmt: skip
        binary = any(re.fullmatch(r"[rwxa+]*b[rwxa+]*(:.*)?|[rwx]:.*", text) for text in texts)
        positional = {"read_text": 1, "write_text": 2}.get(name, 99) <= len(node.args)
        if name in ("read_text", "write_text") and not positional and "encoding" not in words:
            yield node.lineno
        opens = (name in ("open", "fdopen") and (owner, name) != ("os", "open")) or name == "TextIOWrapper"
        if opens and not binary and "encoding" not in words:
            yield node.lineno
        if name in ("NamedTemporaryFile", "TemporaryFile") and any("t" in text for text in texts):
            yield node.lineno
        if (
            name in ("run", "Popen", "check_output")
            and {"text", "universal_newlines"} & words
            and "encoding" not in words
        ):
            yield node.lineno


def unguarded(tree: ast.Module) -> Iterator[ast.AST]:
    """Everything that runs when the module is imported, and not what stands below `if` or `try`."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.If | ast.Try):
            continue
        yield node
        waiting += ast.iter_child_nodes(node)


def posix_only(source: str) -> list[str]:
    """Imports at module level and names anywhere that Windows does not have.

    A name is let pass in an expression or below a condition that asks first: hasattr(module, "name"), or getattr.
    """
    tree = ast.parse(source)
    found = []
    for node in unguarded(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        found += [name for name in names if name.split(".")[0] in POSIX_MODULES]
    asked = set(re.findall(r'hasattr\(\w+, "(\w+)"\)', source))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            name = node.attr
            if name in POSIX_NAMES.get(node.value.id, ()) and name not in asked:
                found.append(f"{node.value.id}.{name}")
        if isinstance(node, ast.ImportFrom) and node.module in POSIX_NAMES:
            found += [alias.name for alias in node.names if alias.name in POSIX_NAMES[node.module]]
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and re.match(r"/(tmp|var|usr|home)\b", node.value)
        ):
            found.append(node.value)
    return found


def test_text_is_read_and_written_in_a_named_encoding(python_files):
    found = {
        f"{path.parent.name}/{path.name}:{line}"
        for path in python_files
        for line in calls_without_encoding(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert found == set()


def test_nothing_needs_what_windows_does_not_have(python_files):
    found = {path.name: names for path in python_files if (names := posix_only(path.read_text(encoding="utf-8")))}
    assert found == {}


def test_data_are_batched_without_worker_processes(python_files, published):
    """Under the start method of Windows and macOS, a worker would import the notebook's own module, which is none."""
    word = re.compile(r"\bnum_workers\b|\bDataLoader\b|\bmultiprocessing\b|\bos\.fork\b")
    texts = {path: path.read_text(encoding="utf-8") for path in [*python_files, *published.rglob("*.ipynb")]}
    assert [str(path) for path, text in texts.items() if word.search(text)] == []


def test_no_published_notebook_calls_a_shell(published):
    for path in published.rglob("*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code":
                assert not re.search(
                    r"^\s*(!|%%?(bash|sh|script|system|sx)\b)|os\.system|subprocess", cell.source, re.M
                )


@pytest.mark.parametrize(
    ("source", "caught"),
    [
        ("open('x')", 1),
        ("open('x', 'w')", 1),
        ("open('x', 'rb')", 0),
        ("open('x', mode='wb')", 0),
        ("open('x', encoding='utf-8')", 0),
        ("path.open()", 1),
        ("path.open('rb')", 0),
        ("path.read_text()", 1),
        ("path.read_text('utf-8')", 0),
        ("path.write_text(s)", 1),
        ("path.write_text(s, encoding='utf-8')", 0),
        ("os.fdopen(h, 'w')", 1),
        ("os.fdopen(h, 'wb')", 0),
        ("os.open(p, flags)", 0),
        ("subprocess.run(c, text=True)", 1),
        ("subprocess.run(c, text=True, encoding='utf-8')", 0),
        ("tarfile.open(fileobj=f, mode='r:gz')", 0),
    ],
)
def test_a_forgotten_encoding_would_be_noticed(source, caught):
    assert len(list(calls_without_encoding(ast.parse(source)))) == caught


@pytest.mark.parametrize(
    ("source", "caught"),
    [
        ("import fcntl", True),
        ("def f():\n    import resource", False),
        ("try:\n    import pwd\nexcept ImportError: pass", False),
        ("import os\nos.fork()", True),
        ("def f():\n    return signal.SIGKILL", True),
        ("from signal import SIGALRM", True),
        ("n = os.getuid() if hasattr(os, 'x') else 0", True),
        ('n = os.getuid() if hasattr(os, "getuid") else 0', False),
        ("path = '/tmp/x'", True),
        ("path = 'tmp'", False),
        ("class A:\n    import resource", True),
    ],
)
def test_something_of_posix_would_be_noticed(source, caught):
    assert bool(posix_only(source)) == caught
