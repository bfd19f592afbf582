"""Device choice, seeding, mixed precision and memory."""

import io
import itertools
import random

import numpy as np
import psutil
import pytest
import torch

from genlib import device as device_module
from genlib.device import (
    PREFERENCE,
    autocast,
    checking_values,
    checks_values,
    derive_seed,
    get_device,
    memory_report,
    preserved_rng,
    rng_state,
    seed_everything,
    set_rng_state,
)


def pretend(monkeypatch, **counts):
    monkeypatch.delenv("GENLIB_DEVICE", raising=False)
    monkeypatch.setattr(device_module, "_device_counts", lambda: {"cuda": 0, "mps": 0, "xpu": 0, "cpu": 1, **counts})


@pytest.mark.parametrize("present", list(itertools.product([0, 1], repeat=3)))
def test_best_device_present_is_chosen(monkeypatch, present):
    counts = dict(zip(("cuda", "mps", "xpu"), present, strict=True))
    pretend(monkeypatch, **counts)
    assert get_device().type == next(kind for kind in PREFERENCE if counts.get(kind, 1))


def test_argument_beats_variable_beats_best(monkeypatch):
    pretend(monkeypatch, cuda=2, xpu=1)
    assert get_device() == torch.device("cuda")
    monkeypatch.setenv("GENLIB_DEVICE", "xpu")
    assert get_device() == torch.device("xpu")
    assert get_device("cuda:1") == torch.device("cuda:1")
    assert get_device(torch.device("cpu")) == torch.device("cpu")


@pytest.mark.parametrize("name", ["cuda", "mps", "xpu", "cuda:3", "meta", "gpu", "", "cpu:1"])
def test_absent_or_unknown_device_is_an_error_that_says_what_there_is(monkeypatch, name):
    pretend(monkeypatch)
    with pytest.raises(ValueError, match=r"prefer=.*cpu"):
        get_device(name)
    if name:
        monkeypatch.setenv("GENLIB_DEVICE", name)
        with pytest.raises(ValueError, match=r"GENLIB_DEVICE=.*cpu"):
            get_device()


def test_cuda_index_beyond_the_last_is_absent(monkeypatch):
    pretend(monkeypatch, cuda=2)
    assert get_device("cuda:1").index == 1
    with pytest.raises(ValueError, match="does not have"):
        get_device("cuda:2")


def test_chosen_device_computes(monkeypatch):
    monkeypatch.delenv("GENLIB_DEVICE", raising=False)
    assert torch.ones(3, device=get_device()).sum().item() == 3


def draws():
    return random.random(), random.gauss(0, 1), np.random.rand(), np.random.randn(), torch.rand(()).item()


def test_seed_fixes_every_generator_and_differs_between_seeds():
    with preserved_rng():
        seed_everything(7)
        first = draws()
        generator = seed_everything(7)
        assert draws() == first
        seed_everything(8)
        assert not set(draws()) & set(first)
        assert generator is torch.default_generator


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "1", None, True])
def test_seed_out_of_range_is_an_error(seed):
    with pytest.raises(ValueError, match="expected an integer from 0"):
        seed_everything(seed)


def test_derived_seeds_depend_on_everything_and_are_in_range():
    paths = [(seed, *path) for seed in range(5) for path in itertools.product(range(6), repeat=2)]
    seeds = [derive_seed(*path) for path in paths]
    assert len(set(seeds)) == len(seeds)
    assert seeds == [derive_seed(*path) for path in paths]
    assert all(0 <= s < 2**32 for s in seeds)


@pytest.mark.parametrize("warm_up", range(4))
def test_random_state_survives_a_checkpoint_file(warm_up):
    with preserved_rng():
        for _ in range(warm_up):
            # an odd number of normal draws leaves half of a pair in NumPy's, Python's and torch's generators
            draws(), torch.randn(1)
        file = io.BytesIO()
        torch.save(rng_state(), file)
        expected = [draws() for _ in range(3)]
        file.seek(0)
        set_rng_state(torch.load(file, weights_only=True))
        assert [draws() for _ in range(3)] == expected


def test_preserved_rng_restores_also_after_an_error():
    def draw_and_fail():
        with preserved_rng():
            seed_everything(99)
            draws()
            raise ZeroDivisionError

    with preserved_rng():
        seed_everything(3)
        expected = draws()
        seed_everything(3)
        with pytest.raises(ZeroDivisionError):
            draw_and_fail()
        assert draws() == expected


def test_mixed_precision_is_off_on_the_cpu_unless_asked():
    a = torch.ones(2, 2)
    with autocast("cpu"):
        assert (a @ a).dtype == torch.float32
    with autocast("cpu", enabled=True):
        assert (a @ a).dtype == torch.bfloat16


@pytest.mark.parametrize(("kind", "expected"), [("cpu", False), ("mps", False), ("xpu", True)])
def test_mixed_precision_by_kind_of_device(monkeypatch, kind, expected):
    seen = {}
    monkeypatch.setattr(torch, "autocast", lambda kind, **kwargs: seen.update(kind=kind, **kwargs))
    autocast(kind)
    assert seen == {"kind": kind, "dtype": torch.bfloat16, "enabled": expected}


@pytest.mark.parametrize(("native", "expected"), [(True, True), (False, False)])
def test_mixed_precision_on_cuda_follows_native_support(monkeypatch, native, expected):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: native or including_emulation)
    seen = {}
    monkeypatch.setattr(torch, "autocast", lambda kind, **kwargs: seen.update(kind=kind, **kwargs))
    autocast("cuda")
    assert seen == {"kind": "cuda", "dtype": torch.bfloat16, "enabled": expected}


def test_memory_report_sees_an_allocation_and_keeps_its_peak():
    before = memory_report("cpu")
    block = np.ones(100 * 2**20, dtype=np.uint8)  # written, so that the pages are there
    during = memory_report("cpu")
    resident = psutil.Process().memory_info().rss / 2**20
    assert during["process"] - before["process"] == pytest.approx(100, abs=20)
    assert during["process"] == pytest.approx(resident, abs=20)
    del block
    after = memory_report("cpu")
    assert after["process_peak"] >= during["process"] - 5
    assert all(report["process_peak"] >= report["process"] for report in (before, during, after))
    assert set(after) == {"process", "process_peak"}


def test_values_are_looked_at_on_the_cpu_and_elsewhere_only_when_asked():
    elsewhere = torch.empty(2, device="meta")
    assert checks_values(torch.empty(2))
    assert not checks_values(elsewhere)
    with checking_values():
        assert checks_values(elsewhere)
    assert not checks_values(elsewhere)
