"""`course feedback`: nbgrader's pages for each student, without hidden tests and with reasons and hints on top."""

import copy
import html
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.converters import GenerateFeedback
from tqdm import tqdm
from traitlets.config import Config

from coursekit import gradebook, notebooks, release, verdicts, worker
from coursekit.course import Course
from coursekit.errors import CourseError
from coursekit.files import write_atomic
from coursekit.markers import Marks, region_lines
from coursekit.records import GRADED, Records
from coursekit.sanitize import safe_html

TEMPLATES = Path(__file__).parent / "templates"
REMOVED = "[This output showed a part of the hidden tests and was removed.]"


def secret_lines(tests: NotebookNode, marks: Marks, released: NotebookNode) -> set[str]:
    """Lines of the hidden tests that say something and stand nowhere in what students have."""
    known = {line.strip() for cell in released.cells for line in cell.source.split("\n")}
    lines = {line.strip() for cell in tests.cells for line in region_lines(cell.source, marks, "hidden")}
    return {line for line in lines if len(line) >= 8 and line not in known}


def _texts(output: NotebookNode) -> str:
    if output.output_type == "stream":
        return str(output.text)
    if output.output_type == "error":
        return "\n".join([str(output.ename), str(output.evalue), *output.get("traceback", [])])
    return "\n".join(str(data) for data in output.get("data", {}).values())


def _shows(output: NotebookNode, secrets: set[str]) -> bool:
    text = html.unescape(verdicts.plain(_texts(output))).replace("\\n", "\n").replace("\\'", "'").replace('\\"', '"')
    return any(secret in text for secret in secrets)


def _clean_test(cell: NotebookNode, released: NotebookNode, verdict: dict[str, Any]) -> None:
    """Show a test cell as the student has it; where it held hidden tests, nothing that ran there is shown."""
    hidden = cell.source != released.source
    cell.source = released.source
    errors = [output for output in cell.outputs if output.output_type == "error"]
    if hidden:
        cell.outputs = []
    elif errors:
        cell.outputs = [output for output in cell.outputs if output.output_type != "error"]
    if verdict.get("reason") and (hidden or errors):
        text = str(verdict["hint"] or verdict["reason"])
        name = str(verdict["state"])
        cell.outputs.append(
            nbformat.v4.new_output("error", ename=name, evalue=text, traceback=[f"\x1b[0;31m{name}\x1b[0m: {text}"])
        )


def clean(nb: NotebookNode, released: NotebookNode, secrets: set[str], cells: list[dict[str, Any]]) -> None:
    """Take everything out of a graded notebook that shows hidden tests."""
    by_name = {cell["grade_id"]: cell for cell in cells}
    originals = notebooks.by_id(released)
    for cell in nb.cells:
        name = str(notebooks.grade_id(cell))
        original = originals.get(name)
        if notebooks.is_test(cell) and original is not None:
            _clean_test(cell, original, by_name.get(name, {}))
        elif original is not None and not notebooks.is_answer(cell):
            cell.source = original.source
        for output in cell.get("outputs", []):
            if _shows(output, secrets):
                output.clear()
                output.update(nbformat.v4.new_output("stream", name="stdout", text=REMOVED))


def _exporter(course: Course) -> Any:
    """nbgrader's own exporter with our page around its page."""
    converter = GenerateFeedback(coursedir=course.directory, config=course.config, log=course.log)
    config = Config(converter.config)
    config.HTMLExporter.extra_template_paths = [str(TEMPLATES), *config.HTMLExporter.extra_template_paths]
    config.HTMLExporter.template_file = "course_feedback.html.j2"
    config.HTMLExporter.sanitize_html = course.options.sanitize_feedback
    exporter = converter.exporter_class(config=config, log=course.log)
    if course.options.sanitize_feedback:
        # nbgrader's page sends every Markdown text through this filter, and none through nbconvert's own sanitizer
        exporter.register_filter("strip_files_prefix", safe_html)
    for step in converter.preprocessors:
        exporter.register_preprocessor(step(config=config, log=course.log))
    return exporter


def _with_manual_scores(course: Course, assignment: str, record: dict[str, Any]) -> dict[str, Any]:
    """The record with what a person has graded since; those cells need no remark any more."""
    record = copy.deepcopy(record)
    with course.gradebook() as book:
        for name, notebook in record["notebooks"].items():
            for cell in notebook["cells"]:
                grade = book.find_grade(cell["grade_id"], name, assignment, record["student"])
                if grade.manual_score is not None:
                    cell |= {"score": float(grade.score), "state": verdicts.BY_HAND, "reason": "", "hint": ""}
        return record | gradebook.scores(book, assignment, record["student"])


def _record(
    course: Course, assignment: str, student: str, known: dict[str, Any] | None, released: dict[str, NotebookNode]
) -> dict[str, Any]:
    """What is known about a submission; where stock nbgrader graded it, what its notebooks and the gradebook say."""
    if known is not None:
        return _with_manual_scores(course, assignment, known)
    marks, found = Marks.of(course.config).hidden, {}
    for name, release_nb in released.items():
        path = course.autograded(assignment, student) / f"{name}.ipynb"
        if path.is_file():
            nb = nbformat.read(path, as_version=4)
            cells = [verdict.to_dict() for verdict in worker.judge_all(nb, release_nb, {}, marks)]
            found[name] = {"state": GRADED, "reason": "", "next_step": "", "repairs": [], "cells": cells}
    record = {"student": student, "state": GRADED, "reason": "", "next_step": "", "repairs": [], "notebooks": found}
    with course.gradebook() as book:
        return record | gradebook.scores(book, assignment, student)


def page(
    course: Course, assignment: str, name: str, record: dict[str, Any], released: NotebookNode, secrets: set[str]
) -> str:
    """The HTML page of one notebook of one student."""
    student = record["student"]
    nb = nbformat.read(course.autograded(assignment, student) / f"{name}.ipynb", as_version=4)
    found = record["notebooks"][name]
    clean(nb, released, secrets, found["cells"])
    resources = course.resources(assignment, name, student)
    resources["coursekit"] = {"record": record, "notebook": found}
    text, _ = _exporter(course).from_notebook_node(nb, resources)
    return str(text)


def _graded_students(course: Course, assignment: str) -> list[str]:
    with course.gradebook() as book:
        known = [submission.student.id for submission in book.assignment_submissions(assignment)]
    found = sorted(student for student in known if any(course.autograded(assignment, student).glob("*.ipynb")))
    if not found:
        raise CourseError(f"{assignment} has not been graded yet: run `course grade {assignment}` first.")
    return found


def feedback(course: Course, assignment: str, *, progress: bool = True) -> Iterator[Path]:
    """Write the pages of every graded student; yields each file. Raises CourseError when nothing has been graded."""
    students = _graded_students(course, assignment)
    records = Records(course.records_file(assignment)).by_student
    released = {name: notebooks.loads(data) for name, data in release.release_bytes(course, assignment).items()}
    marks = Marks.of(course.config)
    secrets = {
        path.stem: secret_lines(release.make_tests(course, assignment, path), marks, released[path.stem])
        for path in release.source_notebooks(course, assignment)
        if path.stem in released
    }
    for student in tqdm(students, unit="student", desc=f"{assignment} feedback", disable=not progress):
        record = _record(course, assignment, student, records.get(student), released)
        folder = course.autograded(assignment, student)
        for name in sorted(set(record["notebooks"]) & set(secrets)):
            text = page(course, assignment, name, record, released[name], secrets[name])
            target = course.feedback(assignment, student) / f"{name}.html"
            write_atomic(target, text.encode("utf-8"))
            yield target
        if (folder / "timestamp.txt").is_file():
            stamp = (folder / "timestamp.txt").read_bytes()
            write_atomic(course.feedback(assignment, student) / "timestamp.txt", stamp)
