"""Python code as tokens that stay the same when names, comments, type hints and the layout change.

A scanner of our own that looks at every character once: Pygments takes the square of a line of a hostile string, and
Python's own tokenizer refuses what is no valid Python. Nothing is parsed and nothing is run.
"""

import builtins
import keyword
import re
from collections.abc import Sequence
from dataclasses import dataclass

MAX_CHARACTERS = 100_000  # of one cell; what comes after them is not compared
NAME = "V"  # any name that the student chose
STRING = "S"  # any text between quotes

# Possessive (`*+`): where a piece does not match, nothing is tried a second time. What is never closed ends the text.
_LONG = r"'''(?:[^'\\]|\\.|'(?!''))*+(?:'''|\Z)|" + r'"""(?:[^"\\]|\\.|"(?!""))*+(?:"""|\Z)'
_SHORT = r"'(?:[^'\\\n]|\\.)*+'?|" + r'"(?:[^"\\\n]|\\.)*+"?'
_PIECE = re.compile(
    rf"(?P<string>(?:\b[rbuftRBUFT]{{1,2}})?(?:{_LONG}|{_SHORT}))"
    r"|(?P<comment>\#[^\n]*+)"
    r"|(?P<number>(?:\d[\w.]*+|\.\d[\w.]*+)(?:(?<=[eE])[+-]\d++)?)"
    r"|(?P<name>[^\W\d]\w*+)"
    r"|(?P<newline>\n)"
    r"|(?P<space>[^\S\n]++|\\\n)"
    r"|(?P<mark>\*\*=|//=|>>=|<<=|\.\.\.|[-+*/%@&|^=!<>:]=|->|\*\*|//|<<|>>|.)",
    re.DOTALL,
)
_WORD = re.compile(r"\w++")
_OPEN, _CLOSE = frozenset("([{"), frozenset(")]}")
_BUILTINS = frozenset(dir(builtins))


@dataclass(frozen=True, slots=True)
class Token:
    """One token: what it counts as, and from where to where it stands in the text."""

    text: str
    start: int
    end: int


@dataclass(slots=True)
class _Piece:
    kind: str
    text: str
    start: int
    end: int
    first: bool  # of its line, outside of brackets


def _pieces(code: str) -> list[_Piece]:
    """Names, numbers, strings and marks, without comments, layout and texts that stand alone."""
    found: list[_Piece] = []
    depth, first = 0, True
    for match in _PIECE.finditer(code):
        kind = str(match.lastgroup)
        if kind == "newline" and depth == 0:
            first = True
        if kind in ("newline", "space", "comment"):
            continue
        text = match[0][:100]
        if kind == "mark":
            depth = depth + 1 if text in _OPEN else max(0, depth - (text in _CLOSE))
        found.append(_Piece(kind, text, match.start(), match.end(), first))
        first = False
    return [piece for index, piece in enumerate(found) if not _stands_alone(found, index)]


def _stands_alone(pieces: Sequence[_Piece], index: int) -> bool:
    """Whether a text is a line of its own, such as a docstring."""
    piece = pieces[index]
    return piece.kind == "string" and piece.first and (index + 1 == len(pieces) or pieces[index + 1].first)


def _end_of_hint(pieces: Sequence[_Piece], index: int, stops: str) -> int:
    """Where a type hint that begins at `index` ends: at one of the stops, outside of brackets, or at the next line."""
    depth = 0
    while index < len(pieces):
        text = pieces[index].text
        if depth == 0 and (text in stops or pieces[index].first):
            return index
        depth += (text in _OPEN) - (text in _CLOSE)
        index += 1
    return index


def _begins_its_line(pieces: Sequence[_Piece]) -> bool:
    """Whether the last piece ends a variable, such as `x` or `self.x`, with which its line begins."""
    place = len(pieces) - 1
    while place > 1 and pieces[place].kind == "name" and pieces[place - 1].text == ".":
        place -= 2
    return (
        place >= 0
        and pieces[place].first
        and pieces[place].kind == "name"
        and not keyword.iskeyword(pieces[place].text)
    )


def _without_hints(pieces: Sequence[_Piece]) -> list[_Piece]:
    """The same without the types of parameters, of results, and of variables at the beginning of a line."""
    kept: list[_Piece] = []
    signature = 0  # depth of brackets in the head of a function; 0 outside of it
    index = 0
    while index < len(pieces):
        piece = pieces[index]
        text, before = piece.text, kept[-1] if kept else None
        if piece.first:
            signature = 0
        if text == "(" and len(kept) > 1 and kept[-2].text == "def":
            signature = 1
        elif signature and text in _OPEN:
            signature += 1
        elif signature and text in _CLOSE:
            signature -= 1
        starts = before is not None and before.kind == "name" and not keyword.iskeyword(before.text)
        if text == ":" and starts and signature == 1 and kept[-2].text in ("(", ",", "*", "**"):
            index = _end_of_hint(pieces, index + 1, ",=)")
        elif text == "->" and before is not None and before.text == ")":
            index = _end_of_hint(pieces, index + 1, ":")
        elif text == ":" and _begins_its_line(kept) and not piece.first:
            index = _end_of_hint(pieces, index + 1, "=")
        else:
            kept.append(piece)
            index += 1
    return kept


def _number(text: str) -> str:
    """1e-3, .001 and 0.0010 are one number."""
    try:
        return repr(float(text.replace("_", "")))
    except ValueError:
        return text.lower()


def _word(pieces: Sequence[_Piece], index: int, own: frozenset[str]) -> str:
    """What a name counts as: itself where the student had no choice, as in `torch.linalg`, else any name."""
    text = pieces[index].text
    if keyword.iskeyword(text):
        return text
    if index and pieces[index - 1].text == ".":
        of_self = index > 1 and pieces[index - 2].text in ("self", "cls")
        return NAME if of_self or text in own else text
    return text if text in _BUILTINS and text not in own else NAME


def tokens(code: str) -> list[Token]:
    """The tokens of one cell, of its first `MAX_CHARACTERS` characters; any text has tokens, also what is no Python."""
    pieces = _without_hints(_pieces(code[:MAX_CHARACTERS]))
    own = frozenset(pieces[index].text for index in range(1, len(pieces)) if pieces[index - 1].text in ("def", "class"))
    found = []
    for index, piece in enumerate(pieces):
        text = piece.text
        if piece.kind == "name":
            text = _word(pieces, index, own)
        elif piece.kind == "string":
            text = STRING
        elif piece.kind == "number":
            text = _number(text)
        elif text == "," and index + 1 < len(pieces) and pieces[index + 1].text in _CLOSE:
            continue  # black writes one there
        found.append(Token(text, piece.start, piece.end))
    return found


def words(text: str) -> list[Token]:
    """The words of a written answer, of its first `MAX_CHARACTERS` characters, in small letters."""
    found = _WORD.finditer(text[:MAX_CHARACTERS])
    return [Token(match[0][:100].casefold(), match.start(), match.end()) for match in found]
