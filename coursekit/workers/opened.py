"""What a worker on another computer does before its first notebook, with each one, and at the end."""

import json
import os
import pickle
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from coursekit import sandbox
from coursekit.errors import CourseError
from coursekit.execution import KernelDidNotStart
from coursekit.grading import environment, worker
from coursekit.grading.allowances import Limits
from coursekit.grading.worker import WorkerSettings
from coursekit.kernels.opening import KernelSettings
from coursekit.workers.opening import open_here
from coursekit.workers.unpacking import Luggage, unpack

NAMED = 3  # packages that a sentence names


class Refused(Exception):
    """This worker cannot grade for this run: the sentence says why."""


@dataclass(frozen=True)
class Machine:
    """What a grade depends on and every computer has for itself."""

    python: str
    coursekit: str
    packages: tuple[str, ...]

    @classmethod
    def here(cls) -> "Machine":
        """That of this process."""
        return cls(environment.python(), environment.own_sources(), tuple(environment.installed()))


@dataclass(frozen=True)
class Errand:
    """All that a worker is told about a run; it is sent to other computers, so it can be pickled."""

    run: str
    course: str
    trust: bool
    sandbox: str  # the kind that c.Coursekit.sandbox asks for, or nothing
    kernels: KernelSettings
    luggage: Luggage
    data: tuple[str, ...]
    machine: Machine


def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    return {name.rpartition("-")[0]: name.rpartition("-")[2] for name in packages}


def difference(home: Machine, there: Machine) -> str:
    """A sentence on what differs between the one who grades and a worker; empty when nothing does."""
    if home.python != there.python:
        return f"it has {there.python}, and `course grade` runs with {home.python}. Use the same Python for both."
    ours, theirs = _versions(home.packages), _versions(there.packages)
    names = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
    if names:
        found = [
            f"{name} {theirs.get(name, 'is missing')} ({ours.get(name, 'none')} at home)" for name in names[:NAMED]
        ]
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        return (
            f"other packages are installed there: {', '.join(found)}{more}. Install the same ones with "
            "`python -m pip install -c constraints.txt`, and start the worker again."
        )
    if home.coursekit != there.coursekit:
        return "it has other files of coursekit. Install the same version there, and start the worker again."
    return ""


class Opened:
    """The folder, the sandbox and the kernels of one worker; a context manager. Raises Refused when there are none."""

    def __init__(self, errand: Errand, place: Path) -> None:
        if text := difference(errand.machine, Machine.here()):
            raise Refused(text)
        for name in errand.data:
            if not Path(name).is_dir():
                raise Refused(f"there is no folder {name}, which c.Coursekit.sandbox_data names.")
        self.errand = errand
        # dask removes its own folder also after a kill -9, when the next worker starts
        self.folder = Path(tempfile.mkdtemp(prefix="course-", dir=place))
        self.folder.chmod(0o711)  # a submission runs as somebody else, perhaps without a file system of its own
        try:
            self.unpacked = unpack(errand.luggage, self.folder / "modules")
            self.sandbox = self._choose(place)
        except BaseException:
            self._remove()
            raise

    def _choose(self, place: Path) -> Any:
        paths = sandbox.Paths(
            course=Path(self.errand.course),  # where this computer has it as well, it is covered
            packages=self.unpacked.shown,
            data=tuple(Path(name) for name in self.errand.data),
            hidden=(place,),
        )
        try:
            return sandbox.choose(paths, trust=self.errand.trust, kind=self.errand.sandbox)
        except CourseError as error:
            raise Refused(str(error)) from error

    def open(self) -> list[str]:
        """Open the kernels, in place of those that were open; returns what is to be said about them."""
        kernels = self.errand.kernels
        if self.sandbox.kind == "none" and self.unpacked.shown:  # a sandbox sees to it by itself
            paths = [*(str(path.parent) for path in self.unpacked.shown), os.environ.get("PYTHONPATH", "")]
            kernels = replace(
                kernels, environment={"PYTHONPATH": os.pathsep.join(filter(None, paths)), **kernels.environment}
            )
        try:
            return open_here(WorkerSettings(kernels, self.sandbox))
        except CourseError as error:
            raise Refused(str(error)) from error

    def do(self, payload: bytes) -> tuple[bytes, bytes]:
        """Run one task that was pickled at home; a notebook and the JSON of its record come out, and nothing else."""
        function, arguments, options = pickle.loads(payload)
        here = [
            replace(each, import_paths=self.unpacked.import_paths) if isinstance(each, Limits) else each
            for each in arguments
        ]
        notebook, record = function(*here, **options)
        if not isinstance(notebook, bytes) or not isinstance(record, dict):
            raise TypeError(f"a notebook and its record were expected, not {type(notebook)} and {type(record)}")
        return notebook, json.dumps(record).encode()

    @staticmethod
    def is_spoilt_by(error: BaseException) -> bool:
        """Whether the kernels have to be opened anew after this exception of a task."""
        return isinstance(error, (KernelDidNotStart, OSError))

    @staticmethod
    def interrupt() -> None:
        """End every kernel, also that of the notebook that another thread is grading."""
        worker.close_worker()

    def _remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> "Opened":
        return self

    def __exit__(self, *reason: object) -> None:
        worker.close_worker()
        self._remove()
