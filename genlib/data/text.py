"""Text as codes: an alphabet has the character of each code, code 0 being the end of a line."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.random import RandomState
from torch import Tensor

from genlib.data.files import DataFile, corrupt, read_local
from genlib.data.sentences import SENTENCES, draw_sentences

NAMES = DataFile("names.txt", 228145, "0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d")
SHAKESPEARE = DataFile("input.txt", 1115394, "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed")
WINDOW = 128  # characters

Text = tuple[Tensor, str]  # codes (N, T) and the alphabet


def encode(lines: Sequence[str], alphabet: str, length: int | None = None) -> Tensor:
    """Codes ``(N, T)``, int64, of lines of text: after its characters a line has code 0 and nothing else.

    ``T`` is ``length``, or as long as the longest line and its end. Raises ``ValueError`` for a character that the
    alphabet lacks, a line break within a line, a line that is too long, and a single string in place of lines.
    """
    if isinstance(lines, str) or len(set(alphabet)) != len(alphabet) or not alphabet.startswith("\n"):
        raise ValueError(f"received {type(lines).__name__} and {alphabet=}; expected lines and distinct, '\\n' first")
    codes = {character: code for code, character in enumerate(alphabet) if code > 0}
    unknown = sorted(set("".join(lines)) - set(codes))
    if unknown:
        raise ValueError(f"the lines contain {unknown}; expected only characters of the alphabet, {alphabet[1:]!r}")
    longest = max(map(len, lines), default=0) + 1
    if length is not None and longest > length:
        raise ValueError(f"the longest line takes {longest} codes with its end; received {length=}")
    x = np.zeros((len(lines), length or longest), dtype=np.int64)
    for row, line in zip(x, lines, strict=True):
        row[: len(line)] = [codes[character] for character in line]
    return torch.from_numpy(x)


def decode(x: Tensor, alphabet: str, *, stop: bool = True) -> list[str]:
    """The text of codes ``(N, T)``: of each row the characters before its first code 0, all of them if not ``stop``.

    Rows of a stream such as ``tinyshakespeare`` go on after a line break: for these say ``stop=False``. Raises
    ``ValueError`` for another shape and for codes that the alphabet does not have.
    """
    if x.ndim != 2 or x.is_floating_point() or (x.numel() and not 0 <= x.min() <= x.max() < len(alphabet)):
        raise ValueError(f"x has shape {tuple(x.shape)}, {x.dtype}; expected integers (N, T) in [0, {len(alphabet)})")
    rows = ("".join(alphabet[code] for code in row) for row in x.tolist())
    return [row.split(alphabet[0], 1)[0] if stop else row for row in rows]


def read_sentences(split: str) -> Text:
    """Sentences of ``SENTENCES``, each split as wide as the longest sentence of the language."""
    alphabet = "\n" + "".join(sorted(SENTENCES.alphabet()))
    return encode(draw_sentences(split), alphabet, SENTENCES.longest()), alphabet


def read_names(split: str, folders: Sequence[Path]) -> Text:
    """The 29,494 different first names of makemore, 80, 10 and 10 per cent of them, drawn once.

    Its 32,033 lines have some names twice; each is kept once, as copies in two splits would be test data seen before.
    """
    content, path = read_local("names", NAMES, folders)
    names = sorted(set(_ascii(content, path).split()))
    order = RandomState(400).permutation(len(names))
    begin, end = (len(names) * tenths // 10 for tenths in {"train": (0, 8), "valid": (8, 9), "test": (9, 10)}[split])
    alphabet = "\n" + "".join(sorted(set("".join(names))))
    longest = max(map(len, names)) + 1
    return encode([names[i] for i in order[begin:end]], alphabet, longest), alphabet


def read_shakespeare(split: str, folders: Sequence[Path], window: int) -> Text:
    """Tiny Shakespeare, the first 90 per cent for training, 5 and 5 for the others, cut into windows ``(N, window)``.

    What is left at the end of a split is no whole window and is dropped.
    """
    content, path = read_local("tinyshakespeare", SHAKESPEARE, folders)
    text = _ascii(content, path)
    alphabet = "".join(sorted(set(text)))
    if not alphabet.startswith("\n"):
        raise corrupt(path, "lines of text", f"the characters {alphabet!r}")
    first = int(len(text) * 0.9)
    second = first + (len(text) - first) // 2
    begin, end = {"train": (0, first), "valid": (first, second), "test": (second, len(text))}[split]
    table = np.zeros(128, dtype=np.int64)
    table[[ord(character) for character in alphabet]] = np.arange(len(alphabet))
    n = (end - begin) // window
    codes = table[np.frombuffer(content, dtype=np.uint8)[begin : begin + n * window]]
    return torch.from_numpy(codes.reshape(n, window)), alphabet


def _ascii(content: bytes, path: Path) -> str:
    try:
        return content.decode("ascii")
    except UnicodeDecodeError as error:
        raise corrupt(path, "ASCII text", str(error)) from error
