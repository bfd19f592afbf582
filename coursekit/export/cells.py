"""Cells of a CSV file that a spreadsheet will open: text stays text, and numbers stay numbers.

A spreadsheet takes a cell for a formula when it begins with = + - or @, with their wide forms, or with a tab or a line
break that hides one of these; an apostrophe in front makes it text (OWASP, "CSV Injection"; ASVS 5.0, 1.2.10). Cells
are put between quotation marks wherever some country's spreadsheet divides at a character in them.
"""

import re
from collections.abc import Iterable
from decimal import Decimal

_FORMULA = re.compile(r"[\s\0\u200b\ufeff]*[=+\-@＝＋－＠]|[\t\r\n\0]")
_PLAIN = re.compile(r"[+-]?\d+([.,]\d+)*%?|-", re.ASCII)  # numbers, and the "-" by which Moodle says "nothing"
_DIVIDES = re.compile(r"[\",;|\t\r\n']|^\s|\s$")


_BREAKS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")


def one_line(text: str) -> str:
    """A name without line breaks: behind one, a spreadsheet that divides elsewhere could see a cell of its own."""
    return _BREAKS.sub(" ", text).strip()


def harmless(text: str) -> str:
    """The text, with an apostrophe in front where a spreadsheet would take it for a formula; numbers stay."""
    return f"'{text}" if _FORMULA.match(text) and not _PLAIN.fullmatch(text) else text


def original(text: str) -> str:
    """What `harmless` was given."""
    return text[1:] if text.startswith("'") and harmless(text[1:]) == text else text


def number(value: float | None) -> str:
    """The shortest decimal that is this number, without an exponent; nothing for None."""
    if value is None:
        return ""
    text = f"{Decimal(repr(float(value))):f}"
    return text.removesuffix(".0") if text != "-0.0" else "0"


def line(cells: Iterable[str], separator: str = ",") -> str:
    """One line of a CSV file (RFC 4180), made harmless."""
    safe = (harmless(cell) for cell in cells)
    quoted = ('"' + cell.replace('"', '""') + '"' if _DIVIDES.search(cell) else cell for cell in safe)
    return separator.join(quoted) + "\r\n"
