"""Codes and lines, first names and Shakespeare."""

import hashlib

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genlib.data import DataCorruptError, DataNotFoundError, decode, encode, files, load, text

ALPHABET = "\n abc."
lines = st.lists(st.text(ALPHABET[1:], max_size=12), max_size=8)


@given(lines, st.integers(0, 5))
def test_decoding_undoes_encoding_and_the_end_is_absorbing(written, more):
    longest = max(map(len, written), default=0) + 1
    x = encode(written, ALPHABET, longest + more)
    assert x.dtype == torch.int64
    assert x.shape == (len(written), longest + more)
    assert decode(x, ALPHABET) == written
    ended = (x == 0).long()
    assert torch.equal(ended, ended.cummax(1).values) if len(written) else True
    assert (x[:, -1] == 0).all()
    assert encode(written, ALPHABET).shape[1] == longest


def test_decoding_stops_at_the_first_end_or_nowhere():
    x = torch.tensor([[2, 0, 3, 0], [4, 4, 4, 4]])
    assert decode(x, ALPHABET) == ["a", "cccc"]
    assert decode(x, ALPHABET, stop=False) == ["a\nb\n", "cccc"]


@pytest.mark.parametrize(("written", "alphabet", "length"), [
    (["d"], ALPHABET, None), (["a\nb"], ALPHABET, None), (["abc"], ALPHABET, 3), ("abc", ALPHABET, None),
    (["a"], "ab", None), (["a"], "\naa", None),
])  # fmt: skip
def test_lines_that_have_no_codes_are_refused(written, alphabet, length):
    with pytest.raises(ValueError, match=r"received|expected"):
        encode(written, alphabet, length)


@pytest.mark.parametrize("x", [torch.tensor([[6]]), torch.tensor([[-1]]), torch.zeros(3).long(), torch.zeros(1, 3)])
def test_codes_that_are_no_characters_are_refused(x):
    with pytest.raises(ValueError, match="expected integers"):
        decode(x, ALPHABET)


# ---------------------------------------------------------------- files made up for the test


@pytest.fixture
def put(tmp_path, monkeypatch):
    """Writes a file of which genlib believes that it is the real one."""
    monkeypatch.delenv("GENLIB_DATA", raising=False)

    def write(name, content):
        constant = {"names": "NAMES", "tinyshakespeare": "SHAKESPEARE"}[name]
        path = tmp_path / name / getattr(text, constant).path
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        known = files.DataFile(path.name, len(content), hashlib.sha256(content).hexdigest())
        monkeypatch.setattr(text, constant, known)
        return path

    return write


def all_names(root):
    parts = [load("names", split, root=root) for split in ("train", "valid", "test")]
    assert {part.alphabet for part in parts} == {parts[0].alphabet}
    assert len({part.x.shape[1] for part in parts}) == 1
    return [decode(part.x, part.alphabet) for part in parts]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_names_stand_in_one_split_each_whatever_their_copies(put, tmp_path, end):
    names = [f"{a}{b}" for a in "abcdefghij" for b in "klmnopqrst"]
    put("names", end.join(name.encode() for name in names + names[::3]))
    train, valid, test = all_names(tmp_path)
    assert sorted(train + valid + test) == sorted(names)
    assert (len(train), len(valid), len(test)) == (80, 10, 10)
    assert train != sorted(train)


def test_windows_of_the_stream_give_back_the_text(put, tmp_path):
    stream = "".join(chr(10 if i % 7 == 0 else 97 + i % 26) for i in range(2000))
    put("tinyshakespeare", stream.encode())
    for split, (begin, end) in {"train": (0, 1800), "valid": (1800, 1900), "test": (1900, 2000)}.items():
        for size in (7, 10, 64):
            data = load("tinyshakespeare", split, root=tmp_path, size=size)
            assert data.x.shape == ((end - begin) // size, size)
            found = "".join(decode(data.x, data.alphabet, stop=False))
            assert found == stream[begin : begin + len(found)]
            assert end - begin - len(found) < size
            assert data.alphabet == "".join(sorted(set(stream)))


@pytest.mark.parametrize("name", ["names", "tinyshakespeare"])
def test_damaged_text_is_an_error_that_names_the_file(put, tmp_path, name):
    content = b"anna\nbert\n" * 30
    path = put(name, content)
    assert len(load(name, root=tmp_path, **({"size": 5} if name == "tinyshakespeare" else {}))) > 0
    for damaged in (content[:-1], content[:-1] + b"x", b"", content + b"\n"):
        path.write_bytes(damaged)
        with pytest.raises(DataCorruptError, match=path.name):
            load(name, root=tmp_path)
    path.unlink()
    with pytest.raises(DataNotFoundError, match="does not download"):
        load(name, root=tmp_path)


@pytest.mark.parametrize(("name", "content"), [
    ("names", "zoë\n".encode()), ("tinyshakespeare", "zoë\n".encode()), ("tinyshakespeare", b"no line break"),
])  # fmt: skip
def test_text_of_another_kind_is_an_error(put, tmp_path, name, content):
    put(name, content)
    with pytest.raises(DataCorruptError, match="expected"):
        load(name, root=tmp_path)


# ---------------------------------------------------------------- the real files, where they are


def needs(folder, name):
    if not (folder / name).is_dir():
        pytest.skip(f"needs the real {name}: {folder} does not hold it")


def test_real_names_are_all_there(real_data):
    needs(real_data, "names")
    train, valid, test = all_names(real_data)
    listed = (real_data / "names" / "names.txt").read_text().split()
    assert sorted(train + valid + test) == sorted(set(listed))
    assert (len(train), len(valid), len(test)) == (23595, 2949, 2950)
    assert load("names", root=real_data).x.shape[1] == 16


def test_real_shakespeare_splits_where_other_loaders_do(real_data):
    needs(real_data, "tinyshakespeare")
    stream = (real_data / "tinyshakespeare" / "input.txt").read_text()
    # Lengths of the splits of TensorFlow Datasets' tiny_shakespeare.
    for split, begin, length in (("train", 0, 1003854), ("valid", 1003854, 55770), ("test", 1059624, 55770)):
        data = load("tinyshakespeare", split, root=real_data)
        assert len(data) == length // 128
        assert "".join(decode(data.x, data.alphabet, stop=False)) == stream[begin : begin + 128 * len(data)]
    assert len(data.alphabet) == 65
