"""The rows of nbgrader's gradebook that belong to an assignment's cells, brought to those of a new release.

nbgrader refuses to add or remove cells once somebody was graded. Here rows are added to every submission as nbgrader's
`add_submission` would have made them, and rows of removed cells go; no other row of a submission is touched.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nbformat import NotebookNode
from nbgrader import api
from nbgrader.api import Gradebook

from coursekit import notebooks
from coursekit.files import digest
from coursekit.release.differences import Known, cells_of

_TABLES: dict[str, Any] = {"GradeCell": api.GradeCell, "SolutionCell": api.SolutionCell, "TaskCell": api.TaskCell}


@dataclass
class Held:
    """What the gradebook holds: the cells of each notebook, who was graded, and what people gave for which cell."""

    cells: dict[str, dict[str, Known]] = field(default_factory=dict)
    students: list[str] = field(default_factory=list)
    by_hand: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)  # cell -> student -> what


def held(book: Gradebook, assignment: str) -> Held:
    """Everything about an assignment that a new release could touch."""
    found = Held()
    db = book.db
    mine = db.query(api.Assignment).filter(api.Assignment.name == assignment).one_or_none()
    if mine is None:
        return found
    for notebook in mine.notebooks:
        kinds: dict[str, set[str]] = {}
        points: dict[str, float] = {}
        for cell in notebook._base_cells:
            kinds.setdefault(cell.name, set()).add(cell.type)
            if cell.type != "SolutionCell":
                points[cell.name] = float(cell.max_score)
        found.cells[notebook.name] = {
            cell.name: Known(
                frozenset(kinds.get(cell.name, ())) | {cell.cell_type}, points.get(cell.name, 0.0), cell.source
            )
            for cell in notebook.source_cells
        }
    found.students = sorted(submission.student_id for submission in mine.submissions)
    _by_hand(db, assignment, found)
    return found


def _by_hand(db: Any, assignment: str, found: Held) -> None:
    for table, columns in (
        (api.Grade, (api.Grade.manual_score, api.Grade.extra_credit)),
        (api.Comment, (api.Comment.manual_comment,)),
    ):
        rows = (
            db.query(api.SubmittedAssignment.student_id, api.Notebook.name, api.BaseCell.name, *columns)
            .select_from(table)
            .join(api.BaseCell, api.BaseCell.id == table.cell_id)
            .join(api.SubmittedNotebook, api.SubmittedNotebook.id == table.notebook_id)
            .join(api.Notebook, api.Notebook.id == api.SubmittedNotebook.notebook_id)
            .join(api.SubmittedAssignment, api.SubmittedAssignment.id == api.SubmittedNotebook.assignment_id)
            .join(api.Assignment, api.Assignment.id == api.SubmittedAssignment.assignment_id)
            .filter(api.Assignment.name == assignment)
        )
        for column in columns:
            for student, notebook, cell, *values in rows.filter(column.isnot(None)):
                text = "a comment" if table is api.Comment else " + ".join(f"{x:g}" for x in values if x is not None)
                own = found.by_hand.setdefault((notebook, cell), {})
                own[student] = own.get(student) or text


def fingerprint(cells: Mapping[str, Mapping[str, Known]]) -> str:
    """A hash of all cells of an assignment, equal where the gradebook holds just these."""
    rows = [
        [notebook, name, sorted(cell.roles), cell.points, cell.source]
        for notebook, known in cells.items()
        for name, cell in known.items()
    ]
    return digest(json.dumps(sorted(rows)).encode())


def after(tests: Mapping[str, NotebookNode]) -> dict[str, dict[str, Known]]:
    """What the gradebook will hold when these notebooks are released."""
    return {name: cells_of(nb) for name, nb in tests.items()}


def _submitted(book: Gradebook, notebook: Any, assignment: str) -> list[Any]:
    """The notebook's part of every submission, made where it is new."""
    parts = {part.assignment_id: part for part in notebook.submissions}
    for submission in book.assignment_submissions(assignment):
        if submission.id not in parts:
            parts[submission.id] = api.SubmittedNotebook(notebook=notebook, assignment=submission)
            book.db.add(parts[submission.id])
    book.db.flush()
    return list(parts.values())


def _add(book: Gradebook, kind: str, name: str, notebook: Any, values: dict[str, Any], parts: list[Any]) -> None:
    cell = _TABLES[kind](name=name, notebook=notebook, **values)
    book.db.add(cell)
    book.db.flush()
    for part in parts:
        if kind in ("GradeCell", "TaskCell"):
            book.db.add(api.Grade(cell_id=cell.id, notebook=part))
        if kind in ("SolutionCell", "TaskCell"):
            book.db.add(api.Comment(cell_id=cell.id, notebook=part))


def _remove(book: Gradebook, cell: Any) -> None:
    for table in (api.Grade, api.Comment):
        for row in book.db.query(table).filter(table.cell_id == cell.id):
            book.db.delete(row)
    book.db.flush()
    book.db.expire(cell)
    book.db.delete(cell)
    book.db.flush()


def _wanted(nb: NotebookNode) -> dict[tuple[str, str], dict[str, Any]]:
    """Table and name of every row of a cell, with its columns."""
    found = {}
    for name, known in cells_of(nb).items():
        for kind in known.roles & _TABLES.keys():
            graded = {"max_score": known.points, "cell_type": notebooks.by_id(nb)[name].cell_type}
            found[kind, name] = {} if kind == "SolutionCell" else graded
    return found


def _sources(book: Gradebook, notebook: Any, nb: NotebookNode) -> None:
    cells, rows = notebooks.by_id(nb), {row.name: row for row in notebook.source_cells}
    for name, row in rows.items():
        if name not in cells:
            book.db.delete(row)
    for name, cell in cells.items():
        data = notebooks.meta(cell)
        row = rows.get(name) or api.SourceCell(name=name, notebook=notebook)
        row.cell_type, row.source, row.checksum = cell.cell_type, cell.source, data.get("checksum")
        row.locked = bool(not data.get("solution") and (data.get("grade") or data.get("locked")))
        book.db.add(row)


def bring_to(book: Gradebook, assignment: str, tests: Mapping[str, NotebookNode]) -> None:
    """Let the gradebook hold the cells of these notebooks; rows of cells that stay are not touched but for points."""
    for notebook in list(book.find_assignment(assignment).notebooks):
        if notebook.name not in tests:
            book.remove_notebook(notebook.name, assignment)
    for name, nb in tests.items():
        kernel = json.dumps(nb.metadata.get("kernelspec", {}))
        notebook = book.update_or_create_notebook(name, assignment, kernelspec=kernel)
        parts, wanted = _submitted(book, notebook, assignment), _wanted(nb)
        rows = {(cell.type, cell.name): cell for cell in notebook._base_cells}
        for key, cell in rows.items():
            if key not in wanted:
                _remove(book, cell)
        for (kind, cell_name), values in wanted.items():
            if (kind, cell_name) in rows:
                for column, value in values.items():
                    setattr(rows[kind, cell_name], column, value)
            else:
                _add(book, kind, cell_name, notebook, values, parts)
        _sources(book, notebook, nb)
        book.db.flush()
        book.db.expire_all()
