"""Names that students gave: how they are compared, and how they are shown to people."""

import re
import unicodedata

MAX_NAME = 1000  # characters of a name that are looked at; file systems allow 255 bytes, archives much more

_COPY = re.compile(r"(-\(?\d{1,3}\)?|\(\d{1,3}\)|-?copy-?\d{0,3}|-?kopie|-?checkpoint)$")
_EXTENSION = re.compile(r"\.ipynb(\.json|\.txt)?$")


def shown(text: object, limit: int = 60) -> str:
    """Text of a student's as one short line for a sentence: composed, printable, the middle left out when it is long.

    Characters that move the cursor, change the direction of writing or are no characters at all become "?".
    """
    line = unicodedata.normalize("NFC", str(text)[:MAX_NAME])
    line = "".join(char if char.isprintable() else "?" for char in line)
    if len(line) <= limit:
        return line
    return f"{line[: limit - 16]}…{line[-15:]}"


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name[-MAX_NAME:]).casefold().strip()


def is_notebook(name: str) -> bool:
    """Whether a file name is that of a notebook, also with the ending that browsers and mail programs append."""
    return bool(_EXTENSION.search(_folded(name)))


def plain(name: str) -> str:
    """The form in which names of notebooks are compared.

    Letters composed and small, without the ending, words joined by one hyphen, without the number or the word that a
    browser or JupyterLab appends to a copy.
    """
    stem = re.sub(r"[\s_-]+", "-", _EXTENSION.sub("", _folded(name))).strip("-")
    while len(shorter := _COPY.sub("", stem).strip("-")) < len(stem) and shorter:
        stem = shorter
    return stem
