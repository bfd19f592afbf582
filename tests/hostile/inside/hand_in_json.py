"""Notebooks whose JSON is meant to break whoever reads it."""

import json
from typing import Any

import nbformat
from desk import Desk, edited, student


@student("80-deep-json")
def _(desk: Desk) -> None:
    desk.put(b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": ' + b"[" * 200_000 + b"]" * 200_000 + b"}")


@student("81-deep-metadata")
def _(desk: Desk) -> None:
    deep = '{"a": ' * 900 + "1" + "}" * 900
    text = nbformat.writes(desk.right()).replace('"kernelspec"', f'"deep": {deep}, "kernelspec"', 1)
    desk.put(text.encode())


@student("82-too-large")
def _(desk: Desk) -> None:
    desk.put(nbformat.writes(desk.right()).encode() + b" " * 120_000_000)


@student("83-names-that-are-paths")
def _(desk: Desk) -> None:
    def edit(data: dict[str, Any]) -> None:
        names = iter(
            ["../../../thesis", "/home/teacher/thesis.txt", "a\0b", "", "." * 5000, {"a": 1}, ["b"], None, 7, True]
        )
        for found in data["cells"]:
            mark = found["metadata"].get("nbgrader")
            if mark and mark["grade_id"].startswith("test"):
                mark["grade_id"] = next(names)
        data["cells"][0]["metadata"]["nbgrader"]["grade_id"] = next(names)
        data["metadata"]["name"] = "../../../thesis"

    desk.put(edited(desk.right(), edit))


@student("84-wrong-types")
def _(desk: Desk) -> None:
    def edit(data: dict[str, Any]) -> None:
        odd = [None, 7, "text", [], {}, True, 1.5, [[]], {"cell_type": {}}, {"cell_type": "code", "source": {"a": 1}}]
        data["metadata"] = ["no", "dictionary"]
        data["cells"][0] = {"cell_type": "code", "metadata": "text", "source": 7, "outputs": {}, "execution_count": []}
        data["cells"][2]["source"] += [7, None, ["x"]]
        data["cells"] += odd
        data["nbformat_minor"] = "five"

    desk.put(edited(desk.right(), edit))


@student("85-many-cells")
def _(desk: Desk) -> None:
    def edit(data: dict[str, Any]) -> None:
        extra = {
            "cell_type": "code",
            "metadata": {},
            "source": "while True: pass",
            "outputs": [],
            "execution_count": None,
        }
        data["cells"] = [*[extra] * 60_000, *data["cells"]]

    desk.put(edited(desk.right(), edit))


@student("86-odd-characters")
def _(desk: Desk) -> None:
    nb = desk.right(double="def double(x):\n    '\ufeff\u202e\ue000'\n    return 2 * x")
    text = json.dumps(json.loads(nbformat.writes(nb))).replace("\\ue000", "\\ud800\\udfff\\ud800\\u0000")
    desk.put(text.encode() + b"\0\0")


@student("87-long-number")
def _(desk: Desk) -> None:
    text = nbformat.writes(desk.right()).replace('"kernelspec"', f'"long": {"9" * 1_000_000}, "kernelspec"', 1)
    desk.put(text.encode())


@student("88-same-key-twice")
def _(desk: Desk) -> None:
    text = nbformat.writes(desk.right())
    desk.put(text.replace('"cells":', '"cells": [], "cells":', 1).encode())


@student("90-other-encoding")
def _(desk: Desk) -> None:
    desk.put(nbformat.writes(desk.right(essay="Länge ist eine Größe.")).encode("utf-16"))
