"""Notebooks with cells that were doubled, deleted, changed or moved, most of them by accident."""

import copy
import json
from collections.abc import Callable
from typing import Any

import nbformat
from desk import Desk, cell, edited, student


@student("10a-test-cell-twice")
def _(desk: Desk) -> None:
    nb = desk.right()
    place = nb.cells.index(cell(nb, "test_norm"))
    nb.cells.insert(place + 1, nbformat.from_dict({**nb.cells[place], "id": "copied"}))
    desk.put(nb)


@student("10b-answer-cell-twice")
def _(desk: Desk) -> None:
    nb = desk.right()
    place = nb.cells.index(cell(nb, "norm"))
    nb.cells.insert(place + 1, nbformat.from_dict({**nb.cells[place], "id": "copied"}))
    desk.put(nb)


def _schema(version: Any) -> Callable[[Desk], None]:
    def hand_in(desk: Desk) -> None:
        def edit(data: dict[str, Any]) -> None:
            for found in data["cells"]:
                mark = found["metadata"].get("nbgrader")
                if mark:
                    mark.pop("task")
                    mark["schema_version"] = version

        desk.put(edited(desk.right(), edit))

    return hand_in


for letter, version in zip("abcd", (0, 1, 2, 99), strict=True):
    student(f"11{letter}-schema-{version}")(_schema(version))
student("11e-schema-text")(_schema("three"))


@student("12-lacks-a-test")
def _(desk: Desk) -> None:
    nb = desk.right()
    nb.cells.remove(cell(nb, "test_norm"))
    desk.put(nb)


@student("13-test-is-markdown")
def _(desk: Desk) -> None:
    nb = desk.right()
    test = cell(nb, "test_norm")
    place = nb.cells.index(test)
    nb.cells[place] = nbformat.v4.new_markdown_cell(test.source, metadata=test.metadata)
    desk.put(nb)


@student("14a-edited-a-test")
def _(desk: Desk) -> None:
    nb = desk.right(norm="def norm(x):\n    return x")
    cell(nb, "test_norm").source = "pass"
    desk.put(nb)


@student("14b-edited-points")
def _(desk: Desk) -> None:
    nb = desk.right()
    cell(nb, "test_norm").metadata["nbgrader"] |= {"points": 1000, "locked": False, "solution": True}
    cell(nb, "norm").metadata["nbgrader"] |= {"points": 1000, "grade": True}
    desk.put(nb)


@student("15a-corrupt")
def _(desk: Desk) -> None:
    desk.put(nbformat.writes(desk.right()).encode()[:-200])


@student("15b-empty")
def _(desk: Desk) -> None:
    desk.put(b"")


@student("15c-no-notebook")
def _(desk: Desk) -> None:
    desk.put(b"I forgot", "notes.txt")


@student("15d-html")
def _(desk: Desk) -> None:
    desk.put(b"<!DOCTYPE html><html><script>alert(1)</script></html>")


@student("15e-empty-folder")
def _(desk: Desk) -> None:
    desk.folder.mkdir(parents=True)


@student("16-format-3")
def _(desk: Desk) -> None:
    desk.put(json.dumps(nbformat.convert(copy.deepcopy(desk.right()), 3)).encode())


@student("17-another-kernel")
def _(desk: Desk) -> None:
    nb = desk.right()
    nb.metadata["kernelspec"] = {"display_name": "R", "language": "R", "name": "../../../ir"}
    desk.put(nb)


@student("91-lost-marks")
def _(desk: Desk) -> None:
    nb = desk.right()
    for found in nb.cells:
        found.metadata.pop("nbgrader", None)
    desk.put(nb)


@student("92-magic-in-an-answer")
def _(desk: Desk) -> None:
    desk.put(desk.right(norm="%%javascript\nalert(1)"))


@student("93-gives-itself-time")
def _(desk: Desk) -> None:
    nb = desk.right(norm="def norm(x):\n    while True:\n        pass")
    nb.metadata["coursekit"] = {"cell_seconds": 1e9, "total_seconds": 1e9, "memory_bytes": 1e15, "processes": 1e9}
    for found in nb.cells:
        found.metadata["coursekit"] = {"seconds": 1e9}
        found.metadata["tags"] = ["raises-exception", "skip-execution"]
    desk.put(nb)


@student("96-slow-to-recognise")
def _(desk: Desk) -> None:
    nb = desk.right()
    for found in nb.cells:
        found.metadata.pop("nbgrader", None)
    decoys = [
        nbformat.v4.new_code_cell("def norm(x):\n" + "    y = x + 1\n" * 400 + f"    return {n}") for n in range(3000)
    ]
    nb.cells = [*nb.cells[:5], *decoys, *nb.cells[5:]]
    desk.put(nb)
