"""CIFAR-10 from a made-up archive, and patches of photographs."""

import gzip
import hashlib
import http.server
import io
import pickle
import tarfile
import threading
from collections import Counter
from functools import partial
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_sample_images
from torchvision.datasets import CIFAR10

from genlib.data import SPLITS, DataCorruptError, DataNotFoundError, colour, files, load
from genlib.data.colour import cut_patches

REPEATED_FIXTURE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)


class Python2Pickler(pickle._Pickler):
    """Pickles as Python 2 did, which wrote the real files: every text and every array's content is a byte string."""

    dispatch: ClassVar[dict] = dict(pickle._Pickler.dispatch)

    def save_bytes(self, value):
        short = len(value) < 256
        self.write(pickle.SHORT_BINSTRING if short else pickle.BINSTRING)
        self.write(len(value).to_bytes(1 if short else 4, "little") + value)

    def save_text(self, value):
        self.save_bytes(value.encode("latin1"))

    dispatch[bytes], dispatch[str] = save_bytes, save_text


def pickled(batch):
    buffer = io.BytesIO()
    Python2Pickler(buffer, protocol=2).dump(batch)
    return buffer.getvalue().replace(b"cnumpy._core.", b"cnumpy.core.")


def md5(content):
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


class Written:
    """A made-up CIFAR-10 of which torchvision and genlib believe that it is the real one."""

    def __init__(self, folder, monkeypatch):
        self.root, self.monkeypatch = folder, monkeypatch
        self.folder = folder / "cifar10"
        draw = np.random.default_rng(0)
        self.content = {}
        for number, (name, _) in enumerate(CIFAR10.train_list + CIFAR10.test_list):
            data, labels = draw.integers(0, 256, (3 + number, 3072), dtype=np.uint8), draw.integers(0, 10, 3 + number)
            batch = {"batch_label": f"batch {number}", "labels": labels.tolist(), "data": data, "filenames": ["a.png"]}
            self.content[name] = pickled(batch)
        self.content["batches.meta"] = pickled({"label_names": list("abcdefghij")})
        self.declare()

    def declare(self):
        """Let torchvision's list have the checksums of these files."""
        for attribute in ("train_list", "test_list"):
            listed = [[name, md5(self.content[name])] for name, _ in getattr(CIFAR10, attribute)]
            self.monkeypatch.setattr(CIFAR10, attribute, listed)
        meta = {**CIFAR10.meta, "md5": md5(self.content["batches.meta"])}
        self.monkeypatch.setattr(CIFAR10, "meta", meta)

    def unpack(self):
        (self.folder / CIFAR10.base_folder).mkdir(parents=True, exist_ok=True)
        for name, content in self.content.items():
            (self.folder / CIFAR10.base_folder / name).write_bytes(content)

    def pack(self, folder=None):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for name, content in self.content.items():
                entry = tarfile.TarInfo(f"{CIFAR10.base_folder}/{name}")
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        packed = gzip.compress(buffer.getvalue(), mtime=0)
        path = (folder or self.folder) / CIFAR10.filename
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(packed)
        self.monkeypatch.setattr(CIFAR10, "tgz_md5", md5(packed))
        self.monkeypatch.setattr(colour, "CIFAR10_SHA256", hashlib.sha256(packed).hexdigest())
        return path

    def load(self, split="train", **options):
        return load("cifar10", split, root=self.root, **{"download": False, **options})


@pytest.fixture
def written(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.delenv("GENLIB_DATA", raising=False)
    return Written(tmp_path / "root", monkeypatch)


@pytest.mark.parametrize("split", SPLITS["cifar10"])
def test_archive_and_folder_equal_torchvisions_reading(written, split):
    written.unpack()
    theirs = CIFAR10(written.folder, train=split == "train")
    loaded = [written.load(split)]
    for path in (written.folder / CIFAR10.base_folder).iterdir():
        path.unlink()
    written.pack()
    loaded.append(written.load(split))
    for data in loaded:
        assert data.x.dtype == torch.float32
        assert data.x.shape[1:] == (3, 32, 32)
        levels = (data.x * 255).round().byte().permute(0, 2, 3, 1).numpy()
        assert (levels == theirs.data).all()
        assert data.y.tolist() == theirs.targets
    assert sorted(path.name for path in written.folder.iterdir()) == [CIFAR10.base_folder, CIFAR10.filename]


def test_genlib_and_torchvision_know_the_published_checksums():
    # Keras checks this SHA-256, and cs.toronto.edu publishes this MD5 beside the archive.
    assert CIFAR10.tgz_md5 == "c58f30108f718f92721af3b95e74349a"
    assert colour.CIFAR10_SHA256.startswith("6d958be074577803d12ecdefd02955f3")
    assert len(colour.CIFAR10_SHA256) == 64


@pytest.mark.parametrize("packed", [False, True])
@REPEATED_FIXTURE
@given(data=st.data())
def test_damaged_files_are_always_an_error(written, packed, data):
    path = written.pack() if packed else written.folder / CIFAR10.base_folder / "data_batch_3"
    if not packed:
        written.unpack()
    sound = path.read_bytes()
    position = data.draw(st.integers(0, len(sound) - 1))
    changed = bytes([sound[position] ^ data.draw(st.integers(1, 255))])
    cut = data.draw(st.booleans())
    path.write_bytes(sound[:position] if cut else sound[:position] + changed + sound[position + 1 :])
    with pytest.raises(DataCorruptError, match=path.name):
        written.load()
    path.write_bytes(sound)
    assert len(written.load()) == 3 + 4 + 5 + 6 + 7


def test_archive_needs_both_checksums(written, monkeypatch):
    path = written.pack()
    for owner, name, length in ((CIFAR10, "tgz_md5", 32), (colour, "CIFAR10_SHA256", 64)):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, "0" * length)
            with pytest.raises(DataCorruptError, match="0" * length) as caught:
                written.load()
            assert str(path) in str(caught.value)


def test_a_batch_in_a_sound_archive_is_checked_as_well(written, monkeypatch):
    written.pack()
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", "0" * 32]])
    with pytest.raises(DataCorruptError, match="test_batch"):
        written.load("test")
    monkeypatch.setattr(CIFAR10, "test_list", [["another_batch", "0" * 32]])
    with pytest.raises(DataCorruptError, match="another_batch"):
        written.load("test")


class Trap:
    """Calls what it was given when it is unpickled."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("where", ["data", "labels", "more"])
@pytest.mark.parametrize("function", [open, eval, np.load, np.fromfile, np.lib.format.open_memmap, Counter])
def test_no_pickle_can_call_anything(written, tmp_path, where, function):
    """Even with the right checksums, which MD5 does not make impossible."""
    sprung = tmp_path / "sprung"
    trap = Trap(function, f"open({str(sprung)!r}, 'w')") if function is eval else Trap(function, str(sprung), "w")
    batch = {"data": np.zeros((2, 3072), np.uint8), "labels": [0, 1], where: trap}
    written.content["test_batch"] = pickle.dumps(batch, protocol=2)
    written.declare()
    written.unpack()
    with pytest.raises(DataCorruptError, match="which no data file needs"):
        written.load("test")
    assert not sprung.exists()


@pytest.mark.parametrize("batch", [
    {}, [], {"data": np.zeros((2, 3072), np.uint8)}, {"data": np.zeros((2, 3072), np.uint8), "labels": [0]},
    {"data": np.zeros((2, 3071), np.uint8), "labels": [0, 1]}, {"data": np.zeros((2, 3072)), "labels": [0, 1]},
    {"data": np.zeros((2, 3072), np.uint8), "labels": [0, 10]},
    {"data": np.zeros((2, 3072), np.uint8), "labels": [0, -1]},
    {"data": np.zeros((2, 3072), np.uint8), "labels": ["a", "b"]}, {"data": [[0] * 3072], "labels": [0]},
])  # fmt: skip
def test_pickles_of_another_kind_are_an_error(written, batch):
    written.content["test_batch"] = pickled(batch)
    written.declare()
    written.unpack()
    with pytest.raises(DataCorruptError, match="test_batch"):
        written.load("test")


def test_missing_archive_names_folder_file_and_offline_choice(written):
    with pytest.raises(DataNotFoundError) as caught:
        written.load()
    for words in (str(written.folder), CIFAR10.filename, 'load("digits")', "download=False"):
        assert words in str(caught.value)


@pytest.fixture
def remote(written, tmp_path, monkeypatch):
    """The archive at an address, and nowhere else."""
    path = written.pack(tmp_path / "remote")
    quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *arguments: None})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(quiet, directory=str(path.parent)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setattr(CIFAR10, "url", f"http://127.0.0.1:{server.server_port}/{path.name}")
    yield path
    server.shutdown()
    thread.join()
    server.server_close()


def test_archive_is_fetched_once_and_stays_packed(remote, written):
    data = written.load(download=True)
    assert len(data) == 25
    assert [path.name for path in written.folder.iterdir()] == [CIFAR10.filename]
    remote.unlink()
    assert torch.equal(written.load(download=True).x, data.x)


def test_download_that_fails_or_is_damaged_leaves_nothing(remote, written):
    remote.write_bytes(remote.read_bytes()[:-9])
    for _ in range(2):
        with pytest.raises(DataNotFoundError, match="Downloading it failed"):
            written.load(download=True)
        assert list(written.folder.iterdir()) == []
        remote.unlink(missing_ok=True)


# ---------------------------------------------------------------- patches


@pytest.mark.parametrize("size", [2, 5, 8, 16, 64])
def test_patches_of_different_splits_share_no_pixel(size):
    places = np.arange(427 * 640).reshape(427, 640, 1)  # a photograph in which every pixel differs
    seen = {}
    for split in SPLITS["patches"]:
        patches = cut_patches(places, split, size)
        assert patches.shape[1:] == (1, size, size)
        corner = patches[:, :, :1, :1]
        row, column = np.arange(size)[:, None], np.arange(size)
        assert (patches == corner + 640 * row + column).all()  # each is a square of the photograph
        seen[split] = set(patches.ravel().tolist())
        if split != "train":
            assert len(seen[split]) == patches.size  # no pixel twice
    train, valid, test = seen.values()
    assert train.isdisjoint(valid)
    assert train.isdisjoint(test)
    assert valid.isdisjoint(test)
    if 64 % size == 0:
        assert len(train | valid | test) == 6 * 64 * 10 * 64  # all whole tiles


@pytest.mark.parametrize("split", SPLITS["patches"])
def test_patches_are_those_of_the_photographs_shuffled(split):
    data = load("patches", split, size=8)
    found = [p.tobytes() for p in (data.x * 255).round().byte().numpy()]
    expected, order = Counter(), []
    for label, photograph in enumerate(load_sample_images().images):
        cut = [p.tobytes() for p in cut_patches(photograph, split, 8)]
        expected.update((p, label) for p in cut)
        order += cut
    assert Counter(zip(found, data.y.tolist(), strict=True)) == expected
    assert found != order
    assert 0.4 < data.y[: len(data) // 2].float().mean() < 0.6


def test_photographs_of_another_release_are_refused(monkeypatch):
    photographs = load_sample_images()
    photographs.images = photographs.images[:1]
    monkeypatch.setattr("sklearn.datasets.load_sample_images", lambda: photographs)
    with pytest.raises(ValueError, match="expected two"):
        load("patches")
