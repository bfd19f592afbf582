"""What genlib tells the doctor is what its own functions do."""

import json
import shutil
from types import SimpleNamespace

import pytest
import torch

from genlib import data, machine
from genlib.device import get_device


def test_sets_that_are_called_always_there_load_without_files_and_the_others_do_not(tmp_path, monkeypatch):
    monkeypatch.setenv("GENLIB_DATA", str(tmp_path))
    monkeypatch.setattr("genlib.data.files.cache_folder", lambda: tmp_path / "cache")
    for name in data.SPLITS:
        if name in machine.DOWNLOADED + machine.LOCAL:
            with pytest.raises(data.DataNotFoundError):
                data.load(name, "test", download=False)
        else:
            assert len(data.load(name, "test", download=False))
    assert set(machine.DOWNLOADED + machine.LOCAL) <= set(data.SPLITS)


def test_every_missing_set_is_optional_and_names_the_way_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("GENLIB_DATA", str(tmp_path / "a folder"))
    monkeypatch.setattr("genlib.data.files.cache_folder", lambda: tmp_path / "cache")
    for name in machine.DOWNLOADED + machine.LOCAL:
        row = machine.data_row(name)
        assert (row["severity"], row["found"]) == ("optional", "not here")
        assert ("command" in row) == (name in machine.DOWNLOADED)
        assert str(tmp_path / "a folder" / name) in row["details"]["looked_in"]
        assert name in machine.DOWNLOADED or str(tmp_path / "a folder" / name) in row["advice"]


def test_real_files_are_found_where_they_lie_and_damaged_ones_are_called_so(real_data, tmp_path, monkeypatch):
    monkeypatch.setenv("GENLIB_DATA", str(real_data))
    row = machine.data_row("mnist")
    assert (row["severity"], row["found"]) == ("ok", f"in {real_data / 'mnist'}")
    shutil.copytree(real_data / "mnist", tmp_path / "mnist")
    for path in (tmp_path / "mnist").rglob("t10k-images*"):
        path.write_bytes(b"half a file")
    monkeypatch.setenv("GENLIB_DATA", str(tmp_path))
    assert machine.data_row("mnist")["found"] == "damaged"


def test_the_command_that_downloads_is_python_that_loads_both_splits(tmp_path, monkeypatch):
    monkeypatch.setenv("GENLIB_DATA", str(tmp_path))
    monkeypatch.setattr("genlib.data.files.cache_folder", lambda: tmp_path / "cache")
    code = machine.data_row("mnist")["command"].removeprefix("PYTHON -c ").strip('"')
    asked = []
    monkeypatch.setattr("genlib.data.load", lambda *arguments: asked.append(arguments))
    exec(compile(code, "command", "exec"), {})
    assert asked == [("mnist",), ("mnist", "test")]


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ({"cuda": "12.8"}, "CUDA 12.8"),
        ({"cuda": None, "hip": "6.4"}, "ROCm 6.4"),
        ({"cuda": None, "hip": None, "xpu": "2025"}, "XPU"),
        ({"cuda": None}, "CPU"),
    ],
)
def test_the_build_is_named(version, words):
    assert machine.build(SimpleNamespace(**version)).endswith(words)


def test_the_device_is_the_one_that_notebooks_get(monkeypatch):
    assert machine.device_row()["details"]["device"] == get_device().type
    monkeypatch.setenv("GENLIB_DEVICE", "cuda:99")
    row = machine.device_row()
    assert row["severity"] == "needed"
    assert "GENLIB_DEVICE" in row["found"] + row["advice"]


def test_a_card_that_torch_does_not_use_is_a_remark_with_a_command(monkeypatch):
    monkeypatch.setattr(machine, "get_device", lambda: torch.device("cpu"))
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    row = machine.device_row()
    assert row["severity"] == "optional"
    assert "--torch-backend auto" in row["command"]
    assert f"torch=={torch.__version__.partition('+')[0]}" in row["command"]
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert machine.device_row()["severity"] == "ok"


def test_rows_are_json_with_a_name_a_severity_and_what_was_found():
    rows = json.loads(json.dumps(machine.probe()))
    assert len({row["name"] for row in rows}) == len(rows)
    for row in rows:
        assert row["severity"] in ("ok", "optional", "needed")
        assert row["found"]
