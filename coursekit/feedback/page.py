"""The page of one notebook of one student: nbgrader's, with points and reasons on top, and without what is nobody's.

The page holds no script and needs no network: formulas are drawn by the browser, pictures are part of the page.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_notebook, new_output

from coursekit import notebooks
from coursekit.course import Course
from coursekit.feedback.exporter import feedback_exporter
from coursekit.feedback.hidden import Secrets
from coursekit.feedback.markdown import markdown
from coursekit.grading import remarks, verdicts
from coursekit.grading.harmless import harmless_output
from coursekit.grading.rubrics import is_rubric
from coursekit.pages import environment
from coursekit.report.questions import Question

REMOVED = "[This output showed a part of the hidden tests and was removed.]"
ALT = "A picture that this cell has drawn"
PYTHON = {"name": "python", "pygments_lexer": "ipython3"}


@dataclass(frozen=True)
class Part:
    """What a student reads about one question: points (None while a person has still to give them), and why."""

    question: Question
    score: float | None
    states: tuple[str, ...]
    reasons: tuple[str, ...]
    hints: tuple[str, ...]

    @property
    def anchor(self) -> str:
        """Where in the page the question's points are given."""
        return self.question.cells[0][1]

    @property
    def level(self) -> str:
        """Whether all, some or no points were given, for the colour of the row."""
        if self.score is None:
            return "open"
        return "full" if self.score >= self.question.max_score else "some" if self.score > 0 else "none"


def _told(text: object, secrets: Secrets) -> str:
    """A reason or a hint, unless it repeats something of a hidden test."""
    found = str(text or "")
    return verdicts.HIDDEN_SENTENCE if secrets.shown_in(found) else found


def parts_of(questions: Sequence[Question], cells: Sequence[Mapping[str, Any]], secrets: Secrets) -> list[Part]:
    """The questions of a notebook with what became of each."""
    by_name = {cell["grade_id"]: cell for cell in cells}
    found = []
    for question in questions:
        own = [by_name[name] for _, name in question.cells if name in by_name]
        scores = [cell["score"] for cell in own]
        lost = [cell for cell in own if cell.get("reason")]
        reasons = dict.fromkeys(_told(cell["reason"], secrets) for cell in lost)
        hints = dict.fromkeys(_told(cell["hint"], secrets) for cell in lost if cell.get("hint"))
        said = " ".join(reasons)
        found.append(
            Part(
                question=question,
                score=None if not own or None in scores else sum(scores),
                states=tuple(dict.fromkeys(str(cell["state"]) for cell in own)),
                reasons=tuple(reasons),
                hints=tuple(hint for hint in hints if hint not in said),
            )
        )
    return found


def _texts(output: NotebookNode) -> str:
    if output.output_type == "stream":
        return str(output.text)
    if output.output_type == "error":
        return "\n".join([str(output.ename), str(output.evalue), *output.get("traceback", [])])
    return "\n".join(str(data) for data in output.get("data", {}).values())


def _shown_test(cell: NotebookNode, released: NotebookNode, verdict: Mapping[str, Any], secrets: Secrets) -> None:
    """A test cell as the student has it; where it held hidden tests, nothing that was put out there is shown."""
    hidden = cell.source != released.source
    errors = [output for output in cell.outputs if output.output_type == "error"]
    cell.source = released.source
    cell.outputs = [] if hidden else [output for output in cell.outputs if output.output_type != "error"]
    if verdict.get("reason") and (hidden or errors):
        text, name = _told(verdict.get("hint") or verdict["reason"], secrets), str(verdict["state"])
        cell.outputs.append(
            new_output("error", ename=name, evalue=text, traceback=[f"\x1b[0;31m{name}\x1b[0m: {text}"])
        )


def _shown_output(output: NotebookNode, secrets: Secrets) -> NotebookNode:
    found = harmless_output(output)
    if secrets.shown_in(_texts(output)) or secrets.shown_in(_texts(found)):
        return new_output("stream", name="stdout", text=REMOVED)
    latex = found.get("data", {}).pop("text/latex", "")
    if latex:
        found.data.setdefault("text/html", markdown(latex))
    return found


def page_notebook(
    nb: NotebookNode, released: NotebookNode, secrets: Secrets, cells: list[dict[str, Any]]
) -> NotebookNode:
    """A graded notebook made anew for its student: from the release what is the course's, nothing of hidden tests."""
    by_name = {cell["grade_id"]: cell for cell in cells}
    originals = notebooks.by_id(released)
    shown = []
    for number, cell in enumerate(nb.cells):
        name = str(notebooks.grade_id(cell))
        original = originals.get(name)
        ours = original is not None and not notebooks.is_answer(original)
        kind = original.cell_type if original is not None else cell.cell_type
        copy = nbformat.from_dict({"id": f"cell-{number}", "cell_type": kind, "source": cell.source, "metadata": {}})
        if original is not None:
            copy.metadata["nbgrader"] = nbformat.from_dict(original.metadata["nbgrader"])
        if kind == "code":
            count = cell.get("execution_count")
            copy.execution_count = count if isinstance(count, int) else None
            copy.outputs = list(cell.get("outputs", []))
            copy.metadata["alt"] = ALT
        elif cell.get("attachments"):
            copy.attachments = cell.attachments
        if original is not None and notebooks.is_test(original):
            _shown_test(copy, original, by_name.get(name, {}), secrets)
        elif original is not None and ours:
            copy.source = original.source
        if kind == "code":
            copy.outputs = [_shown_output(output, secrets) for output in copy.outputs]
        shown.append(copy)
    return new_notebook(cells=shown, metadata={"language_info": PYTHON})


class Pages:
    """All feedback pages of an assignment."""

    def __init__(self, course: Course, assignment: str, questions: Sequence[Question]) -> None:
        self.course = course
        self.assignment = assignment
        self.questions = questions
        self.exporter = feedback_exporter(course)
        self.panel = environment().get_template("feedback_panel.html.j2")

    def page(self, name: str, record: dict[str, Any], released: NotebookNode, secrets: Secrets) -> str:
        """The HTML page of one notebook; raises what nbformat and nbgrader raise for a file that they cannot use."""
        student = record["student"]
        nb = nbformat.read(self.course.autograded(self.assignment, student) / f"{name}.ipynb", as_version=4)
        if not self.course.options.show_rubrics:
            nb.cells = [cell for cell in nb.cells if not is_rubric(cell)]
        found = record["notebooks"][name]
        resources = self.course.resources(self.assignment, name, student)
        questions = [question for question in self.questions if question.cells[0][0] == name]
        parts = parts_of(questions, found["cells"], secrets)
        resources["coursekit"] = {
            "panel": self.panel.render(
                assignment=self.assignment,
                name=name,
                record=record,
                notebook=found,
                parts=parts,
                notes=remarks.notes(self.course, self.assignment, record),
            ),
            "title": name,
        }
        text, _ = self.exporter.from_notebook_node(page_notebook(nb, released, secrets, found["cells"]), resources)
        return str(text)
