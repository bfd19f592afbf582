"""What is compared: the answer cells of a class, rebuilt on the release as for grading, and code found elsewhere."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nbformat import NotebookNode

from coursekit import notebooks
from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.files import walk_files
from coursekit.grading import submissions
from coursekit.intake import Unreadable, rebuild
from coursekit.intake.cells import cells
from coursekit.intake.names import shown
from coursekit.intake.reading import load
from coursekit.release.release import release_bytes
from coursekit.similar.corpus import Answer, Submission

MOST_FILES = 5000  # below a folder of --against


@dataclass
class Collected:
    """The submissions that can be compared, the released cells, and why others are left out: name -> sentence."""

    submissions: list[Submission] = field(default_factory=list)
    release: list[Answer] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)


def _answers(name: str, nb: NotebookNode, several: bool) -> Iterator[tuple[str, Answer]]:
    for cell_name, cell in notebooks.by_id(nb).items():
        if notebooks.is_answer(cell):
            key = f"{name}: {cell_name}" if several else cell_name
            yield key, Answer(cell.source, cell.cell_type == "code")


def _of_class(course: Course, assignment: str, released: Mapping[str, NotebookNode], found: Collected) -> None:
    for student in course.students(assignment):
        read = submissions.read(course, assignment, student, sorted(released), set())
        answers: dict[str, Answer] = {}
        problems = [text for text in read.problems.values() if text]
        for name, data in read.notebooks.items():
            try:
                nb = rebuild(data, released[name])[0] if data is not None else None
            except Unreadable as error:
                problems.append(error.reason)
            else:
                answers |= dict(_answers(name, nb, len(released) > 1)) if nb is not None else {}
        if problems:
            found.skipped[student] = " ".join(problems)
        if answers:
            found.submissions.append(Submission(student, answers))


def _rebuilt(data: bytes, released: Mapping[str, NotebookNode]) -> dict[str, Answer]:
    """Answers of a notebook of this assignment; of any other notebook all its code, as one answer."""
    for name, release in released.items():
        try:
            return dict(_answers(name, rebuild(data, release)[0], len(released) > 1))
        except Unreadable:
            continue
    code = [cell.source for cell in cells(load(data, []), []) if cell.is_code]
    return {"all code": Answer("\n\n".join(code))}


def _elsewhere(folder: Path, most_bytes: int, released: Mapping[str, NotebookNode], found: Collected) -> None:
    """Notebooks and Python files below a folder; links are not followed."""
    if not folder.is_dir():
        raise CourseError(f"--against {folder}: there is no such folder. Put notebooks or Python files into one.")
    paths = [path for path in walk_files(folder, (".*",)) if path.suffix in (".ipynb", ".py")]
    if len(paths) > MOST_FILES:
        raise CourseError(f"--against {folder}: {len(paths)} files are more than {MOST_FILES}. Name a smaller folder.")
    for path in paths:
        name = f"{folder.name}/{path.relative_to(folder).as_posix()}"
        try:
            if path.stat().st_size > most_bytes:
                raise Unreadable("The file is larger than submission_bytes.")
            data = path.read_bytes()
            is_python = path.suffix == ".py"
            answers = {"all code": Answer(data.decode("utf-8", "replace"))} if is_python else _rebuilt(data, released)
        except Unreadable as error:
            found.skipped[name] = error.reason
        except OSError as error:
            found.skipped[name] = f"The file could not be read: {error.strerror or error}."
        else:
            found.submissions.append(Submission(name, answers, in_class=False))


def collect(course: Course, assignment: str, against: list[Path]) -> Collected:
    """Everything that is to be compared; raises CourseError when the assignment has not been released."""
    released = {name: notebooks.loads(data) for name, data in release_bytes(course, assignment).items()}
    found = Collected()
    for nb in released.values():
        found.release += [Answer(cell.source, cell.cell_type == "code") for cell in nb.cells]
    _of_class(course, assignment, released, found)
    for folder in against:
        _elsewhere(folder, course.options.submission_bytes, released, found)
    found.skipped = {shown(name): text for name, text in found.skipped.items()}
    return found
