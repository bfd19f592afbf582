"""`course publish`: the folder that students receive, whole or not at all."""

import json
import re
import shutil
import tempfile
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

from coursekit import start_page
from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.files import digest, replace_folder, walk_files
from coursekit.release import student_part
from coursekit.release.release import release_differences
from coursekit.release.secrets import leaks
from coursekit.settings import Settings, instructor_settings

MADE_BY_US = ".published.json"
_NEVER = (
    "__pycache__",
    "*.pyc",
    "*.egg-info",
    ".ipynb_checkpoints",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".DS_Store",
    "ruff.toml",
    ".git",
    ".*.again",
)


def _toml(value: Any) -> str:
    """A string, number, list of strings or table of strings as TOML (basic strings are written as in JSON)."""
    if isinstance(value, dict):
        pairs = (f"{json.dumps(key, ensure_ascii=False)} = {_toml(item)}" for key, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[\n" + "".join(f"    {json.dumps(item, ensure_ascii=False)},\n" for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def student_settings(course: Course) -> Settings:
    """The course's settings as they hold in the students' folder, without what is not published."""
    own = instructor_settings(course.root, course.config)
    where = {Path(source): Path(target) for source, target in course.options.publish.items()}

    def moved(path: str) -> str:
        """Where a path of the course folder is published, or "" when it is not."""
        for above in (Path(path), *Path(path).parents):
            if above in where:
                return (where[above] / Path(path).relative_to(above)).as_posix()
        return ""

    reading = {name: moved(path) for name, path in (own.reading or {}).items() if moved(path)}
    return replace(
        own, teaches=False, lectures=moved(own.lectures), assignments=moved(own.assignments), reading=reading
    )


def student_pyproject(text: str, packages: list[str], settings: Settings | None = None) -> str:
    """pyproject.toml with what students install: no extras, no settings of the instructor's tools.

    With `settings` it also installs the command `course`, which reads them from it.
    """
    try:
        data = tomllib.loads(text)
        project = data["project"]
        system = data["build-system"]
    except (tomllib.TOMLDecodeError, KeyError) as error:
        raise CourseError(f"pyproject.toml has no [project] and [build-system] to publish: {error}") from error
    kept = ("name", "version", "description", "readme", "requires-python", "license", "dependencies")
    lines = ["[build-system]", *(f"{key} = {_toml(value)}" for key, value in system.items())]
    lines += ["", "[project]", *(f"{key} = {_toml(project[key])}" for key in kept if key in project)]
    if settings is not None:
        packages = [*packages, "coursekit*"]
        lines += ["", "[project.scripts]", 'course = "coursekit.cli:main"']
        lines += ["", "[tool.coursekit]", *(f"{key} = {_toml(value)}" for key, value in settings.as_table().items())]
    lines += ["", "[tool.setuptools.packages.find]", f"include = {_toml(packages)}"]
    return "\n".join(lines) + "\n"


def student_environment(text: str) -> str:
    """environment.yml that installs the package without the instructor's extras."""
    return re.sub(r"(?<=\.)\[[A-Za-z0-9_.,\s-]*\]", "", text)


def _copy(course: Course, source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        for path in walk_files(source, (*_NEVER, *course.ignore)):
            copied = target / path.relative_to(source)
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copied)
    elif source.name == "pyproject.toml":
        settings = student_settings(course) if course.options.published_commands else None
        text = student_pyproject(source.read_text(encoding="utf-8"), list(course.options.published_packages), settings)
        target.write_text(text, encoding="utf-8")
    elif source.name in ("environment.yml", "environment.yaml"):
        target.write_text(student_environment(source.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        shutil.copyfile(source, target)


def _copy_commands(course: Course, target: Path) -> None:
    """The commands that students get, and the page that `course lab` would write."""
    commands = list(course.options.published_commands)
    if not commands:
        return
    for path in student_part.files(commands):
        copied = target / "coursekit" / path.relative_to(student_part.PACKAGE)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copied)
    if "lab" in commands:
        start_page.write(replace(student_settings(course), root=target))


def _check_plan(course: Course) -> dict[Path, Path]:
    plan = {course.root / source: Path(target) for source, target in course.options.publish.items()}
    if not plan:
        raise CourseError("c.Coursekit.publish in nbgrader_config.py is empty: say there what students receive.")
    missing = [str(source.relative_to(course.root)) for source in plan if not source.exists()]
    if missing:
        raise CourseError(f"These are to be published but do not exist: {', '.join(missing)}.")
    outside = [str(target) for target in plan.values() if target.is_absolute() or ".." in target.parts]
    if outside:
        raise CourseError(f"c.Coursekit.publish may not lead out of the students' folder: {', '.join(outside)}.")
    return plan


def _foreign(target: Path) -> list[str]:
    """Names in an existing folder that an earlier `course publish` did not write, or that were changed since."""
    marker = target / MADE_BY_US
    if not marker.is_file():
        return sorted(path.name for path in target.iterdir())
    try:
        made: dict[str, str] = json.loads(marker.read_bytes())["files"]
    except (ValueError, KeyError, TypeError):
        return [MADE_BY_US]
    found = []
    for path in walk_files(target, (".git", "__pycache__", ".ipynb_checkpoints")):
        name = path.relative_to(target).as_posix()
        if name != MADE_BY_US and made.get(name) != digest(path.read_bytes()):
            found.append(name)
    return found


def _check_target(course: Course, target: Path) -> None:
    if target == course.root or course.root.is_relative_to(target):
        raise CourseError(f"{target} holds the course itself. Name a folder for the students.")
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise CourseError(f"{target} is not a folder. Name a new one.")
    if target.is_dir() and (foreign := _foreign(target)):
        listing = ", ".join(foreign[:5]) + (" and others" if len(foreign) > 5 else "")
        raise CourseError(f"{target} holds what `course publish` did not write: {listing}. Name a new or empty folder.")


def _check_releases(course: Course) -> None:
    found = [f"{name}: {text}" for name in course.assignments() for text in release_differences(course, name)]
    if found:
        listing = "".join(f"\n  - {text}" for text in found)
        raise CourseError(f"The assignments are not what the sources generate; run `course release`:{listing}")


def publish(course: Course, target: Path) -> list[Path]:
    """Write the students' folder and return its files; raises CourseError, with nothing changed, if anything is wrong.

    A folder that an earlier run made is replaced, its .git kept; any other folder has to be empty.
    """
    plan = _check_plan(course)
    _check_target(course, target)
    _check_releases(course)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name[:40]}.") as scratch:
        built = Path(scratch) / target.name
        built.mkdir()
        for source, where in plan.items():
            _copy(course, source, built / where)
        _copy_commands(course, built)
        if found := leaks(course, built):
            listing = "".join(f"\n  - {text}" for text in found[:20])
            raise CourseError(f"Nothing was published, because it would show students what they must not see:{listing}")
        files = list(walk_files(built))
        hashes = {path.relative_to(built).as_posix(): digest(path.read_bytes()) for path in files}
        (built / MADE_BY_US).write_text(
            json.dumps({"files": hashes}, indent=1, sort_keys=True) + "\n", encoding="utf-8"
        )
        replace_folder(built, target, keep=(".git",))
    return [target / name for name in sorted(hashes)]
