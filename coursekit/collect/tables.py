"""CSV files that other programs wrote: read whatever the encoding and the separator, with the line of every row."""

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path

from coursekit.errors import CourseError
from coursekit.intake.names import shown

MAX_BYTES = 50_000_000
SEPARATORS = ",;\t"
_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


@dataclass(frozen=True)
class Row:
    """The cells of one row, as many as there are headings, and the line of the file where it begins."""

    line: int
    cells: list[str]


@dataclass(frozen=True)
class Table:
    """A CSV file: headings, rows, and how it was written."""

    path: Path
    headings: list[str]
    rows: list[Row]
    separator: str = ","
    begins_with_mark: bool = False  # the three bytes by which Excel knows UTF-8
    remarks: list[str] = field(default_factory=list)

    def find(self, *names: str) -> int | None:
        """Index of the first column with one of these headings, whatever their case; raises CourseError for two."""
        for name in names:
            found = [i for i, heading in enumerate(self.headings) if heading.strip().casefold() == name.casefold()]
            if len(found) > 1:
                raise CourseError(f"{self.path}, line 1: there are {len(found)} columns '{name}'. Keep one of them.")
            if found:
                return found[0]
        return None

    def need(self, name: str) -> int:
        """Index of the column with this heading; raises CourseError where there is none."""
        found = self.find(name)
        if found is None:
            listed = ", ".join(f"'{shown(heading)}'" for heading in self.headings[:12])
            raise CourseError(f"{self.path}, line 1: there is no column '{name}', only {listed}.")
        return found

    def wrong(self, row: Row, column: int, text: str) -> CourseError:
        """The error that something is wrong with one cell."""
        return CourseError(f"{self.path}, line {row.line}, column '{shown(self.headings[column])}': {text}")


def _decoded(path: Path, data: bytes, remarks: list[str]) -> str:
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        remarks.append(f"{path.name} is not in UTF-8; it was read as Windows-1252. Look at names with accents.")
        return data.decode("cp1252", "replace")


def _parsed(path: Path, text: str, separator: str) -> list[Row]:
    """Rows that are not blank; raises CourseError where quotation marks do not match."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows, line = [], 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append(Row(line, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        raise CourseError(f"{path}, line {line}: this is not CSV ({error}). Export the file again.") from error
    return rows


def _separator(text: str) -> str:
    """What divides most cells of the first line; where the first line says it itself, as Excel's do, that."""
    first = (text.lstrip().splitlines() or [""])[0].strip()
    if first.lower().startswith("sep=") and first[4:] in tuple(SEPARATORS):
        return first[4:]
    counts = {}
    for separator in SEPARATORS:
        try:
            counts[separator] = len(next(csv.reader([first], delimiter=separator), []))
        except csv.Error:
            counts[separator] = 0
    return max(SEPARATORS, key=lambda separator: counts[separator])


def read(path: Path) -> Table:
    """Read a CSV file; raises CourseError when it cannot be read, is empty, or has a row longer than its headings."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise CourseError(f"{path} cannot be read ({error.strerror or error}). Name a CSV file.") from error
    if len(data) > MAX_BYTES:
        raise CourseError(f"{path} is larger than {MAX_BYTES // 10**6} MB. Name a CSV file.")
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise CourseError(f"{path} is a workbook, not CSV. Save it as CSV (UTF-8), then name that file.")
    remarks: list[str] = []
    text = _decoded(path, data, remarks)
    if "\0" in text:
        raise CourseError(f"{path} holds null characters, so it is not CSV. Export it again.")
    separator = _separator(text)
    rows = _parsed(path, text, separator)
    if rows and "".join(rows[0].cells).strip().lower().startswith("sep="):
        del rows[0]
    if not rows:
        raise CourseError(f"{path} is empty. The first line has to hold the headings of the columns.")
    headings = [cell.strip() for cell in rows[0].cells]
    for row in rows[1:]:
        if any(cell.strip() for cell in row.cells[len(headings) :]):
            raise CourseError(
                f"{path}, line {row.line}: {len(row.cells)} cells under {len(headings)} headings. "
                "Put quotation marks round a cell that holds a separator."
            )
        del row.cells[len(headings) :]
        row.cells.extend([""] * (len(headings) - len(row.cells)))
    return Table(path, headings, rows[1:], separator, data.startswith(b"\xef\xbb\xbf"), remarks)
