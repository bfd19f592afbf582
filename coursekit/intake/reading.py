"""From the bytes of a file to the plain data of a notebook, or a sentence that says why there is none."""

import json
from typing import Any

from coursekit.intake.names import shown

RESUBMIT = (
    "Open the notebook in JupyterLab, run Kernel > Restart Kernel and Run All Cells, save it, and hand it in again."
)
CLEAR = "In JupyterLab, choose Edit > Clear Outputs of All Cells, save the notebook, and hand it in again."
MAX_VALUES = 2_000_000  # values in a file; each takes up to 250 bytes of memory, however few it takes in the file

_OTHER_FILES = (
    (b"%PDF-", "a PDF file"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a rar archive"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"version https://git-lfs", "a pointer of git LFS"),
    (b"<<<<<<< ", "two versions that git could not merge"),
    (b"<", "a web page"),
)


class Unreadable(Exception):
    """The submission cannot be read; carries a reason and a next step for the student, each a sentence."""

    def __init__(self, reason: str, next_step: str = RESUBMIT) -> None:
        super().__init__(reason)
        self.reason = reason
        self.next_step = next_step


def _decode(data: bytes, repairs: list[str]) -> str:
    start = data[:200].lstrip(b"\xef\xbb\xbf \t\r\n")
    for beginning, what in _OTHER_FILES:
        if start.startswith(beginning):
            raise Unreadable(f"The file is {what}, not a notebook.")
    encoding = "utf-8-sig"
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
        repairs.append("The file was written in UTF-16; it was read all the same.")
    elif b"\0" in data:
        data = data.replace(b"\0", b"")
        repairs.append("The file contained null bytes; they were removed.")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = data.decode(encoding, "replace")
        repairs.append("Some characters of the file could not be read; they were replaced by question marks.")
    if not text.strip():
        raise Unreadable("The file is empty.")
    return text


def _check_size(text: str) -> None:
    """Refuse a file of few bytes that would become many objects: every value but the first follows one of `[{,`."""
    if sum(text.count(mark) for mark in "[{,") <= MAX_VALUES:
        return
    skip_string = json.JSONDecoder(strict=False).raw_decode
    count = position = 0
    while count <= MAX_VALUES:
        quote = text.find('"', position)
        end = len(text) if quote < 0 else quote
        count += 1 + sum(text.count(mark, position, end) for mark in "[{,")
        if quote < 0:
            break
        try:
            position = skip_string(text, quote)[1]
        except ValueError:  # the parser stops here too, and says so better
            break
    if count > MAX_VALUES:
        raise Unreadable("The file holds more values than can be read; its outputs are very large.", CLEAR)


def _parse(text: str) -> dict[str, Any]:
    _check_size(text)
    try:
        found = json.loads(text)
    except RecursionError as error:
        raise Unreadable("The file is nested too deeply to be a notebook.") from error
    except ValueError as error:
        if "\n<<<<<<< " in text and "\n>>>>>>> " in text:
            raise Unreadable("The file holds two versions that git could not merge (see '<<<<<<<').") from error
        raise Unreadable(f"The file is not a whole notebook: its JSON is broken ({shown(error, 100)}).") from error
    if not isinstance(found, dict) or not isinstance(found.get("cells", found.get("worksheets")), list):
        raise Unreadable("The file is not a Jupyter notebook: it has no list of cells.")
    return found


def load(data: bytes, repairs: list[str]) -> dict[str, Any]:
    """The notebook as plain data, nothing in it checked but that it has a list of cells or of worksheets.

    Appends to `repairs` what had to be mended. Raises `Unreadable`.
    """
    found = _parse(_decode(data, repairs))
    version = found.get("nbformat", 4)
    if version in (1, 2, 3):
        repairs.append(f"The notebook had the old format {int(version)}; it was upgraded to format 4.")
    elif version != 4:
        named = shown(version, 20) if isinstance(version, str | int | float) else "that is no number"
        repairs.append(f"The notebook says that it is of a format {named}; it was read as format 4.")
    return found
