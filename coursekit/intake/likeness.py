"""How alike two cells are, in time that does not grow with what a student wrote."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

MAX_LINES = 300  # lines of a cell that are compared
MAX_TOKENS = 300
_MAX_LINE = 500

_DEFINED = re.compile(r"^(?:async[ \t]+def|def|class)[ \t]+([^\W\d]\w*)", re.MULTILINE)
_ASSIGNED = re.compile(r"^([^\W\d]\w*)[ \t]*(?::[^=\n]*)?=(?!=)", re.MULTILINE)
_PLACEHOLDER = re.compile(r"YOUR (CODE|ANSWER) HERE|raise NotImplementedError")
_MAGIC = re.compile(r"\s*%%(?!time|capture)")


def key(source: str) -> str:
    """A source without what editors change by themselves: white space at the ends, and of lines."""
    return "\n".join(line.rstrip() for line in source.strip().split("\n"))


def defined(source: str) -> frozenset[str]:
    """Functions, classes and variables that the code of a cell defines at its left edge."""
    if _MAGIC.match(source):  # such a cell is no Python, or goes into a file
        return frozenset()
    return frozenset(_DEFINED.findall(source)) | frozenset(_ASSIGNED.findall(source))


def asked_for(stub: str) -> frozenset[str]:
    """The names that an answer has to define: functions and classes of the released cell, else its variables."""
    return frozenset(_DEFINED.findall(stub)) or frozenset(_ASSIGNED.findall(stub))


def lines(source: str) -> list[str]:
    """The first lines of a source that are not empty, without their indentation."""
    head = source[: MAX_LINES * _MAX_LINE]
    return [line.strip()[:_MAX_LINE] for line in head.split("\n") if line.strip()][:MAX_LINES]


def telling_lines(stub: str, others: Iterable[str]) -> list[str]:
    """Lines of a released answer cell that no other one has, without the places where the answer goes."""
    common = {line for other in others for line in lines(other)}
    return [line for line in lines(stub) if line not in common and not _PLACEHOLDER.search(line)]


def share_kept(telling: list[str], found: list[str]) -> float:
    """Which share of the telling lines is among the found ones, in their order; from 0 to 1."""
    if not telling or sum((Counter(telling) & Counter(found)).values()) < len(telling) / 2:
        return 0.0
    matcher = SequenceMatcher(None, found, telling, autojunk=False)
    return sum(block.size for block in matcher.get_matching_blocks()) / len(telling)


def tokens(source: str) -> tuple[str, ...]:
    """Words and marks of the beginning of a source."""
    return tuple(re.findall(r"\w+|[^\w\s]", source[: MAX_TOKENS * 20])[:MAX_TOKENS])


def alike(first: Sequence[str], second: Sequence[str]) -> float:
    """Likeness of two lists of tokens from 0 to 1, whatever their order (which is why it is quick)."""
    return SequenceMatcher(None, first, second, autojunk=False).quick_ratio()
