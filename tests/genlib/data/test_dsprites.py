"""dSprites from made-up files, and the real one against what its factors say."""

import hashlib
import io

import numpy as np
import pytest
import torch

from genlib.data import SHAPE_FACTORS, DataCorruptError, DataNotFoundError, dsprites, files, load


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.fixture
def put(tmp_path, monkeypatch):
    """Writes arrays into a file of which genlib believes that it is the real one."""
    (tmp_path / "dsprites").mkdir()

    def write(content=None, **arrays):
        if content is None:
            buffer = io.BytesIO()
            np.savez_compressed(buffer, **arrays)
            content = buffer.getvalue()
        path = tmp_path / "dsprites" / dsprites.DSPRITES.path
        path.write_bytes(content)
        known = files.DataFile(path.name, len(content), hashlib.sha256(content).hexdigest())
        monkeypatch.setattr(dsprites, "DSPRITES", known)
        return path

    return write


def made_up(n=40):
    draw = np.random.default_rng(0)
    values = np.stack([draw.integers(1, 4, n), *draw.uniform(0.5, 1, (4, n))], 1)
    return {"imgs": draw.integers(0, 2, (n, 8, 8)).astype(np.uint8), "latents_values": values}


def test_images_stay_with_their_factors_and_fall_into_two_splits(put, tmp_path):
    arrays = made_up()
    put(**arrays, metadata=np.array({"title": "made up"}, dtype=object))
    parts = [load("dsprites", split, root=tmp_path) for split in ("train", "test")]
    assert [len(part) for part in parts] == [36, 4]
    found = {image.numpy().tobytes(): row.tolist() for part in parts for image, row in zip(part.x, part.factors)}  # noqa: B905
    assert len(found) == 40
    for image, row in zip(arrays["imgs"], arrays["latents_values"], strict=True):
        shape, *others = found[image[None].astype(np.float32).tobytes()]
        assert shape == row[0] - 1
        assert others == pytest.approx(row[1:], abs=1e-6)
    assert all(torch.equal(part.y, part.factors[:, 0].long()) for part in parts)
    assert parts[0].factor_names == SHAPE_FACTORS


def test_full_turns_are_left_out_because_they_repeat_no_turn(put, tmp_path):
    arrays = made_up()
    arrays["latents_values"][:5, 2] = 2 * np.pi
    put(**arrays)
    assert sum(len(load("dsprites", split, root=tmp_path)) for split in ("train", "test")) == 35


def test_nothing_in_the_file_is_executed(put, tmp_path):
    trap = tmp_path / "sprung"
    put(**made_up(), metadata=np.array([Trap(trap)], dtype=object))
    load("dsprites", root=tmp_path)
    put(imgs=np.array([Trap(trap)], dtype=object), latents_values=np.zeros((1, 5)))
    with pytest.raises(DataCorruptError):
        load("dsprites", root=tmp_path)
    assert not trap.exists()


@pytest.mark.parametrize("arrays", [
    {"imgs": np.zeros((3, 8, 8), np.uint8)}, {"imgs": np.zeros((3, 8), np.uint8), "latents_values": np.ones((3, 5))},
    {"imgs": np.full((3, 8, 8), 2, np.uint8), "latents_values": np.ones((3, 5))},
    {"imgs": np.zeros((3, 8, 8), np.uint8), "latents_values": np.ones((2, 5))}, {"content": b"no archive"},
])  # fmt: skip
def test_files_of_another_kind_are_an_error(put, tmp_path, arrays):
    path = put(**arrays)
    with pytest.raises(DataCorruptError, match=path.name):
        load("dsprites", root=tmp_path)


def test_damaged_and_missing_files_are_errors(put, tmp_path):
    path = put(**made_up())
    sound = path.read_bytes()
    path.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    with pytest.raises(DataCorruptError, match="SHA-256"):
        load("dsprites", root=tmp_path)
    path.unlink()
    with pytest.raises(DataNotFoundError, match="does not download"):
        load("dsprites", root=tmp_path)


def test_real_sprites_look_as_their_factors_say(real_data):
    """Position, size and direction of turning mean the same as in our own shapes."""
    if not (real_data / "dsprites").is_dir():
        pytest.skip(f"needs the real dsprites: {real_data} does not hold it")
    data = load("dsprites", "test", root=real_data)
    shape, scale, orientation, x, y = data.factors.double().unbind(1)
    assert shape.unique().tolist() == [0, 1, 2]
    places = torch.arange(64, dtype=torch.float64) + 0.5
    mass = data.x[:, 0].double() / data.x.double().sum((1, 2, 3))[:, None, None]
    right, down = mass.sum(1) @ places, mass.sum(2) @ places
    for centre, factor in ((right, x), (down, y)):
        assert torch.corrcoef(torch.stack([centre, factor]))[0, 1] > 0.99
    area = data.x.double().sum((1, 2, 3)) / scale**2
    for index in range(3):
        assert area[shape == index].std() < 0.1 * area[shape == index].mean()
    across = (mass * (places - right[:, None])[:, None] ** 2).sum((1, 2))
    along = (mass * (places - down[:, None])[:, :, None] ** 2).sum((1, 2))
    both = (mass * (places - right[:, None])[:, None] * (places - down[:, None])[:, :, None]).sum((1, 2))
    angle = -0.5 * torch.atan2(2 * both, across - along)  # of the long axis, counter-clockwise, as y points down
    error = (angle - orientation)[shape == 1]
    assert torch.cos(2 * error).min() > 0.95
