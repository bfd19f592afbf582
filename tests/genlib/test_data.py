"""Data sets, their files, batches and pixel values. Statistics raise a false alarm at most once in a million runs."""

import gzip
import hashlib
import http.server
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.stats
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits, make_moons, make_swiss_roll

from genlib.data import (
    SPLITS,
    DataCorruptError,
    DataNotFoundError,
    batches,
    binarize,
    dequantize,
    files,
    images,
    load,
    quantize,
    tensors,
    to_uint8,
    toys,
)

FALSE_ALARM = 1e-6
REPEATED_FIXTURE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


# ---------------------------------------------------------------- sets without files


def test_digits_are_scikit_learns_split_once_and_evenly():
    values, labels = load_digits(return_X_y=True)
    parts = [load("digits", split) for split in SPLITS["digits"]]
    rows = [tuple(r) for part in parts for r in (part.x.flatten(1) * 16).int().tolist()]
    found = [(*row, label) for row, label in zip(rows, torch.cat([p.y for p in parts]).tolist(), strict=True)]
    expected = [(*row, label) for row, label in zip(values.astype(int).tolist(), labels.tolist(), strict=True)]
    assert sorted(found) == sorted(expected)
    train, test = (torch.bincount(part.y, minlength=10) for part in parts)
    assert ((train + test) // 5 == test).all()


def test_default_needs_neither_files_nor_network(monkeypatch, tmp_path):
    monkeypatch.setenv("GENLIB_DATA", str(tmp_path / "nowhere"))
    assert load(download=False).name == "digits"


@pytest.mark.parametrize("name", sorted(toys.TOYS))
def test_toys_have_mean_zero_and_mean_square_two(name):
    x = load(name, "train").x.double()
    for values, truth in [(x[:, 0], 0), (x[:, 1], 0), (x.square().sum(1), 2)]:
        error = (values.mean() - truth) / (values.std() / len(values) ** 0.5)
        assert abs(error) < scipy.stats.norm.isf(FALSE_ALARM / 6)


@pytest.mark.parametrize("name", sorted(toys.TOYS))
def test_splits_of_toys_share_no_point_and_one_distribution(name):
    train, valid, test = (load(name, split).x for split in ("train", "valid", "test"))
    rows = [tuple(row) for part in (train, valid, test) for row in part.tolist()]
    assert len(set(rows)) == len(rows)
    for direction in ((1.0, 0.0), (0.0, 1.0), (1.0, 1.0)):
        shadow = [part @ torch.tensor(direction) for part in (train, test)]
        assert scipy.stats.ks_2samp(*shadow).pvalue > FALSE_ALARM / 3


@pytest.mark.parametrize("name", ["moons", "swiss_roll"])
def test_toys_agree_with_scikit_learn_up_to_shift_and_scale(name):
    if name == "moons":
        theirs, _ = make_moons(10_000, noise=0.1, random_state=1)
    else:
        theirs = make_swiss_roll(10_000, noise=0.5, random_state=1)[0][:, [0, 2]]
    theirs = theirs - theirs.mean(0)
    theirs = theirs * (2 / (theirs**2).sum(1).mean()) ** 0.5
    ours = load(name).x.numpy()
    for direction in ((1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (1.0, -1.0)):
        assert scipy.stats.ks_2samp(ours @ direction, theirs @ direction).pvalue > FALSE_ALARM / 4


def test_rings_and_gaussians_lie_where_their_labels_say():
    rings = load("rings")
    scale = (2 / 7.52) ** 0.5
    error = rings.x.norm(dim=1) - scale * (rings.y + 1)
    assert error.abs().max() < 6.5 * 0.1 * scale  # normal noise of 6.5 deviations: 1e-6 over 10,000 points
    assert torch.bincount(rings.y).tolist() == [2500] * 4
    gaussians = load("eight_gaussians")
    angle = gaussians.y * torch.pi / 4
    centre = (2 / 1.02) ** 0.5 * torch.stack([angle.cos(), angle.sin()], 1)
    assert (gaussians.x - centre).norm(dim=1).max() < 7 * 0.1 * (2 / 1.02) ** 0.5
    assert torch.bincount(gaussians.y).tolist() == [1250] * 8


def test_toys_are_the_same_draws_on_every_machine():
    # Stored outputs of notebooks rest on these: a change of formula, seed or order must not go unseen.
    first = {name: load(name, "train").x[0].tolist() for name in sorted(toys.TOYS)}
    assert first == {name: pytest.approx(value, abs=1e-5) for name, value in FIRST_POINTS.items()}


FIRST_POINTS = {
    "eight_gaussians": [-1.485584, 0.079637],
    "moons": [-0.596537, -0.422913],
    "rings": [-1.517617, -0.187717],
    "swiss_roll": [0.404376, 0.618431],
}


@pytest.mark.parametrize(("name", "split", "words"), [
    ("emnist", "train", ("emnist", "digits", "moons", "binarized_mnist")),
    ("digits", "valid", ("valid", "train", "test")),
    ("mnist", "valid", ("valid", "train", "test")),
])  # fmt: skip
def test_unknown_names_and_splits_list_what_exists(name, split, words):
    with pytest.raises(ValueError, match=r"there is no|has no split") as caught:
        load(name, split)
    assert all(word in str(caught.value) for word in words)


def test_import_of_data_is_light():
    heavy = ("torchvision", "sklearn", "scipy", "PIL", "matplotlib", "platformdirs", "psutil")
    code = f"import sys, genlib.data, genlib.device; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ---------------------------------------------------------------- files made up for the test


class Written:
    """A made-up mnist in the layout of the real one, of which genlib believes that it is the real one."""

    def __init__(self, folder, monkeypatch):
        draw = np.random.default_rng(0)
        self.root, self.raw, self.content, table = folder, folder / "mnist" / "MNIST" / "raw", {}, {}
        self.values = {"train": draw.integers(0, 256, (7, 4, 3)), "test": draw.integers(0, 256, (3, 4, 3))}
        self.labels = {split: draw.integers(0, 10, len(v)) for split, v in self.values.items()}
        self.raw.mkdir(parents=True)
        for split, prefix in (("train", "train"), ("test", "t10k")):
            pairs = (
                (f"{prefix}-images-idx3-ubyte", self.values[split]),
                (f"{prefix}-labels-idx1-ubyte", self.labels[split]),
            )
            for name, array in pairs:
                self.content[name] = idx(array)
                (self.raw / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
            table[split] = tuple(data_file(f"MNIST/raw/{name}", self.content[name]) for name, _ in pairs)
        monkeypatch.setitem(images.IDX_FILES, "mnist", table)

    def load(self, split="train", **kwargs):
        return load("mnist", split, root=self.root, download=False, **kwargs)

    def unpack(self):
        for name, content in self.content.items():
            (self.raw / f"{name}.gz").unlink()
            (self.raw / name).write_bytes(content)


def idx(array):
    header = b"\0\0\x08" + bytes([array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return header + array.astype(np.uint8).tobytes()


def data_file(path, content):
    return files.DataFile(path, len(content), hashlib.sha256(content).hexdigest())


def attempt(read):
    """What ``read`` returns, or None and the message of the error for damaged files."""
    try:
        return read(), ""
    except DataCorruptError as error:
        return None, str(error)


def snapshot(folder):
    return {
        str(p.relative_to(folder)): (p.stat().st_mtime_ns, p.read_bytes() if p.is_file() else None)
        for p in sorted(folder.rglob("*"))
    }


@pytest.fixture
def written(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.delenv("GENLIB_DATA", raising=False)
    return Written(tmp_path / "root", monkeypatch)


@pytest.mark.parametrize("unpacked", [False, True])
@pytest.mark.parametrize("split", ["train", "test"])
def test_idx_files_give_the_values_that_were_written(written, split, unpacked):
    if unpacked:
        written.unpack()
    data = written.load(split)
    assert data.x.shape == (len(written.values[split]), 1, 4, 3)
    assert torch.equal((data.x * 255).round().long()[:, 0], torch.from_numpy(written.values[split]))
    assert data.y.tolist() == written.labels[split].tolist()
    assert data.y.dtype == torch.int64


def test_read_only_folder_serves_and_stays_untouched(written):
    for path in (*written.raw.iterdir(), written.raw):
        path.chmod(path.stat().st_mode & ~0o222)
    before = snapshot(written.root)
    written.load("train"), written.load("test")
    assert snapshot(written.root) == before
    written.raw.chmod(0o755)


@pytest.mark.parametrize("unpacked", [False, True])
@REPEATED_FIXTURE
@given(data=st.data())
def test_damaged_file_is_an_error_or_without_effect_never_wrong_data(written, unpacked, data):
    packed = written.raw / "train-images-idx3-ubyte.gz"
    if unpacked and packed.exists():
        written.unpack()
    path = packed.with_suffix("") if unpacked else packed
    sound, expected = path.read_bytes(), written.load()
    position = data.draw(st.integers(0, len(sound) - 1))
    if data.draw(st.booleans(), "truncate"):
        damaged = sound[:position]
    else:
        changed = sound[position] ^ data.draw(st.integers(1, 255))
        damaged = sound[:position] + bytes([changed]) + sound[position + 1 :]
    path.write_bytes(damaged)
    found, message = attempt(written.load)
    path.write_bytes(sound)
    if found is None:
        assert all(word in message for word in (str(path), "expected", "found", 'load("digits")'))
    else:
        assert not unpacked  # only gzip has bytes that carry no content, such as the time of packing
        assert torch.equal(found.x, expected.x)


def test_right_size_with_wrong_content_names_both_checksums(written):
    written.unpack()
    path = written.raw / "train-images-idx3-ubyte"
    content = path.read_bytes()
    changed = content[:-1] + bytes([content[-1] ^ 1])
    path.write_bytes(changed)
    with pytest.raises(DataCorruptError) as caught:
        written.load()
    for checksum in (content, changed):
        assert hashlib.sha256(checksum).hexdigest() in str(caught.value)


def test_labels_that_do_not_match_the_images_are_an_error(written, monkeypatch):
    train, test = images.IDX_FILES["mnist"]["train"], images.IDX_FILES["mnist"]["test"]
    monkeypatch.setitem(images.IDX_FILES["mnist"], "train", (train[0], test[1]))
    with pytest.raises(DataCorruptError, match="as many labels"):
        written.load()


@given(st.binary(max_size=40) | st.builds(lambda rest: b"\0\0\x08" + rest, st.binary(max_size=40)))
def test_any_bytes_parse_to_an_array_of_their_length_or_an_error(content):
    array, message = attempt(lambda: images.parse_idx(content, Path("name")))
    assert "name" in message if array is None else idx(array) == content


def test_missing_file_names_folder_file_and_offline_choice(written):
    (written.raw / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataNotFoundError) as caught:
        written.load()
    assert isinstance(caught.value, FileNotFoundError)
    for words in (str(written.root / "mnist"), "train-labels-idx1-ubyte", 'load("digits")', "GENLIB_DATA"):
        assert words in str(caught.value)
    assert len(written.load("test")) == 3


def test_root_argument_beats_variable_beats_cache(written, monkeypatch):
    cache = files.cache_folder()
    cache.parent.mkdir(exist_ok=True)
    written.root.rename(cache)
    assert len(load("mnist", download=False)) == 7
    monkeypatch.setenv("GENLIB_DATA", str(cache.parent / "empty"))
    assert len(load("mnist", download=False)) == 7
    with pytest.raises(DataNotFoundError):
        load("mnist", root=cache.parent / "empty", download=False)
    (cache / "mnist").rename(cache.parent / "mnist")
    monkeypatch.setenv("GENLIB_DATA", str(cache.parent))
    assert len(load("mnist", download=False)) == 7


def test_cache_is_a_folder_of_this_user_outside_the_course():
    folder = files.cache_folder()
    assert folder.is_absolute()
    assert "genlib" in folder.parts
    assert Path(__file__).parents[2] not in folder.parents


# ---------------------------------------------------------------- downloads, from a server of the test's own


class Server:
    """Serves a folder on this machine and counts requests; ``cut`` makes it send half of what it promised."""

    def __init__(self, folder):
        self.requests, self.cut = [], False
        owner = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            def do_GET(self):
                owner.requests.append(self.path)
                if not owner.cut:
                    return super().do_GET()
                content = (Path(folder) / self.path.lstrip("/")).read_bytes()
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[: len(content) // 2])
                return None

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def server(written, tmp_path, monkeypatch):
    """The made-up mnist on a server that torchvision believes to be MNIST's, and nowhere else."""
    from torchvision.datasets import MNIST

    remote = tmp_path / "remote"
    written.raw.rename(remote)
    server = Server(remote)
    sums = [(p.name, hashlib.md5(p.read_bytes(), usedforsecurity=False).hexdigest()) for p in remote.iterdir()]
    monkeypatch.setattr(MNIST, "resources", sums)
    monkeypatch.setattr(MNIST, "mirrors", [server.url])
    yield server
    server.stop()


def test_download_goes_to_the_cache_once_with_a_progress_bar(server, written, capfd):
    data = load("mnist")
    assert torch.equal((data.x * 255).round().long()[:, 0], torch.from_numpy(written.values["train"]))
    assert "100%" in capfd.readouterr().err
    raw = files.cache_folder() / "mnist" / "MNIST" / "raw"
    assert sorted(p.name for p in raw.iterdir()) == ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"]
    n_requests = len(server.requests)
    assert torch.equal(load("mnist").x, data.x)
    assert len(server.requests) == n_requests


def test_download_goes_to_the_folder_of_the_user_if_that_can_be_written(server, monkeypatch, tmp_path):
    monkeypatch.setenv("GENLIB_DATA", str(tmp_path / "mine"))
    load("mnist", "test")
    assert (tmp_path / "mine" / "mnist" / "MNIST" / "raw" / "t10k-labels-idx1-ubyte.gz").is_file()
    assert not files.cache_folder().exists()


def test_download_goes_to_the_cache_if_the_folder_of_the_user_cannot_be_written(server, monkeypatch, tmp_path):
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder should be: nobody, not even root, can write into it")
    monkeypatch.setenv("GENLIB_DATA", str(blocked))
    assert len(load("mnist", "test")) == 3
    assert (files.cache_folder() / "mnist").is_dir()


def fails_cleanly(*words):
    with pytest.raises(DataNotFoundError) as caught:
        load("mnist")
    assert all(word in str(caught.value) for word in (*words, 'load("digits")', "train-images-idx3-ubyte", "mnist"))
    folder = files.cache_folder()
    assert [p for p in folder.rglob("*") if p.is_file()] == []
    assert list(folder.rglob(".download-*")) == []


def test_interrupted_download_leaves_nothing_behind(server):
    server.cut = True
    fails_cleanly(server.url)
    server.cut = False
    assert len(load("mnist")) == 7


def test_download_with_a_wrong_checksum_is_refused(server, monkeypatch):
    from torchvision.datasets import MNIST

    monkeypatch.setattr(MNIST, "resources", [(name, "0" * 32) for name, _ in MNIST.resources])
    fails_cleanly(server.url, "corrupted")


def test_unreachable_server_is_an_error_with_the_offline_choice(written, monkeypatch):
    from torchvision.datasets import MNIST

    (written.raw / "train-images-idx3-ubyte.gz").unlink()
    monkeypatch.setattr(MNIST, "mirrors", ["http://127.0.0.1:9/"])
    fails_cleanly("http://127.0.0.1:9/", "Downloading it failed")


def test_second_mirror_serves_when_the_first_is_down(server, monkeypatch):
    from torchvision.datasets import MNIST

    monkeypatch.setattr(MNIST, "mirrors", ["http://127.0.0.1:9/", server.url])
    assert len(load("mnist")) == 7


# ---------------------------------------------------------------- binarised MNIST


@pytest.fixture
def matlab(tmp_path, monkeypatch):
    """A writer of made-up binarised sets that genlib believes to be real."""
    monkeypatch.setattr(files, "cache_folder", lambda: tmp_path / "cache")
    folder = tmp_path / "binarized_mnist"
    folder.mkdir()

    def write(values, split="train"):
        path = folder / f"binarized_mnist_{split}.amat"
        with open(path, "wb") as file:
            scipy.io.savemat(file, {"X": values}, do_compression=True)
        monkeypatch.setitem(images.MATLAB_FILES, split, data_file(path.name, path.read_bytes()))
        return path

    return write


def test_binarised_set_gives_the_values_that_were_written(matlab, tmp_path):
    values = np.random.default_rng(0).integers(0, 2, (5, 784)).astype(np.uint8)
    matlab(values, "valid")
    data = load("binarized_mnist", "valid", root=tmp_path)
    assert data.x.shape == (5, 1, 28, 28)
    assert data.y is None
    assert torch.equal(data.x.flatten(1).to(torch.uint8), torch.from_numpy(values))


@pytest.mark.parametrize("values", [np.full((5, 784), 2), np.zeros((5, 783)), np.full((2, 784), np.nan)])
def test_binarised_set_with_wrong_values_or_shape_is_an_error(matlab, tmp_path, values):
    path = matlab(values)
    with pytest.raises(DataCorruptError, match="zeros and ones") as caught:
        load("binarized_mnist", root=tmp_path)
    assert str(path) in str(caught.value)


@REPEATED_FIXTURE
@given(data=st.data())
def test_damaged_binarised_set_is_always_an_error(matlab, tmp_path, data):
    path = matlab(np.random.default_rng(0).integers(0, 2, (5, 784)).astype(np.uint8))
    sound = path.read_bytes()
    position = data.draw(st.integers(0, len(sound) - 1))
    path.write_bytes(sound[:position] if data.draw(st.booleans()) else sound[:position] + b"x" + sound[position + 1 :])
    if path.read_bytes() != sound:
        with pytest.raises(DataCorruptError, match=path.name):
            load("binarized_mnist", root=tmp_path)


def test_missing_binarised_set_names_folder_file_and_offline_choice(matlab, tmp_path):
    with pytest.raises(DataNotFoundError) as caught:
        load("binarized_mnist", root=tmp_path)
    for words in (str(tmp_path / "binarized_mnist"), "binarized_mnist_train.amat", 'load("digits")'):
        assert words in str(caught.value)


# ---------------------------------------------------------------- the real files, where they are


@pytest.fixture
def real(request, real_data):
    """The folder with the real files, if it holds the set that the test is about."""
    name = request.node.callspec.params["name"]
    if not (real_data / name).is_dir():
        pytest.skip(f"needs the real {name}: {real_data} does not hold it")
    return real_data


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_real_idx_sets_equal_torchvisions_reading(real, name, tmp_path):
    import torchvision

    before = {p: p.stat().st_mtime_ns for p in (real / name).rglob("*")}
    packed = next((real / name).glob("*/raw"))
    raw = tmp_path / packed.parent.name / "raw"
    raw.mkdir(parents=True)
    for path in packed.glob("*.gz"):
        (raw / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    for split in SPLITS[name]:
        data = load(name, split, root=real, download=False)
        theirs = getattr(torchvision.datasets, images.TORCHVISION[name])(tmp_path, train=split == "train")
        assert torch.equal(to_uint8(data.x)[:, 0], theirs.data)
        assert torch.equal(data.y, theirs.targets)
        assert len(data) == {"train": 60_000, "test": 10_000}[split]
    assert {p: p.stat().st_mtime_ns for p in (real / name).rglob("*")} == before


@pytest.mark.parametrize("name", ["binarized_mnist"])
def test_real_binarised_set_equals_larochelles_text_files(real, name):
    # TensorFlow Datasets publishes the SHA-256 of the original text files; rows of "0 1 ... 0\n" rebuild them.
    published = {"train": "ad693b29", "valid": "1de3d397", "test": "e6687bfe"}
    for split, checksum in published.items():
        x = load(name, split, root=real).x.flatten(1)
        assert len(x) == (50_000 if split == "train" else 10_000)
        text = np.full((len(x), 784 * 2), ord(" "), dtype=np.uint8)
        text[:, ::2] = x.numpy().astype(np.uint8) + ord("0")
        text[:, -1] = ord("\n")
        assert hashlib.sha256(text.tobytes()).hexdigest().startswith(checksum)


# ---------------------------------------------------------------- batches


@given(n=st.integers(0, 40), batch_size=st.integers(1, 50), shuffle=st.booleans(), drop_last=st.booleans())
def test_batches_hold_every_example_once_and_keep_pairs_together(n, batch_size, shuffle, drop_last):
    x, y = torch.arange(n).float()[:, None], torch.arange(n)
    parts = list(batches(x, y, batch_size=batch_size, shuffle=shuffle, drop_last=drop_last))
    assert all(torch.equal(a[:, 0].long(), b) for a, b in parts)
    sizes = [len(a) for a, _ in parts]
    assert all(size == batch_size for size in (sizes if drop_last else sizes[:-1]))
    seen = [i for _, b in parts for i in b.tolist()]
    if drop_last:
        assert len(seen) == n - n % batch_size
        assert len(set(seen)) == len(seen)
    else:
        assert sorted(seen) == list(range(n))
    if not shuffle:
        assert seen == list(range(len(seen)))


@given(n=st.integers(1, 60), batch_size=st.integers(1, 70))
def test_weighted_mean_over_batches_does_not_depend_on_their_size(n, batch_size):
    x = torch.arange(n, dtype=torch.float64)
    total = sum(part.mean().item() * len(part) for (part,) in batches(x, batch_size=batch_size))
    assert total / n == pytest.approx(x.mean().item(), abs=1e-12)


def test_order_follows_the_generator_or_the_global_seed():
    x = torch.arange(1000)

    def order(generator=None):
        return torch.cat([part for (part,) in batches(x, shuffle=True, generator=generator)]).tolist()

    assert order(seeded(1)) == order(seeded(1)) != order(seeded(2))
    generator = seeded(1)
    assert order(generator) != order(generator)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        first = order()
        torch.manual_seed(5)
        assert order() == first != order()


def test_every_order_is_equally_likely():
    generator, counts = seeded(), {}
    for _ in range(12_000):
        order = tuple(
            part.item() for (part,) in batches(torch.arange(4), batch_size=1, shuffle=True, generator=generator)
        )
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 24
    assert scipy.stats.chisquare(list(counts.values())).pvalue > FALSE_ALARM


def test_batches_in_order_are_views():
    x = torch.zeros(10, 2)
    for (part,) in batches(x, batch_size=3):
        part += 1
    assert (x == 1).all()


@pytest.mark.parametrize(("arguments", "options"), [
    ((), {}), ((torch.zeros(3), torch.zeros(4)), {}), ((torch.tensor(1.0),), {}), (([1, 2],), {}),
    ((torch.zeros(3),), {"batch_size": 0}),
])  # fmt: skip
def test_wrong_arguments_of_batches_are_an_error_at_once(arguments, options):
    with pytest.raises(ValueError, match=r"received|expected"):
        batches(*arguments, **options)


# ---------------------------------------------------------------- pixel values


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_binarize_draws_each_pixel_with_its_own_probability(dtype):
    p = torch.tensor([0, 1 / 255, 0.1, 0.5, 0.9, 254 / 255, 1], dtype=dtype)
    n = 100_000
    ones = binarize(p.expand(n, -1), generator=seeded()).sum(0)
    assert ones[0] == 0
    assert ones[-1] == n
    for count, probability in zip(ones.tolist(), p.tolist(), strict=True):
        assert scipy.stats.binomtest(int(count), n, probability).pvalue > FALSE_ALARM / len(p)


def test_binarize_draws_pixels_and_calls_independently():
    generator, half = seeded(), torch.full((50_000, 2), 0.5)
    first, second = binarize(half, generator=generator), binarize(half, generator=generator)
    for a, b in [(first[:, 0], first[:, 1]), (first[:, 0], second[:, 0]), (first[:-1, 0], first[1:, 0])]:
        assert scipy.stats.chisquare(torch.bincount((2 * a + b).int(), minlength=4)).pvalue > FALSE_ALARM / 3


@given(st.floats(0, 1), st.floats(0, 1, exclude_max=True))
def test_binarize_at_a_threshold_compares(value, threshold):
    x = torch.tensor([[value]], dtype=torch.float64)
    assert binarize(x, threshold=threshold).item() == float(value > threshold)


def test_draws_follow_the_generator_and_keep_shape_type_and_input():
    x = torch.rand(50, 1, 8, 8, generator=seeded())
    untouched = x.clone()
    for draw in (binarize, dequantize):
        assert torch.equal(draw(x, generator=seeded(1)), draw(x, generator=seeded(1)))
        assert not torch.equal(draw(x, generator=seeded(1)), draw(x, generator=seeded(2)))
        assert draw(x).shape == x.shape
        assert draw(x.double()).dtype == torch.float64
    assert binarize(x.half()).dtype == torch.float16
    assert torch.equal(x, untouched)


@pytest.mark.parametrize("wrong", [[-0.1, 0.5], [0.5, 1.1], [0.5, float("nan")], [0, 255], [False, True]])
def test_values_that_are_no_probabilities_are_an_error(wrong):
    with pytest.raises(ValueError, match=r"expected .*\[0, 1\]"):
        binarize(torch.tensor(wrong))


@pytest.mark.parametrize("extreme", [None, 0.0, 1 - 2**-24])
def test_dequantize_is_undone_exactly_at_every_level(monkeypatch, extreme):
    if extreme is not None:  # the ends of what torch.rand can return
        monkeypatch.setattr(tensors, "_uniform_like", lambda x, generator: torch.full_like(x, extreme))
    for levels in (*range(2, 300), 1000, 4095, 4096):
        k = torch.arange(levels)
        spread = dequantize(k, levels)
        assert torch.equal(quantize(spread, levels), k)
        assert spread.min() > 0
        assert spread.max() < 1
        for dtype in (torch.float32, torch.float64):
            assert torch.equal(quantize(k.to(dtype) / (levels - 1), levels), k)
            assert torch.equal(quantize(dequantize(k.to(dtype) / (levels - 1), levels), levels), k)


def test_dequantize_covers_the_interval_evenly():
    k = torch.arange(256).repeat(400)
    x = dequantize(k, generator=seeded())
    assert scipy.stats.kstest(x.numpy(), "uniform").pvalue > FALSE_ALARM / 2
    assert scipy.stats.kstest((x * 256 - k).numpy(), "uniform").pvalue > FALSE_ALARM / 2


def test_density_of_dequantised_values_sums_to_the_probability_of_the_level():
    # With p(x) = 2x on [0, 1), level k of 256 has probability (2k + 1) / 256^2, the mean of p over its interval / 256.
    k = torch.full((200_000,), 100)
    p = 2 * dequantize(k, generator=seeded()).double() / 256
    error = (p.mean() - 201 / 256**2) / (p.std() / len(p) ** 0.5)
    assert abs(error) < scipy.stats.norm.isf(FALSE_ALARM / 2)


@pytest.mark.parametrize(("x", "levels"), [
    (torch.tensor([256]), 256), (torch.tensor([-1]), 256), (torch.tensor([1.5]), 256), (torch.tensor([0]), 1),
    (torch.tensor([float("nan")]), 256), (torch.tensor([17]), 17),
])  # fmt: skip
def test_levels_out_of_range_are_an_error(x, levels):
    with pytest.raises(ValueError, match="expected"):
        dequantize(x, levels)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_all_256_values_survive_the_way_to_bytes(dtype):
    values = torch.arange(256)
    assert torch.equal(to_uint8(values.to(dtype) / 255), values.to(torch.uint8))


@given(st.floats(-10, 10))
def test_bytes_are_the_nearest_and_clipped(value):
    found = to_uint8(torch.tensor([value], dtype=torch.float64)).item()
    assert abs(found - min(max(value, 0), 1) * 255) <= 0.5 + 1e-9


@pytest.mark.parametrize("function", [to_uint8, quantize])
def test_bytes_and_levels_are_made_of_numbers_only(function):
    for wrong in (torch.tensor([float("nan")]), torch.tensor([3])):
        with pytest.raises(ValueError, match="expected floats"):
            function(wrong)


def test_a_generator_of_the_cpu_draws_the_same_on_an_accelerator():
    if not torch.accelerator.is_available():
        pytest.skip("no accelerator on this machine")
    device = torch.accelerator.current_accelerator()
    x = torch.rand(64, 1, 8, 8, generator=seeded())
    for draw in (binarize, dequantize):
        assert torch.equal(draw(x.to(device), generator=seeded(1)).cpu(), draw(x, generator=seeded(1)))
        own = [torch.Generator(device).manual_seed(1) for _ in range(2)]
        assert torch.equal(draw(x.to(device), generator=own[0]), draw(x.to(device), generator=own[1]))
    on_device = [part for (part,) in batches(x.to(device), shuffle=True, generator=seeded(1))]
    on_cpu = [part for (part,) in batches(x, shuffle=True, generator=seeded(1))]
    assert torch.equal(torch.cat(on_device).cpu(), torch.cat(on_cpu))
