"""A class on a learning management system: what Canvas and Moodle write about it, made as they make it."""

import io
import re
import stat
import zipfile
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from tiny_course import NB

from coursekit.course import Course

ROSTER = """id,first_name,last_name,email,lms_user_id
ada,Ada,Lovelace,ada@example.edu,101
bert,Bert,O'Neil-Smith,bert@example.edu,102
zoe,Zoë,Øst Müller,zoe@example.edu,103
li,李,王,li@example.edu,104
"""
DOWNLOADED = (2026, 3, 1, 9, 30, 0)  # a month after the assignment of the tiny course was due

CANVAS_GRADEBOOK = (
    "Student,ID,SIS User ID,SIS Login ID,Section,Numbers (9001),Other things (9002),Current Score,Final Score\r\n"
    ",,,,,Manual Posting,,,\r\n"
    "    Points Possible,,,,,12.00,10.00,(read only),(read only)\r\n"
    '"Lovelace, Ada",101,S101,ada,Group 1,,7.00,70.0,70.0\r\n'
    '"O\'Neil-Smith, Bert",102,S102,bert,Group 1,3.00,,30.0,30.0\r\n'
    '"Øst Müller, Zoë",103,S103,zoe,Group 2,,,,\r\n'
    '"王, 李",104,S104,li,Group 2,N/A,,,\r\n'
    '"Stranger, Sam",999,S999,sam,Group 2,,,,\r\n'
    '"Student, Test",500,,' + "a" * 40 + ",Group 1,,,,\r\n"
)

WORKSHEET = (
    "Identifier,Full name,Email address,Status,Grade,Maximum Grade,Grade can be changed,"
    "Last modified (submission),Last modified (grade),Feedback comments\n"
    "Participant 71,Ada Lovelace,ada@example.edu,Submitted for grading,,12.00,Yes,"
    '"Friday, 30 January 2026, 6:05 PM",-,\n'
    'Participant 72,"Bert O\'Neil-Smith",bert@example.edu,Submitted for grading,3.00,12.00,Yes,'
    '"Sunday, 1 February 2026, 11:00 AM",-,<p>Well done</p>\n'
    "Participant 73,Zoë Øst Müller,zoe@example.edu,No submission,,12.00,Yes,-,-,\n"
    "Participant 74,王 李,li@example.edu,No submission,,12.00,Yes,-,-,\n"
)


def zipped(files: Mapping[str, bytes], date: tuple[int, ...] = DOWNLOADED, links: Iterable[str] = ()) -> bytes:
    """A zip archive; the names in `links` are symbolic links to what their bytes say."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name, date)  # type: ignore[arg-type]
            info.compress_type = zipfile.ZIP_DEFLATED
            if name in links:
                info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, data)
    return buffer.getvalue()


def canvas_name(sortable: str, user: int, file: int, title: str, *, late: bool = False) -> str:
    """The name of a file in Canvas's archive: ContentZipper's get_user_name, get_filename and add_upload_submission."""
    name = re.sub(r"_(\d+)_", r"\1", sortable).lower()
    start = re.sub(r"[^\w]", "", "_".join([name, *(["LATE"] if late else []), str(user)]))
    title = re.sub(r'[\x00/\\:*?"<>|]+', "_", title)
    return f"{start}_{file}_{title}"


def moodle_path(full_name: str, number: int, title: str, *, folders: bool = True, old: bool = False) -> str:
    """The path of a file in Moodle's archive: mod_assign's get_student_prefix and load_submissionplugin_filelist."""
    prefix = f"{full_name.replace('_', ' ')}_{number}_assignsubmission_file"
    return f"{prefix}{'_' if old else ''}/{title}" if folders else f"{prefix}_{title}"


def save(path: Path, content: bytes | str) -> Path:
    """Write a file, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def everything(course: Course) -> dict[str, bytes]:
    """What lies in `submitted` and `collected`, as bytes by path."""
    found = {}
    for top in ("submitted", "collected"):
        for path in sorted((course.root / top).rglob("*")):
            if path.is_file():
                found[path.relative_to(course.root).as_posix()] = path.read_bytes()
    return found


def stamped(course: Course, student: str, assignment: str) -> str:
    """What timestamp.txt says of a student's submission."""
    return (course.submitted(assignment, student) / "timestamp.txt").read_text().strip()


def utc(*numbers: int) -> datetime:
    """A time in UTC, without a zone."""
    return datetime(*numbers)  # type: ignore[arg-type]


NOTEBOOK = f"{NB}.ipynb"
