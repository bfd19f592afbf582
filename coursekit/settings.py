"""What a course says about itself, read without nbgrader: a student's computer has none.

In the instructor's folder it stands in nbgrader_config.py, as `c.Coursekit.*`. In the folder that students receive,
`course publish` has written what their commands need into pyproject.toml, under [tool.coursekit].
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from traitlets import Bool, Dict, Float, Integer, List, TraitError, Unicode, Union
from traitlets.config import Config, Configurable
from traitlets.config.loader import ConfigFileNotFound, PyFileConfigLoader

from coursekit.errors import CourseError

CONFIG_NAME = "nbgrader_config.py"
PYPROJECT = "pyproject.toml"


class Coursekit(Configurable):
    """The options `c.Coursekit.*` of nbgrader_config.py."""

    answer_rule = Unicode(
        "",
        help="module:function(source, forbidden) -> list of sentences; called for the answer cells for which the "
        "notebook's metadata['coursekit']['forbidden'] lists names. Empty: no rule.",
    ).tag(config=True)
    cell_seconds = Float(30.0, help="Time for one cell, where the notebook's metadata say nothing.").tag(config=True)
    total_seconds = Float(600.0, help="Time for one notebook, where its metadata say nothing.").tag(config=True)
    time_factor = Float(
        1.0, help="Multiplies the times of a cell and of a notebook, for a slow or a busy machine."
    ).tag(config=True)
    setup_seconds = Float(
        120.0,
        help="Time for one cell above the first answer cell. Nothing of the student's has run there, so a slow "
        "import is not counted against anybody.",
    ).tag(config=True)
    output_bytes = Integer(1_000_000, help="What one cell may print or display before the rest is cut.").tag(
        config=True
    )
    total_output_bytes = Integer(
        5_000_000, help="What all cells of a notebook together may print or display before the rest is cut."
    ).tag(config=True)
    submission_bytes = Integer(50_000_000, help="Size of the largest notebook that is read.").tag(config=True)
    memory_bytes = Integer(
        2_000_000_000,
        help="Memory that a notebook may take beyond the preloaded modules, with everything that it starts.",
    ).tag(config=True)
    processes = Integer(128, help="Processes and threads that a notebook may have at one time.").tag(config=True)
    disk_bytes = Integer(
        200_000_000, help="Size of a notebook's working folder, /tmp and home together; none of it stays."
    ).tag(config=True)
    cpu_seconds = Float(
        1200.0, help="Processor time of a notebook, the last resort behind cell_seconds and total_seconds."
    ).tag(config=True)
    kernel_environment = Dict(
        {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}, help="Environment variables of the grading kernel."
    ).tag(config=True)
    workers = Integer(0, help="Notebooks that are graded at the same time; 0 is one for each processor core.").tag(
        config=True
    )
    attempts = Integer(
        3,
        help="How often a submission is tried when the machine is at fault, such as a full disk or a process that was "
        "killed. What a student did is never tried again.",
    ).tag(config=True)
    preload = List(
        Unicode(),
        [],
        help="Modules that are imported once for all notebooks, such as 'numpy' and 'torch'. They must neither start "
        "threads nor use a GPU while they are imported.",
    ).tag(config=True)
    sandbox_paths = List(
        Unicode(),
        [],
        help="What a notebook may read besides the installed packages, such as the course's own 'genlib': files and "
        "folders, relative to the course folder. Whoever changes a file there changes what grades depend on.",
    ).tag(config=True)
    sandbox_data = List(
        Unicode(),
        [],
        help="Folders with data sets that a notebook may read; say where they are in kernel_environment. A grade is "
        "kept when only these change.",
    ).tag(config=True)
    due_dates = Dict(
        {}, help="Due date of an assignment, such as '2027-01-31 23:59 UTC'. Others keep what the gradebook has."
    ).tag(config=True)
    publish = Dict(
        {}, help="What `course publish` writes: path in the course folder -> path in the students' folder."
    ).tag(config=True)
    published_packages = List(
        Unicode(), [], help="Python packages that the students' pyproject.toml installs, such as 'genlib*'."
    ).tag(config=True)
    title = Unicode("", help="The course's name, at the top of the start page.").tag(config=True)
    lectures = Unicode("lectures", help="Folder with the notebooks of the lectures.").tag(config=True)
    reading = Dict({}, help="What the start page links besides notebooks: text of the link -> path.").tag(config=True)
    imports = List(
        Unicode(), [], help="Modules that the course's notebooks import; `course doctor` tries each of them."
    ).tag(config=True)
    memory_gb = Float(2.0, help="Memory that a notebook of the course may take, in GB (10^9 bytes).").tag(config=True)
    machine_probe = Unicode(
        "",
        help="module:function() -> list of rows for `course doctor`, called in a process of its own with the Python "
        "that runs the notebooks. A row has name, found and severity ('ok', 'optional' or 'needed'), and may have "
        "command (one line for a terminal), advice (a sentence) and details. Empty: no such rows.",
    ).tag(config=True)
    published_commands = List(
        Unicode(), [], help="Commands of `course` that students get too, such as 'lab' and 'doctor'."
    ).tag(config=True)
    late_policy = Dict(
        {},
        help="What late work costs: {'grace_minutes': 15, 'percent_per_day': 10, 'at_most_percent': 50, "
        "'refused_after_days': 7}, percent of the points reached for every day begun; or such a dict for each "
        "assignment, by name, and '*' for all others. nbgrader's c.AssignLatePenalties.plugin_class comes first.",
    ).tag(config=True)
    counts = Union(
        [Unicode(), Dict()],
        default_value="last",
        help="Which of several attempts counts: 'last' or 'best', or one of these for each assignment, by name.",
    ).tag(config=True)
    cluster_seconds = Float(
        300.0, help="How long `course grade --dask` waits for a worker while it has none that it can use."
    ).tag(config=True)
    sandbox = Unicode(
        "",
        help="The kind of sandbox that submissions run in: 'bubblewrap', 'namespaces', 'landlock' or 'none', and an "
        "error where it does not hold. Empty: the best one that holds on this computer.",
    ).tag(config=True)
    show_rubrics = Bool(
        False, help="Whether students see the rubric of a question that a person grades, above their answer."
    ).tag(config=True)


def find_root(start: Path) -> Path:
    """The nearest folder at or above `start` that holds nbgrader_config.py; raises CourseError when there is none."""
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / CONFIG_NAME).is_file():
            return folder
    raise CourseError(
        f"There is no {CONFIG_NAME} in {start} or above it. Go to the course folder, or name it with --course DIR."
    )


def load_config(root: Path) -> Config:
    """What nbgrader_config.py in this folder says; raises CourseError when it is not there or cannot be run."""
    try:
        return PyFileConfigLoader(CONFIG_NAME, path=str(root)).load_config()
    except ConfigFileNotFound as error:
        raise CourseError(f"There is no {CONFIG_NAME} in {root}. Name the course folder with --course DIR.") from error
    except Exception as error:  # the file is Python: anything can come out of it
        raise CourseError(
            f"{root / CONFIG_NAME} could not be run: {type(error).__name__}: {error}. Mend the file."
        ) from error


@dataclass(frozen=True)
class Settings:
    """What `course lab` and `course doctor` know about the course; folders and paths are relative to `root`."""

    root: Path
    teaches: bool  # the instructor's folder, with nbgrader_config.py
    title: str = ""
    lectures: str = "lectures"
    assignments: str = "assignments"
    reading: Mapping[str, str] | None = None
    imports: tuple[str, ...] = ()
    memory_gb: float = 2.0
    machine_probe: str = ""

    def as_table(self) -> dict[str, Any]:
        """The table [tool.coursekit] of a students' pyproject.toml."""
        table = {name: getattr(self, name) for name in _IN_PYPROJECT}
        return {**table, "reading": dict(self.reading or {}), "imports": list(self.imports)}


_IN_PYPROJECT = ("title", "lectures", "assignments", "reading", "imports", "memory_gb", "machine_probe")


def _table(root: Path) -> dict[str, Any] | None:
    """[tool.coursekit] of the folder's pyproject.toml, or None when it has none."""
    try:
        data = tomllib.loads((root / PYPROJECT).read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise CourseError(f"{root / PYPROJECT} cannot be read ({error}). Copy it again from the course.") from error
    tool = data.get("tool", {})
    found = tool.get("coursekit") if isinstance(tool, dict) else None
    return found if isinstance(found, dict) else None


def instructor_settings(root: Path, config: Config) -> Settings:
    """The settings of a course with this nbgrader_config.py; raises CourseError when an option has the wrong type."""
    try:
        options = Coursekit(config=config)
    except TraitError as error:
        raise CourseError(f"{root / CONFIG_NAME}: {error}") from error
    return Settings(
        root=root,
        teaches=True,
        title=options.title or root.name,
        lectures=options.lectures,
        assignments=str(config.CourseDirectory.get("release_directory", "release")),
        reading=dict(options.reading),
        imports=tuple(options.imports),
        memory_gb=options.memory_gb,
        machine_probe=options.machine_probe,
    )


def _settings_at(root: Path) -> Settings | None:
    if (root / CONFIG_NAME).is_file():
        return instructor_settings(root, load_config(root))
    table = _table(root)
    if table is None:
        return None
    known = {name: table[name] for name in _IN_PYPROJECT if name in table}
    known["imports"] = tuple(known.get("imports", ()))
    return Settings(root=root, teaches=False, **known)


def find_settings(start: Path | None) -> Settings:
    """Settings of the course at or above `start`; without `start` of the current folder, else of where coursekit lies.

    Raises CourseError when there is none. Works in the instructor's folder and in the students', without nbgrader.
    """
    here = Path.cwd() if start is None else start.resolve()
    installed = [Path(__file__).resolve().parent.parent] if start is None else []
    for folder in (here, *here.parents, *installed):
        if settings := _settings_at(folder):
            return settings
    raise CourseError(f"There is no course in {here} or above it. Go to its folder, or name it with --course DIR.")
