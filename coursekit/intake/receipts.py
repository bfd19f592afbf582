"""When a submission came: the collector's receipt counts, and only without one the time stamp beside the notebook.

Receipts are lines of submitted/receipts.csv, with a heading: student,assignment,received. Of several lines for the same
submission the latest counts. A time is "2027-01-31 18:59", with seconds if you like, and with "UTC", an offset such as
"+01:00", or the name of a time zone such as "Europe/Berlin"; without any of these it is UTC.
"""

import csv
import io
import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from coursekit.errors import CourseError
from coursekit.intake.names import shown

NAME = "receipts.csv"
COLUMNS = ("student", "assignment", "received")

_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)\d* ?(\S{1,60})?", re.ASCII)
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d\d):?(\d\d)?", re.ASCII)


# hours of the summer times and others that zoneinfo does not know by their short names; nbgrader may write these
_SHORT = {"EDT": -4, "CDT": -5, "MDT": -6, "PDT": -7, "CST": -6, "PST": -8, "BST": 1, "WEST": 1, "CEST": 2, "EEST": 3}


def _zone(name: str) -> timezone | ZoneInfo:
    """A time zone; raises ValueError for one that is not known."""
    if name in ("", "Z", "UTC", "GMT"):
        return UTC
    if found := _OFFSET.fullmatch(name):
        distance = timedelta(hours=int(found[2]), minutes=int(found[3] or 0))
        return timezone(-distance if found[1] == "-" else distance)
    if name in _SHORT:
        return timezone(timedelta(hours=_SHORT[name]))
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError) as error:
        raise ValueError(f"the time zone '{shown(name, 30)}' is not known") from error


def when(text: str) -> datetime:
    """A time, as UTC and without a zone, which is what the gradebook keeps; raises ValueError for anything else."""
    found = _TIME.fullmatch(text.strip())
    if not found:
        raise ValueError(f"'{shown(text.strip(), 30)}' is no time such as '2027-01-31 18:59 UTC'")
    try:
        local = datetime.fromisoformat(f"{found[1]} {found[2]}").replace(tzinfo=_zone(found[3] or ""))
        return local.astimezone(UTC).replace(tzinfo=None)
    except OverflowError as error:
        raise ValueError(f"'{shown(text.strip(), 30)}' is out of range") from error


@lru_cache(maxsize=4)
def _load(path: Path, size: int, changed: int) -> dict[tuple[str, str], datetime]:
    del size, changed  # parts of the key only: a file that was written again is read again
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
    except (OSError, ValueError, csv.Error) as error:
        raise CourseError(f"{path} could not be read ({error}). Write it as CSV in UTF-8.") from error
    found: dict[tuple[str, str], datetime] = {}
    for number, row in enumerate(rows, start=2):
        student, assignment, received = (str(row.get(column) or "").strip() for column in COLUMNS)
        try:
            time = when(received)
        except ValueError as error:
            raise CourseError(f"{path}, row {number}: {error}. The columns are {', '.join(COLUMNS)}.") from error
        found[student, assignment] = max(time, found.get((student, assignment), time))
    return found


def receipt(folder: Path, student: str, assignment: str) -> datetime | None:
    """When a submission was received, as UTC; None without a line about it.

    Raises CourseError when the file of receipts is broken: no grade should depend on half of it.
    """
    path = folder / NAME
    try:
        found = path.stat()
    except OSError:
        return None
    return _load(path, found.st_size, found.st_mtime_ns).get((student, assignment))
