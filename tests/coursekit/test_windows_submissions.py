"""Handed in from Windows, graded on Linux: the same points, the same remarks, the same feedback."""

import json
import re
from typing import Any

import nbformat
from tiny_course import NB, PS, cells_of

from coursekit.feedback.feedback import feedback
from coursekit.grading.grade import grade


def from_windows(nb: nbformat.NotebookNode) -> bytes:
    """The notebook as an editor of Windows may write it: a byte order mark, and its line ends, also within cells."""
    for cell in nb.cells:
        cell.source = cell.source.replace("\n", "\r\n")
    return b"\xef\xbb\xbf" + json.dumps(nb, indent=1, ensure_ascii=False).encode().replace(b"\n", b"\r\n")


def without_times(record: dict[str, Any]) -> dict[str, Any]:
    """What a record says, but for who handed in, when and how long it was graded, and the hash of the bytes."""
    text = json.dumps({**record, "student": "", "hashes": {}, "graded_at": 0})
    return json.loads(re.sub(r'seconds": [0-9.e-]+', 'seconds": 0', text))


def test_a_submission_from_windows_gets_what_the_same_one_from_linux_gets(course, class_):
    answers = {
        "double": "def double(x):\n    # größer, zweimal →\n    s = '''a\nb'''\n    return len(s) * x - x",
        "essay": "Addition kommutiert.\n\nDas genügt.",
    }
    class_.hand_in("linux", class_.answers(**answers))
    class_.hand_in("windows", from_windows(class_.answers(**answers)))
    records = {record["student"]: record for record, _ in grade(course, PS, trust=True, progress=False)}
    linux, windows = (without_times(records[name]) for name in ("linux", "windows"))
    assert windows == linux
    assert {name: cell["score"] for name, cell in cells_of(linux).items()}["test_double"] == 2
    graded = [nbformat.read(course.autograded(PS, name) / f"{NB}.ipynb", as_version=4) for name in ("linux", "windows")]
    assert [cell.source for cell in graded[0].cells] == [cell.source for cell in graded[1].cells]
    pages = [path.read_text(encoding="utf-8") for path in feedback(course, PS)]
    assert len(pages) == 2
    assert all("größer" in page and "genügt" in page for page in pages)


def test_the_line_ends_of_a_time_stamp_do_not_matter(course, class_):
    """The tiny course was due on 31 January, and who is late gets nothing."""
    for name, end in (("linux", b"\n"), ("windows", b"\r\n"), ("marked", b"\r\n")):
        path = class_.hand_in(name, class_.answers())
        mark = b"\xef\xbb\xbf" if name == "marked" else b""
        (path.parent / "timestamp.txt").write_bytes(mark + b"2026-02-01 12:00 UTC" + end)
    found = {record["student"]: record["late_seconds"] for record, _ in grade(course, PS, trust=True, progress=False)}
    assert found == {"linux": 86400, "windows": 86400, "marked": 86400}
