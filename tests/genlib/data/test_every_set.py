"""What holds for every data set that ``load`` knows; a new one must be entered in ``EXAMPLE``."""

import hashlib
import json
import os
import subprocess
import sys

import pytest
import torch

from genlib.data import SPLITS, DataNotFoundError, Dataset, load
from genlib.data.loading import SIZED

# The shape of one example, and into how many levels its values fall (None: any number; 0: codes of an alphabet).
EXAMPLE = {
    "digits": ((1, 8, 8), 17),
    "moons": ((2,), None),
    "rings": ((2,), None),
    "eight_gaussians": ((2,), None),
    "swiss_roll": ((2,), None),
    "shapes": ((1, 28, 28), None),
    "faces": ((1, 28, 28), None),
    "patches": ((3, 8, 8), 256),
    "sentences": ((60,), 0),
    "mnist": ((1, 28, 28), 256),
    "fashion_mnist": ((1, 28, 28), 256),
    "binarized_mnist": ((1, 28, 28), 2),
    "cifar10": ((3, 32, 32), 256),
    "dsprites": ((1, 64, 64), 2),
    "names": ((16,), 0),
    "tinyshakespeare": ((128,), 0),
}
FROM_FILES = ("mnist", "fashion_mnist", "binarized_mnist", "cifar10", "dsprites", "names", "tinyshakespeare")
IN_MEMORY = tuple(name for name in SPLITS if name not in FROM_FILES)
# Whose splits are not ours: given by the makers of the set, and the independent draws of sentences.
GIVEN = ("mnist", "fashion_mnist", "binarized_mnist", "cifar10", "sentences")


@pytest.fixture
def root(request, name):
    """Where the set lies: nowhere for those that need no files."""
    if name in IN_MEMORY:
        return None
    folder = request.getfixturevalue("real_data")
    if not (folder / name).is_dir():
        pytest.skip(f"needs the real {name}: {folder} does not hold it")
    return folder


def test_every_set_is_looked_at():
    assert set(EXAMPLE) == set(SPLITS)
    assert all(set(splits) <= {"train", "valid", "test"} for splits in SPLITS.values())


@pytest.mark.parametrize(("name", "split"), [(name, split) for name in SPLITS for split in SPLITS[name]])
def test_every_set_keeps_the_contract(name, split, root):
    data = load(name, split, root=root, download=False)
    shape, levels = EXAMPLE[name]
    assert (data.name, data.split, len(data)) == (name, split, len(data.x))
    assert data.x.shape[1:] == shape
    assert data.x.is_contiguous()
    if levels == 0:
        assert data.x.dtype == torch.int64
        assert data.alphabet.startswith("\n")
        assert sorted(set(data.alphabet)) == list(data.alphabet)
        assert 0 <= data.x.min() <= data.x.max() < len(data.alphabet)
    else:
        assert data.x.dtype == torch.float32
        assert data.x.isfinite().all()
        assert data.alphabet is None
    if len(shape) == 3:
        assert data.x.min() == 0
        assert (0.8 if levels is None else 1) <= data.x.max() <= 1
    if levels:
        part = data.x[:5000] * (levels - 1)
        assert (part - part.round()).abs().max() < 1e-4
    if data.y is not None:
        assert data.y.dtype == torch.int64
        assert data.y.unique().tolist() == list(range(int(data.y.max()) + 1))
    if data.factors is not None:
        assert data.factors.dtype == torch.float32
        assert data.factors.isfinite().all()
        assert data.factors.shape == (len(data), len(data.factor_names))


@pytest.mark.parametrize("name", [n for n in SPLITS if n not in GIVEN])
def test_splits_have_no_example_in_common(name, root):
    kept = []
    for split in SPLITS[name]:
        x = load(name, split, root=root, download=False).x.flatten(1)
        kept.append({hashlib.md5(row.numpy().tobytes(), usedforsecurity=False).digest() for row in x})
    for i, first in enumerate(kept):
        assert first.isdisjoint(set().union(*kept[i + 1 :]))


def digests():
    """Of every set that needs no files: of all tensors of all splits."""
    found = {}
    for name in IN_MEMORY:
        digest = hashlib.sha256()
        for split in SPLITS[name]:
            data = load(name, split)
            for tensor in (data.x, data.y, data.factors):
                digest.update(b"none" if tensor is None else tensor.numpy().tobytes())
        found[name] = digest.hexdigest()
    return found


def test_sets_are_the_same_in_every_call_and_every_process():
    code = f"import json, runpy; print(json.dumps(runpy.run_path({__file__!r})['digests']()))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONHASHSEED": "7"},
    )  # fmt: skip
    assert json.loads(done.stdout) == digests() == digests()


@pytest.mark.parametrize("name", IN_MEMORY)
def test_load_puts_everything_on_the_device_named(name):
    data = load(name, SPLITS[name][-1], device="meta")
    tensors = [tensor for tensor in (data.x, data.y, data.factors) if tensor is not None]
    assert {tensor.device.type for tensor in tensors} == {"meta"}


@pytest.mark.parametrize("name", IN_MEMORY)
def test_sets_in_memory_touch_no_file_of_the_user(name, tmp_path, monkeypatch):
    monkeypatch.setenv("GENLIB_DATA", str(tmp_path / "nowhere"))
    assert len(load(name, SPLITS[name][-1], download=False)) > 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", FROM_FILES)
def test_missing_files_name_folder_and_offline_choices(name, tmp_path):
    with pytest.raises(DataNotFoundError) as caught:
        load(name, root=tmp_path, download=False)
    assert all(words in str(caught.value) for words in (str(tmp_path / name), 'load("digits")', 'load("sentences")'))


@pytest.mark.parametrize("name", sorted(set(SPLITS) - set(SIZED)))
def test_sets_of_one_size_refuse_another(name):
    with pytest.raises(ValueError, match="one size only"):
        load(name, size=EXAMPLE[name][0][-1])


@pytest.mark.parametrize("name", sorted(SIZED))
def test_sizes_out_of_range_are_refused(name, tmp_path):
    _, low, high = SIZED[name]
    for wrong in (low - 1, high + 1, 0, -8, 28.0, "28"):
        with pytest.raises(ValueError, match=f"expected a whole number from {low} to {high}"):
            load(name, size=wrong, root=tmp_path)


@pytest.mark.parametrize(
    ("name", "sizes"), [("shapes", (16, 33, 64)), ("faces", (16, 33, 64)), ("patches", (2, 5, 64))]
)
def test_images_come_in_the_size_asked_for(name, sizes):
    for size in sizes:
        assert load(name, "valid", size=size).x.shape[-2:] == (size, size)


def example(n=5, **changes):
    fields = {"x": torch.zeros(n, 2), "y": torch.zeros(n, dtype=torch.int64), "name": "a", "split": "b"}
    return Dataset(**{**fields, **changes})


def test_dataset_counts_examples_moves_and_cannot_be_changed():
    data = example(factors=torch.zeros(5, 3), factor_names=("u", "v", "w"), alphabet="\nab")
    assert len(data) == 5
    moved = data.to("meta")
    assert {t.device.type for t in (moved.x, moved.y, moved.factors)} == {"meta"}
    assert {t.device.type for t in (data.x, data.y, data.factors)} == {"cpu"}
    assert (moved.factor_names, moved.alphabet) == (("u", "v", "w"), "\nab")
    assert example(y=None).to("meta").y is None
    with pytest.raises(AttributeError):
        data.x = data.x
    for words in ("5, 2", "u, v, w", "alphabet of 3", "with labels"):
        assert words in repr(data)


@pytest.mark.parametrize(("changes", "words"), [
    ({"y": torch.zeros(4)}, "one label per example"),
    ({"factors": torch.zeros(4, 2), "factor_names": ("u", "v")}, "a row per example"),
    ({"factors": torch.zeros(5, 2), "factor_names": ("u",)}, "column per name"),
    ({"factors": torch.zeros(5, 2)}, "column per name"),
    ({"factor_names": ("u",)}, "column per name"),
])  # fmt: skip
def test_dataset_refuses_parts_that_do_not_fit(changes, words):
    with pytest.raises(ValueError, match=words):
        example(**changes)
