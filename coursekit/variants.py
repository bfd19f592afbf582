"""Runs every variant of an assignment: wrong answers must score 0 and show their hint, other right ones full marks.

python -m coursekit.variants FOLDER [FOLDER ...]                  check the variants of each assignment
python -m coursekit.variants --make-checks FOLDER [FOLDER ...]    write checks.json anew from its own inputs
"""

from __future__ import annotations

import argparse
import json
import math
import os
import runpy
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.utils import determine_grade

from coursekit import notebooks
from coursekit.errors import CourseError

HAS_FORK = sys.platform == "linux"  # elsewhere fork is missing, or unsafe once numerical libraries are loaded
ONE_THREAD = {name: "1" for name in ("OMP_THREAD_LIMIT", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
SECONDS = 120.0  # of computing, for one forked variant
Record = dict[str, Any]


@dataclass(frozen=True)
class Variant:
    """Another content of one answer cell, and what should come of it."""

    name: str
    answer: str  # grade_id of the answer cell
    code: str  # the whole cell
    fails: tuple[str, ...] = ()  # grade_ids of the test cells that must give 0; empty for a right answer
    check: str = ""  # the visible check that should recognise it
    hint: str = ""

    @property
    def right(self) -> bool:
        """Whether this is an alternative, which should get full marks everywhere."""
        return not self.fails


@dataclass
class Result:
    """What came of one variant; `problems` is empty when all is as it should be."""

    name: str
    kind: str
    scores: dict[str, tuple[float, float]]
    seconds: float
    problems: list[str]

    def __str__(self) -> str:
        total = f"{sum(s for s, _ in self.scores.values()):g}/{sum(m for _, m in self.scores.values()):g}"
        line = (
            f"{'ok  ' if not self.problems else 'FAIL'} {self.kind:13} {self.name:34} {total:>8} {self.seconds:6.1f} s"
        )
        return "\n".join([line, *(f"       {problem}" for problem in self.problems)])


@dataclass
class Report:
    """The results of one assignment."""

    folder: str
    results: list[Result] = field(default_factory=list)
    cell_seconds: list[tuple[str, float]] = field(default_factory=list)
    seconds: float = 0.0
    forked: bool = True

    @property
    def ok(self) -> bool:
        """Whether every variant came out as its author said."""
        return bool(self.results) and not any(result.problems for result in self.results)

    def __str__(self) -> str:
        slowest = sorted(self.cell_seconds, key=lambda cell: -cell[1])[:5]
        lines = [f"{self.folder}: {len(self.results)} runs in {self.seconds:.0f} s", *map(str, self.results)]
        lines.append("slowest cells: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in slowest))
        if not self.forked:
            lines.append("This platform cannot fork safely, so the notebook was executed again for every variant.")
        failed = sum(bool(result.problems) for result in self.results)
        lines.append("all as it should be" if self.ok else f"{failed} of {len(self.results)} not as they should be")
        return "\n".join(lines)


def load_variants(folder: str | Path) -> list[Variant]:
    """The misconceptions and alternatives of an assignment, with `change` pairs worked into the solution's cell.

    misconceptions.py holds MISCONCEPTIONS, alternatives.py ALTERNATIVES: lists of dictionaries with `name`, `answer`,
    and either `code` (the whole cell) or `change` (a list of (old, new) texts, each old one once in the solution's
    cell); a misconception also has `fails`, `check` and `hint`. The cell that `answer` names says to which notebook an
    entry belongs, so the notebooks of an assignment have different names of cells. Raises CourseError where an entry
    does not fit.
    """
    folder = Path(folder)
    cells = _cells(folder)
    variants = [_variant(item, cells, wrong=True) for item in _list(folder / "misconceptions.py", "MISCONCEPTIONS")]
    variants += [_variant(item, cells, wrong=False) for item in _list(folder / "alternatives.py", "ALTERNATIVES")]
    names = [variant.name for variant in variants]
    twice = sorted({name for name in names if names.count(name) > 1 or name == "solution"})
    if twice:
        raise CourseError(f"{folder}: names of variants must differ, and none may be 'solution': {', '.join(twice)}")
    return variants


def check_assignment(
    folder: str | Path, *, only: Sequence[str] = (), children: int | None = None, fork: bool | None = None
) -> Report:
    """Execute the solution and each of its variants (or `only` those named), scored by nbgrader's own rule.

    Raises CourseError when the folder or its variants cannot be read.
    """
    folder, started = Path(folder), time.perf_counter()
    variants = [variant for variant in load_variants(folder) if not only or variant.name in only]
    report = Report(folder.name, forked=HAS_FORK if fork is None else fork)
    for path, nb in _read(folder):
        mine = {variant.name: variant for variant in variants if variant.answer in notebooks.by_id(nb)}
        stops = {name: len(nb.cells) - 1 if v.right else _last_test(nb, v) for name, v in mine.items()}
        for name, record in _execute(folder, nb, mine, stops, children, report.forked):
            kind = "solution" if name == "solution" else "alternative" if mine[name].right else "misconception"
            report.results.append(_judge(mine.get(name, Variant(path.stem, "", "")), kind, nb, record))
            if kind == "solution":
                report.cell_seconds += [(_label(nb, index), cell["seconds"]) for index, cell in record["cells"].items()]
    report.seconds = time.perf_counter() - started
    return report


def made_checks(folder: str | Path) -> dict[str, Any]:
    """What checks.json should hold: its own inputs, with the values of the solution and of each misconception.

    Raises CourseError when the solution or a misconception never runs its check.
    """
    folder = Path(folder)
    content = _inputs_alone(json.loads((folder / "checks.json").read_text(encoding="utf-8")))
    misconceptions = [variant for variant in load_variants(folder) if not variant.right and variant.check]
    with tempfile.TemporaryDirectory() as scratch:
        blank = Path(scratch) / folder.name
        shutil.copytree(folder, blank)
        (blank / "checks.json").write_text(json.dumps(content), encoding="utf-8")  # every check fails, after it looked
        content["forbidden"] = _forbidden([nb for _, nb in _read(blank)])
        for _, nb in _read(blank):
            mine = {v.name: v for v in misconceptions if v.answer in notebooks.by_id(nb)}
            stops = {name: _check_cell(nb, v.check) for name, v in mine.items()}
            for name, record in _execute(blank, nb, mine, stops):
                _store(content["checks"], mine.get(name), record)
    empty = [name for name, check in content["checks"].items() if "expected" not in check["cases"][0]]
    if empty:
        raise CourseError(f"{folder}: the solution never runs these checks of checks.json: {', '.join(empty)}")
    return content


def write_checks(folder: str | Path) -> Path:
    """Write checks.json anew; the inputs, tolerances and order in it stay as they are. Raises CourseError."""
    path = Path(folder) / "checks.json"
    path.write_text(_json_lines(made_checks(folder)) + "\n", encoding="utf-8")
    return path


def same_checks(first: Any, second: Any, *, tolerance: float = 1e-4) -> bool:
    """Whether two contents of checks.json agree, numbers within a relative (below 1: absolute) tolerance."""
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(
            same_checks(first[k], second[k], tolerance=tolerance) for k in first
        )
    if isinstance(first, list) and isinstance(second, list):
        pairs = zip(first, second, strict=False)
        return len(first) == len(second) and all(same_checks(a, b, tolerance=tolerance) for a, b in pairs)
    if isinstance(first, float) and isinstance(second, float):
        return math.isclose(first, second, rel_tol=tolerance, abs_tol=tolerance)
    return bool(first == second)


# --- reading what the authors wrote


def _read(folder: Path) -> list[tuple[Path, NotebookNode]]:
    paths = sorted(folder.glob("*.ipynb"))
    if not paths:
        raise CourseError(f"{folder} holds no notebook: give the folder of an assignment, such as solutions/ps4-...")
    return [(path, nbformat.read(path, as_version=4)) for path in paths]


def _cells(folder: Path) -> dict[str, dict[str, NotebookNode]]:
    """The answers and the graded cells of each notebook; raises CourseError when two notebooks share a name."""
    found: dict[str, dict[str, NotebookNode]] = {}
    for path, nb in _read(folder):
        own = {n: c for n, c in notebooks.by_id(nb).items() if notebooks.is_answer(c) or notebooks.is_graded(c)}
        for other, cells in found.items():
            if twice := sorted(own.keys() & cells.keys()):
                raise CourseError(
                    f"{folder}: {other} and {path.name} both have cells called {', '.join(map(repr, twice))}; give "
                    "one of them other names, because the entries of variants name cells and no notebook"
                )
        found[path.name] = own
    return found


def _list(path: Path, name: str) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    found = runpy.run_path(str(path)).get(name)
    if not isinstance(found, list):
        raise CourseError(f"{path}: it should define a list called {name}")
    return found


def _variant(item: dict[str, Any], found: dict[str, dict[str, NotebookNode]], *, wrong: bool) -> Variant:
    name, answer = item.get("name", "(no name)"), item.get("answer", "")
    cells: dict[str, NotebookNode] = next((own for own in found.values() if answer in own), {})
    unknown = [cell for cell in (answer, *item.get("fails", [])) if cell not in cells]
    if unknown:
        raise CourseError(f"variant {name!r}: the notebook has no cell with grade_id {', '.join(map(repr, unknown))}")
    code = item.get("code")
    if code is None:
        code = cells[answer].source
        for old, new in item["change"]:
            if code.count(old) != 1:
                raise CourseError(f"variant {name!r}: {old!r} stands {code.count(old)} times in {answer!r}, not once")
            code = code.replace(old, new)
    if wrong and not (item.get("fails") and item.get("check") and item.get("hint")):
        raise CourseError(f"misconception {name!r}: it needs 'fails', 'check' and 'hint'")
    wanted = (tuple(item["fails"]), item["check"], item["hint"]) if wrong else ()
    return Variant(name, answer, code, *wanted)


def _last_test(nb: NotebookNode, variant: Variant) -> int:
    ids = [notebooks.grade_id(cell) for cell in nb.cells]
    return max([*(ids.index(test) for test in variant.fails), _check_cell(nb, variant.check)])


def _check_cell(nb: NotebookNode, check: str) -> int:
    for index, cell in enumerate(nb.cells):
        if cell.cell_type == "code" and not notebooks.is_graded(cell) and f'check("{check}"' in cell.source:
            return index
    raise CourseError(f'no visible cell of the notebook calls check("{check}", ...)')


def _label(nb: NotebookNode, index: int | str) -> str:
    return notebooks.grade_id(nb.cells[int(index)]) or f"cell {index}"


# --- running


def _execute(
    folder: Path,
    nb: NotebookNode,
    variants: dict[str, Variant],
    stops: dict[str, int],
    children: int | None = None,
    fork: bool = HAS_FORK,
) -> list[tuple[str, Record]]:
    """Records of the solution and of each variant, in this order."""
    if fork:
        return _start(folder, nb, variants, stops, children)
    records = _start(folder, nb, {}, {}, children)
    for name, variant in variants.items():
        changed = nbformat.from_dict(nb)
        changed.cells = [nbformat.from_dict(cell) for cell in nb.cells[: stops[name] + 1]]
        notebooks.by_id(changed)[variant.answer].source = variant.code
        [(_, record)] = _start(folder, changed, {}, {}, children)
        first = [notebooks.grade_id(cell) for cell in nb.cells].index(variant.answer)
        record["cells"] = {index: cell for index, cell in record["cells"].items() if int(index) >= first}
        records.append((name, record))
    return records


def _start(
    folder: Path, nb: NotebookNode, variants: dict[str, Variant], stops: dict[str, int], children: int | None
) -> list[tuple[str, Record]]:
    """One process of the runner, in a copy of the assignment's folder."""
    with tempfile.TemporaryDirectory() as scratch:
        place, out = Path(scratch) / folder.name, Path(scratch) / "out"
        shutil.copytree(folder, place)
        out.mkdir()
        job = {
            "cells": [
                {"grade_id": notebooks.grade_id(cell), "source": cell.source if cell.cell_type == "code" else None}
                for cell in nb.cells
            ],
            "variants": [
                {"name": f"variant-{number}", "answer": v.answer, "code": v.code, "stop": stops[name]}
                for number, (name, v) in enumerate(variants.items())
            ],
            "children": children or os.cpu_count() or 1,
            "seconds": SECONDS,
            "out": str(out),
        }
        (out / "job.json").write_text(json.dumps(job), encoding="utf-8")
        _run(place, out / "job.json")
        names = {"solution": "solution"} | {f"variant-{number}": name for number, name in enumerate(variants)}
        return [(name, json.loads((out / f"{file}.json").read_text(encoding="utf-8"))) for file, name in names.items()]


def _run(place: Path, job: Path) -> None:
    packages = str(Path(__file__).parents[1])
    environment = (
        os.environ
        | ONE_THREAD
        | {
            "PYTHONPATH": os.pathsep.join(filter(None, [packages, os.environ.get("PYTHONPATH", "")])),
            "IPYTHONDIR": str(job.parent / "ipython"),
            "MPLBACKEND": "Agg",
        }
    )
    command = [sys.executable, "-m", "coursekit.bridges.variant_runner", str(job)]
    try:
        done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=1800)
    except subprocess.TimeoutExpired:
        raise CourseError(f"{place.name}: the solution and its variants did not end within half an hour") from None
    if done.returncode:
        raise CourseError(f"{place.name}: the runner ended with {done.returncode}:\n{done.stderr[-2000:]}")


# --- judging


def _judge(variant: Variant, kind: str, nb: NotebookNode, record: Record) -> Result:
    outputs: dict[int, list[NotebookNode]] = {
        int(index): [nbformat.from_dict(output) for output in cell["outputs"]]
        for index, cell in record["cells"].items()
    }
    scores = {}
    for index, found in outputs.items():
        if notebooks.is_test(nb.cells[index]):
            scored = nbformat.from_dict(nb.cells[index] | {"outputs": found})
            got, most = determine_grade(scored)
            scores[scored.metadata.nbgrader.grade_id] = (float(got or 0.0), float(most))
    problems = [record["problem"]] if record["problem"] else []
    if kind == "misconception":
        problems += _problems_of_wrong(variant, nb, scores, outputs)
    else:
        lost = [f"{test}: {got:g} of {most:g} points" for test, (got, most) in scores.items() if got < most]
        errors = [f"{_label(nb, i)}: {_error(found)}" for i, found in outputs.items() if _error(found)]
        problems += [*lost, *errors]
    seconds = sum(cell["seconds"] for cell in record["cells"].values())
    return Result(variant.name, kind, scores, seconds, problems)


def _problems_of_wrong(
    variant: Variant, nb: NotebookNode, scores: dict[str, tuple[float, float]], outputs: dict[int, list[NotebookNode]]
) -> Iterable[str]:
    for test in variant.fails:
        got, most = scores.get(test, (math.nan, math.nan))
        if got != 0:
            yield f"{test}: {got:g} of {most:g} points, but the misconception should score 0"
    shown = "\n".join(_error(outputs.get(_check_cell(nb, variant.check), [])).split())
    if "\n".join(variant.hint.split()) not in shown:
        yield f"the check {variant.check!r} does not show the hint: {' '.join(shown.split()) or 'it passed'}"


def _error(outputs: Iterable[NotebookNode]) -> str:
    return " ".join(f"{o.ename}: {o.evalue}" for o in outputs if o.output_type == "error")


# --- checks.json


def _inputs_alone(content: dict[str, Any]) -> dict[str, Any]:
    checks = {}
    for name, check in content["checks"].items():
        cases = [{key: value for key, value in case.items() if key != "expected"} for case in check["cases"]]
        checks[name] = {key: value for key, value in check.items() if key != "mistakes"} | {"cases": cases}
    return content | {"forbidden": {}, "checks": checks}


def _forbidden(nbs: Sequence[NotebookNode]) -> dict[str, list[str]]:
    """The names that answers may not use: "*" holds what all notebooks forbid, the rest stands with each answer."""
    rules = [notebooks.options(nb).get("forbidden", {}) for nb in nbs]
    common = [name for name in rules[0].get("*", []) if all(name in own.get("*", []) for own in rules)]
    found = {"*": common} if common else {}
    for nb, own in zip(nbs, rules, strict=True):
        rest = [name for name in own.get("*", []) if name not in common]
        cells = notebooks.by_id(nb).items()
        answers = [name for name, cell in cells if notebooks.is_answer(cell) and cell.cell_type == "code"]
        with_rest = {name: list(dict.fromkeys([*own.get(name, []), *rest])) for name in answers if rest}
        found |= {name: names for name, names in own.items() if name != "*"} | with_rest
    return found


def _store(checks: dict[str, Any], misconception: Variant | None, record: Record) -> None:
    if misconception is None:
        for name, outcomes in record["observed"].items():
            for case, outcome in zip(checks[name]["cases"], outcomes, strict=True):
                case["expected"] = outcome
        return
    values = record["observed"].get(misconception.check)
    if record["problem"] or values is None:
        raise CourseError(f"misconception {misconception.name!r}: {record['problem'] or 'its check was not reached'}")
    mistake = {"name": misconception.name, "hint": misconception.hint, "values": values}
    checks[misconception.check].setdefault("mistakes", []).append(mistake)


def _json_lines(value: Any, depth: int = 0) -> str:
    """JSON in which whatever fits on a line stands on one, so that a person can read the numbers."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) + depth <= 120 or not isinstance(value, dict | list):
        return flat
    pad, inner = "\n" + " " * (depth + 1), depth + 1
    if isinstance(value, list):
        return "[" + pad + f",{pad}".join(_json_lines(item, inner) for item in value) + "\n" + " " * depth + "]"
    items = [f"{json.dumps(key)}: {_json_lines(item, inner)}" for key, item in value.items()]
    return "{" + pad + f",{pad}".join(items) + "\n" + " " * depth + "}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; the exit status is 1 when a variant did not come out as it should."""
    parser = argparse.ArgumentParser(
        prog="python -m coursekit.variants", description="Try every variant of assignments."
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--make-checks", action="store_true", help="write checks.json anew instead")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="one variant; may be repeated")
    options = parser.parse_args(arguments)
    try:
        if options.make_checks:
            for folder in options.folders:
                print(f"wrote {write_checks(folder)}")
            return 0
        reports = [check_assignment(folder, only=options.only) for folder in options.folders]
    except CourseError as error:
        print(f"course check: {error}", file=sys.stderr)
        return 1
    print("\n\n".join(map(str, reports)))
    return 0 if all(report.ok for report in reports) else 1


if __name__ == "__main__":
    sys.exit(main())
