"""For `nbgrader generate_feedback`, whose pages show every cell of a graded notebook: the rubric is the grader's."""

from typing import Any

from nbconvert.preprocessors import Preprocessor
from nbformat import NotebookNode

from coursekit.grading.rubrics import is_rubric


class LeaveOutRubrics(Preprocessor):
    """A step of nbconvert for c.HTMLExporter.preprocessors; it leaves formgrader and `course feedback` alone."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """The notebook without its rubrics, where nbgrader makes a page for a student of it."""
        if "nbgrader" in resources and "coursekit" not in resources:
            nb.cells = [cell for cell in nb.cells if not is_rubric(cell)]
        return nb, resources
