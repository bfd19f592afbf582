"""What is the same for every submission of an assignment, collected once and sent to the workers as bytes."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from coursekit import notebooks
from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.files import digest
from coursekit.grading import allowances, gradebook, rubrics
from coursekit.grading.allowances import Limits
from coursekit.grading.rubrics import Rubrics
from coursekit.release import again, release
from coursekit.release.markers import Marks


@dataclass(frozen=True)
class Assignment:
    """Notebooks as students got them and with hidden tests, the files beside them, and what a notebook may take."""

    name: str
    releases: Mapping[str, bytes]
    tests: Mapping[str, bytes]
    files: Mapping[str, bytes]
    limits: Limits
    rubrics: Rubrics = field(default_factory=Rubrics)  # for whoever grades by hand; no grade depends on them

    def digest(self) -> str:
        """Hash of everything on our side that a grade depends on, but for the environment."""
        limits = asdict(self.limits)
        limits["environment"] = sorted(self.limits.environment.items())
        del limits["import_paths"]  # a course that was moved is the same course
        parts = [repr(sorted(limits.items())).encode()]
        for bundle in (self.releases, self.tests, self.files):
            parts.append(str(len(bundle)).encode())
            for name, data in sorted(bundle.items()):
                parts += [name.encode("utf-8", "surrogateescape"), data]
        return digest(*parts)

    def most_seconds(self) -> float:
        """More than any notebook can take, with everything going wrong that can."""
        most = 0.0
        for data in self.tests.values():
            nb = notebooks.loads(data)
            budget = allowances.budget_of(nb, self.limits)
            first = next((i for i, cell in enumerate(nb.cells) if notebooks.is_answer(cell)), len(nb.cells))
            # whenever a question ends its kernel, a fresh one runs what stood above it again
            kernels = 1 + sum(notebooks.is_answer(cell) for cell in nb.cells)
            most = max(most, budget.total_seconds + kernels * min(first, 3) * budget.setup_seconds)
        return 600.0 + 2 * most


def limits_of(course: Course) -> Limits:
    """The course's options in the form that a worker takes."""
    options = course.options
    return Limits(
        cell_seconds=options.cell_seconds,
        total_seconds=options.total_seconds,
        setup_seconds=options.setup_seconds,
        output_bytes=options.output_bytes,
        total_output_bytes=options.total_output_bytes,
        memory_bytes=options.memory_bytes,
        processes=options.processes,
        disk_bytes=options.disk_bytes,
        cpu_seconds=options.cpu_seconds,
        time_factor=options.time_factor,
        answer_rule=options.answer_rule,
        import_paths=(str(course.root),),
        environment=kernel_environment(course),
        hidden_marks=Marks.of(course.config).hidden,
    )


def kernel_environment(course: Course) -> dict[str, str]:
    """Environment variables of a grading kernel."""
    return {"NBGRADER_EXECUTION": "autograde", **course.options.kernel_environment}


def prepare(course: Course, name: str) -> Assignment:
    """Register the assignment in the gradebook and collect what its workers need; whoever calls this holds the lock."""
    again.finish_or_forget(course, name)
    tests = release.graded_notebooks(course, name)
    gradebook.register(course, name, tests)
    releases = release.release_bytes(course, name)
    if missing := set(tests) - set(releases):
        raise CourseError(f"{name}: {sorted(missing)} not released yet. Run `course release {name}` first.")
    source = course.source(name)
    return Assignment(
        name=name,
        releases={notebook: data for notebook, data in releases.items() if notebook in tests},
        tests={notebook: notebooks.dumps(nb) for notebook, nb in tests.items()},
        files={path.relative_to(source).as_posix(): path.read_bytes() for path in release.other_files(course, name)},
        limits=limits_of(course),
        rubrics=rubrics.read(course, name, tests),
    )
