"""Valid notebooks, damaged at random, are refused with a reason or give a valid notebook with the release's cells.

The seeds are fixed, so a failure can be repeated: the message names the round.
"""

import copy
import json
import random

import nbformat
import pytest
from tiny_course import RIGHT, answered, source_notebook

from coursekit import notebooks
from coursekit.intake import RESUBMIT, Unreadable, rebuild

RELEASE = source_notebook()
ROUNDS = 300


def submissions() -> list[bytes]:
    """Valid notebooks of several kinds: answered, without marks, of format 3, in UTF-16."""
    nb = answered(RELEASE, **RIGHT)
    nb.cells[2].outputs = [nbformat.v4.new_output("stream", text="ä" * 50)]
    bare = copy.deepcopy(nb)
    for cell in bare.cells:
        cell.metadata = nbformat.from_dict({})
    text = nbformat.writes(nb)
    old = nbformat.v3.writes_json(nbformat.convert(copy.deepcopy(nb), 3))
    return [text.encode(), nbformat.writes(bare).encode(), old.encode(), text.encode("utf-16")]


def check(data: bytes, release: nbformat.NotebookNode, note: str) -> bool:
    """Whether the data was read; fails when anything else happened than a refusal or a valid notebook."""
    refusal = None
    try:
        nb, repairs = rebuild(data, release)
    except Unreadable as error:
        refusal = error
    if refusal:
        assert refusal.reason.endswith((".", "?")), note
        assert refusal.next_step.endswith("."), note
        return False
    nbformat.validate(nb)
    assert [cell["id"] for cell in nb.cells] == [cell["id"] for cell in release.cells], note
    for cell, original in zip(nb.cells, release.cells, strict=True):
        assert (cell.cell_type, cell.metadata) == (original.cell_type, original.metadata), note
        assert notebooks.is_answer(cell) or cell == original, note
    assert notebooks.loads(notebooks.dumps(nb)) == nb, note
    for text in repairs:
        assert text.endswith("."), note
        assert len(text) < 500, note
        assert all(char.isprintable() for char in text), (note, text)
    return True


def damage_bytes(data: bytes, rng: random.Random) -> bytes:
    """A few bytes flipped, dropped, doubled, moved or replaced, or the end cut off."""
    work = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        start = rng.randrange(len(work))
        end = min(len(work), start + rng.choice((1, 1, 4, 60, 2000)))
        part = bytes(work[start:end])
        new = rng.choice(
            (b"", part * 2, rng.randbytes(len(part)), part[::-1], b"\0" * len(part), b'"', b"{", b"]", b"\\u0000")
        )
        work[start:end] = new
        if rng.random() < 0.05:
            del work[rng.randrange(len(work) + 1) :]
        if not work:
            return b""
    return bytes(work)


STRANGE = (
    None, True, False, 0, -1, 3, 5, 10**400, 1e308, float("nan"), "", "x", "double", "test_double", "\0", "\ud800",
    "é" * 300, "\u202e", [], {}, [[]], [None], {"": {}}, {"nbgrader": {"grade_id": "double"}},
    {"nbgrader": {"grade_id": ["double"]}}, {"nbgrader": "double"}, [[[[[[]] * 9]] * 9]],
    "code", "markdown", "raw", "heading", ["a\r\n", None, "b"],
)  # fmt: skip


def places(node: object) -> list[tuple[object, object]]:
    """Every container with each of its keys, all the way down."""
    found: list[tuple[object, object]] = []
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in pairs:
        found.append((node, key))
        found += places(value)
    return found


def damage_structure(data: bytes, rng: random.Random) -> bytes:
    """Values replaced by strange ones or by other parts of the notebook, keys dropped, parts doubled."""
    tree = json.loads(data.decode("utf-16" if data[:2] == b"\xff\xfe" else "utf-8"))
    for _ in range(rng.choice((1, 2, 4, 10))):
        every = places(tree)
        if not every:
            break
        node, key = rng.choice(every)
        act = rng.randrange(4)
        if act == 0:
            node[key] = copy.deepcopy(rng.choice(STRANGE))
        elif act == 1:
            other, other_key = rng.choice(every)
            node[key] = copy.deepcopy(other[other_key])
        elif act == 2:
            del node[key]
        elif isinstance(node, list):
            node.insert(rng.randrange(len(node) + 1), copy.deepcopy(node[key]))
    return json.dumps(tree).encode()


@pytest.mark.parametrize("kind", range(4), ids=["answered", "bare", "format-3", "utf-16"])
@pytest.mark.parametrize("damage", [damage_bytes, damage_structure])
def test_a_damaged_notebook_is_refused_or_gives_a_valid_one_with_the_cells_of_the_release(kind, damage):
    rng = random.Random(20270131 + kind)
    data = submissions()[kind]
    assert check(data, RELEASE, "undamaged")
    read = [check(damage(data, rng), RELEASE, f"round {number}") for number in range(ROUNDS)]
    assert any(read), "if nothing can be read, nothing was tested"
    assert damage is damage_structure or kind == 3 or not all(read)


def test_every_way_of_breaking_off_is_refused_or_read():
    data = submissions()[0]
    for end in range(0, len(data), 37):
        assert not check(data[:end], RELEASE, f"cut at {end}")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"%PDF-1.7 ...", "PDF"),
        (b"PK\x03\x04....", "zip"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "git LFS"),
        (b'{"cells": [\n<<<<<<< HEAD\n{}\n=======\n>>>>>>> main\n]}', "git could not merge"),
        (b"\xff\xfe" + '{"cells": 3}'.encode("utf-16-le"), "no list of cells"),
        (b'{"cells": [' + b"[]," * 3_000_000 + b"[]]}", "more values"),
        (b'{"cells": [' + b'{"a":"[[["},' * 1_500_000 + b"{}]}", "more values"),
        (b'{"cells":' * 100_000, "nested too deeply"),
        (b'{"cells": [' + b"9" * 5000 + b"]}", "JSON"),
        (b'{"cells": []}', "another assignment"),
    ],
    ids=lambda value: value[:12] if isinstance(value, str) else "data",
)
def test_what_is_no_notebook_is_named(data, reason):
    with pytest.raises(Unreadable, match=reason) as caught:
        rebuild(data, RELEASE)
    assert "hand it in again" in caught.value.next_step
    assert "hand it in again" in RESUBMIT


def test_brackets_within_texts_are_no_values():
    """A printed array holds millions of brackets and commas, and is one value all the same."""
    nb = json.loads(submissions()[0])
    nb["cells"][2]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": '[[1, 2], ["\\"], ' * 500_000}]
    assert check(json.dumps(nb).encode(), RELEASE, "printed")


def test_a_cell_that_is_too_long_counts_as_empty_and_the_others_are_read():
    nb = answered(RELEASE, **{**RIGHT, "double": "x = 1\n" * 200_000})
    rebuilt, repairs = rebuild(nbformat.writes(nb).encode(), RELEASE)
    sources = {name: cell.source for name, cell in notebooks.by_id(rebuilt).items()}
    assert sources["double"] == notebooks.by_id(RELEASE)["double"].source
    assert sources["square"] == RIGHT["square"]
    assert [text for text in repairs if "'double' holds 1200000 characters" in text]


def test_cells_beyond_the_limit_are_not_read_and_the_student_is_told():
    nb = json.loads(submissions()[0])
    nb["cells"][:0] = [{"cell_type": "code", "source": ""}] * 10_000
    with pytest.raises(Unreadable):
        rebuild(json.dumps(nb).encode(), RELEASE)
    nb["cells"] = nb["cells"][10_000:] + nb["cells"][:10_000]
    rebuilt, repairs = rebuild(json.dumps(nb).encode(), RELEASE)
    assert [cell.source for cell in rebuilt.cells] == [cell.source for cell in answered(RELEASE, **RIGHT).cells]
    assert repairs == ["The notebook has more than 10000 cells; the others were not read."]
