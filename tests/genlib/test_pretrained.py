"""The models that genlib ships are what their scripts say, and know their subject."""

import math

import pytest
import torch

from genlib import data, pretrained
from genlib.checkpoint import load_checkpoint
from genlib.pretrained import gated_pixel_cnn_mnist as script


@pytest.fixture(scope="module")
def model():
    return pretrained.load()


def test_checkpoint_is_small_and_tells_how_it_was_made():
    path = pretrained.FOLDER / f"{script.NAME}.pt"
    checkpoint = load_checkpoint(path)
    assert path.stat().st_size < 2_000_000
    assert checkpoint["config"] == script.CONFIG
    assert (checkpoint["seed"], checkpoint["step"]) == (script.SEED, script.STEPS)
    assert checkpoint["optimizer"] is None
    assert pretrained.metrics() == checkpoint["metrics"]


def test_every_checkpoint_stands_beside_its_script():
    for name in pretrained.NAMES:
        assert (pretrained.FOLDER / f"{name}.py").is_file()
    assert {path.stem for path in pretrained.FOLDER.glob("*.pt")} == set(pretrained.NAMES)


def test_it_reads_the_digits_that_it_draws(model):
    """Bayes' rule on its own samples, four of each digit: chance would read four, and 30 or more once in 1e19."""
    y = torch.arange(10).repeat(4)
    x = model.sample(40, y=y, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        read = torch.stack([model.log_prob(x, label) for label in range(10)], 1).argmax(1)
    assert ((x == 0) | (x == 1)).all()
    assert (read == y).sum() >= 30


def test_measured_nats_are_those_of_the_test_images(model, real_data):
    """On 300 of the 10,000 images: their mean lies within five standard errors of the stored one."""
    test = data.load("mnist", "test", root=real_data, download=False)
    generator = torch.Generator().manual_seed(script.SEED)
    x, y = data.binarize(test.x, generator=generator)[::33][:300], test.y[::33][:300]
    with torch.no_grad():
        nats = -torch.cat([model.log_prob(*part) for part in zip(x.split(100), y.split(100), strict=True)])
    stored = pretrained.metrics()["test_nats_given_label"]
    assert abs(nats.mean().item() - stored) < 5 * nats.std().item() / math.sqrt(300)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="no trained model 'vae'; expected one of: gated_pixel_cnn_mnist"):
        pretrained.load("vae")
    with pytest.raises(ValueError, match="no trained model"):
        pretrained.metrics("vae")
