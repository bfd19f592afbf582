"""What a run of the grader in the cage left behind, as plain data, and the question that every test asks of it."""

import io
import json
import sys
import tarfile
from dataclasses import dataclass
from typing import Any

import cage
from hostile_course import NB, PS

DRIVER = cage.HERE / "inside" / "driver.py"


@dataclass(frozen=True)
class Result:
    """One scenario: facts about the machine, records by student, the graded notebooks as text, all logs."""

    facts: dict[str, Any]
    records: dict[str, dict[str, Any]]
    notebooks: dict[str, str]
    pages: dict[str, str]
    log: str

    def scores(self, student: str) -> dict[str, float]:
        """Points of each test cell as the gradebook has them."""
        return {name: cell[0] for name, cell in self.facts["gradebook"][student]["cells"].items() if name != "essay"}

    def cells(self, student: str) -> dict[str, dict[str, Any]]:
        """Verdicts by test cell."""
        return {cell["grade_id"]: cell for cell in self.records[student]["notebooks"][NB]["cells"]}

    def outputs(self, student: str) -> str:
        """All that a student's notebook put out, as text."""
        found = []
        for cell in json.loads(self.notebooks[student])["cells"]:
            for output in cell.get("outputs", []):
                found.append("".join(output.get("text", "")))
                found.append(json.dumps(output.get("data", "")))
                found += output.get("traceback", [])
        return "\n".join(found)

    def said(self, student: str, word: str) -> list[str]:
        """Lines of the outputs that begin with a word."""
        return [line for line in self.outputs(student).splitlines() if line.startswith(word)]


def _unpack(data: bytes) -> dict[str, bytes]:
    found = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isreg() else None
            if file is not None:
                found[member.name] = file.read()
    return found


def run(scenario: dict[str, Any], **options: bool) -> Result:
    """Run a scenario in a fresh cage; the options are those of `cage.run`."""
    outcome = cage.run([sys.executable, str(DRIVER), json.dumps(scenario)], **options)
    assert outcome.code == 0, f"the cage ended with {outcome.code}:\n{outcome.log}"
    files = _unpack(outcome.result)
    stored = json.loads(files.get(f"autograded/{PS}.records.json", b'{"records": []}'))
    return Result(
        facts=json.loads(files["facts.json"]),
        records={record["student"]: record for record in stored["records"]},
        notebooks=_by_student(files, "autograded", f"{NB}.ipynb"),
        pages=_by_student(files, "feedback", f"{NB}.html"),
        log=files["grade.log"].decode("utf-8", "replace") + outcome.log,
    )


def _by_student(files: dict[str, bytes], step: str, name: str) -> dict[str, str]:
    start, end = f"{step}/", f"/{PS}/{name}"
    return {
        path[len(start) : -len(end)]: data.decode("utf-8", "replace")
        for path, data in files.items()
        if path.startswith(start) and path.endswith(end)
    }
