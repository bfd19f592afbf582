"""`course doctor`: what this machine offers to the course; 1 when the course would not run."""

import argparse
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from coursekit.doctor import checks
from coursekit.doctor.doctor import RUN, Report, Row
from coursekit.doctor.probe import ask
from coursekit.doctor.table import table
from coursekit.errors import CourseError
from coursekit.settings import Settings, find_settings, load_config


def _settings(start: Path | None) -> tuple[Settings, list[Row]]:
    """The course's settings, or those of no course and the row that says so."""
    try:
        return find_settings(start), []
    except CourseError as error:
        row = Row(RUN, "course", "needed", str(error))
        return Settings(root=Path.cwd() if start is None else start, teaches=False), [row]


def rows(settings: Settings) -> Iterator[Row]:
    """Every row, in the order of the report."""
    root = settings.root
    kernel, interpreter = checks.kernel(root)
    answer = ask(interpreter, settings.imports, settings.machine_probe)
    yield checks.python_version(root, answer, interpreter)
    yield kernel
    if answer.python is not None:
        yield from checks.packages(root, answer, interpreter)
        yield from checks.probe_rows(answer, root, interpreter)
    yield checks.memory(settings.memory_gb)
    yield checks.disk(root)
    yield checks.cores()
    yield from checks.jupyterlab(root)
    yield checks.folders()
    if settings.teaches:
        yield from checks.nbgrader(root)
        yield checks.sandbox()
        tiers = importlib.import_module("coursekit.doctor.tiers")  # students have no part of the grader
        yield tiers.sandbox(root, load_config(root).get("Coursekit", {}).get("sandbox", ""))
        yield checks.browser()


def main(arguments: argparse.Namespace) -> int:
    """Print the report; 0 when nothing that is needed is missing."""
    settings, found = _settings(arguments.course)
    if not arguments.json and sys.stderr.isatty():
        print("Asking Python what it can import ...", file=sys.stderr)
    title = f"{settings.title}, in {settings.root}" if settings.title else str(settings.root)
    report = Report(title, (*found, *rows(settings)))
    print(json.dumps(report.as_json(), indent=1) if arguments.json else table(report))
    return 0 if report.runs else 1
