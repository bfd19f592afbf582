"""The course: where it lies, what nbgrader_config.py says about it, its paths and its gradebook."""

import logging
import os
import sys
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory
from traitlets import TraitError

from coursekit import database
from coursekit.errors import CourseError
from coursekit.grading import late
from coursekit.settings import CONFIG_NAME, Coursekit, find_root, load_config

__all__ = ["CONFIG_NAME", "Course", "Coursekit", "find_root", "put_own_programs_on_path"]


def put_own_programs_on_path() -> None:
    """nbgrader starts `alembic` from PATH, so the folder of the running Python has to be there."""
    folder = str(Path(sys.executable).parent)
    entries = os.environ.get("PATH", "").split(os.pathsep)
    if folder not in entries:
        os.environ["PATH"] = os.pathsep.join([folder, *entries])


def _is_there(path: str) -> bool:
    """Whether there is something at this path; where nobody may look, somebody has handed in what cannot be opened."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


class Course:
    """One nbgrader course folder; everything that coursekit does starts from here."""

    def __init__(self, root: Path | str) -> None:
        put_own_programs_on_path()
        self.root = Path(root).resolve()
        self.config = load_config(self.root)
        self.log = logging.getLogger("coursekit")
        if not self.log.handlers:
            self.log.addHandler(logging.NullHandler())
        try:
            self.directory = CourseDirectory(config=self.config, log=self.log)
            if not self.config.CourseDirectory.get("root"):
                self.directory.root = str(self.root)
            self.options = Coursekit(config=self.config)
        except TraitError as error:
            raise CourseError(f"{self.root / CONFIG_NAME}: {error}") from error
        late.configure(self.config, self.options)

    def _folder(self, step: str, assignment: str, student: str = ".") -> Path:
        return Path(os.path.normpath(self.directory.format_path(step, student, assignment)))

    def source(self, assignment: str) -> Path:
        """The instructor's folder of an assignment."""
        return self._folder(self.directory.source_directory, assignment)

    def release(self, assignment: str) -> Path:
        """The folder that students get."""
        return self._folder(self.directory.release_directory, assignment)

    def submitted(self, assignment: str, student: str) -> Path:
        """What one student handed in."""
        return self._folder(self.directory.submitted_directory, assignment, student)

    def autograded(self, assignment: str, student: str) -> Path:
        """The graded notebooks of one student."""
        return self._folder(self.directory.autograded_directory, assignment, student)

    def feedback(self, assignment: str, student: str) -> Path:
        """The feedback pages of one student."""
        return self._folder(self.directory.feedback_directory, assignment, student)

    def records_file(self, assignment: str) -> Path:
        """JSON with what happened to each submission when it was last graded."""
        return Path(self.directory.root) / self.directory.autograded_directory / f"{assignment}.records.json"

    @cached_property
    def ignore(self) -> tuple[str, ...]:
        """Patterns of file names that never leave the instructor's folder."""
        return tuple(self.directory.ignore)

    def assignments(self) -> list[str]:
        """Names of the assignments that have a source notebook, sorted."""
        pattern = self.source("*")
        return sorted(folder.name for folder in pattern.parent.glob(pattern.name) if any(folder.glob("*.ipynb")))

    def find_assignment(self, name: str) -> str:
        """Full name of the assignment that `name` begins, such as ps4; raises CourseError unless there is just one."""
        known = self.assignments()
        name = name.rstrip("/").rsplit("/", 1)[-1]
        if name in known:
            return name
        found = [other for other in known if other.startswith(name)]
        if len(found) == 1:
            return found[0]
        listing = ", ".join(found or known) or "none"
        wanted = "several assignments begin so" if found else "there is no such assignment"
        raise CourseError(f"'{name}': {wanted} in {self.source('x').parent}. Choose one of: {listing}.")

    def find_assignments(self, names: Iterable[str]) -> list[str]:
        """The same for several; all of them when none is named."""
        found = [self.find_assignment(name) for name in names] or self.assignments()
        if not found:
            raise CourseError(f"There is no assignment in {self.source('x').parent}. Write one there first.")
        return found

    def students(self, assignment: str) -> list[str]:
        """Students who handed something in for the assignment, sorted."""
        anybody = "STUDENT-e7d1"
        pattern = self.directory.format_path(self.directory.submitted_directory, anybody, assignment)
        before, after = os.path.normpath(pattern).split(anybody)
        parent = Path(before)
        if not parent.is_dir():
            return []
        names = sorted(entry.name for entry in parent.iterdir() if not entry.name.startswith("."))
        return [name for name in names if _is_there(f"{before}{os.sep}{name}{after}")]

    def gradebook(self) -> Gradebook:
        """nbgrader's gradebook, to be used in a `with` statement."""
        with database.opening(self.directory.db_url):
            return Gradebook(self.directory.db_url, self.directory.course_id)

    def resources(self, assignment: str, notebook: str, student: str = ".") -> dict[str, Any]:
        """What nbgrader's preprocessors want to know about a notebook."""
        return {
            "unique_key": notebook,
            "output_files_dir": f"{notebook}_files",
            "nbgrader": {
                "student": student,
                "assignment": assignment,
                "notebook": notebook,
                "db_url": self.directory.db_url,
            },
        }
