"""A text file for each submission that says what the grader did with it, for the instructor only."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from coursekit.grading import remarks
from coursekit.grading.progress import printable
from coursekit.grading.records import Record

# File systems take names of 255 bytes.
LONGEST_NAME = 200
LONGEST_LINE = 2000


def log_file(records: Path, student: str) -> Path:
    """Where the log of a student lies: beside the records, for what lies in `autograded` may go to students."""
    name = student
    data = student.encode("utf-8", "surrogatepass")
    if len(data) > LONGEST_NAME:
        short = data[: LONGEST_NAME - 17].decode("utf-8", "ignore")
        name = f"{short}-{hashlib.sha256(data).hexdigest()[:16]}"
    return records.parent / f"{records.name.removesuffix('.records.json')}.logs" / f"{name}.log"


def _cells(notebook: Record) -> Iterator[str]:
    events = notebook.get("events") or []
    if events:
        yield "  cells that ran:"
    for event in events:
        yield f"    {event['seconds']:8.2f} s  {event['cell']}: {event['state']}. {event['reason']}".rstrip(". ")
    yield "  verdicts:"
    for cell in notebook["cells"]:
        score = "by hand" if cell["score"] is None else f"{cell['score']:g}"
        line = f"    {score:>8} of {cell['max_score']:g}  {cell['grade_id']}: {cell['state']}. {cell['reason']}"
        yield line.rstrip(". ")


def _lines(record: Record, troubles: Iterable[str]) -> Iterator[str]:
    yield f"{record['student']}, {record['assignment']}: {record['state']}"
    yield f"written {datetime.now().astimezone():%Y-%m-%d %H:%M:%S %Z}, {record['seconds']:g} s"
    if record["reason"]:
        yield f"reason: {record['reason']}"
        yield f"next step: {record['next_step']}"
    if record["score"] is not None:
        late = f", {record['late_seconds']:g} s late" if record["late_seconds"] else ""
        yield f"points: {record['score']:g} of {record['max_score']:g}{late}"
    yield from (f"remark: {text}" for text in remarks.brief(record))
    yield from (f"repaired: {text}" for text in record["repairs"])
    yield from (f"trouble of the machine, {text}" for text in troubles)
    yield from (f"hash of the {name}: {value}" for name, value in record["hashes"].items())
    for name, notebook in record["notebooks"].items():
        kernels = f"sandbox {notebook.get('sandbox') or '-'}, {'forked' if notebook.get('warm') else 'cold'} kernel"
        yield f"notebook {name}: {notebook['state']}, {notebook['seconds']:g} s, {kernels}"
        overhead, restarts = notebook.get("overhead_seconds", 0), notebook.get("restarts", 0)
        yield f"  {overhead:g} s beside its cells, {restarts} fresh kernels"
        yield from _cells(notebook)
    yield from record.get("details", "").split("\n") if record.get("details") else ()


def _short(line: str) -> str:
    line = printable(line)
    return line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]} ..."


def write_log(path: Path, record: Record, troubles: Sequence[str] = ()) -> None:
    """Write the log of one submission anew; what comes from a submission is cut and spelled out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{_short(line)}\n" for line in _lines(record, troubles))
    path.write_bytes(text.encode("utf-8", "backslashreplace"))
